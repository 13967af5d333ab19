//! What we know of a trial: every association of ours with the target, the requests on it, and what they were answered with.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::oracle::record::{Moment, Record};
use proofhouse_core::plan::{Network, Plan};
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::Packet;
use proofhouse_core::value::Value;
use proofhouse_core::witness::is_witness;

use super::paths::{Path, paths};
use crate::names::BlockWords;
use crate::protocol::is_challenge;

/// How long we wait for what the text demands without a time, before we call it missed. A server may take its time for an acknowledgement
/// up to PROCESSING_DELAY, which is as long as ACK_TIMEOUT: 2 s (RFC 7252 §4.8.2).
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

/// How long a message id stands for one exchange (RFC 7252 §4.8.2): the same id later is another message.
pub(super) const EXCHANGE_LIFETIME: Duration = Duration::from_secs(247);

/// How long something may be on its way, or being built, when ours has left that stops it.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// A datagram of an association. What every rule asks of every datagram is read from its fields once.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub moment: Moment,
    /// By us; otherwise by the target.
    pub sent: bool,
    pub packet: &'a Packet,
    mid: i64,
    message: &'a str,
    token: &'a str,
    code: &'a str,
    legal: bool,
}

impl<'a> Seen<'a> {
    fn new(moment: Moment, sent: bool, packet: &'a Packet) -> Seen<'a> {
        let mut seen = Seen {
            moment,
            sent,
            packet,
            mid: -1,
            message: "",
            token: "",
            code: "",
            legal: packet.malformed.is_empty(),
        };
        for (name, value) in packet.fields.iter() {
            match name {
                Packet::MESSAGE => seen.message = value.as_text().unwrap_or(""),
                "mid" => seen.mid = value.as_int().unwrap_or(-1),
                "token" => seen.token = value.as_text().unwrap_or(""),
                "code" => seen.code = value.as_text().unwrap_or(""),
                "options" | "version" | "option_cut" | "raw" => seen.legal = false,
                _ => {}
            }
        }
        seen
    }
    pub fn id(&self) -> EntryId {
        self.moment.id
    }
    pub fn is(&self, role: &str) -> bool {
        self.packet.kind == role
    }
    pub fn message(&self) -> &'a str {
        self.message
    }
    pub fn int(&self, field: &str) -> Option<i64> {
        self.packet.fields.int(field)
    }
    pub fn text(&self, field: &str) -> Option<&'a str> {
        self.packet.fields.text(field)
    }
    pub fn has(&self, field: &str) -> bool {
        self.packet.fields.find(field).is_some()
    }
    pub fn mid(&self) -> i64 {
        self.mid
    }
    pub fn token(&self) -> &'a str {
        self.token
    }
    pub fn code(&self) -> &'a str {
        self.code
    }
    pub fn payload(&self) -> &'a [u8] {
        self.packet.fields.find("payload").and_then(Value::as_bytes).unwrap_or(&[])
    }
    /// Legal as a message, and nothing in it that a server is to refuse.
    pub fn is_legal(&self) -> bool {
        self.legal
    }
    /// Every ETag that it names.
    pub fn etags(&self) -> &'a [Value] {
        self.packet.fields.find("etag").map_or(&[], Value::as_slice)
    }
    /// Number, whether more follow, and size of a block option.
    pub fn block(&self, option: &str) -> Option<BlockWords> {
        BlockWords::parse(self.text(option)?).ok()
    }
    /// It has everything that there is, and not one block of several.
    pub fn is_whole(&self) -> bool {
        self.block("block2").is_none_or(|block| block.num == 0 && !block.more)
    }
    /// Of a success class.
    pub fn succeeds(&self) -> bool {
        self.code().starts_with("2.")
    }
}

/// A request of ours with everything that came for it.
pub(super) struct Exchange {
    /// Its place among the datagrams of the association.
    pub request: usize,
    /// Copies of it: the same message id again.
    pub copies: Vec<usize>,
    /// Empty acknowledgement, or reset.
    pub ack: Option<usize>,
    pub reset: Option<usize>,
    /// Responses with its token, in order.
    pub responses: Vec<usize>,
    /// Its message id was another message's of ours before: what a server makes of that is its own affair.
    pub reuses: bool,
    /// No request before it, and no other at all, has its token: whatever comes with that is for this one.
    pub is_first: bool,
    pub is_only: bool,
}

impl Exchange {
    /// It was answered by nothing but a challenge.
    fn is_challenged(&self, packets: &[Seen<'_>]) -> bool {
        !self.responses.is_empty() && self.responses.iter().all(|at| is_challenge(packets[*at].packet))
    }
}

/// One of our sockets and the target.
pub(super) struct Assoc<'a> {
    pub who: (&'a str, u32),
    pub packets: Vec<Seen<'a>>,
    pub exchanges: Vec<Exchange>,
    pub closed: Option<Moment>,
    /// No link of ours loses, doubles or damages anything.
    pub clean: bool,
    /// Places of the messages of each message id that we sent, and that came.
    said: BTreeMap<i64, Vec<usize>>,
    heard: BTreeMap<i64, Vec<usize>>,
    /// The first place at which each token was sent.
    tokens: BTreeMap<&'a str, usize>,
    /// How often each token was sent.
    uses: BTreeMap<&'a str, usize>,
    /// We have taken an observation back, or reset something.
    pub gives_up: bool,
    /// Tokens of the requests that had Observe, and the last place at which each of them registered.
    observing: BTreeSet<&'a str>,
    registered: BTreeMap<&'a str, usize>,
    /// The first datagram of ours that a server may answer with anything: one that it cannot read, or has an option that it may not know.
    odd: Option<usize>,
}

impl<'a> Assoc<'a> {
    fn new(who: (&'a str, u32), packets: Vec<Seen<'a>>, closed: Option<Moment>, clean: bool) -> Assoc<'a> {
        let (mut said, mut heard) = (BTreeMap::<i64, Vec<usize>>::new(), BTreeMap::<i64, Vec<usize>>::new());
        let (mut tokens, mut uses) = (BTreeMap::new(), BTreeMap::new());
        let (mut observing, mut registered) = (BTreeSet::new(), BTreeMap::new());
        for (at, seen) in packets.iter().enumerate() {
            let places = if seen.sent { &mut said } else { &mut heard };
            places.entry(seen.mid()).or_default().push(at);
            if seen.sent && !["ack", "rst", "ping"].contains(&seen.packet.kind.as_str()) {
                tokens.entry(seen.token()).or_insert(at);
                *uses.entry(seen.token()).or_default() += 1;
            }
            if seen.sent && seen.has("observe") {
                observing.insert(seen.token());
            }
            if seen.sent && seen.int("observe") == Some(0) {
                registered.insert(seen.token(), at);
            }
        }
        let odd = packets.iter().position(|seen| seen.sent && !seen.is_legal());
        let exchanges = exchanges(&packets);
        let ends = |seen: &Seen<'_>| seen.sent && (seen.is("rst") || seen.int("observe") == Some(1));
        let gives_up = packets.iter().any(ends);
        Assoc {
            who,
            exchanges,
            packets,
            closed,
            clean,
            said,
            heard,
            tokens,
            uses,
            gives_up,
            observing,
            registered,
            odd,
        }
    }

    /// What we sent with a message id, in order.
    pub fn said_with(&self, mid: i64) -> impl Iterator<Item = &Seen<'a>> {
        self.said.get(&mid).into_iter().flatten().map(|at| &self.packets[*at])
    }
    /// What came with a message id, in order.
    pub fn heard_with(&self, mid: i64) -> impl Iterator<Item = &Seen<'a>> {
        self.heard.get(&mid).into_iter().flatten().map(|at| &self.packets[*at])
    }
    /// Whether a token had left us before a place.
    pub fn token_before(&self, token: &str, at: usize) -> bool {
        self.tokens.get(token).is_some_and(|first| *first < at)
    }
    /// How often a token was sent.
    pub fn uses(&self, token: &str) -> usize {
        self.uses.get(token).copied().unwrap_or(0)
    }
    /// Whether any request with a token had Observe.
    pub fn observes(&self, token: &str) -> bool {
        self.observing.contains(token)
    }
    /// Whether a token registered for notifications after a place.
    pub fn registers_after(&self, token: &str, at: usize) -> bool {
        self.registered.get(token).is_some_and(|last| *last > at)
    }
    /// Whether a response surely is for an exchange: in its acknowledgement, or with a token that no other request has. The blocks of one
    /// transfer may all have one token, and what answers the one before may still be on its way.
    pub fn is_for(&self, exchange: &Exchange, at: usize) -> bool {
        let (request, seen) = (&self.packets[exchange.request], &self.packets[at]);
        exchange.is_only || (seen.message() == "ack" && seen.mid() == request.mid())
    }
    /// Whether a CON that was sent again was answered fewer times than it was sent: a server answers each copy, or one of the two was lost.
    fn loses(&self) -> bool {
        let answers = |seen: &&Seen<'_>| ["ack", "rst"].contains(&seen.message());
        self.clean
            && self.exchanges.iter().filter(|exchange| !exchange.copies.is_empty()).any(|exchange| {
                let request = &self.packets[exchange.request];
                let heard = self.heard_with(request.mid()).filter(answers).count();
                request.message() == "con" && (1..=exchange.copies.len()).contains(&heard)
            })
    }
    pub fn heard(&self) -> impl Iterator<Item = (usize, &Seen<'a>)> {
        self.packets.iter().enumerate().filter(|(_, seen)| !seen.sent)
    }
    pub fn said(&self) -> impl Iterator<Item = (usize, &Seen<'a>)> {
        self.packets.iter().enumerate().filter(|(_, seen)| seen.sent)
    }
    /// The exchanges whose request is legal, with the request: as a message, and in its message id.
    pub fn legal(&self) -> impl Iterator<Item = (&Exchange, &Seen<'a>)> {
        self.exchanges
            .iter()
            .map(|exchange| (exchange, &self.packets[exchange.request]))
            .filter(|(exchange, request)| request.is_legal() && !exchange.reuses)
    }
    /// Whether the answer to an odd datagram of ours may come from this place on.
    pub fn odd_before(&self, at: usize) -> bool {
        self.odd.is_some_and(|odd| odd < at)
    }
}

/// Everything that the rules are asked about.
pub(super) struct Facts<'a> {
    pub record: &'a Record<'a>,
    pub assocs: Vec<Assoc<'a>>,
    /// What was said about each resource.
    pub paths: BTreeMap<&'a str, Path<'a>>,
    /// Paths at which somebody asked for something that may remove what is there.
    removed: BTreeSet<&'a str>,
    /// Paths at which nothing was found at some time.
    vanished: BTreeSet<&'a str>,
    /// Nobody else observes anything, or waits for an answer.
    pub alone: bool,
    /// The road between us loses datagrams: of those that were sent again and answered, one copy was not.
    loses: bool,
    until: Moment,
}

impl<'a> Facts<'a> {
    pub fn of(plan: &'a Plan, record: &'a Record<'a>) -> Facts<'a> {
        let until = record.whole_until();
        let speaks = |fleet: &str| plan.fleet(fleet).filter(|fleet| fleet.protocol == "coap" && !fleet.plays_server);
        let mut assocs = Vec::new();
        for (number, connection) in &record.connections {
            let Some(fleet) = speaks(connection.fleet) else { continue };
            let crossings = record.packets_of(*number).filter(|crossing| crossing.moment.id < until.id);
            let packets: Vec<Seen<'_>> =
                crossings.map(|crossing| Seen::new(crossing.moment, crossing.sent, crossing.packet)).collect();
            let clean = plan.network == Network::CLEAN && fleet.network == Network::CLEAN;
            let who = (connection.fleet, connection.member);
            assocs.push(Assoc::new(who, packets, connection.closed.map(|(moment, ..)| moment), clean));
        }
        let removes = |said: &&Seen<'_>| matches!(said.text("method"), Some("delete" | "post" | "patch" | "ipatch"));
        let said = assocs.iter().flat_map(|assoc| assoc.said().map(|(_, said)| said));
        let removed = said.filter(removes).filter_map(|said| said.text("path")).collect();
        let answers = assocs.iter().flat_map(|assoc| {
            let of = |exchange: &Exchange| Some((exchange.request, *exchange.responses.first()?));
            assoc.exchanges.iter().filter_map(of).map(|(asked, told)| (&assoc.packets[asked], &assoc.packets[told]))
        });
        let nothing = answers.filter(|(_, told)| told.code() == "4.04");
        let vanished = nothing.filter_map(|(asked, _)| asked.text("path")).collect();
        let (loses, alone) = (assocs.iter().any(Assoc::loses), !record.is_used());
        let paths = paths(&assocs, alone);
        Facts { record, assocs, paths, removed, vanished, alone, loses, until }
    }

    /// Every response that came over a link of ours that damages nothing.
    pub fn responses(&self) -> impl Iterator<Item = &Seen<'a>> {
        let clean = self.assocs.iter().filter(|assoc| assoc.clean);
        clean.flat_map(|assoc| assoc.heard().map(|(_, seen)| seen)).filter(|seen| seen.is("response"))
    }

    /// Why the trial does not show how requests are served: a good part of those that had been served before were refused, and nothing that
    /// anybody did explains it.
    pub fn unserved(&self) -> Option<String> {
        let mut all: Vec<(&Seen<'a>, &Seen<'a>)> = Vec::new();
        for assoc in self.assocs.iter().filter(|assoc| !is_witness(assoc.who.0)) {
            let own = |exchange: &Exchange| exchange.responses.first().map(|at| &assoc.packets[*at]);
            all.extend(assoc.legal().filter_map(|(exchange, asked)| Some((asked, own(exchange)?))));
        }
        all.retain(|(_, told)| !is_challenge(told.packet));
        all.sort_by_key(|(_, told)| told.id());
        let mut served = BTreeSet::new();
        let (mut refused, mut last) = (0_usize, "");
        for (asked, told) in &all {
            let same = (asked.text("method"), asked.text("path"));
            let explained = match told.code() {
                "4.04" => asked.text("path").is_some_and(|path| self.may_be_gone(path)),
                "4.02" | "4.06" | "4.08" | "4.12" | "4.13" | "5.05" => true,
                _ => told.succeeds(),
            };
            if told.succeeds() {
                served.insert(same);
            } else if !explained && (served.contains(&same) || told.code() == "4.29" || told.code().starts_with("5.")) {
                (refused, last) = (refused + 1, told.code());
            }
        }
        (refused * 4 > all.len())
            .then(|| format!("{refused} of {} requests were refused, the last with {last}", all.len()))
    }

    /// Whether what was seen at a path once is there still, for all that was said and heard.
    pub fn is_steady(&self, path: Option<&str>) -> bool {
        path.is_none_or(|path| !self.may_be_gone(path) && !self.vanished.contains(path))
    }

    /// Whether somebody asked for something that may have removed this, or what it is a part of.
    pub fn may_be_gone(&self, path: &str) -> bool {
        let covers =
            |gone: &&str| path.strip_prefix(*gone).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.removed.contains("/") || self.removed.iter().any(covers)
    }

    /// Whether nothing can come any more by `by` that was on its way, or being built, when something of ours left at `since`: the target
    /// may have waited for a processor meanwhile, and what left us may be lost on a road that loses.
    pub fn settled(&self, assoc: &Assoc<'_>, since: Time, by: Time) -> bool {
        !self.loses && by.since(since) > ON_ITS_WAY + self.record.lateness.between(assoc.who.0, since, by)
    }

    /// Whether we listened on an association for our whole patience after `since`, while we and the target were awake. On a road that loses
    /// datagrams no silence shows anything.
    pub fn had_patience(&self, assoc: &Assoc<'_>, since: Time, patience: Duration) -> bool {
        let last = self.until.at.min(self.record.end);
        let end = assoc.closed.map_or(last, |moment| moment.at.min(last));
        let slack = self.record.lateness.between(assoc.who.0, since, end);
        assoc.clean
            && !self.loses
            && end.since(since) >= patience + slack
            && self.record.lateness.stopped_between(since, end).is_none()
    }
}

/// Pairs requests and what answers them: acknowledgements by message id, responses by token.
fn exchanges(packets: &[Seen<'_>]) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    let mut by_mid: BTreeMap<i64, usize> = BTreeMap::new();
    let mut by_token: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, seen) in packets.iter().enumerate() {
        match (seen.sent, seen.packet.kind.as_str()) {
            (true, "request") => {
                let again = by_mid.get(&seen.mid()).copied().filter(|of| is_copy(&packets[all[*of].request], seen));
                if let Some(of) = again {
                    all[of].copies.push(at);
                    continue;
                }
                let reuses = by_mid.insert(seen.mid(), all.len()).is_some_and(|of| {
                    let first = &packets[all[of].request];
                    seen.moment.at.since(first.moment.at) <= EXCHANGE_LIFETIME
                });
                let before = by_token.insert(seen.token(), all.len());
                let (mut is_first, mut is_only) = (before.is_none(), before.is_none());
                if let Some(before) = before.map(|before| &mut all[before]) {
                    // Asked again with what a challenge gave: nothing else comes for what was challenged (RFC 9175).
                    match seen.has("echo") && before.is_challenged(packets) {
                        true => (is_first, is_only) = (before.is_first, before.is_only),
                        false => before.is_only = false,
                    }
                }
                let (copies, responses) = (Vec::new(), Vec::new());
                all.push(Exchange {
                    request: at,
                    copies,
                    ack: None,
                    reset: None,
                    responses,
                    reuses,
                    is_first,
                    is_only,
                });
            }
            (false, "ack" | "rst") => {
                let Some(of) = by_mid.get(&seen.mid()) else { continue };
                let place = if seen.is("ack") { &mut all[*of].ack } else { &mut all[*of].reset };
                *place = place.or(Some(at));
            }
            (false, "response") => {
                // A piggybacked one is told by its message id: the blocks of one transfer may all have one token.
                let own = by_mid
                    .get(&seen.mid())
                    .filter(|of| seen.message() == "ack" && packets[all[**of].request].token() == seen.token());
                if let Some(of) = own.or_else(|| by_token.get(seen.token())) {
                    all[*of].responses.push(at);
                }
            }
            _ => {}
        }
    }
    all
}

fn is_copy(first: &Seen<'_>, later: &Seen<'_>) -> bool {
    first.packet.fields == later.packet.fields && later.moment.at.since(first.moment.at) <= EXCHANGE_LIFETIME
}
