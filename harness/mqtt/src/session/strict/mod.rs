//! Device sessions against the strict server's side: whatever an application does, a server announces and a network loses, a legal
//! device says nothing that its standard forbids.
//!
//! [`reader`] reads what is said a second time, [`audit`] holds it against everything that was said and heard, [`server`] is a legal server
//! of many moods. The planted mistakes at the end show that each limit is looked at.
mod audit;
mod reader;
mod server;

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use proofhouse_core::actor::{Act, Input, Outbox};
use proofhouse_core::connection::Close;
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::seed::SplitMix;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::value::{Fields, Value};

use super::{Backoff, Client, Message, Profile, Session};
use crate::codec::{Packet, QoS, Sender, Version, split};
use audit::{Audit, Promise};
use server::Server;

/// A number below `most`.
fn below(rng: &mut SplitMix, most: u64) -> u64 {
    rng.next() % most.max(1)
}

/// What is played: a client with an application, or a whole behaviour.
trait Device {
    fn input(&mut self, now: Time, input: Input<'_>, out: &mut Outbox);
    /// The application does something.
    fn act(&mut self, now: Time, rng: &mut SplitMix, out: &mut Outbox);
    /// Messages that are not acknowledged, sent or not; `None` where a device may let them go.
    fn unfinished(&self) -> Option<usize>;
}

impl Device for Client {
    fn input(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        self.handle(now, input, out, &mut |_| {});
    }

    fn act(&mut self, now: Time, rng: &mut SplitMix, out: &mut Outbox) {
        let filters = ["a", "a/+", "#", "$share/g/a", "$share/g/#", "long/long/long/long/long/filter"];
        let filter = filters[below(rng, 6) as usize];
        match below(rng, 8) {
            // What a server does not take is not asked for, and no mistake.
            0 => _ = self.subscribe(now, &[(filter, QoS::AtLeastOnce)], out),
            1 => _ = self.unsubscribe(now, &[filter], out),
            _ => {
                let topics = ["a", "b/c", "site/door/temperature", "site/wall/light"];
                let message = Message {
                    topic: topics[below(rng, 4) as usize].into(),
                    payload: vec![7; below(rng, 50) as usize],
                    qos: QoS::from_number(below(rng, 3) as u8).unwrap_or_default(),
                    retain: below(rng, 3) == 0,
                };
                _ = self.publish(now, message, out);
            }
        }
    }

    fn unfinished(&self) -> Option<usize> {
        Some(self.session.unfinished())
    }
}

/// A behaviour acts by itself.
struct Whole(std::boxed::Box<dyn proofhouse_core::actor::Crowd>);

impl Device for Whole {
    fn input(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        self.0.handle(0, now, input, out);
    }
    fn act(&mut self, _: Time, _: &mut SplitMix, _: &mut Outbox) {}
    fn unfinished(&self) -> Option<usize> {
        None
    }
}

/// A mistake of a device, made on the wire: what it says is altered before the audit hears of it.
type Mistake = fn(&mut World<'_>, &mut Vec<u8>);
/// A limit that a device ignores: it stands in no CONNACK that it hears.
type Deaf = Option<crate::codec::PropertyId>;

/// A device, its network and its server.
struct World<'d> {
    device: &'d mut dyn Device,
    audit: Audit,
    server: Server,
    rng: SplitMix,
    now: Time,
    wakes: BTreeMap<(Time, u64), TimerId>,
    count: u64,
    opening: Option<Conn>,
    conn: Option<Conn>,
    out: Outbox,
    /// On their way to the server, and to the device.
    up: Vec<u8>,
    down: Vec<u8>,
    deaf: Deaf,
    mistake: Option<Mistake>,
}

type Kept = Result<(), String>;

impl World<'_> {
    /// Hands over an input, and carries out what comes of it.
    fn tell(&mut self, input: Input<'_>) -> Kept {
        self.device.input(self.now, input, &mut self.out);
        self.carry_out()
    }

    fn act(&mut self) -> Kept {
        self.device.act(self.now, &mut self.rng, &mut self.out);
        self.carry_out()
    }

    fn carry_out(&mut self) -> Kept {
        let (acts, bytes) = self.out.take();
        for act in &acts {
            match act {
                Act::Open(conn, ..) => self.opening = Some(*conn),
                Act::Send(conn, from, to) if self.conn == Some(*conn) => {
                    let mut said = bytes[*from..*to].to_vec();
                    if let Some(mistake) = self.mistake {
                        mistake(self, &mut said);
                    }
                    self.audit.said(self.now, &said)?;
                    self.up.extend_from_slice(&said);
                }
                Act::Send(..) => return Err("bytes for a connection that does not stand".into()),
                Act::Close(conn, _) if self.conn == Some(*conn) => self.gone(),
                Act::Close(..) => self.opening = None,
                Act::Wake(at, id) => {
                    self.count += 1;
                    self.wakes.insert((*at, self.count), *id);
                }
                Act::Reading(..) | Act::Note(_) | Act::Flush(_) => {}
            }
        }
        self.out.restore(acts, bytes);
        if self.conn.is_some() {
            if self.audit.must_close() {
                return Err("the connection is over, and the device has not ended it".into());
            }
            self.audit.settled(self.now)?;
        }
        Ok(())
    }

    fn gone(&mut self) {
        self.conn = None;
        self.up.clear();
        self.down.clear();
        self.audit.closed(self.now);
        self.server.closed();
    }

    /// The network gives way, after some of what is on its way has still arrived.
    fn lose(&mut self) -> Kept {
        let some = below(&mut self.rng, 2 + self.up.len() as u64) as usize;
        self.arrive_up(some);
        let some = below(&mut self.rng, 2 + self.down.len() as u64) as usize;
        self.arrive_down(some)?;
        let Some(conn) = self.conn else { return Ok(()) };
        self.gone();
        self.tell(Input::Closed(conn, Close::Reset))
    }

    fn arrive_up(&mut self, most: usize) {
        let some = most.min(self.up.len());
        let bytes: Vec<u8> = self.up.drain(..some).collect();
        self.server.hear(&bytes);
    }

    /// Hands over what has arrived, at most the end of one packet at a time: the audit knows what the device knows.
    fn arrive_down(&mut self, most: usize) -> Kept {
        let mut left = most.min(self.down.len());
        while left > 0
            && let Some(conn) = self.conn
        {
            let version = self.version();
            let (size, whole) = match split(version, Sender::Server, u32::MAX, &self.down) {
                Ok(Some(cut)) if cut.size <= left => (cut.size, true),
                _ => (left, false),
            };
            if !whole {
                return Ok(()); // half a packet waits; framing has laws of its own
            }
            let bytes: Vec<u8> = self.down.drain(..size).collect();
            left -= size;
            let cut = split(version, Sender::Server, u32::MAX, &bytes).unwrap().unwrap();
            let packet = Packet::decode(version, Sender::Server, cut.first, cut.body).unwrap();
            let heard = self.muffle(&packet, &bytes);
            let half = below(&mut self.rng, heard.len() as u64) as usize;
            if half > 0 {
                self.tell(Input::Bytes(conn, &heard[..half]))?;
            }
            if self.conn != Some(conn) {
                return Ok(()); // it has given up in the middle of a packet
            }
            self.audit.heard(self.now, &packet);
            self.device.input(self.now, Input::Bytes(conn, &heard[half..]), &mut self.out);
            self.carry_out()?;
        }
        Ok(())
    }

    /// What a device hears that is deaf for one limit.
    fn muffle(&self, packet: &Packet<'_>, bytes: &[u8]) -> Vec<u8> {
        let (Packet::Connack(connack), Some(deaf)) = (packet, self.deaf) else { return bytes.to_vec() };
        let mut properties = crate::codec::PropertiesBuf::new(crate::codec::Place::Connack);
        for (id, value) in connack.properties.into_iter().filter(|(id, _)| *id != deaf) {
            properties.push(id, value).unwrap();
        }
        let mut heard = vec![];
        let connack = crate::codec::Connack { properties: properties.view(), ..*connack };
        Packet::Connack(connack).encode(self.version(), &mut heard).unwrap();
        heard
    }

    fn version(&self) -> Version {
        self.audit.version()
    }

    /// Time passes until the next wake.
    fn pass(&mut self) -> Kept {
        let Some((&(at, _), _)) = self.wakes.first_key_value() else { return Ok(()) };
        self.now = self.now.max(at);
        let Some((_, id)) = self.wakes.pop_first() else { return Ok(()) };
        self.tell(Input::Timer(id))
    }

    /// A few milliseconds without a wake.
    fn breathe(&mut self) {
        let soon = self.now + Duration::from_millis(below(&mut self.rng, 20));
        let next = self.wakes.first_key_value().map_or(soon, |((at, _), _)| *at);
        self.now = self.now.max(soon.min(next));
    }

    fn connect(&mut self, stands: bool) -> Kept {
        let Some(conn) = self.opening.take() else { return Ok(()) };
        if !stands {
            return self.tell(Input::Closed(conn, Close::Refused));
        }
        self.conn = Some(conn);
        self.audit.opened(self.now);
        self.tell(Input::Opened(conn))
    }

    /// The server says the next thing that it has to say.
    fn answer(&mut self) {
        if !self.server.queue.is_empty() {
            let packet = self.server.queue.remove(0);
            self.down.extend_from_slice(&packet);
        }
    }

    fn step(&mut self) -> Kept {
        match below(&mut self.rng, 20) {
            0..=5 => self.act(),
            6..=8 => {
                let some = below(&mut self.rng, 80) as usize;
                self.arrive_up(some);
                Ok(())
            }
            9..=11 => {
                let some = below(&mut self.rng, 80) as usize;
                self.arrive_down(some)
            }
            12..=14 => {
                self.answer();
                Ok(())
            }
            15 => {
                // Telemetry subscribes to nothing.
                if self.device.unfinished().is_some() {
                    self.server.publish();
                }
                Ok(())
            }
            16 => {
                let stands = below(&mut self.rng, 4) > 0;
                self.connect(stands)
            }
            17 => self.pass(),
            18 => {
                self.breathe();
                Ok(())
            }
            _ => match below(&mut self.rng, 4) {
                0 => self.lose(),
                1 => {
                    self.server.goodbye();
                    Ok(())
                }
                2 if self.opening.is_none() && self.conn.is_none() => self.pass(),
                _ => self.connect(true),
            },
        }
    }

    /// Everything works again: whatever was left over is delivered.
    fn heal(&mut self) -> Kept {
        self.server.calm = true;
        self.lose()?;
        for _ in 0..2_000 {
            self.connect(true)?;
            self.arrive_up(usize::MAX);
            while !self.server.queue.is_empty() {
                self.answer();
            }
            self.arrive_down(usize::MAX)?;
            let done = self.device.unfinished().is_none_or(|left| left + self.audit.open() == 0);
            if self.conn.is_some() && self.up.is_empty() && done {
                return Ok(());
            }
            if self.opening.is_none() && self.up.is_empty() && self.down.is_empty() && self.server.queue.is_empty() {
                self.pass()?;
            }
        }
        Err(format!(
            "{:?} messages are never delivered, {} never acknowledged",
            self.device.unfinished(),
            self.audit.open()
        ))
    }
}

/// What one run has put to the test.
#[derive(Clone, Copy, Debug, Default)]
struct Tested {
    published: usize,
    again: usize,
}

fn fleet(version: Version) -> FleetPlan {
    FleetPlan { version: format!("{version}"), ..crate::testing::fleet("dev", Fields::default()) }
}

/// A profile of many kinds.
fn profile(rng: &mut SplitMix) -> Profile {
    let version = Version::ALL[below(rng, 4).min(1) as usize];
    let one_of = |rng: &mut SplitMix, all: &[u16]| all[below(rng, all.len() as u64) as usize];
    Profile {
        clean_start: below(rng, 3) == 0,
        keep_alive: one_of(rng, &[0, 1, 10, 60]),
        session_expiry: if version == Version::V5 { u32::from(one_of(rng, &[0, 60, 60])) } else { 0 },
        receive_maximum: one_of(rng, &[1, 3, u16::MAX]),
        in_flight_maximum: one_of(rng, &[1, 3, 20]),
        topic_alias_maximum: one_of(rng, &[0, 2]),
        use_aliases: below(rng, 3) > 0,
        backoff: Backoff::WITNESS,
        ..Profile::new(version)
    }
}

/// One device session: `Err` is what it has done wrong, and everything that was said before.
fn play(seed: u64, steps: usize, deaf: Deaf, mistake: Option<Mistake>) -> Result<Tested, String> {
    let mut rng = SplitMix(seed);
    let profile = profile(&mut rng);
    let nameless = profile.version == Version::V5 && below(&mut rng, 4) == 0;
    let promise = Promise {
        version: profile.version,
        client_id: if nameless { String::new() } else { "dev-0".into() },
        clean: profile.clean_start,
        keep_alive: profile.keep_alive,
        expiry: profile.session_expiry,
    };
    let fleet = Arc::new(fleet(profile.version));
    let profile = Arc::new(profile);
    let mut client = Client::new(profile.clone(), fleet, 0, rng.next());
    if nameless {
        client.session = Session::new(profile.clone(), String::new());
    }
    run(&mut client, promise, rng, nameless, steps, deaf, mistake)
}

fn run(
    device: &mut dyn Device,
    promise: Promise,
    mut rng: SplitMix,
    nameless: bool,
    steps: usize,
    deaf: Deaf,
    mistake: Option<Mistake>,
) -> Result<Tested, String> {
    let mut world = World {
        server: Server::new(promise.version, rng.next(), nameless),
        audit: Audit::new(promise),
        device,
        rng,
        now: Time::ZERO,
        wakes: BTreeMap::new(),
        count: 0,
        opening: None,
        conn: None,
        out: Outbox::new(),
        up: vec![],
        down: vec![],
        deaf,
        mistake,
    };
    let played =
        world.tell(Input::Start).and_then(|()| (0..steps).try_for_each(|_| world.step())).and_then(|()| world.heal());
    let tested = Tested { published: world.audit.published, again: world.audit.again };
    played.map(|()| tested).map_err(|why| {
        let from = world.audit.log.len().saturating_sub(60);
        format!("{why}\n{}", world.audit.log[from..].join("\n"))
    })
}

proptest::proptest! {
    #[test]
    fn a_device_session_breaks_no_rule_of_the_server(seed in 0..u64::MAX, steps in 20..400_usize) {
        if let Err(why) = play(seed, steps, None, None) {
            panic!("seed {seed}, {steps} steps: {why}");
        }
    }
}

/// One device of telemetry.
fn play_telemetry(seed: u64) -> Result<Tested, String> {
    let mut rng = SplitMix(seed);
    let profile = Profile { keep_alive: 60, ..profile(&mut rng) };
    let number = |key: &str, value: u64| (String::from(key), Value::Int(value as i64));
    let keys = vec![
        number("qos", below(&mut rng, 3)),
        number("size", below(&mut rng, 50)),
        number("session_expiry", profile.session_expiry.into()),
        (String::from("every"), "300ms".into()),
        (String::from("retain"), Value::Bool(below(&mut rng, 2) == 0)),
        (String::from("clean_start"), Value::Bool(profile.clean_start)),
    ];
    let fleet = FleetPlan { behaviour: "telemetry".into(), keys: Fields(keys), ..fleet(profile.version) };
    let row = crate::behaviour::BEHAVIOURS.iter().find(|row| row.name == "telemetry").unwrap();
    let plan = proofhouse_core::testing::plan([fleet.clone()].to_vec());
    let mut device = Whole((row.crowd)(&fleet, &plan, None));
    let promise = Promise {
        version: profile.version,
        client_id: "dev-0".into(),
        clean: profile.clean_start,
        keep_alive: 60,
        expiry: profile.session_expiry,
    };
    run(&mut device, promise, rng, false, 600, None, None)
}

#[test]
fn telemetry_breaks_no_rule_of_the_server() {
    let (mut published, mut again) = (0, 0);
    for seed in 0..200 {
        let tested = play_telemetry(seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        published += tested.published;
        again += tested.again;
    }
    assert!(published > 1_000 && again > 20, "{published} messages, {again} sent again");
}

/// Why the first of some devices is caught.
fn caught(deaf: Deaf, mistake: Option<Mistake>) -> Option<String> {
    let why = (0..300).find_map(|seed| play(seed, 300, deaf, mistake).err())?;
    Some(why.lines().next().unwrap_or_default().into())
}

#[test]
fn the_play_puts_to_the_test_what_it_is_about() {
    let tested: Vec<Tested> =
        (0..100).map(|seed| play(seed, 300, None, None).unwrap_or_else(|why| panic!("{seed}: {why}"))).collect();
    let (published, again): (usize, usize) =
        tested.iter().fold((0, 0), |(published, again), one| (published + one.published, again + one.again));
    assert!(published > 1_000 && again > 100, "{published} messages, {again} sent again");
}

#[test]
fn each_limit_that_is_ignored_is_caught() {
    use crate::codec::PropertyId as Id;
    let check = |deaf, why: &str| {
        let first = caught(Some(deaf), None).unwrap_or_default();
        assert!(first.contains(why), "{deaf:?}: {first:?}");
    };
    check(Id::ReceiveMaximum, "Receive Maximum");
    check(Id::MaximumQoS, "Maximum QoS");
    check(Id::RetainAvailable, "RETAIN");
    check(Id::MaximumPacketSize, "Maximum Packet Size");
    check(Id::WildcardSubscriptionAvailable, "wildcard");
    check(Id::SharedSubscriptionAvailable, "shared");
    check(Id::ServerKeepAlive, "Keep Alive");
    check(Id::AssignedClientIdentifier, "client id");
}

/// The first packet of these bytes, if it is of this kind.
fn is(said: &[u8], kind: u8) -> bool {
    said.first().is_some_and(|first| first >> 4 == kind)
}

#[test]
fn each_mistake_on_the_wire_is_caught() {
    let check = |name: &str, mistake: Mistake| {
        assert!(caught(None, Some(mistake)).is_some(), "{name} is never caught");
    };
    check("no DUP on a redelivery", |_, said| {
        if is(said, 3) && said[0] & 6 > 0 {
            said[0] &= !8;
        }
    });
    check("DUP on a first delivery", |_, said| {
        if is(said, 3) && said[0] & 6 > 0 {
            said[0] |= 8;
        }
    });
    check("RETAIN on everything", |_, said| {
        if is(said, 3) {
            said[0] |= 1;
        }
    });
    check("no PUBREL", |_, said| {
        if is(said, 6) {
            said.clear();
        }
    });
    check("no PUBACK", |_, said| {
        if is(said, 4) {
            said.clear();
        }
    });
    check("no PINGREQ", |_, said| {
        if is(said, 12) {
            said.clear();
        }
    });
    check("a client id of its own each time", |world, said| {
        if is(said, 1) && world.count > 20 && said.len() > 18 {
            let last = said.len() - 1;
            said[last] = b'x';
        }
    });
    check("a reserved flag", |_, said| {
        if is(said, 8) {
            said[0] &= !2;
        }
    });
    check("an alias that was never defined", |world, said| {
        if world.version() == Version::V5 && said[..] == [0x30, 0x04, 0, 1, b'a', 0] {
            *said = vec![0x30, 0x06, 0, 0, 3, 0x23, 0, 9];
        }
    });
    check("PINGREQ behind DISCONNECT", |_, said| {
        if is(said, 14) || is(said, 12) {
            said.extend_from_slice(&[0xE0, 0, 0xC0, 0]);
        }
    });
}
