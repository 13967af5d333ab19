//! The strict server's side: what a client may say at this moment, given everything that it has said and heard before.
//!
//! It stands at the client's end of the wire, so that what a client could not know yet is not held against it.
use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proofhouse_core::time::{Duration, Time};

use super::reader::{Said, read};
use crate::codec::{Connack, Packet, QoS, Sender, Version, split};

type Kept = Result<(), String>;

/// How a client is set up, as far as a server can check it.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) version: Version,
    pub(super) client_id: String,
    pub(super) clean: bool,
    pub(super) keep_alive: u16,
    pub(super) expiry: u32,
}

/// The terms of a connection, in plain numbers.
#[derive(Clone, Copy, Debug)]
struct Terms {
    receive: usize,
    alias: u16,
    size: usize,
    qos: u8,
    retain: bool,
    wildcards: bool,
    shared: bool,
    named: bool,
}

const NO_TERMS: Terms = Terms {
    receive: 65_535,
    alias: 0,
    size: usize::MAX,
    qos: 2,
    retain: true,
    wildcards: true,
    shared: true,
    named: true,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Closed,
    Fresh,
    Connecting,
    Online,
    /// One of both has said goodbye, or the client must not go on.
    Over,
}

/// A QoS 1 or 2 message that the client has said.
#[derive(Clone, Debug)]
struct Flight {
    id: u16,
    qos: u8,
    message: (String, Vec<u8>, bool),
    /// Its PUBREC came as this many'th.
    released: Option<u64>,
    /// Said on this connection.
    here: bool,
}

/// The auditor.
pub(super) struct Audit {
    promise: Promise,
    line: Line,
    terms: Terms,
    keep: Duration,
    spoke: Time,
    aliases: BTreeMap<u16, String>,
    flights: Vec<Flight>,
    asked: Vec<u16>,
    /// Acknowledgements that the client owes, in order.
    owes: Vec<(u8, u16)>,
    clean: bool,
    kept: bool,
    must_begin_anew: bool,
    pubrecs: u64,
    /// What was said, for people.
    pub(super) log: Vec<String>,
    /// Messages said, so that a test knows that it has tested something.
    pub(super) published: usize,
    pub(super) again: usize,
}

impl Audit {
    pub(super) fn new(promise: Promise) -> Audit {
        Audit {
            promise,
            line: Line::Closed,
            terms: NO_TERMS,
            keep: Duration::ZERO,
            spoke: Time::ZERO,
            aliases: BTreeMap::new(),
            flights: vec![],
            asked: vec![],
            owes: vec![],
            clean: true,
            kept: false,
            must_begin_anew: false,
            pubrecs: 0,
            log: vec![],
            published: 0,
            again: 0,
        }
    }

    pub(super) fn version(&self) -> Version {
        self.promise.version
    }

    /// A connection stands.
    pub(super) fn opened(&mut self, now: Time) {
        self.log.push(format!("{now} opened"));
        (self.line, self.terms, self.spoke) = (Line::Fresh, NO_TERMS, now);
        self.aliases.clear();
        self.asked.clear();
        self.owes.clear();
        for flight in &mut self.flights {
            flight.here = false;
        }
    }

    /// It is over, whoever ended it.
    pub(super) fn closed(&mut self, now: Time) {
        self.log.push(format!("{now} closed"));
        self.line = Line::Closed;
        self.owes.clear();
    }

    /// Bytes of the client, in whole packets.
    pub(super) fn said(&mut self, now: Time, mut bytes: &[u8]) -> Kept {
        while !bytes.is_empty() {
            let (said, size) = read(self.promise.version, bytes)?.ok_or("half a packet was said")?;
            self.log.push(format!("{now} -> {said:?}"));
            self.agrees(&bytes[..size])?;
            self.packet(now, &said, size)?;
            self.spoke = now;
            bytes = &bytes[size..];
        }
        Ok(())
    }

    /// The codec's own reader must take it too.
    fn agrees(&self, bytes: &[u8]) -> Kept {
        let version = self.promise.version;
        let cut = split(version, Sender::Client, u32::MAX, bytes).map_err(|reason| reason.to_string())?;
        let cut = cut.ok_or("the codec wants more bytes")?;
        Packet::decode(version, Sender::Client, cut.first, cut.body).map(|_| ()).map_err(|reason| reason.to_string())
    }

    fn packet(&mut self, now: Time, said: &Said, size: usize) -> Kept {
        need(self.line != Line::Closed && self.line != Line::Over, "a packet where nothing may be said any more")?;
        need(
            matches!(said, Said::Connect { .. }) == (self.line == Line::Fresh),
            "CONNECT is the first packet, and only that",
        )?;
        need(size <= self.terms.size, "above Maximum Packet Size [MQTT5 3.2.2-15]")?;
        if !matches!(said, Said::Connect { .. }) {
            self.in_time(now)?;
        }
        match said {
            Said::Connect { .. } => self.connect(said),
            Said::Publish { .. } => self.publish(said),
            Said::Ack { kind, id } => self.ack(*kind, *id),
            Said::Subscribe { id, filters, named } => self.subscribe(*id, filters, *named),
            Said::Unsubscribe { id } => self.ask(*id),
            Said::Pingreq => Ok(()),
            Said::Disconnect => {
                self.line = Line::Over;
                self.owes.clear();
                Ok(())
            }
        }
    }

    fn connect(&mut self, said: &Said) -> Kept {
        let Said::Connect { clean, keep_alive, client_id, expiry, .. } = said else { return Ok(()) };
        let promise = &self.promise;
        need(*client_id == promise.client_id, "another client id than before, or than the server assigned")?;
        need(*keep_alive == promise.keep_alive && *expiry == promise.expiry, "another CONNECT than was promised")?;
        need(*clean || !(promise.clean || self.must_begin_anew), "no Clean Start after a session of a stranger")?;
        (self.clean, self.line) = (*clean, Line::Connecting);
        self.keep = Duration::from_secs((*keep_alive).into());
        Ok(())
    }

    fn publish(&mut self, said: &Said) -> Kept {
        let Said::Publish { dup, qos, retain, topic, id, alias, payload } = said else { return Ok(()) };
        need(*qos <= self.terms.qos, "above Maximum QoS [MQTT5 3.2.2-11]")?;
        need(!retain || self.terms.retain, "RETAIN where nothing is retained [MQTT5 3.2.2-14]")?;
        let topic = self.topic(topic, *alias)?;
        self.published += 1;
        if *qos == 0 {
            return Ok(());
        }
        let under_way = self.flights.iter().filter(|flight| flight.here).count();
        need(under_way < self.terms.receive, "above Receive Maximum [MQTT5 3.3.4-7]")?;
        let message = (topic, payload.clone(), *retain);
        if *dup {
            return self.publish_again(*qos, *id, &message);
        }
        self.is_free(*id)?;
        self.flights.push(Flight { id: *id, qos: *qos, message, released: None, here: true });
        Ok(())
    }

    fn topic(&mut self, topic: &str, alias: Option<u16>) -> Result<String, String> {
        let Some(alias) = alias else { return Ok(topic.into()) };
        need(alias <= self.terms.alias, "above Topic Alias Maximum [MQTT5 3.2.2-17]")?;
        if !topic.is_empty() {
            self.aliases.insert(alias, topic.into());
        }
        self.aliases.get(&alias).cloned().ok_or_else(|| "an alias that was not defined on this connection".into())
    }

    /// A redelivery: once a connection, unchanged, and in the order of the first deliveries \[MQTT5 4.4.0-1, 4.6.0-1\]. What the server
    /// takes no longer may be left out.
    fn publish_again(&mut self, qos: u8, id: u16, message: &(String, Vec<u8>, bool)) -> Kept {
        need(self.line == Line::Online && !self.clean, "DUP where no session goes on [MQTT5 3.3.1-1]")?;
        let terms = self.terms;
        // A packet whose size only just breaks the limit is left to the client's own arithmetic.
        let takes = |flight: &Flight| {
            let (topic, payload, retain) = &flight.message;
            flight.qos <= terms.qos && (!retain || terms.retain) && topic.len() + payload.len() + 8 <= terms.size
        };
        let at = self.flights.iter().position(|flight| flight.id == id && !flight.here && flight.released.is_none());
        let at = at.ok_or("DUP on a message that was not said before, or is said twice on one connection")?;
        let earlier = self.flights[..at].iter().any(|one| !one.here && one.released.is_none() && takes(one));
        need(!earlier, "not in the order in which they were first sent [MQTT5 4.6.0-1]")?;
        need(self.flights[at].qos == qos && self.flights[at].message == *message, "sent again as something else")?;
        self.flights[at].here = true;
        self.again += 1;
        Ok(())
    }

    fn is_free(&self, id: u16) -> Kept {
        let used = self.asked.contains(&id) || self.flights.iter().any(|flight| flight.id == id);
        need(!used, "a packet identifier in use [MQTT5 2.2.1-3]")
    }

    fn ack(&mut self, kind: u8, id: u16) -> Kept {
        let at = self.owes.iter().position(|owed| owed.0 == kind).ok_or("an acknowledgement that nobody waits for")?;
        need(
            self.owes.remove(at).1 == id,
            "acknowledgements in another order than what they acknowledge [MQTT5 4.6.0-2]",
        )
    }

    fn subscribe(&mut self, id: u16, filters: &[String], named: bool) -> Kept {
        let any = |what: &str| filters.iter().any(|filter| filter.contains(what));
        need(self.terms.wildcards || !(any("+") || any("#")), "a wildcard where none is available")?;
        need(
            self.terms.shared || !filters.iter().any(|one| one.starts_with("$share/")),
            "shared where it is not available",
        )?;
        need(self.terms.named || !named, "a Subscription Identifier where none is available")?;
        self.ask(id)
    }

    fn ask(&mut self, id: u16) -> Kept {
        self.is_free(id)?;
        self.asked.push(id);
        Ok(())
    }

    /// The interval between two packets \[MQTT5 3.1.2-20, 3.2.2-21\].
    fn in_time(&self, now: Time) -> Kept {
        let late = self.keep > Duration::ZERO && now.since(self.spoke) > self.keep;
        need(!late, "silent for longer than Keep Alive [MQTT5 3.1.2-20]")
    }

    /// Time has passed, or an input was handled: what is owed has been said, and nobody was silent for too long.
    pub(super) fn settled(&self, now: Time) -> Kept {
        if self.line == Line::Online || self.line == Line::Connecting {
            self.in_time(now)?;
        }
        need(self.owes.is_empty(), "an acknowledgement is owed").map_err(|why| format!("{why}: {:?}", self.owes))
    }

    /// Whether the client has to end the connection by now.
    pub(super) fn must_close(&self) -> bool {
        self.line == Line::Over
    }

    /// A packet has reached the client whole.
    pub(super) fn heard(&mut self, now: Time, packet: &Packet<'_>) {
        self.log.push(format!("{now} <- {packet:?}"));
        match packet {
            Packet::Connack(connack) => self.connack(now, connack),
            Packet::Publish(publish) => match (publish.delivery.qos(), publish.delivery.id()) {
                (QoS::AtLeastOnce, Some(id)) => self.owes.push((4, id.get())),
                (QoS::ExactlyOnce, Some(id)) => self.owes.push((5, id.get())),
                _ => {}
            },
            Packet::Puback(ack) => self.flights.retain(|one| one.id != ack.id.get() || one.qos != 1),
            Packet::Pubrec(ack) => self.pubrec(ack.id.get(), ack.reason.0 < 0x80),
            Packet::Pubrel(ack) => self.owes.push((7, ack.id.get())),
            Packet::Pubcomp(ack) => self.flights.retain(|one| one.id != ack.id.get() || one.released.is_none()),
            Packet::Suback(ack) => self.asked.retain(|id| *id != ack.id.get()),
            Packet::Unsuback(ack) => self.asked.retain(|id| *id != ack.id.get()),
            Packet::Disconnect(_) => {
                self.line = Line::Over;
                self.owes.clear();
            }
            _ => {}
        }
    }

    fn connack(&mut self, now: Time, connack: &Connack<'_>) {
        let present = connack.session_present;
        let five = self.promise.version == Version::V5;
        self.must_begin_anew |= connack.accepted() && five && present && !self.kept;
        if !connack.accepted() || present && self.clean || self.must_begin_anew && present {
            self.line = Line::Over;
            return;
        }
        self.must_begin_anew = false;
        self.line = Line::Online;
        let properties = connack.properties;
        self.kept = match five {
            false => !self.promise.clean,
            true => properties.session_expiry_interval().unwrap_or(self.promise.expiry) > 0,
        };
        self.terms = Terms {
            receive: properties.receive_maximum().map_or(NO_TERMS.receive, usize::from),
            alias: properties.topic_alias_maximum().unwrap_or(0),
            size: properties.maximum_packet_size().map_or(usize::MAX, |size| size as usize),
            qos: properties.maximum_qos().unwrap_or(2),
            retain: properties.retain_available() != Some(false),
            wildcards: properties.wildcard_subscription_available() != Some(false),
            shared: properties.shared_subscription_available() != Some(false),
            named: properties.subscription_identifier_available() != Some(false),
        };
        if let Some(seconds) = properties.server_keep_alive() {
            // It counts from where the client knows of it.
            (self.keep, self.spoke) = (Duration::from_secs(seconds.into()), now);
        }
        if let Some(id) = properties.assigned_client_identifier() {
            self.promise.client_id = id.into();
        }
        if !present {
            return self.flights.clear();
        }
        // PUBRELs are owed in the order of their PUBRECs [MQTT5 4.6.0-4].
        let mut released: Vec<(u64, u16)> =
            self.flights.iter().filter_map(|one| Some((one.released?, one.id))).collect();
        released.sort_unstable();
        self.owes.extend(released.into_iter().map(|(_, id)| (6, id)));
    }

    fn pubrec(&mut self, id: u16, accepted: bool) {
        let Some(at) = self.flights.iter().position(|one| one.id == id && one.qos == 2) else { return };
        if !accepted {
            self.flights.remove(at);
            return;
        }
        self.pubrecs += 1;
        self.flights[at].released.get_or_insert(self.pubrecs);
        self.owes.push((6, id));
    }

    /// What was said and never acknowledged.
    pub(super) fn open(&self) -> usize {
        self.flights.len()
    }
}

fn need(holds: bool, what: &str) -> Kept {
    if holds { Ok(()) } else { Err(what.into()) }
}
