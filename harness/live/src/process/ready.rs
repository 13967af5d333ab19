//! How a target shows that it is ready.
use std::thread::sleep;
use std::time::Duration;

use proofhouse_core::target::Ready;
use regex_lite::Regex;

use super::group::{Listener, bound, listener};
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

/// Waits until the probe of the target file succeeds.
pub(super) fn wait(process: &Process, options: &LiveOptions) -> Result<(), RunError> {
    let limit = process.spec().ready_within;
    match &process.spec().ready {
        Ready::Tcp(address) => {
            let address = process.place().fill(address);
            let port = guard::port(&address)?;
            let look = move |process: &Process| listener(process.group(), port);
            poll(process, options, &format!("a listener on {address}"), limit, owned(process, port, look))
        }
        Ready::Udp(address) => {
            let address = process.place().fill(address);
            let probe = format!("a socket of datagrams bound to {address}");
            poll(process, options, &probe, limit, stays(process, guard::port(&address)?, STAYS, || Ok(false)))
        }
        Ready::After(time) => {
            let watch = Stopwatch::start();
            let passed = || Ok(watch.left(*time).is_zero());
            poll(process, options, "time to pass", limit.max(*time + NAP), passed)
        }
        Ready::Log(pattern) => {
            let regex = Regex::new(pattern)
                .map_err(|error| RunError::Build(format!("ready = {{ log = {pattern:?} }}: {error}")))?;
            let found = || Ok(process.log().wait_for(&regex, process.first_line(), NAP, || false));
            poll(process, options, &format!("a log line that matches {pattern:?}"), limit, found)
        }
        Ready::Coap(address) => {
            let address = process.place().fill(address);
            let to = guard::on_loopback(&address)?;
            let answers = move || Ok(ping::ask(to, PING).map_err(RunError::io("send a ping"))? == Echo::Answered);
            let probe = format!("an answer to a CoAP ping at {address}");
            poll(process, options, &probe, limit, stays(process, to.addr().port, STAYS_MUTE, answers))
        }
    }
}

fn poll(
    process: &Process,
    options: &LiveOptions,
    probe: &str,
    limit: Duration,
    mut ready: impl FnMut() -> Result<bool, RunError>,
) -> Result<(), RunError> {
    let watch = Stopwatch::start();
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
        if watch.left(limit).is_zero() {
            let (probe, log) = (probe.to_string(), process.log().last(TAIL));
            return Err(RunError::NotReady { probe, waited: limit, log });
        }
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
