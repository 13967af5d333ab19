//! What we know of a trial: every connection with its packets, and from when on nothing on it is settled any more.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::connection::Close;
use proofhouse_core::ids::EntryId;
use proofhouse_core::oracle::record::{Moment, Record};
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::recorder::ROUNDS_BEFORE;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::{By, Event, Life, Packet, Who};
use proofhouse_core::value::{Fields, unhex};

use super::breach;
use super::messages::{Delivery, Publication, deliveries, publications};
use super::sessions::{Held, Sessions, Subscription, sessions};
use crate::codec::topic::matches;
use crate::codec::{Sender, Version, split};
use crate::oracle::identity::{Logins, logins, party};
use crate::oracle::policy_kept::Rights;

/// How long we wait for what the text demands without a time, before we call it missed.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How long after an acknowledgement what it acknowledges may still be on its way through the target.
const PASSED_ON: Duration = Duration::from_secs(1);

/// From when on a server has surely passed on what it acknowledged at `from`, or brought what it was asked for: `PASSED_ON` later, and for
/// as long again as one side could not act meanwhile. Never, with one that needs as long for everything.
pub(super) fn passed_on(record: &Record<'_>, fleet: &str, from: Time) -> Time {
    if record.slow_as_ever(PASSED_ON).is_some() {
        return Time::NEVER;
    }
    let mut until = from + PASSED_ON;
    // Each round adds the lateness of what the one before it has added: half the time at most settles within these.
    for _ in 0..32 {
        let next = from + PASSED_ON + record.lateness.between(fleet, from, until);
        if next <= until {
            return until;
        }
        until = next;
    }
    Time::NEVER
}

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
    /// The name that its CONNECT logs in under; empty where it names none.
    pub user: &'a str,
    /// Its place among the connections of its client id, in the order of their CONNECTs.
    pub nth: usize,
    pub packets: Vec<Seen<'a>>,
    pub closed: Option<(Moment, By)>,
    /// It ended with a reset: what had left us last may never have been read.
    pub reset: bool,
    /// Index in `packets` of our CONNECT, and of the CONNACK that accepts it.
    pub connect: Option<usize>,
    pub accepted: Option<usize>,
    /// Index in `packets` of the first thing that a client may not say; `packets.len()` where there is none.
    pub legal: usize,
    /// It stops reading at some time: what does not come says nothing.
    pub deaf: bool,
    /// Index in `packets` of our first DISCONNECT, and of the first of either side.
    bye: Option<usize>,
    first_bye: Option<usize>,
    /// When the last packet came, and when the last of our requests left that was answered.
    last_heard: Option<Time>,
    served: Option<Time>,
    /// Places of what came, by kind and identifier.
    answers: BTreeMap<(&'a str, i64), Vec<usize>>,
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
        self.bye.map(|at| &self.packets[at])
    }
    pub fn clean(&self) -> bool {
        self.connect().and_then(|fields| fields.truth("clean_start")).unwrap_or(true)
    }
    /// Keep Alive: how long we may be silent, and half as long again; `None`: as long as we like.
    pub fn keep_alive(&self) -> Option<Duration> {
        let given = self.connack().and_then(|fields| fields.int("server_keep_alive"));
        let seconds = given.or_else(|| self.ours("keep_alive")).unwrap_or(0).max(0) as u64;
        (seconds > 0).then(|| Duration::from_secs(seconds))
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
    /// When our CONNECT left, and when the CONNACK that accepts it came.
    pub fn asked(&self) -> Option<Moment> {
        self.connect.map(|at| self.packets[at].moment)
    }
    pub fn let_in(&self) -> Option<Moment> {
        self.accepted.map(|at| self.packets[at].moment)
    }
    /// Whether the server says that it has continued a session.
    pub fn is_resumed(&self) -> bool {
        self.connack().and_then(|fields| fields.truth("session_present")) == Some(true)
    }
    /// Whether this one was let in before another said CONNECT: otherwise nobody can say which the server heard first.
    pub fn is_before(&self, later: &Conn<'_>) -> bool {
        self.let_in().zip(later.asked()).is_some_and(|(in_, asked)| in_.id < asked.id)
    }
    /// When it ended as far as we know: it was closed, or one side said goodbye.
    pub fn left(&self) -> Option<Moment> {
        let bye = self.first_bye.map(|at| self.packets[at].moment);
        bye.into_iter().chain(self.closed.map(|(moment, _)| moment)).min_by_key(|moment| moment.id)
    }
    /// Index of the answer to a request of ours: the next packet of that kind with its identifier.
    pub fn answer(&self, at: usize, kind: &str) -> Option<usize> {
        let all = self.answers.get(&(kind, self.packets[at].int("packet_id")?))?;
        all.get(all.partition_point(|place| *place < at)).copied()
    }
    /// Whether a PUBREL came and was not answered.
    fn owes_pubcomp(&self) -> bool {
        let mut owed = BTreeSet::new();
        for seen in &self.packets {
            match (seen.sent, seen.packet.kind.as_str()) {
                (false, "pubrel") => _ = owed.insert(seen.int("packet_id")),
                (true, "pubcomp") => _ = owed.remove(&seen.int("packet_id")),
                _ => {}
            }
        }
        !owed.is_empty()
    }
    /// Nothing had come on it for a while before `end`.
    fn is_quiet(&self, end: Time) -> bool {
        self.last_heard.is_none_or(|last| end.since(last) >= PATIENCE / 2)
    }
    /// No message had come on it for a while before `end`: a server may pace what it has to deliver.
    fn has_no_more(&self, end: Time) -> bool {
        let messages = || self.packets.iter().rev().filter(|seen| !seen.sent && seen.is("publish"));
        let last = messages().find(|seen| seen.moment.at <= end);
        last.is_none_or(|seen| end.since(seen.moment.at) >= PATIENCE / 2)
    }
    /// A request that left us after `since` was answered.
    pub fn answers_later(&self, since: Time) -> bool {
        self.served.is_some_and(|served| served > since)
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
    /// Client ids that also speak where these facts do not look: another version, or no client of ours.
    strangers: BTreeSet<&'a str>,
    /// Connections on which something above QoS 0 came and was not acknowledged: a message, or a PUBREL.
    unacknowledged: BTreeSet<u32>,
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
        let until = record.whole_until();
        let mut conns = connections(plan, record, version5, until);
        let clients = clients(&mut conns);
        for conn in conns.values_mut() {
            conn.legal = breach::first(conn, record);
        }
        let (logins, rights) = (logins(record), Rights::new(plan, record.transcript));
        let strangers = logins.iter().filter(|(conn, _)| !conns.contains_key(conn)).map(|(_, login)| login.client_id);
        let strangers: BTreeSet<&str> = strangers.filter(|id| !id.is_empty()).collect();
        let sessions = sessions(&conns, &clients, &strangers);
        let mut publications = publications(&conns, record);
        let deliveries = deliveries(&conns, &mut publications);
        let mut on: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (nth, delivery) in deliveries.iter().enumerate() {
            on.entry(delivery.conn).or_default().push(nth);
        }
        let mut topics: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (nth, publication) in publications.iter().enumerate() {
            topics.entry(publication.topic.clone()).or_default().push(nth);
        }
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
        let open = deliveries.iter().filter(|delivery| delivery.is_open());
        let halfway = conns.values().filter(|conn| conn.owes_pubcomp()).map(|conn| conn.number);
        let unacknowledged = open.map(|delivery| delivery.conn).chain(halfway).collect();
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
            strangers,
            unacknowledged,
            logins,
            rights,
            alone,
            until,
        }
    }

    /// What came on a connection, in order.
    pub fn deliveries_on(&self, conn: u32) -> impl DoubleEndedIterator<Item = &Delivery<'a>> {
        self.on.get(&conn).into_iter().flatten().map(|nth| &self.deliveries[*nth])
    }

    /// What came on a connection above QoS 0 and was not acknowledged on it.
    pub fn open_on(&self, conn: u32) -> impl Iterator<Item = &Delivery<'a>> {
        self.deliveries_on(conn).filter(|delivery| delivery.is_open())
    }

    /// Whether anything did, or a PUBREL came and was not answered.
    pub fn has_open(&self, conn: u32) -> bool {
        self.unacknowledged.contains(&conn)
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

    /// The connections of its client id that said CONNECT after this one, and those that said it before, in order.
    pub fn later(&self, conn: &Conn<'_>) -> impl Iterator<Item = &Conn<'a>> {
        self.of_client(conn).get(conn.nth + 1..).into_iter().flatten().map(|number| &self.conns[number])
    }
    pub fn earlier(&self, conn: &Conn<'_>) -> impl DoubleEndedIterator<Item = &Conn<'a>> {
        self.of_client(conn).get(..conn.nth).into_iter().flatten().map(|number| &self.conns[number])
    }
    fn of_client(&self, conn: &Conn<'_>) -> &[u32] {
        self.clients.get(&conn.client_id).map_or(&[], Vec::as_slice)
    }

    /// Whether anybody else had, or asked for, the client id of a connection between its CONNECT and this time: what ended it may have been a
    /// takeover.
    pub fn has_rival(&self, conn: &Conn<'_>, until: Time) -> bool {
        let Some(asked) = conn.asked() else { return true };
        let stood = |other: &Conn<'_>| other.closed.is_none_or(|(ended, _)| ended.id > asked.id);
        let mut later = self.later(conn).filter_map(Conn::asked);
        self.strangers.contains(conn.client_id.as_str())
            || self.earlier(conn).any(stood)
            || later.any(|other| other.at <= until)
    }

    /// Whether two connections are of one client, which No Local compares by client id \[MQTT5 3.8.3-3\]: a server may keep the ids of
    /// each user apart.
    pub fn same_client(&self, a: u32, b: u32) -> Held {
        match (self.conns.get(&a), self.conns.get(&b)) {
            _ if a == b => Held::Must,
            (Some(a), Some(b)) if a.client_id != b.client_id => Held::No,
            (Some(a), Some(b)) if a.user == b.user => Held::Must,
            _ => Held::May,
        }
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

    /// The size of every packet of the target on a connection, where the record has all of its bytes, with the number of its kind and the
    /// entry that completed it.
    pub fn sizes(&self, conn: &Conn<'_>) -> Vec<(u8, u64, EntryId)> {
        let (mut held, mut sizes) = (Vec::new(), Vec::new());
        let until = conn.breach().map_or(u32::MAX, |moment| moment.id.0);
        for id in self.record.bytes_of(conn.number).iter().filter(|id| id.0 < until) {
            let Event::Received(bytes) = &self.record.transcript.entries[id.0 as usize].event else { continue };
            let (None, Ok(more)) = (bytes.len, unhex(&bytes.hex)) else { break };
            held.extend_from_slice(&more);
            let version = if conn.version5 { Version::V5 } else { Version::V311 };
            while let Ok(Some(cut)) = split(version, Sender::Server, u32::MAX, &held) {
                let size = cut.size;
                sizes.push((cut.first >> 4, size as u64, *id));
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
    /// what it was sent, however slowly, owes nothing yet; nor does one that has not let the client in yet.
    pub fn had_patience(&self, conn: &Conn<'_>, since: Time) -> bool {
        let since = conn.let_in().map_or(since, |moment| moment.at.max(since));
        let end = conn.closed.map_or(self.end(), |(moment, _)| moment.at.min(self.end()));
        let slack = self.record.lateness.between(conn.who.0, since, end);
        let waited = end.since(since) >= PATIENCE + slack && self.record.lateness.stopped_between(since, end).is_none();
        let slow = self.record.slow_as_ever(PATIENCE).is_some();
        let done = conn.has_no_more(end) && (conn.is_quiet(end) || conn.answers_later(since));
        !conn.deaf && !slow && waited && done
    }
}

/// Whether a fleet is of clients of this version.
pub(super) fn speaks(fleet: &FleetPlan, version5: bool) -> bool {
    fleet.protocol == "mqtt" && !fleet.plays_server && (fleet.version != "3.1.1") == version5
}

fn connections<'a>(plan: &'a Plan, record: &'a Record<'a>, version5: bool, until: Moment) -> BTreeMap<u32, Conn<'a>> {
    let speaks = |fleet: &str| plan.fleet(fleet).is_some_and(|fleet| speaks(fleet, version5));
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
        let closed = connection.closed.filter(|(moment, ..)| moment.id < until.id);
        let conn = Conn {
            closed: closed.map(|(moment, by, _)| (moment, by)),
            reset: closed.is_some_and(|(.., how)| how == Close::Reset),
            deaf: deaf.contains(number) || record.is_limited(*number),
            ..conn(*number, (connection.fleet, connection.member), version5, packets)
        };
        conns.insert(*number, conn);
    }
    conns
}

/// What the packets of a connection tell of it.
fn conn<'a>(number: u32, who: (&'a str, u32), version5: bool, packets: Vec<Seen<'a>>) -> Conn<'a> {
    let connect = packets.iter().position(|seen| seen.sent && seen.is("connect"));
    let accepted = packets.iter().position(|seen| !seen.sent && seen.is("connack"));
    let accepted = accepted.filter(|at| packets[*at].int("reason") == Some(0));
    let text = |at: Option<usize>, field: &str| {
        let packet: Option<&'a Packet> = at.map(|at| packets[at].packet);
        packet.and_then(|packet| packet.fields.text(field)).unwrap_or("")
    };
    let (asked, given) = (text(connect, "client_id"), text(accepted, "assigned_client_id"));
    let mut answers: BTreeMap<(&str, i64), Vec<usize>> = BTreeMap::new();
    for (at, seen) in packets.iter().enumerate().filter(|(_, seen)| !seen.sent) {
        if let Some(id) = seen.int("packet_id") {
            answers.entry((seen.packet.kind.as_str(), id)).or_default().push(at);
        }
    }
    Conn {
        number,
        who,
        version5,
        client_id: if asked.is_empty() { given } else { asked }.to_string(),
        user: text(connect, "username"),
        nth: 0,
        closed: None,
        reset: false,
        connect,
        accepted,
        legal: packets.len(),
        deaf: false,
        bye: packets.iter().position(|seen| seen.sent && seen.is("disconnect")),
        first_bye: packets.iter().position(|seen| seen.is("disconnect")),
        last_heard: packets.iter().rev().find(|seen| !seen.sent).map(|seen| seen.moment.at),
        served: served(&packets),
        answers,
        packets,
    }
}

/// When the last of our requests left that was answered: by its identifier, or, where each of them was, a ping.
fn served(packets: &[Seen<'_>]) -> Option<Time> {
    const ASKS: [&str; 4] = ["publish", "subscribe", "unsubscribe", "pubrel"];
    let mut asked: BTreeMap<i64, Time> = BTreeMap::new();
    let (mut pings, mut pongs, mut last_ping, mut served) = (0, 0, None, None);
    for seen in packets {
        let (kind, id) = (seen.packet.kind.as_str(), seen.int("packet_id"));
        match (seen.sent, kind, id) {
            (true, "pingreq", _) => (pings, last_ping) = (pings + 1, Some(seen.moment.at)),
            (false, "pingresp", _) => pongs += 1,
            (true, kind, Some(id)) if ASKS.contains(&kind) => _ = asked.insert(id, seen.moment.at),
            (false, kind, Some(id)) if !matches!(kind, "publish" | "pubrel") => {
                served = served.max(asked.get(&id).copied());
            }
            _ => {}
        }
    }
    if pings == pongs { served.max(last_ping) } else { served }
}

fn is_wild(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// Connections by client id, in the order of their CONNECTs; tells each its place.
fn clients(conns: &mut BTreeMap<u32, Conn<'_>>) -> BTreeMap<String, Vec<u32>> {
    let mut clients: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut order: Vec<(EntryId, u32)> =
        conns.values().filter_map(|conn| Some((conn.asked()?.id, conn.number))).collect();
    order.sort_unstable();
    for (_, number) in order {
        let Some(conn) = conns.get_mut(&number) else { continue };
        let own = clients.entry(conn.client_id.clone()).or_default();
        conn.nth = own.len();
        own.push(number);
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
