//! How a target shows that it is ready.
use std::thread::sleep;
use std::time::Duration;

use proofhouse_core::target::Ready;
use regex_lite::Regex;

use super::door::Door;
use super::group::{Listener, bound, listener};
use super::patience::Patience;
use super::turns::Turn;
use super::{Ended, Process};
use crate::clock::Stopwatch;
use crate::error::RunError;
use crate::guard;
use crate::options::LiveOptions;
use crate::ping::{self, Echo};

/// How long somebody else must be seen on our port before we believe it: one look may catch a target between two of its own steps.
const STRANGER: Duration = Duration::from_millis(200);
/// How long a socket of datagrams must stay bound: nobody can see whether its owner reads, but one that ends at once is not ready.
const STAYS: Duration = Duration::from_millis(100);
/// The same where it was asked and does not answer: a server may ignore what it has no use for.
const STAYS_MUTE: Duration = Duration::from_millis(500);
/// How long one ping waits for its answer.
const PING: Duration = Duration::from_millis(50);
/// Between two looks.
const NAP: Duration = Duration::from_millis(10);
/// How many log lines an error shows.
const TAIL: usize = 10;

/// Nobody may be where the target is to speak: whoever is there already would be taken for it.
///
/// # Errors
/// `PortInUse`.
pub(super) fn vacant(doors: &[Door]) -> Result<(), RunError> {
    let watch = Stopwatch::start();
    while let Some(taken) = doors.iter().find(|door| door.is_open()) {
        // A target that was stopped just now may be a moment in leaving.
        if watch.elapsed() >= STRANGER {
            return Err(RunError::PortInUse { port: taken.port });
        }
        sleep(NAP);
    }
    Ok(())
}

/// Waits until the probe of the target file succeeds; gives the turn back as soon as the start is no work any more.
pub(super) fn wait(process: &Process, options: &LiveOptions, turn: Option<Turn<'_>>) -> Result<(), RunError> {
    // Time and log lines show no socket: nothing is asked of a target that has none.
    let doors = process.doors();
    let open = || doors.iter().all(Door::is_open);
    let and_open = match doors {
        [] => String::new(),
        [first, ..] => format!(", and a socket on port {}", first.port),
    };
    let limit = process.spec().ready_within;
    let poll = |probe: &str, limit, ready: Ask<'_>| poll(process, options, turn, probe, limit, ready);
    match &process.spec().ready {
        Ready::Tcp(address) => {
            let address = process.place().fill(address);
            let port = guard::port(&address)?;
            let look = move |process: &Process| listener(process.group(), port);
            poll(&format!("a listener on {address}"), limit, &mut owned(process, port, look))
        }
        Ready::Udp(address) => {
            let address = process.place().fill(address);
            let probe = format!("a socket of datagrams bound to {address}");
            poll(&probe, limit, &mut stays(process, guard::port(&address)?, STAYS, || Ok(false)))
        }
        Ready::After(time) => {
            let watch = Stopwatch::start();
            let mut passed = || Ok(watch.left(*time).is_zero() && open());
            poll(&format!("time to pass{and_open}"), limit + *time, &mut passed)
        }
        Ready::Log(pattern) => {
            let regex = Regex::new(pattern)
                .map_err(|error| RunError::Build(format!("ready = {{ log = {pattern:?} }}: {error}")))?;
            let found = || process.log().wait_for(&regex, process.first_line(), NAP, || false);
            poll(&format!("a log line that matches {pattern:?}{and_open}"), limit, &mut || Ok(found() && open()))
        }
        Ready::Ping(ask, address) => {
            let address = process.place().fill(address);
            let to = guard::on_loopback(&address)?;
            let asked = || ping::ask(to, ask.datagram, PING).map_err(RunError::io("send a ping"));
            let probe = format!("an answer to {} at {address}", ask.what);
            poll(&probe, limit, &mut stays(process, to.addr().port, STAYS_MUTE, || Ok(asked()? == Echo::Answered)))
        }
    }
}

/// Whether the target is ready by now.
type Ask<'a> = &'a mut dyn FnMut() -> Result<bool, RunError>;

fn poll(
    process: &Process,
    options: &LiveOptions,
    mut turn: Option<Turn<'_>>,
    probe: &str,
    limit: Duration,
    ready: Ask<'_>,
) -> Result<(), RunError> {
    let mut patience = Patience::new(process.group(), limit);
    loop {
        let ended = process.ended();
        if ended.is_none() && ready()? {
            return Ok(());
        }
        if let Some(ended) = ended {
            return Err(died(process, ended));
        }
        if options.interrupted() {
            return Err(RunError::Interrupted);
        }
        if patience.ends(process) {
            let (probe, log) = (probe.to_string(), process.log().last(TAIL));
            let (waited, overloaded) = (patience.elapsed(), patience.overloaded());
            return Err(RunError::NotReady { probe, waited, log, overloaded });
        }
        turn = turn.filter(|_| patience.is_busy());
        sleep(NAP);
    }
}

/// A target that ends because somebody took its port says so in its own words: look at the port instead.
fn died(process: &Process, ended: Ended) -> RunError {
    let taken = |port: &u16| [listener, bound].iter().any(|look| look(process.group(), *port) == Listener::Stranger);
    if let Some(port) = process.place().ports().into_iter().find(taken) {
        return RunError::PortInUse { port };
    }
    process.log().drain(Duration::from_millis(200));
    RunError::DiedAtStart { how: ended.to_string(), log: process.log().last(TAIL) }
}

/// Whether the socket that `look` looks for is the target's own.
fn owned(process: &Process, port: u16, look: impl Fn(&Process) -> Listener) -> impl FnMut() -> Result<bool, RunError> {
    let mut stranger: Option<Stopwatch> = None;
    move || match look(process) {
        Listener::Group => Ok(true),
        Listener::Nobody => {
            stranger = None;
            Ok(false)
        }
        Listener::Stranger if stranger.get_or_insert_with(Stopwatch::start).elapsed() < STRANGER => Ok(false),
        Listener::Stranger => Err(RunError::PortInUse { port }),
    }
}

/// Whether the target's own socket of datagrams is bound and either answers or stays so for a while.
fn stays(
    process: &Process,
    port: u16,
    long: Duration,
    answers: impl Fn() -> Result<bool, RunError>,
) -> impl FnMut() -> Result<bool, RunError> {
    let mut own = owned(process, port, move |process| bound(process.group(), port));
    let mut since: Option<Stopwatch> = None;
    move || {
        if !own()? {
            since = None;
            return Ok(false);
        }
        let since = since.get_or_insert_with(Stopwatch::start);
        Ok(answers()? || since.elapsed() >= long)
    }
}
