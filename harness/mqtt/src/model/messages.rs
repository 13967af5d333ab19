//! Application messages: what our clients published or left as Wills, what arrived, and which of the first the second may be.
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Deref;

use proofhouse_core::oracle::record::{Moment, Record};
use proofhouse_core::time::Time;
use proofhouse_core::transcript::Packet;
use proofhouse_core::value::{Fields, Value};

use super::facts::{Conn, passed_on};

/// A message that one of ours gave to the target.
pub(super) struct Publication<'a> {
    pub conn: u32,
    pub sent: Moment,
    pub topic: String,
    pub qos: i64,
    pub retain: bool,
    pub packet: &'a Packet,
    /// What stands before the names of its fields: a Will is described in CONNECT.
    pub prefix: &'static str,
    /// The target has said that it owns it: PUBACK, PUBCOMP.
    pub done: Option<Moment>,
    /// From when on it has surely passed it on: it may acknowledge first.
    settled: Option<Time>,
    /// The target has refused it.
    pub refused: bool,
    /// Its client has sent it again where a server may take that for another message: at QoS 1, or in a session that was not continued.
    pub again: bool,
    /// What had freed its identifier on this connection, where another message had it before: the kind of that answer.
    pub freed_by: Option<&'a str>,
    /// Everything on its connection was legal up to it.
    pub certain: bool,
    /// No other has its topic and payload.
    pub unique: bool,
}

impl Publication<'_> {
    pub fn is_will(&self) -> bool {
        !self.prefix.is_empty()
    }
    /// Field of the message, whichever packet carried it.
    pub fn field(&self, name: &str) -> Option<&Value> {
        of(&self.packet.fields, self.prefix, name)
    }
    /// Whether the target had long owned it at a moment, so that nothing of it can be on its way.
    pub fn handled_before(&self, moment: Moment) -> bool {
        let owned = self.done.is_some_and(|done| done.id < moment.id);
        owned && !self.again && self.settled.is_some_and(|settled| settled <= moment.at)
    }
    pub fn is_empty(&self) -> bool {
        self.field("payload").and_then(Value::as_bytes).is_some_and(<[u8]>::is_empty)
    }
    pub fn expiry(&self) -> Option<u64> {
        self.field("message_expiry").and_then(Value::as_int).map(|seconds| seconds.max(0) as u64)
    }
}

/// A PUBLISH that one of ours received.
pub(super) struct Delivery<'a> {
    pub conn: u32,
    /// Its place among the packets of the connection.
    pub at: usize,
    pub moment: Moment,
    /// By name, or by an alias that the target had set; `None`: by one that it had not.
    pub topic: Option<String>,
    pub packet: &'a Packet,
    pub qos: i64,
    pub retain: bool,
    pub dup: bool,
    pub id: Option<i64>,
    /// The identifier came on this connection before, and the exchange was not over.
    pub repeat: bool,
    /// We have acknowledged it, to the end: PUBACK, PUBCOMP, or a refusal.
    pub acked: bool,
    /// Places of the publications with this topic and payload that were sent before it arrived.
    pub from: Sources,
}

impl Delivery<'_> {
    /// It was not acknowledged on its connection.
    pub fn is_open(&self) -> bool {
        self.qos > 0 && !self.acked && !self.repeat
    }
}

/// Places of publications that look the same, the first so many of them: shared, since a flood of one message is as long as its answer.
#[derive(Clone)]
pub(super) struct Sources {
    all: Rc<[usize]>,
    count: usize,
}

impl Sources {
    /// Equal exactly where all of them are.
    pub fn key(&self) -> (Option<usize>, usize) {
        (self.first().copied(), self.count)
    }
}

impl Deref for Sources {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.all[..self.count]
    }
}

/// Every message that our clients gave away, in the order in which it left them; Wills with their CONNECT.
pub(super) fn publications<'a>(conns: &BTreeMap<u32, Conn<'a>>, record: &Record<'_>) -> Vec<Publication<'a>> {
    let mut all = Vec::new();
    // Of each client, by its id and user.
    let mut open: BTreeMap<(&str, &str), Open> = BTreeMap::new();
    let mut order: Vec<&Conn<'_>> = conns.values().collect();
    order.sort_by_key(|conn| conn.packets.first().map(|seen| seen.moment.id));
    for conn in order {
        published(conn, open.entry((&conn.client_id, conn.user)).or_default(), &mut all);
    }
    for one in &mut all {
        one.settled = one.done.map(|done| passed_on(record, conns[&one.conn].who.0, done.at));
    }
    all.sort_by_key(|publication| publication.sent.id);
    all
}

/// The messages of a client that are not acknowledged yet, by identifier.
type Open = BTreeMap<i64, usize>;

fn published<'a>(conn: &Conn<'a>, open: &mut Open, all: &mut Vec<Publication<'a>>) {
    let mut aliases: BTreeMap<i64, String> = BTreeMap::new();
    let mut freed: BTreeMap<i64, &'a str> = BTreeMap::new();
    for (at, seen) in conn.packets.iter().enumerate() {
        let fields = &seen.packet.fields;
        let id = fields.int("packet_id");
        match (seen.sent, seen.packet.kind.as_str()) {
            (true, "connect") if fields.find("will_topic").is_some() => {
                all.extend(publication(conn, at, fields.text("will_topic").map(ToString::to_string), "will_"));
            }
            (true, "publish") => {
                let repeats = fields.truth("dup") == Some(true);
                let before = id.and_then(|id| open.get(&id)).copied().filter(|_| repeats);
                let topic = named(fields, &mut aliases);
                if let Some(of) = before {
                    let same = all[of].conn == conn.number || conn.is_resumed();
                    all[of].again |= all[of].qos < 2 || !same;
                } else if let Some(mut new) = publication(conn, at, topic, "") {
                    if let Some(id) = id.filter(|_| new.qos > 0) {
                        new.freed_by = freed.remove(&id);
                        open.insert(id, all.len());
                    }
                    all.push(new);
                }
            }
            (false, "puback" | "pubrec" | "pubcomp") => {
                let Some((id, of)) = id.and_then(|id| open.get(&id).map(|of| (id, *of))) else { continue };
                let refused = fields.int("reason").unwrap_or(0) >= 0x80;
                if refused || seen.packet.kind != "pubrec" {
                    open.remove(&id);
                    freed.insert(id, &seen.packet.kind);
                    all[of].refused = refused && all[of].done.is_none();
                    all[of].done = Some(seen.moment).filter(|_| !refused);
                }
            }
            _ => {}
        }
    }
}

fn publication<'a>(conn: &Conn<'a>, at: usize, topic: Option<String>, prefix: &'static str) -> Option<Publication<'a>> {
    let seen = conn.packets[at];
    let field = |name: &str| of(&seen.packet.fields, prefix, name);
    Some(Publication {
        conn: conn.number,
        sent: seen.moment,
        topic: topic?,
        qos: field("qos").and_then(Value::as_int).unwrap_or(0),
        retain: field("retain") == Some(&Value::Bool(true)),
        packet: seen.packet,
        prefix,
        done: None,
        settled: None,
        refused: false,
        again: false,
        freed_by: None,
        certain: at < conn.legal,
        unique: true,
    })
}

/// The topic of a PUBLISH; keeps the aliases of its direction.
fn named(fields: &Fields, aliases: &mut BTreeMap<i64, String>) -> Option<String> {
    let written = fields.text("topic").unwrap_or("");
    match (fields.int("topic_alias"), written.is_empty()) {
        (Some(alias), true) => aliases.get(&alias).cloned(),
        (Some(alias), false) => {
            aliases.insert(alias, written.to_string());
            Some(written.to_string())
        }
        (None, _) => Some(written.to_string()),
    }
}

/// Every PUBLISH that arrived, in order, with what it may be. Marks the publications that cannot be told apart by topic and payload.
pub(super) fn deliveries<'a>(conns: &BTreeMap<u32, Conn<'a>>, from: &mut [Publication<'a>]) -> Vec<Delivery<'a>> {
    let mut sources: BTreeMap<(&str, Payload<'_>), Vec<usize>> = BTreeMap::new();
    for (nth, publication) in from.iter().enumerate() {
        let key = (publication.topic.as_str(), payload(&publication.packet.fields, publication.prefix));
        sources.entry(key).or_default().push(nth);
    }
    let sources: BTreeMap<_, Rc<[usize]>> = sources.into_iter().map(|(key, all)| (key, Rc::from(all))).collect();
    let all = arrived(conns, from, &sources);
    let twins: Vec<Rc<[usize]>> = sources.into_values().filter(|all| all.len() > 1).collect();
    for nth in twins.iter().flat_map(|all| all.iter()) {
        from[*nth].unique = false;
    }
    all
}

fn arrived<'a>(
    conns: &BTreeMap<u32, Conn<'a>>,
    from: &[Publication<'a>],
    sources: &BTreeMap<(&str, Payload<'_>), Rc<[usize]>>,
) -> Vec<Delivery<'a>> {
    let nothing: Rc<[usize]> = Rc::from([]);
    let mut all = Vec::new();
    for conn in conns.values() {
        let mut aliases = BTreeMap::new();
        // Identifiers under way, and the delivery that each began with.
        let mut open: BTreeMap<i64, usize> = BTreeMap::new();
        for (at, seen) in conn.packets.iter().enumerate() {
            if let (true, "puback" | "pubrec" | "pubcomp", Some(id)) =
                (seen.sent, seen.packet.kind.as_str(), seen.int("packet_id"))
                && (!seen.is("pubrec") || seen.int("reason").unwrap_or(0) >= 0x80)
                && let Some(of) = open.remove(&id)
            {
                let delivery: &mut Delivery<'_> = &mut all[of];
                delivery.acked = true;
            }
            if seen.sent || !seen.is("publish") || !seen.packet.malformed.is_empty() {
                continue;
            }
            let fields = &seen.packet.fields;
            let topic = named(fields, &mut aliases);
            let known = topic.as_deref().and_then(|topic| sources.get(&(topic, payload(fields, ""))));
            let known = known.unwrap_or(&nothing);
            let count = known.partition_point(|nth| from[*nth].sent.id < seen.moment.id);
            let id = fields.int("packet_id");
            let repeat = id.is_some_and(|id| open.contains_key(&id));
            if let Some(id) = id {
                open.entry(id).or_insert(all.len());
            }
            all.push(Delivery {
                conn: conn.number,
                at,
                moment: seen.moment,
                from: Sources { all: Rc::clone(known), count },
                topic,
                packet: seen.packet,
                qos: fields.int("qos").unwrap_or(0),
                retain: fields.truth("retain") == Some(true),
                dup: fields.truth("dup") == Some(true),
                id,
                repeat,
                acked: false,
            });
        }
    }
    all.sort_by_key(|delivery| (delivery.moment.id, delivery.at));
    all
}

/// What tells messages apart: the payload as far as the transcript tells it, and its length.
type Payload<'a> = (&'a [u8], i64);

fn payload<'a>(fields: &'a Fields, prefix: &str) -> Payload<'a> {
    let told = of(fields, prefix, "payload").and_then(Value::as_bytes).unwrap_or(&[]);
    let len = of(fields, prefix, "payload_len").and_then(Value::as_int);
    (told, len.unwrap_or(told.len() as i64))
}

/// A field of a message, whose name may have something before it.
fn of<'a>(fields: &'a Fields, prefix: &str, name: &str) -> Option<&'a Value> {
    if prefix.is_empty() {
        return fields.find(name);
    }
    fields.iter().find(|(key, _)| key.strip_prefix(prefix) == Some(name)).map(|(_, value)| value)
}
