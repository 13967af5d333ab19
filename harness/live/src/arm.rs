//! One arm of a live trial: a fresh target, its accounts, all fleets, the witness beside them, and one record of everything.
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use mio::Waker;
use proofhouse_core::actor::EndpointId;
use proofhouse_core::plan::Plan;
use proofhouse_core::protocol::Transport;
use proofhouse_core::registry::Registry;
use proofhouse_core::target::{ProcessSpec, TargetKind, TargetSpec};
use proofhouse_core::time::nanos;
use proofhouse_core::transcript::{Event, Header, Transcript, Who};

use crate::accounts::{self, Accounts};
use crate::clock::Clock;
use crate::driver::{Cues, Driver, Reply, Request, Stage};
use crate::error::RunError;
use crate::guard::{self, Approved};
use crate::limits;
use crate::mask::Secrets;
use crate::options::LiveOptions;
use crate::ping::{self, Echo};
use crate::process::observed::Observed;
use crate::process::{Process, Workplace};
use crate::witness::{self, Witness};

/// How often a target is started when somebody else takes its port.
const STARTS: u32 = 3;
/// How long a remote target may take to answer before a run.
const REACH: Duration = Duration::from_secs(5);
/// The same for datagrams, where nobody need answer.
const REACH_DATAGRAM: Duration = Duration::from_secs(1);

/// Runs a plan against a target over real sockets: starts it where it is a process, and leaves nothing of it behind.
///
/// # Errors
/// When the trial could not take place, see [`RunError`]. What the target does in the trial is never an error: it is in the record.
pub fn run_live(
    plan: &Plan,
    registry: &Registry,
    target: &TargetSpec,
    header: Header,
    options: &LiveOptions,
) -> Result<Transcript, RunError> {
    // Before the target starts: it inherits the limit, and a fleet that it could hold should not fail on ours.
    let descriptors = limits::raise_descriptors();
    let plan = &mut plan.clone();
    let given = target.account.as_ref().map_or(&[][..], |account| &account.given);
    let secrets = if given.is_empty() { Vec::new() } else { accounts::assign(plan, given)? };
    let arm = Arm { plan, registry, target, options, secrets, descriptors };
    let mut transcript = match &target.kind {
        TargetKind::Process(spec) => again(|| arm.process(spec, header.clone()))?,
        TargetKind::Remote => arm.remote(header)?,
        TargetKind::InProcess { build, .. } => return Err(in_process(build)),
    };
    Secrets::new(arm.secrets).transcript(&mut transcript);
    Ok(transcript)
}

/// Whether trials against this target could take place: starts and stops it, or connects to it. Returns its version, empty where it
/// does not say.
///
/// # Errors
/// As [`run_live`].
pub fn preflight(target: &TargetSpec, registry: &Registry, options: &LiveOptions) -> Result<String, RunError> {
    match &target.kind {
        TargetKind::Process(spec) => again(|| {
            let place = Arc::new(Workplace::new(spec, &target.endpoints, &options.own_program)?);
            guard::approve(target, &options.i_own, |text| place.fill(text))?;
            let process = Process::start(spec, place, Observed::default(), &[], options)?;
            Ok(process.version().to_string())
        }),
        TargetKind::Remote => {
            let approved = guard::approve(target, &options.i_own, str::to_string)?;
            for (n, endpoint) in (0..).zip(&target.endpoints).filter(|(_, endpoint)| !endpoint.client) {
                let transport = registry.protocol(&endpoint.protocol).map(|row| row.transport);
                reach(approved.endpoint(EndpointId(n)), transport == Some(Transport::Datagram))?;
            }
            Ok(String::new())
        }
        TargetKind::InProcess { .. } => Ok(env!("CARGO_PKG_VERSION").to_string()),
    }
}

fn reach(to: Approved, datagrams: bool) -> Result<(), RunError> {
    let unreachable =
        |error: std::io::Error| RunError::Unreachable { address: to.addr().to_string(), reason: error.to_string() };
    if datagrams {
        // Silence is no proof of absence: whoever does not answer a ping may answer the trial.
        return match ping::ask(to, REACH_DATAGRAM).map_err(unreachable)? {
            Echo::Nobody => Err(unreachable(std::io::ErrorKind::ConnectionRefused.into())),
            Echo::Answered | Echo::Silence => Ok(()),
        };
    }
    TcpStream::connect_timeout(&to.socket_addr(), REACH).map(drop).map_err(unreachable)
}

fn in_process(build: &str) -> RunError {
    RunError::Build(format!("{build:?} is built in this process: it runs in the simulator, not over sockets"))
}

/// A port that somebody else took is our bad luck, not the target's: another try has other ports.
fn again<T>(mut attempt: impl FnMut() -> Result<T, RunError>) -> Result<T, RunError> {
    let mut tries = 1;
    loop {
        match attempt() {
            Err(RunError::PortInUse { .. }) if tries < STARTS => tries += 1,
            answer => return answer,
        }
    }
}

struct Arm<'a> {
    plan: &'a Plan,
    registry: &'a Registry,
    target: &'a TargetSpec,
    options: &'a LiveOptions,
    secrets: Vec<String>,
    /// Our own limit.
    descriptors: u64,
}

/// A target that takes orders, and what makes it do so.
type Administered<'a> = Option<(&'a Process, Accounts)>;

impl Arm<'_> {
    fn process(&self, spec: &ProcessSpec, header: Header) -> Result<Transcript, RunError> {
        let place = Arc::new(Workplace::new(spec, &self.target.endpoints, &self.options.own_program)?);
        let approved = guard::approve(self.target, &self.options.i_own, |text| place.fill(text))?;
        let clock = Clock::new();
        let observed = Observed::new(clock.clone());
        let stage = Stage { plan: self.plan, registry: self.registry, approved: &approved, clock: &clock };
        // Before the target starts: where fleets play the server, it connects to them.
        let driver = Driver::new(stage, header.clone(), &everybody_but_witnesses(stage))?;
        let mut accounts = Accounts::new(self.plan, self.target.account.as_ref(), Arc::clone(&place));
        if self.plan.fleets.iter().any(|fleet| fleet.authenticated) {
            accounts.prepare()?;
        }
        let process = Process::start(spec, place, observed.clone(), &self.secrets, self.options)?;
        let seen = self.perform(stage, driver, header, Some((&process, accounts)))?;
        process.stop();
        Ok(merged(seen, &observed))
    }

    fn remote(&self, header: Header) -> Result<Transcript, RunError> {
        let approved = guard::approve(self.target, &self.options.i_own, str::to_string)?;
        let clock = Clock::new();
        let stage = Stage { plan: self.plan, registry: self.registry, approved: &approved, clock: &clock };
        let driver = Driver::new(stage, header.clone(), &everybody_but_witnesses(stage))?;
        let seen = self.perform(stage, driver, header, None)?;
        Ok(merged(seen, &Observed::default()))
    }

    /// The trial itself, with a target that is ready.
    fn perform(
        &self,
        stage: Stage<'_>,
        mut driver: Driver<'_>,
        header: Header,
        target: Administered<'_>,
    ) -> Result<Transcript, RunError> {
        stage.clock.begin();
        self.rights(&mut driver);
        let ended = target.as_ref().map(|(process, _)| || process.ended().is_some());
        let its_descriptors = target.as_ref().and_then(|(process, _)| process.descriptors_max());
        thread::scope(|scope| {
            let mut cues = Cues { interrupt: Arc::clone(&self.options.interrupt), ..Cues::default() };
            cues.ended = ended.as_ref().map(|ended| ended as &(dyn Fn() -> bool + Sync));
            let places = witness::places(stage);
            let witness = (!places.is_empty()).then(|| {
                let (heard, hears) = channel();
                cues.witness = Some(hears);
                let interrupt = Arc::clone(&self.options.interrupt);
                let (ask, asked) = channel();
                let heard = Some((heard, driver.waker()));
                let its = Cues { interrupt, heard, asked: Some(asked), ..Cues::default() };
                (Witness::start(scope, stage, header, places, its), ask)
            });
            let witness = match witness {
                Some((witness, ask)) => {
                    let witness = witness?;
                    cues.ask = Some((ask, witness.waker()));
                    Some(witness)
                }
                None => None,
            };
            if let Some((process, accounts)) = target {
                let (orders, to_do) = channel();
                let (done, replies) = channel();
                cues.admin = Some((orders, replies));
                let waker = driver.waker();
                scope.spawn(move || administer(accounts, process, self.options, &to_do, &done, &waker));
            }
            let result = driver.run(cues);
            calibrate(&mut driver, self.descriptors, its_descriptors);
            let mut seen = driver.finish();
            // The witness first: its own end must not look like the target's.
            let witnessed = witness.map_or(Ok(()), |witness| witness.finish(&mut seen));
            result.and(witnessed).map(|()| seen)
        })
    }

    /// Every right that holds from the beginning.
    fn rights(&self, driver: &mut Driver<'_>) {
        for party in &self.plan.parties {
            for (verb, filter) in &party.may {
                let (party, grant) = (party.name.clone(), format!("{verb} {filter}"));
                driver.entry(Who::Harness, Event::Grant { party, grant, allow: true });
            }
        }
    }
}

fn everybody_but_witnesses(stage: Stage<'_>) -> Vec<u16> {
    let witnesses = witness::places(stage);
    stage.plan.fleets.iter().map(|fleet| fleet.index).filter(|index| !witnesses.contains(index)).collect()
}

/// Takes orders one after another; ends when the driver has.
fn administer(
    mut accounts: Accounts,
    process: &Process,
    options: &LiveOptions,
    orders: &Receiver<Request>,
    replies: &Sender<Reply>,
    waker: &Waker,
) {
    for Request { who, order } in orders {
        let result = accounts.apply(&order, process, options);
        // A driver that is gone needs no reply.
        let _ = replies.send(Reply { who, result });
        let _ = waker.wake();
    }
}

/// What our own machine had to give, to us and to the target, and how late we were.
fn calibrate(driver: &mut Driver<'_>, ours: u64, targets: Option<u64>) {
    /// Standard streams, polls, wakers, pipes of the target, log and journal.
    const OWN_USE: u64 = 32;
    for (name, value) in [
        ("descriptors-soft-limit", Some(ours)),
        ("descriptors-needed", Some(driver.peak() + OWN_USE)),
        ("target-descriptors-soft-limit", targets),
        ("connections-peak", Some(driver.peak())),
        ("schedule-slip-max-ns", Some(nanos(driver.slip()))),
    ] {
        if let Some(value) = value {
            driver.entry(Who::Harness, Event::Calibration { name: name.into(), value });
        }
    }
}

/// One record in order of time; of one moment, the target's life comes first.
fn merged(mut seen: Transcript, observed: &Observed) -> Transcript {
    let mut entries = observed.take();
    entries.append(&mut seen.entries);
    entries.sort_by_key(|entry| entry.at);
    Transcript { header: seen.header, entries }
}
