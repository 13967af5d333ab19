//! How a target shows that it is ready.
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::Duration;

use proofhouse_core::target::Ready;
use regex_lite::Regex;

use super::group::{Listener, listener};
use super::{Ended, Process};
use crate::clock::Stopwatch;
use crate::error::RunError;
use crate::guard;
use crate::options::LiveOptions;

/// How long somebody else must be seen on our port before we believe it: one look may catch a target between two of its own steps.
const STRANGER: Duration = Duration::from_millis(200);
/// Between two looks.
const NAP: Duration = Duration::from_millis(5);
/// How many log lines an error shows.
const TAIL: usize = 10;

/// Waits until the probe of the target file succeeds.
pub(super) fn wait(process: &Process, options: &LiveOptions) -> Result<(), RunError> {
    let limit = process.spec().ready_within;
    match &process.spec().ready {
        Ready::Tcp(address) => {
            let address = process.place().fill(address);
            let port = guard::resolve(&address)?.port;
            poll(process, options, &format!("a listener on {address}"), limit, tcp(process, port))
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
            poll(process, options, &format!("an answer to a CoAP ping at {address}"), limit, || coap_ping(&address))
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
    let taken = |port: &u16| listener(process.group(), *port) == Listener::Stranger;
    if let Some(port) = process.place().ports().into_iter().find(taken) {
        return RunError::PortInUse { port };
    }
    process.log().drain(Duration::from_millis(200));
    RunError::DiedAtStart { how: ended.to_string(), log: process.log().last(TAIL) }
}

fn tcp(process: &Process, port: u16) -> impl FnMut() -> Result<bool, RunError> {
    let mut stranger: Option<Stopwatch> = None;
    move || match listener(process.group(), port) {
        Listener::Group => Ok(true),
        Listener::Nobody => {
            stranger = None;
            Ok(false)
        }
        Listener::Stranger if stranger.get_or_insert_with(Stopwatch::start).elapsed() < STRANGER => Ok(false),
        Listener::Stranger => Err(RunError::PortInUse { port }),
    }
}

/// An Empty CON (RFC 7252, 4.3) is answered by a Reset that carries its message id.
fn coap_ping(address: &str) -> Result<bool, RunError> {
    const PING: [u8; 4] = [0x40, 0x00, 0x50, 0x48];
    const PONG: [u8; 4] = [0x70, 0x00, 0x50, 0x48];
    let to = guard::socket_addr(guard::resolve(address)?);
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(RunError::io("open a UDP socket"))?;
    socket.set_read_timeout(Some(Duration::from_millis(50))).map_err(RunError::io("set a time-out"))?;
    let mut answer = [0; 16];
    // Nobody there yet shows as an error here: asked again until the probe's limit.
    let asked = socket.connect(to).and_then(|()| socket.send(&PING)).and_then(|_| socket.recv(&mut answer));
    Ok(matches!(asked, Ok(4)) && answer[..4] == PONG)
}
