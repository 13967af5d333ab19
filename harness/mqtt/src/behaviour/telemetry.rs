//! Devices that publish readings: the load of the simulator, made for a million in one array.
//!
//! A device has at most one message in flight and keeps no copy of it: the message follows from its number. Everything that
//! devices have in common stands once in `Telemetry`, so that a device takes one cache line and a bit.
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use proofhouse_core::actor::{Crowd, Input, Outbox};
use proofhouse_core::behaviour::pace::{Pace, TICK};
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::Conn;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::note::Note;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::seed::SplitMix;
use proofhouse_core::spread::Spread;
use proofhouse_core::time::{Duration, Time};

use super::{CLEAN_START, FOR, KEEP_ALIVE, QOS, SESSION_EXPIRY, key};
use crate::codec::{
    Ack, Binary, Connack, Connect, Delivery, Disconnect, Packet, PacketId, Place, PropertiesBuf, PropertyId, Publish,
    QoS, Reason, Sender, Text, TopicName, Version, split,
};
use crate::session::limits::Announced;
use crate::session::{Profile, plain_topic};

/// Keys of the behaviour.
pub(super) const KEYS: &[Key] = &[
    key("every", Kind::Duration, "time between two readings (default 10s); \"5s~30s\" is drawn for each"),
    QOS,
    key("topic", Kind::Text, "{id} stands for the client id (default \"site/{id}/t\")"),
    key("size", Kind::Int, "bytes of a reading (default 32)"),
    key("retain", Kind::Bool, "default false"),
    FOR,
    KEEP_ALIVE,
    CLEAN_START,
    SESSION_EXPIRY,
];

/// How long a connection may take to stand, and CONNECT to be answered.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a device waits at its end for the last acknowledgement.
const LAST_ACK: Duration = Duration::from_secs(5);
const NOBODY: Conn = Conn(u32::MAX);

/// A fleet of such devices.
struct Telemetry {
    config: Config,
    devices: Vec<Device>,
    scratch: Scratch,
}

/// What all devices have in common.
struct Config {
    profile: Profile,
    properties: PropertiesBuf,
    fleet: FleetPlan,
    every: Spread<Duration>,
    qos: QoS,
    /// The topic before and after the client id.
    topic: (String, String),
    size: usize,
    retain: bool,
    length: Option<Duration>,
}

/// Texts that are written anew for every packet, in the same memory.
#[derive(Default)]
struct Scratch {
    client_id: String,
    topic: String,
    payload: String,
}

/// One device. Keep it small: a million of them share a machine.
struct Device {
    pace: Pace,
    /// When it last sent something (or a PINGREQ that is not answered).
    spoke: Time,
    /// The beginning of a packet that is not all there. Rare: answers are a few bytes.
    partial: Option<Box<Partial>>,
    conn: Conn,
    identity: u32,
    /// Number of the current reading.
    seq: u32,
    /// Bytes of the largest packet that the server takes.
    packet_maximum: u32,
    id: u16,
    opened: u16,
    /// Seconds, as the server wants it.
    keep_alive: u16,
    failures: u8,
    state: State,
    flight: Flight,
    /// With which quality the reading in flight was sent, and whether with RETAIN.
    said: QoS,
    said_retain: bool,
    /// The highest quality that the server takes.
    qos: QoS,
    /// Whether the server takes RETAIN.
    retain: bool,
    memory: Memory,
    pinged: bool,
}

impl Device {
    /// A device that has not started.
    const fn new(identity: u32, rng: SplitMix, keep_alive: u16) -> Device {
        Device {
            pace: Pace::new(rng),
            spoke: Time::ZERO,
            partial: None,
            conn: NOBODY,
            identity,
            seq: 0,
            packet_maximum: u32::MAX,
            id: 0,
            opened: 0,
            keep_alive,
            failures: 0,
            state: State::Offline,
            flight: Flight::None,
            said: QoS::AtMostOnce,
            said_retain: false,
            qos: QoS::ExactlyOnce,
            retain: true,
            memory: Memory::None,
            pinged: false,
        }
    }
}

/// Whose session it is that the server may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// The device has none.
    None,
    /// The device's own.
    Own,
    /// The server holds one that the device knows nothing of, or cannot go on with: it begins anew \[MQTT5 3.2.2-4\].
    Stranger,
}

struct Partial {
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Offline,
    Opening,
    Connecting,
    Online,
    Finished,
}

/// How far the current reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    None,
    Published,
    /// QoS 2: the server has it.
    Released,
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let profile = Profile { will: None, ..Profile::of(fleet, plan) };
    let topic = plain_topic(fleet.keys.text("topic").unwrap_or("site/{id}/t"));
    let (before, after) = topic.split_once("{id}").unwrap_or((&topic, ""));
    let config = Config {
        properties: connect_properties(&profile),
        every: fleet.duration("every", Duration::from_secs(10)),
        qos: fleet.keys.int("qos").map_or(Some(QoS::AtLeastOnce), |n| QoS::from_number(n as u8)).unwrap_or_default(),
        topic: (before.into(), after.into()),
        size: fleet.keys.int("size").map_or(32, |n| n.clamp(0, 1 << 20) as usize),
        retain: fleet.keys.truth("retain").unwrap_or(false),
        length: fleet.keys.find("for").map(|_| fleet.duration("for", Duration::ZERO).most()),
        fleet: fleet.clone(),
        profile,
    };
    let seed = plan.seed.child("telemetry", u64::from(fleet.index));
    let device = |identity: u32| {
        let rng = SplitMix(seed.stream("device", u64::from(identity)).next());
        Device::new(identity, rng, config.profile.keep_alive)
    };
    let devices = fleet.members().map(device).collect();
    Box::new(Telemetry { config, devices, scratch: Scratch::default() })
}

fn connect_properties(profile: &Profile) -> PropertiesBuf {
    let none = PropertiesBuf::new(Place::Connect);
    match profile.session_expiry {
        0 => none,
        seconds => none.with(PropertyId::SessionExpiryInterval, seconds).expect("a CONNECT may carry a session expiry"),
    }
}

impl Crowd for Telemetry {
    fn handle(&mut self, member: u32, now: Time, input: Input<'_>, out: &mut Outbox) {
        let device = &mut self.devices[member as usize];
        Turn { device, config: &self.config, scratch: &mut self.scratch, now, out }.handle(input);
    }

    fn touch(&self, member: u32) {
        core::hint::black_box(self.devices[member as usize].pace.due()); // a load: a reference alone fetches nothing
    }

    fn len(&self) -> u32 {
        u32::try_from(self.devices.len()).expect("a fleet has at most u32::MAX members")
    }
}

/// One input of one device.
struct Turn<'a> {
    device: &'a mut Device,
    config: &'a Config,
    scratch: &'a mut Scratch,
    now: Time,
    out: &'a mut Outbox,
}

impl Turn<'_> {
    fn handle(&mut self, input: Input<'_>) {
        match input {
            Input::Start => self.start(),
            Input::Opened(conn) if conn == self.device.conn => self.connect(),
            Input::Bytes(conn, bytes) if conn == self.device.conn => self.hear(bytes),
            Input::Closed(conn, _) if conn == self.device.conn => self.lost(),
            Input::Timer(TICK) if self.device.pace.wakes(self.now) => self.due(),
            _ => {}
        }
    }

    fn start(&mut self) {
        self.device.pace.start(self.now, self.config.every, self.config.length);
        self.open();
    }

    fn open(&mut self) {
        let source = self.config.fleet.source(self.device.identity, self.device.opened.into());
        self.device.conn = self.out.open(self.config.fleet.endpoint_id, source);
        self.device.opened = self.device.opened.wrapping_add(1);
        self.device.state = State::Opening;
        self.arm(self.now + CONNECT_MAX);
    }

    fn connect(&mut self) {
        let (config, scratch) = (self.config, &mut *self.scratch);
        scratch.name(config, self.device.identity);
        let account = config.profile.account.as_ref();
        let connect = Connect {
            clean_start: config.profile.clean_start || self.device.memory == Memory::Stranger,
            keep_alive: config.profile.keep_alive,
            client_id: Text::new(&scratch.client_id).expect("a fleet's name is short"),
            will: None,
            user_name: account.map(|(user, _)| Text::new(user).expect("a user name is short")),
            password: account.map(|(_, word)| Binary::new(word.as_bytes()).expect("a password is short")),
            properties: config.properties.view().for_version(config.profile.version),
        };
        self.device.state = State::Connecting;
        self.device.keep_alive = config.profile.keep_alive;
        self.device.pinged = false;
        self.device.spoke = self.now;
        let (conn, version) = (self.device.conn, config.profile.version);
        self.out.send(conn, |bytes| encode(&Packet::Connect(connect), version, bytes));
        self.arm(self.now + CONNECT_MAX);
    }

    fn hear(&mut self, bytes: &[u8]) {
        let read = match self.device.partial.take() {
            None => self.read(bytes),
            Some(mut partial) => {
                partial.bytes.extend_from_slice(bytes);
                self.read(&partial.bytes)
            }
        };
        if read.is_err() {
            self.abandon();
        }
    }

    /// Reads whole packets, and keeps what is left.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), Reason> {
        let version = self.config.profile.version;
        while !bytes.is_empty() && matches!(self.device.state, State::Connecting | State::Online) {
            let Some(cut) = split(version, Sender::Server, u32::MAX, bytes)? else {
                self.device.partial = Some(Box::new(Partial { bytes: bytes.to_vec() }));
                break;
            };
            let packet = Packet::decode(version, Sender::Server, cut.first, cut.body)?;
            self.packet(&packet);
            bytes = &bytes[cut.size..];
        }
        Ok(())
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        let ours = |ack: &Ack<'_>| ack.id.get() == self.device.id;
        match (packet, self.device.state, self.device.flight) {
            (Packet::Connack(connack), State::Connecting, _) => self.connack(connack),
            (Packet::Puback(ack), State::Online, Flight::Published)
                if ours(ack) && self.device.said == QoS::AtLeastOnce =>
            {
                self.delivered();
            }
            (Packet::Pubrec(ack), State::Online, Flight::Published) if ours(ack) && !ack.reason.is_ok() => {
                self.delivered();
            }
            (Packet::Pubrec(ack), State::Online, Flight::Published | Flight::Released) if ours(ack) => self.release(),
            (Packet::Pubcomp(ack), State::Online, Flight::Released) if ours(ack) => self.delivered(),
            (Packet::Pingresp, State::Online, _) => self.device.pinged = false,
            (Packet::Disconnect(_), ..) => self.abandon(),
            _ => {}
        }
    }

    fn connack(&mut self, connack: &Connack<'_>) {
        if !connack.accepted() {
            return self.abandon();
        }
        let present = connack.session_present;
        if !self.knows(present) {
            return self.abandon();
        }
        let kept = connack.properties.session_expiry_interval().unwrap_or(self.config.profile.session_expiry) > 0;
        self.device.memory = if kept { Memory::Own } else { Memory::None };
        self.device.state = State::Online;
        self.device.failures = 0;
        self.terms(connack);
        match (self.device.flight, present) {
            (Flight::Published, true) => self.publish(self.device.said, true),
            (Flight::Published, false) => self.publish(self.config.qos, false),
            (Flight::Released, true) => self.release(),
            (Flight::Released, false) => self.device.flight = Flight::None,
            (Flight::None, _) => {}
        }
        if self.device.state == State::Online {
            self.online();
        }
    }

    /// Whether the session that a server goes on with is one that the device has; if not, it asks for a new one the next time.
    fn knows(&mut self, present: bool) -> bool {
        let strange = present && (self.config.profile.clean_start || self.device.memory != Memory::Own);
        // MQTT 3.1.1 leaves it to the client what to do with a session that only the server knows.
        let refused = strange && self.config.profile.version == Version::V5;
        if refused {
            self.device.memory = Memory::Stranger;
        }
        !refused
    }

    /// What the server announces, as far as it matters to one message at a time.
    fn terms(&mut self, connack: &Connack<'_>) {
        let announced = Announced::by(connack);
        let device = &mut *self.device;
        (device.qos, device.retain) = (announced.maximum_qos, announced.retain);
        device.packet_maximum = announced.maximum_packet_size;
        if let Some(seconds) = connack.properties.server_keep_alive() {
            device.keep_alive = seconds;
        }
    }

    fn release(&mut self) {
        const PUBREL: u32 = 4;
        if self.device.packet_maximum < PUBREL {
            return self.abandon(); // a server that takes no acknowledgement
        }
        if let Some(id) = PacketId::new(self.device.id) {
            self.device.flight = Flight::Released;
            self.say(&Packet::Pubrel(Ack::success(id)));
        }
    }

    fn delivered(&mut self) {
        self.device.flight = Flight::None;
        self.online();
    }

    /// Something is due.
    fn due(&mut self) {
        match self.device.state {
            State::Offline if self.now >= self.device.pace.end => self.finish(),
            State::Offline => self.open(),
            State::Opening | State::Connecting => self.abandon(),
            State::Online => self.online(),
            State::Finished => {}
        }
    }

    /// Publishes what is due, keeps the connection alive, and asks to be called again in time.
    fn online(&mut self) {
        let (now, keep_alive) = (self.now, Duration::from_secs(self.device.keep_alive.into()));
        let idle = self.device.flight == Flight::None;
        let end = self.device.pace.end;
        if now >= end && (idle || now >= end + LAST_ACK) {
            return self.finish();
        }
        if idle && self.device.pace.reads(now) {
            self.reading();
        }
        if keep_alive > Duration::ZERO && now >= self.device.spoke + self.pause(keep_alive) {
            if self.device.pinged {
                return self.abandon();
            }
            self.say(&Packet::Pingreq);
            self.device.pinged = true;
        }
        let device = &*self.device;
        let mut at = if now < end { end } else { end + LAST_ACK };
        // A reading that is late waits for an acknowledgement, not for a wake.
        if device.pace.next > now {
            at = at.min(device.pace.next);
        }
        if keep_alive > Duration::ZERO {
            at = at.min(device.spoke + self.pause(keep_alive));
        }
        self.arm(at);
    }

    /// How long after its last packet the device speaks again, or gives up waiting for PINGRESP.
    fn pause(&self, keep_alive: Duration) -> Duration {
        if self.device.pinged { keep_alive } else { keep_alive - keep_alive / 8 }
    }

    /// The next reading.
    fn reading(&mut self) {
        let device = &mut *self.device;
        device.pace.step(self.now, self.config.every);
        device.seq = device.seq.wrapping_add(1);
        device.id = device.id.checked_add(1).unwrap_or(1);
        self.publish(self.config.qos, false);
    }

    /// Sends the current reading. What goes out again is what went out before.
    fn publish(&mut self, qos: QoS, dup: bool) {
        let (config, scratch) = (self.config, &mut *self.scratch);
        scratch.reading(config, self.device);
        let device = &mut *self.device;
        let retain = if dup { device.said_retain } else { config.retain && device.retain };
        let qos = if dup { qos } else { qos.min(device.qos) };
        let delivery = Delivery::new(qos, PacketId::new(device.id), dup).unwrap_or_default();
        let topic = TopicName::new(&scratch.topic).expect("the topic was made plain");
        let packet = Packet::Publish(Publish { retain, ..Publish::new(delivery, topic, scratch.payload.as_bytes()) });
        let version = config.profile.version;
        let fits = device.packet_maximum == u32::MAX
            || packet.encoded_len(version).is_ok_and(|len| len <= device.packet_maximum as usize);
        if !fits || qos > device.qos || retain && !device.retain {
            return self.unsaid(dup);
        }
        (device.said, device.said_retain, device.spoke) = (qos, retain, self.now);
        device.flight = if qos == QoS::AtMostOnce { Flight::None } else { Flight::Published };
        self.out.send(device.conn, |bytes| encode(&packet, version, bytes));
    }

    /// The server takes no such reading. One that it is owed may not be left out of a session: the device gives the session up.
    fn unsaid(&mut self, owed: bool) {
        if owed {
            self.device.memory = Memory::Stranger;
            return self.abandon();
        }
        self.device.flight = Flight::None;
    }

    fn say(&mut self, packet: &Packet<'_>) {
        self.device.spoke = self.now;
        let version = self.config.profile.version;
        self.out.send(self.device.conn, |bytes| encode(packet, version, bytes));
    }

    fn abandon(&mut self) {
        if self.device.conn != NOBODY {
            self.out.close(self.device.conn, CloseHow::Reset);
        }
        self.lost();
    }

    /// The connection is over: comes back after a while.
    fn lost(&mut self) {
        self.device.conn = NOBODY;
        self.device.partial = None;
        self.device.state = State::Offline;
        if self.now >= self.device.pace.end {
            return self.finish();
        }
        self.device.failures = self.device.failures.saturating_add(1);
        let wait = self.config.profile.backoff.wait(self.device.failures.into(), &mut self.device.pace.rng);
        // Whatever was under way belongs to the old connection.
        self.device.pace.forget_wake();
        self.arm((self.now + wait).min(self.device.pace.end));
    }

    fn finish(&mut self) {
        if self.device.conn != NOBODY {
            self.say(&Packet::Disconnect(Disconnect::default()));
            self.out.close(self.device.conn, CloseHow::Fin);
            self.device.conn = NOBODY;
        }
        self.device.state = State::Finished;
        self.device.partial = None;
        self.out.note(Note::Finished);
    }

    fn arm(&mut self, at: Time) {
        self.device.pace.arm(at, self.out);
    }
}

impl Scratch {
    fn name(&mut self, config: &Config, identity: u32) {
        self.client_id.clear();
        let _ = write!(self.client_id, "{}-{identity}{}", config.fleet.name, crate::unique::ending(&config.fleet));
    }

    /// Topic and payload of the device's current reading: `{"seq":17}` and spaces.
    fn reading(&mut self, config: &Config, device: &Device) {
        self.name(config, device.identity);
        self.topic.clear();
        let (before, after) = &config.topic;
        let id = if before.len() + after.len() < TOPIC_MAX { self.client_id.as_str() } else { "" };
        let _ = write!(self.topic, "{before}{id}{after}");
        self.payload.clear();
        let _ = write!(self.payload, "{{\"seq\":{}}}", device.seq);
        while self.payload.len() < config.size {
            self.payload.push(' ');
        }
    }
}

/// A topic of ours is never near the limit of 65,535 bytes.
const TOPIC_MAX: usize = 32_768;

fn encode(packet: &Packet<'_>, version: Version, out: &mut Vec<u8>) {
    if let Err(reason) = packet.encode(version, out) {
        panic!("a device wanted to send {packet:?}: {reason}");
    }
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
