//! The three machines that carry out an Outbox, behind one door: each plays a law and says what both sides were told.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use proofhouse_core::actor::Crowd;
use proofhouse_core::connection::Addr;
use proofhouse_core::note::Note;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::{Behaviour, Describe, Protocol, Transport};
use proofhouse_core::registry::Registry;
use proofhouse_core::sim;
use proofhouse_core::testing;
use proofhouse_core::transcript::{Header, Packet, Transcript};
use proofhouse_core::value::{Fields, Value};
use proofhouse_embedded::reference::{DatagramServer, Server};
use proofhouse_live::port::Port;
use proofhouse_live::{LiveOptions, run_live};

use super::laws::Law;
use super::puppet::{Log, Puppet};

/// What both sides were told, and the record of the side that keeps one.
pub struct Seen {
    pub clients: Vec<String>,
    pub server: Vec<String>,
    pub record: Transcript,
}

/// Something that carries out an Outbox.
pub trait Machine: Sync {
    fn play(&self, law: &'static Law) -> Seen;
}

/// Both sides in the simulator.
pub struct Simulator;

/// Both sides in the live driver.
pub struct Driver;

/// The live driver against the embedded reference server.
pub struct Reference;

impl Machine for Simulator {
    fn play(&self, law: &'static Law) -> Seen {
        let play = Play::new(law);
        let target = Puppet::new(server(law), law.transport, ANY, play.server.clone(), None);
        let plan = plan(vec![play.fleet("client")]);
        play.seen(sim::run(&plan, &registry(), Box::new(target), header()))
    }
}

impl Machine for Driver {
    fn play(&self, law: &'static Law) -> Seen {
        let play = Play::new(law);
        let mut fleets = vec![play.fleet("client")];
        if law.served {
            let listens = FleetPlan { index: 1, plays_server: true, count: 1, ..play.fleet("server") };
            fleets.push(listens);
        }
        play.seen(live(law, fleets, free_port()))
    }
}

impl Machine for Reference {
    fn play(&self, law: &'static Law) -> Seen {
        let play = Play::new(law);
        let lasts = Duration::from_millis(law.lasts_ms + 5_000);
        let puppet = Puppet::new(server(law), law.transport, ANY, play.server.clone(), Some((lasts, Note::Exit(0))));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let at = match (law.served, law.transport) {
            (false, _) => free_port(),
            (true, Transport::Stream) => {
                let server = Server::bind(puppet, &[any]).expect("a free port");
                let at = server.addresses().expect("it is bound")[0];
                thread::spawn(move || server.run(|_, _, _| ()));
                at
            }
            (true, Transport::Datagram) => {
                let server = DatagramServer::bind(puppet, any).expect("a free port");
                let at = server.address().expect("it is bound");
                thread::spawn(move || server.run());
                at
            }
        };
        let record = live(law, vec![play.fleet("client")], at);
        play.seen(record)
    }
}

/// Where nobody listens, the target of the simulator ends at once.
fn server(law: &'static Law) -> super::puppet::Script {
    if law.served { law.server } else { &[("start", "exit")] }
}

fn live(law: &Law, fleets: Vec<FleetPlan>, at: SocketAddr) -> Transcript {
    let plan = plan(fleets);
    let target = testing::remote(protocol(law.transport), &at.to_string());
    let options = LiveOptions {
        own_program: PathBuf::from("/proc/self/exe"),
        supervisor: vec![],
        i_own: vec![],
        interrupt: Arc::new(AtomicBool::new(false)),
        linger: Duration::ZERO,
        host: Arc::default(),
    };
    run_live(&plan, &registry(), &target, header(), &options).expect("a trial that can take place")
}

/// Where nobody listens just now.
fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], Port::claim().expect("a free port").keep()))
}

const ANY: Addr = Addr { ip: 0x7f00_0001, port: 0 };

/// A law that is being played, and where its sides keep what they are told.
struct Play {
    law: &'static Law,
    key: i64,
    clients: Vec<Log>,
    server: Log,
}

/// A law that is being played: what each member of ours and the target has seen.
type Played = (&'static Law, Vec<Log>, Log);

/// Crowds are made by plain functions, which find here whose they are.
static PLAYED: Mutex<BTreeMap<i64, Played>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicI64 = AtomicI64::new(0);

impl Play {
    fn new(law: &'static Law) -> Play {
        let server = Log::default();
        let clients: Vec<Log> = (0..law.clients).map(|_| server.beside()).collect();
        let key = NEXT.fetch_add(1, Ordering::SeqCst);
        PLAYED.lock().expect("no maker has panicked").insert(key, (law, clients.clone(), server.clone()));
        Play { law, key, clients, server }
    }

    fn fleet(&self, behaviour: &str) -> FleetPlan {
        let mut keys = Fields::default();
        keys.set("law", Value::Int(self.key));
        FleetPlan {
            protocol: protocol(self.law.transport).into(),
            count: self.law.clients,
            behaviour: behaviour.into(),
            ..testing::fleet(behaviour, keys)
        }
    }

    fn seen(self, record: Transcript) -> Seen {
        PLAYED.lock().expect("no maker has panicked").remove(&self.key);
        let clients = self.clients.iter().map(|log| log.told().join(" | ")).collect();
        Seen { clients, server: self.server.told(), record }
    }
}

fn played(fleet: &FleetPlan) -> (&'static Law, Vec<Log>, Log) {
    let key = fleet.keys.int("law").expect("every fleet plays a law");
    PLAYED.lock().expect("no maker has panicked").get(&key).expect("a law that is being played").clone()
}

fn clients(fleet: &FleetPlan, _: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let (law, logs, _) = played(fleet);
    let lasts = Duration::from_millis(law.lasts_ms);
    let puppet = |(member, log): (u32, Log)| {
        Puppet::new(law.client, law.transport, fleet.source(member, 0), log, Some((lasts, Note::Finished)))
    };
    Box::new((0..).zip(logs).map(puppet).collect::<Vec<_>>())
}

fn servers(fleet: &FleetPlan, _: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let (law, _, log) = played(fleet);
    Box::new(vec![Puppet::new(law.server, law.transport, ANY, log, None)])
}

fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Stream => "streams",
        Transport::Datagram => "datagrams",
    }
}

const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "client", keys: &[], doc: "", crowd: clients, ends: |_| true, written_out: None },
    Behaviour { name: "server", keys: &[], doc: "", crowd: servers, ends: |_| false, written_out: None },
];

fn registry() -> Registry {
    let row = |transport| Protocol {
        name: protocol(transport),
        transport,
        scheme: (protocol(transport), 7),
        behaviours: BEHAVIOURS,
        describe: |_, _| Box::new(Mute),
        ..testing::PROTOCOL
    };
    Registry { protocols: vec![row(Transport::Stream), row(Transport::Datagram)], ..Registry::default() }
}

struct Mute;

impl Describe for Mute {
    fn bytes(&mut self, _: &[u8], _: &mut Vec<Packet>) {}
}

fn plan(fleets: Vec<FleetPlan>) -> Plan {
    Plan { limit: Duration::from_secs(30), ..testing::plan(fleets) }
}

fn header() -> Header {
    Header { clock: "live".into(), ..testing::header(&plan(vec![])) }
}
