//! A lab: a started target with its approved addresses, its accounts, its workplace and the witnesses beside it. It outlives the
//! rounds that are played in it, so that a witness is never cut off in the middle of a question.
//!
//! `open` starts the target, `round` plays one arm of a trial, `close` ends everything and tells how the target took it. What fuzzes,
//! loads or surveys a target is a guest of a lab.
mod linger;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use mio::Waker;
use proofhouse_core::budget::Lease;
use proofhouse_core::ids::EndpointId;
use proofhouse_core::plan::Plan;
use proofhouse_core::protocol::{Protocol, Transport};
use proofhouse_core::recorder::ROUNDS_BEFORE;
use proofhouse_core::registry::Registry;
use proofhouse_core::target::{Given, ProcessSpec, TargetKind, TargetSpec};
use proofhouse_core::time::{Time, nanos};
use proofhouse_core::transcript::{Entry, Event, Header, Life, Transcript, Who};

use crate::accounts::{self, Accounts};
use crate::clock::Clock;
use crate::driver::{Cues, Driver, Reply, Request, TrialContext};
use crate::error::RunError;
use crate::guard::{self, Approvals, Approved};
use crate::limits;
use crate::mask::Secrets;
use crate::options::LiveOptions;
use crate::ping::{self, Echo};
use crate::process::observed::Observed;
use crate::process::{Door, Process, Workplace};
use crate::witness::{self, Witness};

pub(crate) use linger::Aside;

/// How often a target is started when somebody else takes its port.
const STARTS: u32 = 3;
/// How long a remote target may take to answer before a run.
const REACH: Duration = Duration::from_secs(5);
/// The same for datagrams, where nobody need answer.
const REACH_DATAGRAM: Duration = Duration::from_secs(1);

/// A target that runs, and everything around it that lives as long as it does.
pub struct Lab {
    registry: Arc<Registry>,
    options: LiveOptions,
    approved: Arc<Approvals>,
    /// A target that we have started, and how its accounts are changed; `None` where it runs elsewhere.
    ours: Option<(Process, Accounts)>,
    /// What is seen of the target, in the lab's own time. Rounds have clocks of their own.
    observed: Observed,
    witness: Option<Witness>,
    /// The driver of the first round: where fleets play the server, it listens before the target starts.
    first: Option<(Arc<Plan>, Driver)>,
    given: Vec<Given>,
    secrets: Secrets,
    /// Our own limit.
    descriptors: u64,
    rounds: u32,
    /// What the round's record is charged to, and what is logged meanwhile.
    memory: Lease,
    /// When the last round began, in the lab's time.
    zero: Time,
}

/// How a lab ended.
#[derive(Debug, Default)]
pub struct Ending {
    /// What was seen of the target since its last round and while it was stopped: its end, and what it logged on the way. Times are those
    /// of a round, the last if nobody says otherwise.
    pub entries: Vec<Entry>,
}

impl Lab {
    /// Starts a target for a first round of this plan: its parties become accounts, and fleets that play the server listen. A target
    /// that runs elsewhere is only looked up.
    ///
    /// # Errors
    /// When the target could not be started or may not be spoken to, see [`RunError`]. Nothing of it is left then.
    pub fn open(target: &TargetSpec, plan: &Plan, registry: &Registry, options: &LiveOptions) -> Result<Lab, RunError> {
        // Before the target starts: it inherits the limit, and a fleet that it could hold should not fail on ours.
        let descriptors = limits::raise_descriptors();
        let given = target.account.as_ref().map_or_else(Vec::new, |account| account.given.clone());
        let mut plan = plan.clone();
        let secrets = Secrets::new(accounts::secrets(&given));
        if !given.is_empty() {
            accounts::assign(&mut plan, &given)?;
        }
        let (plan, registry) = (Arc::new(plan), Arc::new(registry.clone()));
        let base = Base { plan, registry, options, given, secrets: secrets.clone(), descriptors };
        base.open(target).map_err(|error| secrets.error(error))
    }

    /// Plays one arm of a trial. What the target does in it is never an error: it is in the record.
    ///
    /// # Errors
    /// When the round could not take place: the accounts of another plan cannot be made while the target runs, or somebody interrupts.
    pub fn round(&mut self, plan: &Plan, header: Header) -> Result<Transcript, RunError> {
        self.play(plan, header, |options| options.host.memory(|| options.interrupted()))
    }

    /// A round, and what a record is charged to that is not the first.
    fn play(
        &mut self,
        plan: &Plan,
        header: Header,
        memory: impl Fn(&LiveOptions) -> Lease,
    ) -> Result<Transcript, RunError> {
        let mut plan = plan.clone();
        if !self.given.is_empty() {
            accounts::assign(&mut plan, &self.given)?;
        }
        let first = self.first.take().filter(|(opened, _)| **opened == plan);
        let driver = match first {
            Some((_, driver)) => driver,
            None => {
                self.memory = memory(&self.options);
                self.observed.charge(self.memory.clone());
                self.move_in(&plan)?;
                let others = witness::others(&plan);
                Driver::new(self.context(Arc::new(plan), Clock::new()), &others)?
            }
        };
        self.begin(&driver);
        let mut transcript = self.perform(driver, header)?;
        if let Some((process, _)) = &self.ours {
            process.look();
        }
        let mut entries = in_round(self.observed.take(), self.zero);
        self.rounds += 1;
        if self.rounds > 1 && self.ours.is_some() {
            entries.extend(runs_already(&self.version(), u64::from(self.rounds - 1)));
        }
        // In order of time; of one moment, the target's life comes first.
        entries.append(&mut transcript.entries);
        entries.sort_by_key(|entry| entry.at);
        transcript.entries = entries;
        self.secrets.transcript(&mut transcript);
        Ok(transcript)
    }

    /// Stops a target that we have started; leaves nothing of it behind.
    #[must_use]
    pub fn close(self) -> Ending {
        let last = self.began();
        self.close_in(last)
    }

    /// As [`Lab::close`], with times of the round that began then.
    #[must_use]
    pub fn close_in(mut self, began: Time) -> Ending {
        drop(self.witness.take());
        let Some((process, _)) = &self.ours else { return Ending::default() };
        process.stop();
        let mut ending = Ending { entries: in_round(self.observed.take(), began) };
        self.secrets.entries(&mut ending.entries);
        ending
    }

    /// When the last round began, in the lab's own time.
    #[must_use]
    pub fn began(&self) -> Time {
        self.zero
    }

    /// Rounds that were played so far.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// What the record of the last round is charged to; whoever holds the record holds this. The lab itself holds it no more.
    pub(crate) fn take_memory(&mut self) -> Lease {
        self.observed.charge(Lease::default());
        std::mem::take(&mut self.memory)
    }

    /// As the target prints it; empty where unknown.
    #[must_use]
    pub fn version(&self) -> String {
        self.ours.as_ref().map(|(process, _)| process.version().to_string()).unwrap_or_default()
    }

    fn context(&self, plan: Arc<Plan>, clock: Clock) -> TrialContext {
        let (registry, approved) = (Arc::clone(&self.registry), Arc::clone(&self.approved));
        TrialContext { plan, registry, approved, clock, memory: self.memory.clone() }
    }

    /// Another plan than the one before needs accounts of its own, and witnesses who have theirs.
    fn move_in(&mut self, plan: &Plan) -> Result<(), RunError> {
        if let Some((process, accounts)) = &mut self.ours {
            accounts.replace(plan, process, &self.options)?;
        }
        if self.witness.as_ref().is_some_and(|witness| !witness.fits(plan)) {
            self.witness = None;
        }
        Ok(())
    }

    /// The round's clock begins.
    fn begin(&mut self, driver: &Driver) {
        self.observed.clock().begin();
        driver.context().clock.begin();
        self.zero = self.observed.clock().now();
    }

    /// The round itself, with a target that is ready.
    fn perform(&mut self, mut driver: Driver, header: Header) -> Result<Transcript, RunError> {
        rights(&mut driver);
        if self.witness.is_none() {
            let context = self.context(Arc::clone(&driver.context().plan), self.observed.clock().clone());
            // They outlive the round: each is told what its record is charged to.
            let context = TrialContext { memory: Lease::spared(), ..context };
            self.witness = Witness::start(context, Arc::clone(&self.options.interrupt))?;
        }
        let zero = self.zero;
        let its_descriptors = self.ours.as_ref().and_then(|(process, _)| process.descriptors_max());
        let (witness, options) = (self.witness.as_ref(), &self.options);
        let ours = self.ours.as_mut();
        let result = thread::scope(|scope| {
            let mut cues = Cues { interrupt: Arc::clone(&options.interrupt), ..Cues::default() };
            if let Some(witness) = witness {
                let (heard, hears) = channel();
                cues.witness = Some(hears);
                cues.ask = Some(witness.begin((heard, driver.waker()), driver.context(), zero));
            }
            if let Some((process, accounts)) = ours {
                let process = &*process;
                cues.ended = Some(Box::new(|| process.ended().is_some()));
                let (orders, to_do) = channel();
                let (done, replies) = channel();
                cues.admin = Some((orders, replies));
                let waker = driver.waker();
                let work = move || administer(accounts, process, options, &to_do, &done, &waker);
                let begun = thread::Builder::new().spawn_scoped(scope, work);
                begun.map_err(RunError::io("start a thread for the accounts"))?;
            }
            driver.run(cues)
        });
        calibrate(&mut driver, self.descriptors, its_descriptors);
        let mut seen = driver.finish(header);
        let witnessed = self.witness.as_mut().map_or(Ok(()), |witness| witness.record(&mut seen, zero));
        if witnessed.is_err() {
            self.witness = None;
        }
        result.and(witnessed).map(|()| seen)
    }
}

/// What a lab is opened from.
struct Base<'a> {
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    options: &'a LiveOptions,
    given: Vec<Given>,
    secrets: Secrets,
    descriptors: u64,
}

impl Base<'_> {
    fn open(&self, target: &TargetSpec) -> Result<Lab, RunError> {
        match &target.kind {
            TargetKind::Process(spec) => again(self.options, || self.start(target, spec)),
            TargetKind::Remote => {
                let approved = guard::approve(target, &self.options.i_own, str::to_string)?;
                self.lab(approved, Observed::new(Clock::new()))
            }
            TargetKind::InProcess { build, .. } => Err(in_process(build)),
        }
    }

    fn start(&self, target: &TargetSpec, spec: &ProcessSpec) -> Result<Lab, RunError> {
        let place = Arc::new(Workplace::new(spec, &target.endpoints, self.options)?);
        let approved = guard::approve(target, &self.options.i_own, |text| place.fill(text))?;
        let mut accounts = Accounts::new(&self.plan, target.account.as_ref(), Arc::clone(&place));
        // Before the target starts: where fleets play the server, it connects to them.
        let mut lab = self.lab(approved, Observed::new(Clock::new()))?;
        if self.plan.fleets.iter().any(|fleet| fleet.authenticated) {
            accounts.prepare(self.options)?;
        }
        let doors = Door::all(target, &lab.approved, &self.registry);
        let process = Process::start(spec, doors, place, lab.observed.clone(), &self.secrets, self.options)?;
        lab.ours = Some((process, accounts));
        Ok(lab)
    }

    fn lab(&self, approved: Approvals, observed: Observed) -> Result<Lab, RunError> {
        let memory = self.options.host.memory(|| self.options.interrupted());
        observed.charge(memory.clone());
        let observed_memory = memory.clone();
        let approved = Arc::new(approved);
        let (plan, registry) = (Arc::clone(&self.plan), Arc::clone(&self.registry));
        let context = TrialContext { plan, registry, approved: Arc::clone(&approved), clock: Clock::new(), memory };
        let others = witness::others(&context.plan);
        Ok(Lab {
            registry: Arc::clone(&self.registry),
            options: self.options.clone(),
            approved,
            ours: None,
            observed,
            witness: None,
            first: Some((Arc::clone(&self.plan), Driver::new(context, &others)?)),
            given: self.given.clone(),
            secrets: self.secrets.clone(),
            descriptors: self.descriptors,
            rounds: 0,
            memory: observed_memory,
            zero: Time::ZERO,
        })
    }
}

/// Runs a plan against a target over real sockets: a lab for one round, which leaves nothing behind.
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
    run_held(plan, registry, target, header, options, None).map(|(transcript, _)| transcript)
}

/// As [`run_live`], with what the record is charged to: it is given back once nobody holds the lease. `aside`: a process of ours lives on for
/// a while before it is stopped.
pub(crate) fn run_held(
    plan: &Plan,
    registry: &Registry,
    target: &TargetSpec,
    header: Header,
    options: &LiveOptions,
    aside: Option<Aside<'_>>,
) -> Result<(Transcript, Lease), RunError> {
    let mut lab = Lab::open(target, plan, registry, options)?;
    let mut transcript = lab.round(plan, header)?;
    let (held, began) = (lab.take_memory(), lab.began());
    if let Some(aside) = aside {
        lab.linger(plan, &mut transcript, aside);
    }
    transcript.entries.extend(lab.close_in(began).entries);
    Ok((transcript, held))
}

/// Whether trials against this target could take place: starts and stops it, or connects to it. Returns its version, empty where it
/// does not say.
///
/// # Errors
/// As [`run_live`].
pub fn preflight(target: &TargetSpec, registry: &Registry, options: &LiveOptions) -> Result<String, RunError> {
    let given = target.account.as_ref().map_or(&[][..], |all| &all.given);
    accounts::maskable(given, "")?;
    let secrets = Secrets::new(accounts::secrets(given));
    answers(target, registry, options, &secrets).map_err(|error| secrets.error(error))
}

fn answers(
    target: &TargetSpec,
    registry: &Registry,
    options: &LiveOptions,
    secrets: &Secrets,
) -> Result<String, RunError> {
    match &target.kind {
        TargetKind::Process(spec) => again(options, || {
            let place = Arc::new(Workplace::new(spec, &target.endpoints, options)?);
            let approved = guard::approve(target, &options.i_own, |text| place.fill(text))?;
            let doors = Door::all(target, &approved, registry);
            let process = Process::start(spec, doors, place, Observed::default(), secrets, options)?;
            Ok(process.version().to_string())
        }),
        TargetKind::Remote => {
            let approved = guard::approve(target, &options.i_own, str::to_string)?;
            for (n, endpoint) in (0..).zip(&target.endpoints).filter(|(_, endpoint)| !endpoint.client) {
                reach(approved.endpoint(EndpointId(n)), registry.protocol(&endpoint.protocol))?;
            }
            Ok(String::new())
        }
        TargetKind::InProcess { .. } => Ok(env!("CARGO_PKG_VERSION").to_string()),
    }
}

fn reach(to: Approved, spoken: Option<&Protocol>) -> Result<(), RunError> {
    let unreachable =
        |error: std::io::Error| RunError::Unreachable { address: to.addr().to_string(), reason: error.to_string() };
    if let Some(row) = spoken.filter(|row| row.transport == Transport::Datagram) {
        // Where the protocol has no question, an empty datagram finds a closed port too.
        let datagram = row.ping.map_or(&[][..], |ping| ping.datagram);
        // Silence is no proof of absence: whoever does not answer a ping may answer the trial.
        return match ping::ask(to, datagram, REACH_DATAGRAM).map_err(unreachable)? {
            Echo::Nobody => Err(unreachable(std::io::ErrorKind::ConnectionRefused.into())),
            Echo::Answered | Echo::Silence => Ok(()),
        };
    }
    TcpStream::connect_timeout(&to.socket_addr(), REACH).map(drop).map_err(unreachable)
}

fn in_process(build: &str) -> RunError {
    RunError::Build(format!("{build:?} is built in this process: it runs in the simulator, not over sockets"))
}

/// A port that somebody else took is our bad luck, not the target's: another try has other ports. So is a machine too busy to start it:
/// another try starts alone.
fn again<T>(options: &LiveOptions, mut attempt: impl FnMut() -> Result<T, RunError>) -> Result<T, RunError> {
    let mut alone = None;
    let mut tries = 1;
    loop {
        match attempt() {
            Err(RunError::PortInUse { .. }) if tries < STARTS => tries += 1,
            Err(RunError::NotReady { overloaded: true, .. }) if alone.is_none() => {
                let turn = options.host.turns().alone(|| options.interrupted());
                alone = Some(turn.ok_or(RunError::Interrupted)?);
            }
            answer => return answer,
        }
    }
}

/// Every right that holds from the beginning.
fn rights(driver: &mut Driver) {
    let plan = Arc::clone(&driver.context().plan);
    for party in &plan.parties {
        for (verb, filter) in &party.may {
            let (party, grant) = (party.name.clone(), format!("{verb} {filter}"));
            driver.entry(Who::Harness, Event::Grant { party, grant, allow: true });
        }
    }
}

/// Takes orders one after another; ends when the driver has.
fn administer(
    accounts: &mut Accounts,
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
fn calibrate(driver: &mut Driver, ours: u64, targets: Option<u64>) {
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

/// What a round finds that is not the first: the target has been started, is ready, and has been played in.
fn runs_already(version: &str, before: u64) -> [Entry; 3] {
    let told = |event| Entry { at: Time::ZERO, who: Who::Target, event };
    let started = Life::Started { version: version.to_string() };
    let before = Event::Gauge { name: ROUNDS_BEFORE.into(), value: before };
    [told(Event::Life(started)), told(Event::Life(Life::Ready)), told(before)]
}

/// What was observed in the lab's time, told in that of a round which began at `zero`.
fn in_round(mut entries: Vec<Entry>, zero: Time) -> Vec<Entry> {
    for entry in &mut entries {
        entry.at = Time(entry.at.0.saturating_sub(zero.0));
    }
    entries
}
