//! A walk over everything that a server offers: one request to each resource, each from an association that was never seen before.
//!
//! Which resources there are is asked first, from an association of its own that proves its address where it has to, unless the
//! scenario names them. All associations stay open until the end, so that every byte that still comes to them is counted.
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Crowd, Input, Outbox};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::note::Note;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::value::{Fields, Value};

use super::socket::{Socket, answer, get};
use super::{WELL_KNOWN, key};
use crate::client::{Confirm, Manners};
use crate::link_format;

/// Keys of the behaviour.
pub(super) const KEYS: &[Key] = &[
    key(
        "request",
        Kind::Any,
        "{ method, type, ack, echo, token, payload, observe, .. }: fields of each request; ack = false never acknowledges or repeats",
    ),
    key("methods", Kind::Any, "each of these methods to each resource (default: the request's, else GET)"),
    key(
        "paths",
        Kind::Any,
        "the resources: \"{resource.protected}\" or a list (default: what /.well-known/core lists, and itself)",
    ),
    key("canary", Kind::Text, "the payload of every request that has one of its own"),
    key("every", Kind::Duration, "time between two requests (default 20ms)"),
    key(
        "linger",
        Kind::Duration,
        "how long it listens after its last request (default 5s; 93s where nothing is acknowledged)",
    ),
];

const EVERY: Duration = Duration::from_millis(20);
const LINGER: Duration = Duration::from_secs(5);
/// MAX_TRANSMIT_WAIT \[RFC 7252 §4.8.2\].
const LINGER_MUTE: Duration = Duration::from_secs(93);
/// How long the list of resources may take to come.
const DISCOVERY_MAX: Duration = Duration::from_secs(30);
/// Resources that are asked for: whoever lists more is asked for these.
const RESOURCES_MAX: usize = 4_096;

const NEXT: TimerId = TimerId(0);
/// Timers of associations follow.
const FIRST: u32 = 1;

/// One walker.
struct Sweep {
    shared: Arc<Shared>,
    identity: u32,
    phase: Phase,
    /// The moment that ends the phase, or brings the next request.
    moment: Time,
    sockets: Vec<Socket>,
    /// Sockets before this place only discovered.
    asking_from: usize,
    places: BTreeMap<Conn, usize>,
    /// What is still to be asked, the next one last.
    requests: Vec<Fields>,
    token: String,
}

/// What walkers have in common.
struct Shared {
    fleet: Arc<FleetPlan>,
    plan: Plan,
    request: Fields,
    methods: Vec<String>,
    paths: Option<Vec<String>>,
    mute: bool,
    echo: bool,
    every: Duration,
    linger: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Discovering,
    Asking,
    Listening,
    Over,
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let shared = Arc::new(Shared::new(fleet, plan));
    let sweep = |identity| Sweep {
        shared: shared.clone(),
        identity,
        phase: Phase::Discovering,
        moment: Time::ZERO,
        sockets: Vec::new(),
        asking_from: 0,
        places: BTreeMap::new(),
        requests: Vec::new(),
        token: String::new(),
    };
    Box::new(fleet.members().map(sweep).collect::<Vec<Sweep>>())
}

impl Shared {
    fn new(fleet: &FleetPlan, plan: &Plan) -> Shared {
        let mut request = match fleet.keys.find("request") {
            Some(Value::Table(request)) => request.clone(),
            _ => Fields::default(),
        };
        let mute = request.remove("ack") == Some(Value::Bool(false));
        let echo = request.remove("echo") == Some(Value::Bool(true));
        let method = request.remove("method").and_then(|method| method.as_text().map(str::to_lowercase));
        let texts = |key: &str| -> Option<Vec<String>> {
            let all = fleet.keys.find(key)?.as_slice();
            Some(all.iter().filter_map(Value::as_text).map(ToString::to_string).collect())
        };
        let methods = texts("methods").map(|all| all.iter().map(|method| method.to_lowercase()).collect());
        let canary = fleet.keys.text("canary").and_then(|name| plan.canary(name));
        if let Some((_, text)) = canary.and_then(|id| plan.canaries.get(usize::from(id.0))) {
            request.set("payload", text.as_str());
        }
        if request.find("token").is_none() {
            request.set("token", ""); // the smallest request: each association asks once
        }
        let most = |key: &str, default| fleet.duration(key, default).most();
        Shared {
            methods: methods.unwrap_or_else(|| alloc::vec![method.unwrap_or_else(|| "get".to_string())]),
            paths: texts("paths"),
            every: most("every", EVERY),
            linger: most("linger", if mute { LINGER_MUTE } else { LINGER }),
            plan: plan.clone(),
            fleet: Arc::new(fleet.clone()),
            request,
            mute,
            echo,
        }
    }

    /// The requests to these resources, the first one last. A request without a body of its own carries none with GET, FETCH needs one.
    fn requests(&self, paths: &[String]) -> Vec<Fields> {
        let mut all = Vec::new();
        for path in paths.iter().take(RESOURCES_MAX) {
            for method in &self.methods {
                let mut frame = self.request.clone();
                frame.set("code", method.as_str());
                if matches!(method.as_str(), "get" | "delete") {
                    frame.remove("payload");
                }
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                frame.set("path", path);
                if !query.is_empty() {
                    frame.set("query", query);
                }
                all.push(frame);
            }
        }
        all.reverse();
        all
    }
}

impl Actor for Sweep {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => self.start(now, out),
            Input::Opened(conn) => self.opened(conn, now, out),
            Input::Bytes(conn, datagram) => self.hear(conn, datagram, now, out),
            Input::Closed(conn, _) => self.closed(conn, now, out),
            Input::Timer(NEXT) if now >= self.moment => self.next(now, out),
            Input::Timer(TimerId(id)) if id >= FIRST => {
                if let Some(socket) = self.sockets.get_mut((id - FIRST) as usize) {
                    socket.tick(now, out);
                }
            }
            _ => {}
        }
    }
}

impl Sweep {
    fn start(&mut self, now: Time, out: &mut Outbox) {
        match self.shared.paths.clone() {
            Some(paths) => self.begin(&paths, now, out),
            None => {
                self.open(out);
                self.wake(now + DISCOVERY_MAX, out);
            }
        }
    }

    /// The next association.
    fn open(&mut self, out: &mut Outbox) {
        let nth = self.sockets.len() as u32;
        let shared = &self.shared;
        let mut socket = Socket::new(&shared.fleet, shared.plan.seed, self.identity, nth, TimerId(FIRST + nth));
        socket.client.mute = shared.mute && self.phase != Phase::Discovering;
        socket.open(nth, out);
        if let Some(conn) = socket.conn {
            self.places.insert(conn, self.sockets.len());
        }
        self.sockets.push(socket);
    }

    fn opened(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let Some(at) = self.places.get(&conn).copied() else { return };
        if self.phase == Phase::Discovering {
            let manners = Manners { echo: true, blocks: true, block_size: None, confirm: Confirm::AtOnce };
            self.token = self.sockets[at].ask(now, get(WELL_KNOWN), manners, out);
            return;
        }
        let Some(frame) = self.requests.pop() else { return };
        let manners = Manners { echo: self.shared.echo, ..Manners::default() };
        self.sockets[at].ask(now, frame, manners, out);
        let more = !self.requests.is_empty();
        if !more {
            self.phase = Phase::Listening;
        }
        self.wake(now + if more { self.shared.every } else { self.shared.linger }, out);
    }

    fn hear(&mut self, conn: Conn, datagram: &[u8], now: Time, out: &mut Outbox) {
        let Some(at) = self.places.get(&conn).copied() else { return };
        let packets = self.sockets[at].hear(now, datagram, out);
        if self.phase == Phase::Discovering
            && let Some(answer) = answer(&packets, &self.token)
        {
            let listed = answer.fields.find("payload").and_then(Value::as_bytes).unwrap_or_default();
            let paths = paths(listed);
            self.begin(&paths, now, out);
        }
    }

    /// Nobody listens there, or there is no port left: that request is answered by nothing.
    fn closed(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let Some(at) = self.places.remove(&conn) else { return };
        self.sockets[at].conn = None;
        match self.phase {
            Phase::Discovering => self.begin(&[], now, out),
            // Nobody is left who could say anything: waiting on shows nothing.
            Phase::Listening if self.places.values().all(|at| *at < self.asking_from) => self.finish(out),
            _ => {}
        }
    }

    /// The resources are known.
    fn begin(&mut self, paths: &[String], now: Time, out: &mut Outbox) {
        let well_known = [WELL_KNOWN.to_string()];
        self.requests = self.shared.requests(if paths.is_empty() { &well_known } else { paths });
        self.phase = Phase::Asking;
        self.asking_from = self.sockets.len();
        self.wake(now + self.shared.every, out);
    }

    fn wake(&mut self, at: Time, out: &mut Outbox) {
        self.moment = at;
        out.wake(at, NEXT);
    }

    fn next(&mut self, now: Time, out: &mut Outbox) {
        match self.phase {
            Phase::Discovering => self.begin(&[], now, out),
            Phase::Asking if !self.requests.is_empty() => {
                // An association that never stands must not end the walk.
                self.wake(now + LINGER, out);
                self.open(out);
            }
            Phase::Asking | Phase::Listening => self.finish(out),
            Phase::Over => {}
        }
    }

    fn finish(&mut self, out: &mut Outbox) {
        self.phase = Phase::Over;
        self.sockets.iter_mut().for_each(|socket| socket.close(out));
        out.note(Note::Finished);
    }
}

/// The resources of a list, the list itself first; each once, and no more than are asked for. Links to other servers are none of this
/// one's.
fn paths(list: &[u8]) -> Vec<String> {
    let mut paths = alloc::vec![WELL_KNOWN.to_string()];
    let mut known = BTreeSet::from([WELL_KNOWN.to_string()]);
    let links = link_format::links(core::str::from_utf8(list).unwrap_or_default()).map_while(Result::ok);
    for path in links.filter_map(|link| link.path(None)) {
        if paths.len() == RESOURCES_MAX {
            break;
        }
        if known.insert(path.clone()) {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_lists_a_hundred_thousand_resources_is_asked_for_some() {
        let list: Vec<String> = (0..100_000).map(|n| alloc::format!("</{n}>")).collect();
        let paths = paths(list.join(",").as_bytes());
        assert_eq!((paths.len(), paths[1].as_str()), (RESOURCES_MAX, "/0"));
    }

    #[test]
    fn each_resource_is_asked_for_once_and_those_of_others_never() {
        assert_eq!(paths(b"</a>,<coap://far/b>,<//far/c>,</a>;rt=x,<d>"), [WELL_KNOWN, "/a", "/d"]);
    }
}
