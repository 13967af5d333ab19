//! Observers: each registers for a resource and acknowledges what it is told, or never acknowledges anything.
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Crowd, Input, Outbox};
use proofhouse_core::ids::TimerId;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::note::Note;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::time::{Duration, Time};

use super::socket::{Socket, get};
use super::{FOR, WELL_KNOWN, key};
use crate::client::Manners;

/// Keys of the behaviour.
pub(super) const KEYS: &[Key] = &[
    key("path", Kind::Text, "what it observes: \"{resource.observable}\""),
    key("query", Kind::Text, "arguments of the registration: \"pmax=1\""),
    key("type", Kind::Text, "con (default) or non"),
    key("ack", Kind::Bool, "false: never acknowledges, resets or repeats anything (default true)"),
    FOR,
];

/// A registration that nobody answered is tried again after this long.
const AGAIN: Duration = Duration::from_secs(10);

const TICK: TimerId = TimerId(0);
const END: TimerId = TimerId(1);
const RETRY: TimerId = TimerId(2);

struct Observer {
    socket: Socket,
    shared: Arc<FleetPlan>,
    token: String,
    /// Notifications so far, the first response too.
    heard: u64,
    opened: u32,
    end: Option<Time>,
    over: bool,
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let shared = Arc::new(fleet.clone());
    let observer = |identity| {
        let mut socket = Socket::new(&shared, plan.seed, identity, 0, TICK);
        socket.client.mute = fleet.keys.truth("ack") == Some(false);
        let shared = shared.clone();
        Observer { socket, shared, token: String::new(), heard: 0, opened: 0, end: None, over: false }
    };
    Box::new(fleet.members().map(observer).collect::<Vec<Observer>>())
}

impl Actor for Observer {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => self.start(now, out),
            Input::Opened(conn) if self.socket.is(conn) => self.register(now, out),
            Input::Bytes(conn, datagram) if self.socket.is(conn) => {
                let packets = self.socket.hear(now, datagram, out);
                let mine = packets.iter().filter(|told| told.fields.text("token") == Some(&self.token));
                self.heard += mine.filter(|told| told.fields.find("observe").is_some()).count() as u64;
            }
            Input::Closed(conn, _) if self.socket.is(conn) => {
                self.socket.conn = None;
                out.wake(now + AGAIN, RETRY);
            }
            Input::Timer(TICK) => self.socket.tick(now, out),
            Input::Timer(RETRY) if !self.over => self.retry(now, out),
            Input::Timer(END) if self.end.is_some_and(|end| now >= end) => self.finish(out),
            _ => {}
        }
    }
}

impl Observer {
    fn start(&mut self, now: Time, out: &mut Outbox) {
        if self.shared.keys.find("for").is_some() {
            let end = now + self.shared.duration("for", Duration::ZERO).most();
            self.end = Some(end);
            out.wake(end, END);
        }
        self.open(out);
    }

    fn open(&mut self, out: &mut Outbox) {
        self.socket.open(self.opened, out);
        self.opened += 1;
    }

    fn register(&mut self, now: Time, out: &mut Outbox) {
        let mut frame = get(self.shared.keys.text("path").unwrap_or(WELL_KNOWN));
        frame.set("observe", 0_u32);
        for key in ["query", "type"] {
            if let Some(text) = self.shared.keys.text(key) {
                frame.set(key, text);
            }
        }
        self.socket.client.forget(); // a registration that was never answered is given up
        self.token = self.socket.ask(now, frame, Manners { echo: true, ..Manners::default() }, out);
        out.wake(now + AGAIN, RETRY);
    }

    /// Registers again where the registration was never answered.
    fn retry(&mut self, now: Time, out: &mut Outbox) {
        match (self.socket.conn, self.heard) {
            (None, _) => self.open(out),
            (Some(_), 0) if !self.socket.client.mute => self.register(now, out),
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Outbox) {
        if !core::mem::replace(&mut self.over, true) {
            self.socket.close(out);
            out.note(Note::Gauge("notifications", self.heard));
            out.note(Note::Finished);
        }
    }
}
