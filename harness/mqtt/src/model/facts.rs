//! What we know of a trial: every connection with its packets, and from when on nothing on it is settled any more.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::oracle::record::{Moment, Record};
use proofhouse_core::plan::Plan;
use proofhouse_core::recorder::ROUNDS_BEFORE;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::{By, Event, Life, Packet, Who};
use proofhouse_core::value::{Fields, unhex};

use super::breach;
use super::messages::{Delivery, Publication, deliveries, publications};
use super::sessions::{Sessions, Subscription, sessions};
use crate::codec::topic::matches;
use crate::codec::{Sender, Version, split};
use crate::oracle::identity::{Logins, logins, party};
use crate::oracle::policy_kept::Rights;

/// How long we wait for what the text demands without a time, before we call it missed.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// A packet on a connection.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub moment: Moment,
    /// By us; otherwise by the target.
    pub sent: bool,
    pub packet: &'a Packet,
}

impl Seen<'_> {
    pub fn is(&self, kind: &str) -> bool {
        self.packet.kind == kind
    }
    pub fn id(&self) -> EntryId {
        self.moment.id
    }
    pub fn int(&self, field: &str) -> Option<i64> {
        self.packet.fields.int(field)
    }
}

/// A connection of a client of ours.
pub(super) struct Conn<'a> {
    pub number: u32,
    /// Fleet and member.
    pub who: (&'a str, u32),
    pub version5: bool,
    /// The name that the session is kept under: the one in CONNECT, or the one that the server gave.
    pub client_id: String,
    pub packets: Vec<Seen<'a>>,
    pub closed: Option<(Moment, By)>,
    /// Index in `packets` of our CONNECT, and of the CONNACK that accepts it.
    pub connect: Option<usize>,
    pub accepted: Option<usize>,
    /// Index in `packets` of the first thing that a client may not say; `packets.len()` where there is none.
    pub legal: usize,
    /// It stops reading at some time: what does not come says nothing.
    pub deaf: bool,
}

impl<'a> Conn<'a> {
    pub fn connect(&self) -> Option<&Fields> {
        self.connect.map(|at| &self.packets[at].packet.fields)
    }
    pub fn connack(&self) -> Option<&Fields> {
        self.accepted.map(|at| &self.packets[at].packet.fields)
    }
    /// What we sent while everything that we had said was legal.
    pub fn said(&self) -> impl Iterator<Item = (usize, &Seen<'a>)> {
        self.packets[..self.legal].iter().enumerate().filter(|(_, seen)| seen.sent)
    }
    /// What the target sent while everything that we had said was legal.
    pub fn heard(&self) -> impl Iterator<Item = (usize, &Seen<'a>)> {
        self.packets[..self.legal].iter().enumerate().filter(|(_, seen)| !seen.sent)
    }
    pub fn is_legal(&self) -> bool {
        self.legal == self.packets.len()
    }
    /// From when on the target may do with this connection what it likes.
    pub fn breach(&self) -> Option<Moment> {
        self.packets.get(self.legal).map(|seen| seen.moment)
    }
    /// Whether we said goodbye by the `DISCONNECT` that takes the Will away.
    pub fn goodbye(&self) -> Option<&Seen<'a>> {
        self.packets.iter().find(|seen| seen.sent && seen.is("disconnect"))
    }
    pub fn clean(&self) -> bool {
        self.connect().and_then(|fields| fields.truth("clean_start")).unwrap_or(true)
    }
    /// Seconds that the session lives after the connection; `None`: for ever.
    pub fn expiry(&self) -> Option<u64> {
        if !self.version5 {
            return if self.clean() { Some(0) } else { None };
        }
        let asked = self.connect().and_then(|fields| fields.int("session_expiry")).unwrap_or(0);
        let changed = self.goodbye().and_then(|seen| seen.int("session_expiry"));
        let given = self.connack().and_then(|fields| fields.int("session_expiry"));
        match changed.or(given).unwrap_or(asked) {
            0xFFFF_FFFF => None,
            seconds => Some(seconds.max(0) as u64),
        }
    }
    /// Nothing had come on it for a while before `end`.
    fn is_quiet(&self, end: Time) -> bool {
        let last = self.packets.iter().rev().find(|seen| !seen.sent);
        last.is_none_or(|seen| end.since(seen.moment.at) >= PATIENCE / 2)
    }

    /// A request that left us after `since` was answered.
    pub fn answers_later(&self, since: Time) -> bool {
        let asks = |seen: &&Seen<'_>| {
            ["publish", "subscribe", "unsubscribe", "pubrel", "pingreq"].contains(&seen.packet.kind.as_str())
        };
        let asked = self.packets.iter().filter(|seen| seen.sent && seen.moment.at > since).filter(asks);
        let ids: BTreeSet<i64> = asked.clone().filter_map(|seen| seen.int("packet_id")).collect();
        let pings = asked.filter(|seen| seen.is("pingreq")).count();
        let all =
            |kind: &str, sent: bool| self.packets.iter().filter(|seen| seen.sent == sent && seen.is(kind)).count();
        let pinged = pings > 0 && all("pingresp", false) == all("pingreq", true);
        let acked = |seen: &Seen<'_>| {
            !seen.sent
                && !seen.is("publish")
                && seen.moment.at > since
                && seen.int("packet_id").is_some_and(|id| ids.contains(&id))
        };
        pinged || self.packets.iter().any(acked)
    }

    /// A number that our CONNECT announced.
    pub fn ours(&self, property: &str) -> Option<i64> {
        self.connect().and_then(|fields| fields.int(property))
    }
}

/// Everything that the rules are asked about.
pub(super) struct Facts<'a> {
    pub plan: &'a Plan,
    pub record: &'a Record<'a>,
    pub conns: BTreeMap<u32, Conn<'a>>,
    pub sessions: Sessions,
    pub publications: Vec<Publication<'a>>,
    pub deliveries: Vec<Delivery<'a>>,
    /// Places of the deliveries of each connection, in order.
    on: BTreeMap<u32, Vec<usize>>,
    /// Places of the publications on each topic.
    topics: BTreeMap<String, Vec<usize>>,
    /// Places of the subscriptions, by session and number: of each filter without wildcards, and of those with some.
    filters: BTreeMap<String, Vec<(usize, usize)>>,
    wild: Vec<(usize, usize)>,
    /// For each publication: places of the deliveries that can be nothing else, in order.
    came: Vec<Vec<usize>>,
    /// Connections of each client id, in the order of their CONNECTs.
    clients: BTreeMap<String, Vec<u32>>,
    logins: Logins<'a>,
    rights: Rights<'a>,
    /// The target was started for this trial and is ours alone: nobody else has left or sent anything, and no trial before it either.
    pub alone: bool,
    /// Somebody's right is taken away in this trial.
    pub revokes: bool,
    /// From here on the target was not itself any more: it ended, or was started anew.
    pub until: Moment,
}

impl<'a> Facts<'a> {
    pub fn of(plan: &'a Plan, record: &'a Record<'a>, version5: bool) -> Facts<'a> {
        let until = record.target_ended();
        let mut conns = connections(plan, record, version5, until);
        for conn in conns.values_mut() {
            conn.legal = breach::first(conn);
        }
        let sessions = sessions(&conns);
        let publications = publications(&conns);
        let deliveries = deliveries(&conns, &publications);
        let mut on: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (nth, delivery) in deliveries.iter().enumerate() {
            on.entry(delivery.conn).or_default().push(nth);
        }
        let mut topics: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (nth, publication) in publications.iter().enumerate() {
            topics.entry(publication.topic.clone()).or_default().push(nth);
        }
        let (logins, rights) = (logins(record), Rights::new(plan, record.transcript));
        let (mut filters, mut wild): (BTreeMap<String, Vec<_>>, Vec<_>) = Default::default();
        for (session, one) in sessions.all.iter().enumerate() {
            for (nth, one) in one.subscriptions.iter().enumerate() {
                let places =
                    if is_wild(&one.filter) { &mut wild } else { filters.entry(one.filter.clone()).or_default() };
                places.push((session, nth));
            }
        }
        let mut came = alloc::vec![Vec::new(); publications.len()];
        for (nth, delivery) in deliveries.iter().enumerate() {
            if let [only] = delivery.from[..] {
                came[only].push(nth);
            }
        }
        let has = |wanted: fn(&Event) -> bool| record.transcript.entries.iter().any(|entry| wanted(&entry.event));
        let started = has(|event| matches!(event, Event::Life(Life::Started { .. })));
        let used = has(|event| matches!(event, Event::Gauge { name, .. } if name == ROUNDS_BEFORE));
        let alone = started && !used;
        let revokes = has(|event| matches!(event, Event::Grant { allow: false, .. }));
        let clients = clients(&conns);
        Facts {
            plan,
            record,
            revokes,
            conns,
            sessions,
            publications,
            deliveries,
            on,
            topics,
            filters,
            wild,
            came,
            clients,
            logins,
            rights,
            alone,
            until,
        }
    }

    /// What came on a connection, in order.
    pub fn deliveries_on(&self, conn: u32) -> impl Iterator<Item = &Delivery<'a>> {
        self.on.get(&conn).into_iter().flatten().map(|nth| &self.deliveries[*nth])
    }

    /// What came on a connection above QoS 0 and was not acknowledged on it.
    pub fn open_on(&self, conn: u32) -> impl Iterator<Item = &Delivery<'a>> {
        self.deliveries_on(conn).filter(|delivery| delivery.qos > 0 && !delivery.acked && !delivery.repeat)
    }

    /// Places of the publications on the topics that a filter matches; one without wildcards needs no search.
    pub fn published_on(&self, filter: &str) -> Vec<usize> {
        if !is_wild(filter) {
            return self.topics.get(filter).cloned().unwrap_or_default();
        }
        let fits = self.topics.iter().filter(|(topic, _)| matches(filter, topic));
        fits.flat_map(|(_, places)| places.iter().copied()).collect()
    }

    /// Every subscription whose filter matches a topic.
    pub fn subscribers<'f>(&'f self, topic: &'f str) -> impl Iterator<Item = &'f Subscription> {
        let plain = self.filters.get(topic).into_iter().flatten();
        let wild = self.wild.iter().filter(move |place| self.subscription(**place).matches(topic));
        plain.chain(wild).map(|place| self.subscription(*place))
    }

    fn subscription(&self, (session, nth): (usize, usize)) -> &Subscription {
        &self.sessions.all[session].subscriptions[nth]
    }

    /// The deliveries that can be nothing but this publication, in order.
    pub fn came(&self, publication: usize) -> impl Iterator<Item = &Delivery<'a>> {
        self.came[publication].iter().map(|nth| &self.deliveries[*nth])
    }

    /// The connections of the client id of a connection, itself among them, in the order of their CONNECTs.
    pub fn of_client(&self, conn: &Conn<'_>) -> impl Iterator<Item = &Conn<'a>> {
        self.clients.get(&conn.client_id).into_iter().flatten().map(|number| &self.conns[number])
    }

    /// Whether two connections are of one client id: what No Local compares \[MQTT5 3.8.3-3\].
    pub fn same_client(&self, a: u32, b: u32) -> bool {
        a == b || matches!((self.conns.get(&a), self.conns.get(&b)), (Some(a), Some(b)) if a.client_id == b.client_id)
    }

    /// Whether the party behind a connection had a right at a moment. Where nobody is asked who he is, everybody may everything.
    pub fn may(&self, conn: u32, what: &str, topic: &str, at: Time) -> bool {
        let fleet = self.conns.get(&conn).and_then(|conn| self.plan.fleet(conn.who.0));
        if fleet.is_none_or(|fleet| !fleet.authenticated) {
            return true;
        }
        let party = party(self.plan, self.record, &self.logins, conn);
        self.rights.held(party, what, topic, at, Duration::ZERO)
    }

    /// The size of every packet of the target on a connection, where the record has all of its bytes, and the entry that completed it.
    pub fn sizes(&self, conn: &Conn<'_>) -> Vec<(u64, EntryId)> {
        let (mut held, mut sizes) = (Vec::new(), Vec::new());
        let until = conn.breach().map_or(u32::MAX, |moment| moment.id.0);
        for id in self.record.bytes_of(conn.number).iter().filter(|id| id.0 < until) {
            let Event::Received(bytes) = &self.record.transcript.entries[id.0 as usize].event else { continue };
            let (None, Ok(more)) = (bytes.len, unhex(&bytes.hex)) else { break };
            held.extend_from_slice(&more);
            let version = if conn.version5 { Version::V5 } else { Version::V311 };
            while let Ok(Some(cut)) = split(version, Sender::Server, u32::MAX, &held) {
                let size = cut.size;
                sizes.push((size as u64, *id));
                held.drain(..size);
            }
        }
        sizes
    }

    pub fn end(&self) -> Time {
        self.until.at.min(self.record.end)
    }

    /// Whether a connection stood, was read and had our whole patience after `since`, while we and the target were awake, and the target
    /// was done with it: something that we asked later was answered, or it had long had nothing more to say. A server that works off
    /// what it was sent, however slowly, owes nothing yet.
    pub fn had_patience(&self, conn: &Conn<'_>, since: Time) -> bool {
        let end = conn.closed.map_or(self.end(), |(moment, _)| moment.at.min(self.end()));
        let slack = self.record.lateness.between(conn.who.0, since, end);
        let waited = end.since(since) >= PATIENCE + slack && self.record.lateness.stopped_between(since, end).is_none();
        let slow = self.record.slow_as_ever(PATIENCE).is_some();
        !conn.deaf && !slow && waited && (conn.is_quiet(end) || conn.answers_later(since))
    }
}

fn connections<'a>(plan: &'a Plan, record: &'a Record<'a>, version5: bool, until: Moment) -> BTreeMap<u32, Conn<'a>> {
    let speaks = |fleet: &str| {
        plan.fleet(fleet).is_some_and(|fleet| {
            fleet.protocol == "mqtt" && !fleet.plays_server && (fleet.version != "3.1.1") == version5
        })
    };
    let deaf = deaf(record);
    let mut conns = BTreeMap::new();
    for (number, connection) in &record.connections {
        if !speaks(connection.fleet) || connection.opened.is_none() {
            continue;
        }
        let crossings = record.packets_of(*number).filter(|crossing| crossing.moment.id < until.id);
        let packets: Vec<Seen<'_>> = crossings
            .map(|crossing| Seen { moment: crossing.moment, sent: crossing.sent, packet: crossing.packet })
            .collect();
        let connect = packets.iter().position(|seen| seen.sent && seen.is("connect"));
        let accepted = packets.iter().position(|seen| !seen.sent && seen.is("connack"));
        let accepted = accepted.filter(|at| packets[*at].int("reason") == Some(0));
        let text = |at: Option<usize>, field: &str| {
            at.and_then(|at| packets[at].packet.fields.text(field)).unwrap_or("").to_string()
        };
        let (asked, given) = (text(connect, "client_id"), text(accepted, "assigned_client_id"));
        let closed = connection.closed.filter(|(moment, ..)| moment.id < until.id).map(|(moment, by, _)| (moment, by));
        let conn = Conn {
            number: *number,
            who: (connection.fleet, connection.member),
            version5,
            client_id: if asked.is_empty() { given } else { asked },
            legal: packets.len(),
            packets,
            closed,
            connect,
            accepted,
            deaf: deaf.contains(number) || record.is_limited(*number),
        };
        conns.insert(*number, conn);
    }
    conns
}

fn is_wild(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// Connections by client id, in the order of their CONNECTs.
fn clients(conns: &BTreeMap<u32, Conn<'_>>) -> BTreeMap<String, Vec<u32>> {
    let mut clients: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut order: Vec<(EntryId, &Conn<'_>)> =
        conns.values().filter_map(|conn| Some((conn.packets[conn.connect?].id(), conn))).collect();
    order.sort_by_key(|(id, _)| *id);
    for (_, conn) in order {
        clients.entry(conn.client_id.clone()).or_default().push(conn.number);
    }
    clients
}

/// Connections on which a script stops to read.
fn deaf(record: &Record<'_>) -> BTreeSet<u32> {
    let stops = record.transcript.entries.iter().filter_map(|entry| match (&entry.who, &entry.event) {
        (Who::Member(..), Event::Step { verb, conn, .. }) if verb == "stop-reading" => *conn,
        _ => None,
    });
    stops.collect()
}
