//! A toy protocol and small targets, so that the driver can be tried without any real protocol.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use proofhouse_core::actor::{Actor, Crowd, Input, Outbox};
use proofhouse_core::admin::Order;
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::{Conn, EndpointId, MarkId, TimerId};
use proofhouse_core::note::Note;
use proofhouse_core::plan::*;
use proofhouse_core::protocol::{Behaviour, Ping, Protocol, Right, Transport};
use proofhouse_core::registry::Registry;
use proofhouse_core::target::*;
use proofhouse_core::testing;
pub use proofhouse_core::testing::plan;
use proofhouse_core::time::Time;
use proofhouse_core::transcript::*;
use proofhouse_core::value::{Fields, Value};
use proofhouse_live::{LiveOptions, RunError, run_live};

/// Connects, says something, and is content once it has heard enough or the connection is over.
struct Toy {
    keys: Fields,
    from: proofhouse_core::connection::Addr,
    conn: Option<Conn>,
    heard: i64,
    waits: bool,
    orders: Vec<Order>,
    done: bool,
}

impl Toy {
    fn crowd(fleet: &FleetPlan, _: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
        let toys: Vec<Toy> = fleet.members().map(|member| Toy::new(fleet, member)).collect();
        Box::new(toys)
    }

    fn new(fleet: &FleetPlan, member: u32) -> Toy {
        let orders = fleet.keys.text("party").map(|party| Order::Rekey { party: party.into() });
        let restart = fleet.keys.text("restart").map(|_| Order::Restart);
        let revoke = fleet
            .keys
            .text("revoke")
            .and_then(|text| text.split_once(' '))
            .map(|(party, grant)| Order::Revoke { party: party.into(), grant: grant.into() });
        Toy {
            keys: fleet.keys.clone(),
            from: fleet.source(member, 0),
            conn: None,
            heard: 0,
            waits: fleet.plays_server || fleet.steps.iter().any(|step| !step.after.is_empty()),
            orders: orders.into_iter().chain(restart).chain(revoke).collect(),
            done: false,
        }
    }

    fn begin(&mut self, out: &mut Outbox) {
        if let Some(order) = self.orders.pop() {
            return out.note(Note::Order(order));
        }
        let conn = out.open(EndpointId(0), self.from);
        self.conn = Some(conn);
    }

    fn finish(&mut self, out: &mut Outbox) {
        if !std::mem::replace(&mut self.done, true) {
            if self.keys.truth("mark") == Some(true) {
                out.note(Note::Mark(MarkId(0)));
            }
            out.note(Note::Finished);
        }
    }
}

impl Actor for Toy {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start if !self.waits => self.begin(out),
            Input::Mark(_) => self.begin(out),
            Input::Done(result) => {
                let text = match result {
                    Ok(()) => "done".to_string(),
                    Err(reason) => reason.to_string(),
                };
                out.note(Note::Step { index: 0, conn: None, state: StepState::Met, detail: text });
                if self.orders.is_empty() { self.finish(out) } else { self.begin(out) }
            }
            // A stranger, since we have asked somebody else.
            Input::Accepted(..) if self.conn.is_some() => {}
            Input::Opened(conn) | Input::Accepted(conn, _) => {
                for text in self.keys.text("say").into_iter().flat_map(|text| text.split('|')) {
                    out.send(conn, |bytes| bytes.extend(proofhouse_core::value::unhex(text).unwrap()));
                }
                for _ in 0..self.keys.int("say-empty").unwrap_or(0) {
                    out.datagram(conn, |_| {});
                }
                if let Some(n) = self.keys.int("say-bytes") {
                    out.send(conn, |bytes| bytes.resize(bytes.len() + n as usize, b'x'));
                }
                if self.keys.truth("deaf") == Some(true) {
                    out.reading(conn, false);
                }
                if let Some(ms) = self.keys.int("close-after-ms") {
                    out.wake(now + Duration::from_millis(ms as u64), TimerId(1));
                }
            }
            Input::Timer(_) => {
                let how = match self.keys.text("close") {
                    Some("reset") => CloseHow::Reset,
                    Some("half") => CloseHow::Half,
                    _ => CloseHow::Fin,
                };
                if let Some(conn) = self.conn {
                    out.close(conn, how);
                }
                if how != CloseHow::Half {
                    self.finish(out);
                }
            }
            Input::Bytes(conn, bytes) => {
                self.heard += bytes.len() as i64;
                if self.keys.truth("answers") == Some(true) && !self.done {
                    out.send(conn, |answer| answer.extend(bytes.iter().rev()));
                }
                if self.keys.truth("counts") == Some(true) {
                    self.heard += 1 - bytes.len() as i64;
                }
                if self.keys.int("hear").is_some_and(|n| self.heard >= n) {
                    self.finish(out);
                }
            }
            Input::Closed(..) => self.finish(out),
            _ => {}
        }
    }
}

/// Connects once a while; served when it is let in, or over datagrams when it is answered.
struct ToyWitness {
    since: Time,
    conn: Option<Conn>,
    asks: bool,
}

impl ToyWitness {
    fn crowd(fleet: &FleetPlan, _: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
        Box::new(vec![ToyWitness { since: Time::ZERO, conn: None, asks: fleet.protocol == GRAMS }])
    }

    fn say(&mut self, now: Time, state: WitnessState, out: &mut Outbox) {
        if let Some(conn) = self.conn.take() {
            out.close(conn, CloseHow::Fin);
        }
        out.note(Note::Witness(state));
        out.wake(now + Duration::from_millis(50), TimerId(0));
    }
}

impl Actor for ToyWitness {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        let rtt = now.since(self.since).as_nanos() as u64;
        match input {
            Input::Start | Input::Timer(TimerId(0)) => {
                self.since = now;
                self.conn = Some(out.open(EndpointId(0), proofhouse_core::connection::Addr::new([127, 0, 0, 1], 0)));
            }
            Input::Opened(conn) if self.asks => {
                out.send(conn, |bytes| bytes.push(b'?'));
                out.wake(now + Duration::from_millis(300), TimerId(1 + conn.0));
            }
            Input::Opened(_) | Input::Bytes(..) if self.conn.is_some() => {
                self.say(now, WitnessState::Served { rtt, late: 0 }, out);
            }
            Input::Timer(TimerId(n)) if self.conn.is_some_and(|conn| conn.0 + 1 == n) => {
                self.say(now, WitnessState::Missed { waited: rtt, late: 0 }, out);
            }
            Input::Closed(..) => {
                self.conn = None;
                self.say(now, WitnessState::Lost, out);
            }
            _ => {}
        }
    }
}

const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "toy", keys: &[], doc: "", crowd: Toy::crowd, ends: |_| true, written_out: None },
    Behaviour { name: "endless", keys: &[], doc: "", crowd: Toy::crowd, ends: |_| false, written_out: None },
    Behaviour { name: "witness", keys: &[], doc: "", crowd: ToyWitness::crowd, ends: |_| false, written_out: None },
];

/// The toy over datagrams.
pub const GRAMS: &str = "grams";

/// A datagram that asks whether anybody is there.
pub const PING: Ping = Ping { what: "a ping", datagram: b"?" };

/// What parties of a real broker may do, whose target file is read in the toy's name.
const RIGHTS: &[Right] = &[
    Right { name: "publish", doc: "", witness: "proofhouse/#" },
    Right { name: "subscribe", doc: "", witness: "proofhouse/#" },
];

/// A registry that knows the toy only, over streams and over datagrams.
pub fn registry() -> Registry {
    let protocols = vec![toy("toy", Transport::Stream), toy(GRAMS, Transport::Datagram)];
    Registry { protocols, ..Registry::default() }
}

fn toy(name: &'static str, transport: Transport) -> Protocol {
    Protocol {
        name,
        transport,
        scheme: (name, 1),
        behaviours: BEHAVIOURS,
        rights: RIGHTS,
        describe: |_, _| Box::new(Mute),
        ..testing::PROTOCOL
    }
}

struct Mute;

impl proofhouse_core::protocol::Describe for Mute {
    fn bytes(&mut self, _: &[u8], _: &mut Vec<Packet>) {}
}

/// A fleet of toys with these keys.
pub fn fleet(name: &str, index: u16, count: u32, keys: &[(&str, Value)]) -> FleetPlan {
    FleetPlan {
        index,
        count,
        behaviour: if name.starts_with("witness") { "witness".into() } else { "toy".into() },
        ..testing::fleet(name, testing::fields(keys))
    }
}

/// The same over datagrams.
pub fn grams(name: &str, index: u16, count: u32, keys: &[(&str, Value)]) -> FleetPlan {
    FleetPlan { protocol: GRAMS.into(), ..fleet(name, index, count, keys) }
}

/// A target that speaks datagrams.
pub fn over_datagrams(mut target: TargetSpec) -> TargetSpec {
    target.endpoints[0].protocol = GRAMS.into();
    if let TargetKind::Process(spec) = &mut target.kind {
        spec.ready = Ready::Udp("127.0.0.1:{port}".into());
    }
    target
}

/// A Python server of datagrams: does `body` for each `d` from `a` that comes to the socket `s`.
pub fn datagrams(body: &str) -> TargetSpec {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    over_datagrams(python(&format!(
        "import os, signal, socket, struct, sys, threading, time\n\
         s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         s.bind(('127.0.0.1', int(sys.argv[1])))\n\
         n = 0\n\
         while True:\n    d, a = s.recvfrom(65536)\n    n += 1\n{body}\n"
    )))
}

/// A target that this shell script is; `$1` is its port. Ready when it listens.
pub fn shell(script: &str) -> TargetSpec {
    process("sh", &["-c", script, "sh", "{port}"])
}

/// A target that this Python program is; `sys.argv[1]` is its port.
pub fn python(program: &str) -> TargetSpec {
    process("python3", &["-u", "-c", program, "{port}"])
}

pub fn process(program: &str, args: &[&str]) -> TargetSpec {
    let mut target = remote("127.0.0.1:{port}");
    target.kind = TargetKind::Process(ProcessSpec {
        program: program.into(),
        args: args.iter().map(|a| (*a).into()).collect(),
        env: vec![],
        files: vec![],
        ready: Ready::Tcp("127.0.0.1:{port}".into()),
        ready_within: Duration::from_secs(10),
        version: None,
        install: None,
        rounds: 1,
    });
    target
}

/// The process part of a target, to change it.
pub fn spec(target: &mut TargetSpec) -> &mut ProcessSpec {
    match &mut target.kind {
        TargetKind::Process(spec) => spec,
        other => panic!("not a process: {other:?}"),
    }
}

/// A target that runs elsewhere.
pub fn remote(address: &str) -> TargetSpec {
    testing::remote("toy", address)
}

/// A Python server: accepts for ever, and gives each connection `c` to `body`, on a thread of its own.
pub fn server(body: &str) -> TargetSpec {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    python(&format!(
        "import os, signal, socket, struct, sys, threading, time\n\
         def talk(c):\n{body}\n\
         s = socket.socket()\n\
         s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
         s.bind(('127.0.0.1', int(sys.argv[1])))\n\
         s.listen(1000)\n\
         while True:\n    c, _ = s.accept()\n    threading.Thread(target=talk, args=(c,), daemon=True).start()\n"
    ))
}

pub fn options() -> LiveOptions {
    LiveOptions {
        own_program: PathBuf::from("/proc/self/exe"),
        supervisor: vec![],
        i_own: vec![],
        interrupt: Arc::new(AtomicBool::new(false)),
        linger: Duration::ZERO,
        host: Arc::default(),
    }
}

pub fn run(plan: &Plan, target: &TargetSpec) -> Result<Transcript, RunError> {
    run_live(plan, &registry(), target, header(), &options())
}

pub fn header() -> Header {
    Header { clock: "live".into(), ..testing::header(&plan(vec![])) }
}

/// The events that `pick` makes something of, in order.
pub fn events<T>(transcript: &Transcript, pick: impl Fn(&Entry) -> Option<T>) -> Vec<T> {
    transcript.entries.iter().filter_map(pick).collect()
}

/// How connections of `fleet` ended.
pub fn closings(transcript: &Transcript, fleet: &str) -> Vec<(By, proofhouse_core::connection::Close)> {
    events(transcript, |entry| match (&entry.who, &entry.event) {
        (Who::Member(name, _), Event::Closed { by, how, .. }) if name == fleet => Some((*by, *how)),
        _ => None,
    })
}

/// Turns of the target's life, without its log.
pub fn life(transcript: &Transcript) -> Vec<Life> {
    events(transcript, |entry| match &entry.event {
        Event::Life(Life::Log { .. }) => None,
        Event::Life(life) => Some(life.clone()),
        _ => None,
    })
}

/// What `fleet` received, as one text.
pub fn received(transcript: &Transcript, fleet: &str) -> String {
    let all = events(transcript, |entry| match (&entry.who, &entry.event) {
        (Who::Member(name, _), Event::Received(bytes)) if name == fleet => Some(bytes.hex.clone()),
        _ => None,
    });
    String::from_utf8_lossy(&proofhouse_core::value::unhex(&all.concat()).unwrap()).into_owned()
}

/// Processes that mention `needle` in their command line and are no zombies.
pub fn processes_with(needle: &str) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mentions = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != std::process::id().cast_signed() && String::from_utf8_lossy(&line).contains(needle)
    };
    pids.filter(mentions).collect()
}
