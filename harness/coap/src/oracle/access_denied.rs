//! Whoever has no right gets neither data nor an effect: every request to a protected resource is refused, or not answered at all.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::record::{Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::part::Part;
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::transcript::{Packet, Transcript};
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Violation};

use crate::protocol::{busy, is_challenge};

use super::exchanges::{Astray, Exchange, code, is_listed, is_success, paired};

pub(super) const ORACLE: Oracle = Oracle {
    id: "access-denied",
    doc: "every request of these fleets to a protected resource is refused with a 4.xx, reset, or not answered; never granted",
    clauses: &["RFC 7252 §5.9.2.2", "RFC 7252 §5.9.2.4"],
    needs: Needs::Full,
    kind: FindingKind::Auth,
    keys: &[
        Key {
            name: "protected",
            kind: Kind::Any,
            doc: "paths: \"{resource.protected}\", or a list; \"/a/#\" is all below (default: whatever these fleets ask for as a stimulus)",
        },
        Key { name: "except", kind: Kind::Any, doc: "paths that are nobody's secret, such as \"/.well-known/core\"" },
        CLAUSE,
    ],
    reads_steps: true,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let texts = |key: &str| -> Option<Vec<&str>> {
        Some(expect.keys.find(key)?.as_slice().iter().filter_map(Value::as_text).collect())
    };
    let (protected, except) = (texts("protected"), texts("except").unwrap_or_default());
    let is_protected = |exchange: &Exchange<'_>| {
        is_asked(expect, plan, &record, exchange)
            && !is_listed(&exchange.path(), &except)
            && protected.as_ref().is_none_or(|list| is_listed(&exchange.path(), list))
    };
    let (all, astray) = paired(&record);
    let (mut violations, mut evidence, mut silent) = (Vec::<Violation>::new(), Vec::new(), None);
    let violation = |exchange: &Exchange<'_>, moment: Moment, packet: &Packet, how: &str| Violation {
        expected: format!("{} {} is refused to whoever has no right", exchange.method(), exchange.path()),
        actual: format!("it was answered with {}{how}", code(packet)),
        clause: expect.clause(plan),
        place: format!("{} {}/{}", exchange.method(), exchange.path(), class(packet)),
        entries: ids([exchange.asked, moment]),
        lesser: false,
    };
    let strays = Strays::new(&all, &astray, &record, is_protected);
    violations.extend(strays.leaks.iter().map(|leak| violation(&all[leak.of], leak.moment, leak.packet, leak.how)));
    let asked: Vec<&Exchange<'_>> = all.iter().filter(|exchange| is_protected(exchange)).collect();
    for exchange in asked.iter().copied() {
        evidence.push(exchange.asked);
        match exchange.responses.iter().find(|(_, packet)| is_success(packet) || is_failure(packet)) {
            Some((moment, packet)) => violations.push(violation(exchange, *moment, packet, "")),
            None if exchange.is_unanswered() => {
                silent = silent.max(Some(exchange.asked));
            }
            None => evidence.extend(exchange.responses.iter().map(|(moment, _)| *moment).chain(exchange.reset)),
        }
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    let unheard = |exchange: &Exchange<'_>| {
        let why = exchange.is_unanswered().then(|| exchange.unheard(&record)).flatten()?;
        Some(format!("{} {} {why}", exchange.method(), exchange.path()))
    };
    if let Some(why) = strays.open.or_else(|| asked.iter().copied().find_map(unheard)) {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    if let Some(why) = asked.iter().copied().find_map(put_off) {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    // Silence is a refusal only where the request is known to have arrived at somebody who still answers.
    if let Some(moment) = silent
        && record.served_after(moment.at).is_none()
    {
        return Judgement::inconclusive(
            ORACLE.id,
            "a request was not answered, and the witness was not served after it",
        );
    }
    if let Some(why) = unshown(&asked, protected.as_deref().unwrap_or_default()) {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    let refused = asked.len();
    Judgement::pass(ORACLE.id, ids(evidence), format!("{refused} requests were refused or not answered"))
}

/// Why a request was neither granted nor refused: the target puts it off.
fn put_off(exchange: &Exchange<'_>) -> Option<String> {
    let (_, packet) = exchange.responses.iter().find(|(_, packet)| busy(packet))?;
    let why = if is_challenge(packet) {
        "was answered with an Echo challenge"
    } else {
        "came to a server without time for it"
    };
    Some(format!("{} {} {why}", exchange.method(), exchange.path()))
}

/// Why what was asked for shows nothing of a path that is to be protected: nobody asked for it, or nothing shows that it is there.
fn unshown(asked: &[&Exchange<'_>], protected: &[&str]) -> Option<String> {
    if let Some(missing) = missing(asked, protected) {
        return Some(format!("nobody asked for {missing}"));
    }
    let absent = |path: &&&str| {
        let mut of = asked.iter().filter(|exchange| is_listed(&exchange.path(), &[**path])).peekable();
        of.peek().is_some() && of.all(|exchange| is_nowhere(exchange))
    };
    let path = protected.iter().find(absent)?;
    Some(format!("every method on {path} was answered with 4.04: nothing shows that it is there to be protected"))
}

/// What a client may not take for an answer was on the wire all the same: the grants among it.
struct Strays<'a> {
    leaks: Vec<Leak<'a>>,
    /// Why nobody can say of one what it grants.
    open: Option<String>,
}

struct Leak<'a> {
    /// The place of the exchange that it grants.
    of: usize,
    moment: Moment,
    packet: &'a Packet,
    how: &'static str,
}

impl<'a> Strays<'a> {
    fn new(
        all: &[Exchange<'a>],
        astray: &[Astray<'a>],
        record: &Record<'_>,
        is_protected: impl Fn(&Exchange<'_>) -> bool,
    ) -> Strays<'a> {
        let mut strays = Strays { leaks: Vec::new(), open: None };
        let grants: Vec<&Astray<'a>> = astray.iter().filter(|stray| is_success(stray.packet)).collect();
        if grants.is_empty() {
            return strays;
        }
        let mut by_conn: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, exchange) in all.iter().enumerate() {
            by_conn.entry(exchange.conn).or_default().push(at);
        }
        let used = record.is_used();
        for stray in grants {
            let before = by_conn.get(&stray.conn).into_iter().flatten().filter(|at| all[**at].asked < stray.moment);
            let before: Vec<usize> = stray.of.map_or_else(|| before.copied().collect(), |of| alloc::vec![of]);
            let (protected, others): (Vec<usize>, Vec<usize>) =
                before.into_iter().partition(|at| is_protected(&all[*at]));
            let Some(of) = protected.last().copied() else { continue };
            let (moment, packet) = (stray.moment, stray.packet);
            // What the target says on its own socket, in a trial of its own, to one who has asked for nothing else.
            let known = stray.of.is_some()
                || stray.from_asked && others.is_empty() && !used && packet.fields.find("observe").is_none();
            if known {
                let how = if stray.from_asked { " under another token" } else { " from another address" };
                strays.leaks.push(Leak { of, moment, packet, how });
            } else {
                let why =
                    format!("a {} came that answers nothing that was asked: nobody knows what it grants", code(packet));
                strays.open = strays.open.or(Some(why));
            }
        }
        strays
    }
}

/// A request of the attack: of these fleets, and no control.
fn is_asked(expect: &Expect, plan: &Plan, record: &Record<'_>, exchange: &Exchange<'_>) -> bool {
    let Some(connection) = record.connections.get(&exchange.conn) else { return false };
    let step = record
        .steps_of(exchange.conn)
        .filter(|step| step.started.is_some_and(|began| began <= exchange.asked))
        .max_by_key(|step| step.started);
    let fleet_part = plan.fleet(connection.fleet).and_then(|fleet| fleet.part);
    expect.is_about(connection.fleet)
        && step.is_none_or(|step| step.part != Some(Part::Control))
        && fleet_part != Some(Part::Control)
}

/// The server has tried and failed: whoever had no right got that far. 5.01 and 5.05 say that it never tries, 5.03 that it has not.
fn is_failure(packet: &Packet) -> bool {
    code(packet).starts_with("5.") && !matches!(code(packet), "5.01" | "5.03" | "5.05")
}

/// There is no such resource, or the server says so.
fn is_nowhere(exchange: &Exchange<'_>) -> bool {
    !exchange.responses.is_empty() && exchange.responses.iter().all(|(_, packet)| code(packet) == "4.04")
}

fn class(packet: &Packet) -> &'static str {
    if is_success(packet) { "granted" } else { "failed" }
}

/// A protected resource that nobody asked for.
fn missing(asked: &[&Exchange<'_>], protected: &[&str]) -> Option<String> {
    let of = |path: &&&str| !asked.iter().any(|exchange| is_listed(&exchange.path(), &[**path]));
    protected.iter().find(of).map(|path| (*path).to_string())
}
