//! Discovery shows what its policy calls public, and nothing else: a list of paths is a map for whoever attacks.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::record::{Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::transcript::{Event, Transcript};
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Violation};

use super::exchanges::{Exchange, exchanges, is_listed, is_success};
use crate::link_format::{self, Origin, WELL_KNOWN};
use crate::names::BlockWords;

pub(super) const ORACLE: Oracle = Oracle {
    id: "discovers-only",
    doc: "what /.well-known/core lists to these fleets is public: every link is on the policy's list",
    clauses: &["RFC 7252 §11.3"],
    needs: Needs::Full,
    kind: FindingKind::Disclosure,
    keys: &[
        Key {
            name: "public",
            kind: Kind::Any,
            doc: "paths that anybody may know: \"{resource.public}\", or a list; \"/a/#\" is all below",
        },
        CLAUSE,
    ],
    reads_steps: true,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let Some(public) = expect.keys.find("public") else {
        return Judgement::inconclusive(ORACLE.id, "`public` says which paths anybody may know");
    };
    let public: Vec<&str> = public.as_slice().iter().filter_map(Value::as_text).chain([WELL_KNOWN]).collect();
    let record = Record::new(plan, transcript);
    let (mut hidden, mut evidence, mut open) = (BTreeMap::<String, usize>::new(), Vec::new(), None);
    let (mut links, mut formal) = (0_usize, true);
    let lists = lists(expect, &record);
    for (at, list) in lists.iter().enumerate() {
        if !list.whole {
            open = open.or(Some("a list of resources is not all there: ask for all of its blocks"));
        }
        let Ok(text) = core::str::from_utf8(&list.body) else {
            open = open.or(Some("a list of resources is no text"));
            continue;
        };
        for link in link_format::links(text) {
            let Ok(link) = link else {
                open = open.or(Some("a list of resources does not read as links"));
                break;
            };
            links += 1;
            // A link to somewhere else says nothing about what is here.
            for path in link.path(list.origin).into_iter().chain(link.context(list.origin)) {
                if !is_listed(&path, &public) {
                    hidden.entry(path).or_insert(at);
                }
            }
        }
        formal &= list.formal;
        evidence.extend(list.moments.iter().copied());
    }
    if let Some((path, at)) = hidden.first_key_value() {
        let paths: Vec<&str> = hidden.keys().take(PATHS_MAX).map(String::as_str).collect();
        let more = hidden.len() - paths.len();
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        let violation = Violation {
            expected: format!("discovery lists public resources only ({})", public.join(", ")),
            actual: format!("it lists {}{more}", paths.join(", ")),
            clause: expect.clause(plan),
            place: format!("discovery{path}"),
            entries: ids(lists[*at].moments.iter().copied()),
            lesser: false,
        };
        return Judgement::fail(ORACLE.id, alloc::vec![violation]);
    }
    if let Some(why) = open {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    if evidence.is_empty() {
        return Judgement::inconclusive(ORACLE.id, "no list of resources came");
    }
    // Whoever says yes to everything says it here too.
    if !formal {
        return Judgement::inconclusive(ORACLE.id, "an answer is no list of links: its Content-Format is not 40");
    }
    if links == 0 {
        return Judgement::inconclusive(ORACLE.id, "the list of resources is empty");
    }
    Judgement::pass(ORACLE.id, ids(evidence), format!("all of {links} links are public"))
}

/// Paths that a violation names at most: whoever lists a hundred thousand is told of some.
const PATHS_MAX: usize = 50;

/// A list of resources, put together out of its blocks.
struct List {
    /// Whom it was asked of.
    origin: Origin,
    body: Vec<u8>,
    whole: bool,
    /// It says that it is a list of links.
    formal: bool,
    moments: Vec<Moment>,
}

/// One block of a list.
struct Part {
    moment: Moment,
    block: BlockWords,
    payload: Vec<u8>,
    formal: bool,
}

/// Every list that came to these fleets; the blocks of one association are those of one list.
fn lists(expect: &Expect, record: &Record<'_>) -> Vec<List> {
    let mut whole = Vec::new();
    let mut blocks: BTreeMap<(u32, String), Vec<Part>> = BTreeMap::new();
    let asks = |exchange: &Exchange<'_>| {
        exchange.path() == WELL_KNOWN
            && record.connections.get(&exchange.conn).is_some_and(|connection| expect.is_about(connection.fleet))
    };
    for exchange in exchanges(record).into_iter().filter(asks) {
        let origin = origin_of(record, exchange.conn);
        let query = exchange.request.fields.find("query").map(ToString::to_string).unwrap_or_default();
        for (moment, packet) in exchange.responses.iter().filter(|(_, packet)| is_success(packet)) {
            let formal = packet.fields.int("content_format") == Some(link_format::CONTENT_FORMAT.into());
            let payload = packet.fields.find("payload").and_then(Value::as_bytes).unwrap_or_default().to_vec();
            match packet.fields.text("block2").and_then(|text| BlockWords::parse(text).ok()) {
                None => whole.push(List { origin, body: payload, whole: true, formal, moments: alloc::vec![*moment] }),
                Some(block) => {
                    let part = Part { moment: *moment, block, payload, formal };
                    blocks.entry((exchange.conn, query.clone())).or_default().push(part);
                }
            }
        }
    }
    whole.extend(blocks.into_iter().map(|((conn, _), parts)| join(origin_of(record, conn), parts)));
    whole
}

/// The address that an association of ours speaks to.
fn origin_of(record: &Record<'_>, conn: u32) -> Origin {
    let entry = record.connections.get(&conn)?.opened?.id;
    match &record.transcript.entries.get(entry.0 as usize)?.event {
        Event::Opened { to, .. } => Some(*to),
        _ => None,
    }
}

/// Blocks in the order of their numbers; a list that lacks one is not whole.
fn join(origin: Origin, mut parts: Vec<Part>) -> List {
    let offset = |part: &Part| part.block.num as usize * part.block.size();
    parts.sort_by_key(|part| (offset(part), part.moment));
    let mut list = List { origin, body: Vec::new(), whole: false, formal: true, moments: Vec::new() };
    for part in parts {
        if offset(&part) == list.body.len() && !list.whole {
            list.body.extend_from_slice(&part.payload);
            list.whole = !part.block.more;
        }
        list.formal &= part.formal;
        list.moments.push(part.moment);
    }
    list
}
