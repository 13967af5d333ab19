//! The first thing on a connection that a client may not say: what the target does with that connection afterwards is its own business.
use alloc::collections::{BTreeMap, BTreeSet};

use super::facts::{Conn, Seen};
use proofhouse_core::value::Value;

/// Index of the first illegal packet of ours, or the number of packets.
pub(super) fn first(conn: &Conn<'_>) -> usize {
    let mut said = Said::default();
    for (at, seen) in conn.packets.iter().enumerate() {
        let legal = if seen.sent { said.may_say(conn, at, seen) } else { said.hears(seen) };
        if !legal {
            return at;
        }
    }
    conn.packets.len()
}

/// What a client has said and not heard the end of.
#[derive(Default)]
struct Said {
    connected: bool,
    left: bool,
    aliases: BTreeSet<i64>,
    /// Identifiers in use: of PUBLISH by QoS, of SUBSCRIBE and UNSUBSCRIBE as 3.
    ids: BTreeMap<i64, i64>,
    limits: Limits,
}

/// What the server announced.
#[derive(Clone, Copy)]
struct Limits {
    receive: usize,
    alias: i64,
    qos: i64,
    retain: bool,
    wildcards: bool,
    shared: bool,
    ids: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { receive: 65_535, alias: 0, qos: 2, retain: true, wildcards: true, shared: true, ids: true }
    }
}

impl Said {
    fn may_say(&mut self, conn: &Conn<'_>, at: usize, seen: &Seen<'_>) -> bool {
        let packet = seen.packet;
        if !packet.malformed.is_empty() || self.left {
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
            "puback" | "pubrec" | "pubcomp" | "pingreq" => true,
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
            let taken = self.ids.insert(id, qos).is_some_and(|before| before != qos || !again || conn.version5);
            if taken || self.ids.values().filter(|qos| **qos < 3).count() > self.limits.receive {
                return false;
            }
        }
        let retained = seen.packet.fields.truth("retain") == Some(true);
        qos <= self.limits.qos && (self.limits.retain || !retained)
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
        match seen.packet.kind.as_str() {
            "connack" => self.limits = limits(seen),
            "puback" | "pubcomp" | "suback" | "unsuback" => _ = self.ids.remove(&id),
            "pubrec" if seen.int("reason").unwrap_or(0) >= 0x80 => _ = self.ids.remove(&id),
            _ => {}
        }
        true
    }
}

fn limits(connack: &Seen<'_>) -> Limits {
    let yes = |name: &str| connack.int(name) != Some(0);
    Limits {
        receive: connack.int("receive_maximum").map_or(65_535, |n| n.max(0) as usize),
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
