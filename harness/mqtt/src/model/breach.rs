//! The first thing on a connection that a client may not say: what the target does with that connection afterwards is its own business.
use alloc::collections::{BTreeMap, BTreeSet};

use proofhouse_core::ids::EntryId;
use proofhouse_core::oracle::record::Record;
use proofhouse_core::transcript::Event;
use proofhouse_core::value::Value;

use super::facts::{Conn, Seen};

/// Index of the first illegal packet of ours, or the number of packets.
pub(super) fn first(conn: &Conn<'_>, record: &Record<'_>) -> usize {
    let limited = conn.connack().is_some_and(|fields| fields.find("maximum_packet_size").is_some());
    let sizes = if limited { sizes(conn.number, record) } else { BTreeMap::new() };
    let mut said = Said { sizes, ..Said::default() };
    for (at, seen) in conn.packets.iter().enumerate() {
        let legal = if seen.sent { said.may_say(conn, at, seen) } else { said.hears(seen) };
        if !legal {
            return at;
        }
    }
    conn.packets.len()
}

/// How many bytes each packet of ours can have had at most: those that left since the entry before it that completed one.
fn sizes(conn: u32, record: &Record<'_>) -> BTreeMap<EntryId, u64> {
    let (mut sizes, mut since) = (BTreeMap::new(), 0);
    for id in record.bytes_of(conn) {
        let Event::Sent(bytes) = &record.transcript.entries[id.0 as usize].event else { continue };
        since += bytes.len.unwrap_or(bytes.hex.len() as u64 / 2);
        if !bytes.packets.is_empty() {
            sizes.insert(*id, since);
            since = 0;
        }
    }
    sizes
}

/// What a client has said and not heard the end of.
#[derive(Default)]
struct Said {
    connected: bool,
    left: bool,
    aliases: BTreeSet<i64>,
    /// Identifiers in use: of PUBLISH by QoS, of SUBSCRIBE and UNSUBSCRIBE as 3.
    ids: BTreeMap<i64, i64>,
    /// How many of them are of a PUBLISH.
    under_way: usize,
    /// What the server has sent and we may acknowledge: identifiers with how often they came and are not acknowledged, at QoS 1; of those
    /// under way at QoS 2; and of PUBRELs.
    theirs: BTreeMap<i64, u32>,
    theirs_exact: BTreeSet<i64>,
    released: BTreeSet<i64>,
    /// Of each packet of ours, where the server has a limit.
    sizes: BTreeMap<EntryId, u64>,
    limits: Limits,
}

/// What the server announced.
#[derive(Clone, Copy)]
struct Limits {
    receive: usize,
    size: u64,
    alias: i64,
    qos: i64,
    retain: bool,
    wildcards: bool,
    shared: bool,
    ids: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            receive: 65_535,
            size: u64::MAX,
            alias: 0,
            qos: 2,
            retain: true,
            wildcards: true,
            shared: true,
            ids: true,
        }
    }
}

impl Said {
    fn may_say(&mut self, conn: &Conn<'_>, at: usize, seen: &Seen<'_>) -> bool {
        let packet = seen.packet;
        let large = self.sizes.get(&seen.id()).is_some_and(|size| *size > self.limits.size);
        if !packet.malformed.is_empty() || self.left || large {
            return false;
        }
        match packet.kind.as_str() {
            "connect" => {
                let first = !self.connected && at == 0;
                self.connected = true;
                first && (conn.version5 || !conn.client_id.is_empty() || conn.clean())
            }
            _ if !self.connected => false,
            "publish" => self.may_publish(conn, seen),
            "subscribe" | "unsubscribe" => self.may_ask(seen),
            "puback" | "pubrec" | "pubcomp" => self.may_acknowledge(seen),
            "pingreq" => true,
            "pubrel" => seen.int("packet_id").is_some_and(|id| self.ids.get(&id) == Some(&2)),
            "disconnect" => {
                self.left = true;
                let longer = seen.int("session_expiry").is_some_and(|seconds| seconds > 0);
                !(longer && conn.ours("session_expiry").unwrap_or(0) == 0)
            }
            "auth" => conn.connect().is_some_and(|fields| fields.find("auth_method").is_some()),
            _ => false,
        }
    }

    fn may_publish(&mut self, conn: &Conn<'_>, seen: &Seen<'_>) -> bool {
        let (qos, id) = (seen.int("qos").unwrap_or(0), seen.int("packet_id"));
        if let Some(alias) = seen.int("topic_alias") {
            let known = self.aliases.contains(&alias);
            if alias < 1 || alias > self.limits.alias || (!known && seen.packet.fields.text("topic") == Some("")) {
                return false;
            }
            self.aliases.insert(alias);
        }
        if seen.packet.fields.find("subscription_id").is_some() {
            return false;
        }
        if qos > 0
            && let Some(id) = id
        {
            let again = seen.packet.fields.truth("dup") == Some(true);
            let before = self.ids.insert(id, qos);
            self.under_way += usize::from(before.is_none());
            let taken = before.is_some_and(|before| before != qos || !again || conn.version5);
            if taken || self.under_way > self.limits.receive {
                return false;
            }
        }
        let retained = seen.packet.fields.truth("retain") == Some(true);
        qos <= self.limits.qos && (self.limits.retain || !retained)
    }

    /// An acknowledgement of what never came is one that a server need not bear.
    fn may_acknowledge(&mut self, seen: &Seen<'_>) -> bool {
        let Some(id) = seen.int("packet_id") else { return false };
        match seen.packet.kind.as_str() {
            "puback" => {
                let Some(due) = self.theirs.get_mut(&id).filter(|due| **due > 0) else { return false };
                *due -= 1;
                true
            }
            "pubrec" if seen.int("reason").unwrap_or(0) >= 0x80 => self.theirs_exact.remove(&id),
            "pubrec" => self.theirs_exact.contains(&id),
            _ => {
                self.theirs_exact.remove(&id);
                self.released.remove(&id)
            }
        }
    }

    fn may_ask(&mut self, seen: &Seen<'_>) -> bool {
        let Some(id) = seen.int("packet_id") else { return false };
        let mut filters = filters(seen).into_iter();
        let allowed = filters.all(|filter| {
            (self.limits.wildcards || !filter.contains(['+', '#']))
                && (self.limits.shared || !filter.starts_with("$share/"))
        });
        let named = seen.packet.fields.find("subscription_id").is_some();
        self.ids.insert(id, 3).is_none() && allowed && (self.limits.ids || !named)
    }

    /// Learns; always legal.
    fn hears(&mut self, seen: &Seen<'_>) -> bool {
        let id = seen.int("packet_id").unwrap_or(0);
        match (seen.packet.kind.as_str(), seen.int("qos")) {
            ("connack", _) => self.limits = limits(seen),
            ("publish", Some(1)) => *self.theirs.entry(id).or_default() += 1,
            ("publish", Some(2)) => _ = self.theirs_exact.insert(id),
            ("pubrel", _) => _ = self.released.insert(id),
            ("puback" | "pubcomp" | "suback" | "unsuback", _) => self.is_answered(id),
            ("pubrec", _) if seen.int("reason").unwrap_or(0) >= 0x80 => self.is_answered(id),
            _ => {}
        }
        true
    }

    fn is_answered(&mut self, id: i64) {
        let published = self.ids.remove(&id).is_some_and(|qos| qos < 3);
        self.under_way -= usize::from(published);
    }
}

fn limits(connack: &Seen<'_>) -> Limits {
    let yes = |name: &str| connack.int(name) != Some(0);
    Limits {
        receive: connack.int("receive_maximum").map_or(65_535, |n| n.max(0) as usize),
        size: connack.int("maximum_packet_size").map_or(u64::MAX, |n| n.max(0) as u64),
        alias: connack.int("topic_alias_maximum").unwrap_or(0),
        qos: connack.int("maximum_qos").unwrap_or(2),
        retain: yes("retain_available"),
        wildcards: yes("wildcard_available"),
        shared: yes("shared_available"),
        ids: yes("subscription_id_available"),
    }
}

/// The filters of a SUBSCRIBE or UNSUBSCRIBE.
pub(super) fn filters<'a>(seen: &Seen<'a>) -> alloc::vec::Vec<&'a str> {
    column(seen, "filter", "filters").iter().filter_map(|value| value.as_text()).collect()
}

/// The values of a field that stands once under one name, several times under another.
pub(super) fn column<'a>(seen: &Seen<'a>, one: &str, several: &str) -> &'a [Value] {
    let fields = &seen.packet.fields;
    fields.find(one).or_else(|| fields.find(several)).map_or(&[], Value::as_slice)
}
