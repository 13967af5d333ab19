//! What a target can do: claimed, declared absent, or asked by a probe. Observation beats declaration.
use std::collections::BTreeMap;

use proofhouse_core::registry::Registry;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::verdict::{Judgement, Verdict, Violation};

/// What the probes of one target saw: capability and whether it was there. Absent: no probe decided.
pub type Observed = BTreeMap<String, bool>;

/// Whether a scenario may run on a target.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// It has what the scenario needs.
    Run,
    /// Neither claimed, lacking nor clearly probed: it runs and can end no better than INCONCLUSIVE.
    Doubt(String),
    /// Declared absent, and not refuted.
    NotApplicable(String),
}

/// What stands between a scenario's `needs` and a target.
#[must_use]
pub fn gate(needs: &[String], target: &TargetSpec, observed: &Observed) -> Gate {
    let mut doubt = Gate::Run;
    for need in needs.iter().filter(|need| !structural(need)) {
        let seen = observed.get(need).copied();
        if seen == Some(true) || claims(target, need) {
            continue;
        }
        if let Some(reason) = lacks(target, need) {
            let proof = match seen {
                Some(_) => "a probe tried to refute it and did not",
                // The row of the probe says why, once.
                None => "nothing refuted it, and its probe could not decide",
            };
            return Gate::NotApplicable(format!("target declares that it lacks {need} ({reason}); {proof}"));
        }
        doubt = Gate::Doubt(format!(
            "needs {need}, which no probe saw: say in the target file that it `claims` or `lacks` it"
        ));
    }
    doubt
}

/// `resource.counter` and the like are looked up when planning, not probed.
fn structural(need: &str) -> bool {
    need.starts_with("resource.") || need.contains(".server") || need.contains(".client")
}

/// Whether the target's file claims `need`, or it follows from it.
#[must_use]
pub fn claims(target: &TargetSpec, need: &str) -> bool {
    target.claims(need)
}

/// Why the target says that it lacks `need`.
#[must_use]
pub fn lacks<'a>(target: &'a TargetSpec, need: &str) -> Option<&'a str> {
    target.lacks(need)
}

/// The probe (a scenario) for a capability, where there is one.
#[must_use]
pub fn probe(registry: &Registry, capability: &str) -> Option<&'static str> {
    registry.protocols.iter().flat_map(|p| p.capabilities).find(|c| c.name == capability).and_then(|c| c.probe)
}

/// What a probe's own judgements say about the declaration: a claim that fails is a defect, and so is an absence that is there.
#[must_use]
pub fn declaration(
    capability: &str,
    target: &TargetSpec,
    judgements: &mut Vec<Judgement>,
    registry: &Registry,
) -> Option<bool> {
    let trouble = judgements.iter().any(|j| is_trouble(registry, j));
    let own = Verdict::all(judgements.iter().filter(|j| !is_trouble(registry, j)).map(|j| j.verdict));
    let present = match own {
        // What was seen was seen, whatever the target has logged meanwhile.
        Verdict::Pass => Some(true),
        // A target that crashed in the probe has not shown that it lacks anything.
        Verdict::Fail if !trouble => Some(false),
        _ => None,
    };
    match (present, claims(target, capability), lacks(target, capability)) {
        (Some(true), _, Some(reason)) => {
            let entries = judgements.iter().flat_map(|j| j.evidence.clone()).collect();
            judgements.push(Judgement::fail(
                DECLARATION,
                vec![Violation {
                    expected: format!("{capability} is absent, as declared ({reason})"),
                    actual: format!("{capability} was observed"),
                    clause: String::new(),
                    place: format!("declaration/{capability}"),
                    entries,
                    lesser: false,
                }],
            ));
        }
        (Some(false), false, _) => {
            // Not observed and not claimed: a probe can only add, so its own answer is no verdict on the target. A crash is one.
            judgements.retain(|j| is_trouble(registry, j));
        }
        (None, false, _) => undecided(capability, judgements, registry),
        _ => {}
    }
    present
}

/// A probe that came to no answer says so once, here: what needs the capability says what follows from that.
fn undecided(capability: &str, judgements: &mut Vec<Judgement>, registry: &Registry) {
    let why = judgements.iter().find(|j| j.verdict == Verdict::Inconclusive).map(|j| j.reason.clone());
    judgements.retain(|j| is_trouble(registry, j));
    if judgements.is_empty() {
        let why = why.unwrap_or_else(|| "nothing was judged".into());
        judgements.push(Judgement::inconclusive(NEEDS, format!("the probe for {capability} could not decide: {why}")));
    }
}

/// Where a capability is in doubt, rules that rest on it cannot decide; a target that crashed, hung or threw did so all the same.
/// `rule` is whose doubt it is.
pub fn doubted(rule: &str, why: &str, judgements: &mut Vec<Judgement>, registry: &Registry) {
    // The target itself has said in the trial what it does not do: that is no doubt.
    if judgements.iter().any(|judgement| judgement.verdict == Verdict::NotApplicable) {
        return;
    }
    judgements.retain(|j| is_trouble(registry, j));
    judgements.push(Judgement::inconclusive(rule, why));
}

/// A failure that no missing capability explains.
fn is_trouble(registry: &Registry, judgement: &Judgement) -> bool {
    let breakdown = registry.oracle(&judgement.oracle).is_some_and(|oracle| oracle.kind.is_breakdown());
    judgement.verdict == Verdict::Fail && breakdown
}

/// How the id of a probe begins; the capability follows.
pub const PROBE: &str = "probe/";

/// Id under which doubt about a capability is judged.
pub const NEEDS: &str = "needs";

/// Id under which a trial is undecided for what it met on its target and had not made.
pub const RESIDUE: &str = "residue";

/// Whose doubts leave nothing but trouble to be judged.
pub const DOUBTS: [&str; 2] = [NEEDS, RESIDUE];

/// Oracle name under which a trial says what failed in a target that others had used before it, and not in a fresh one.
pub const REUSE: &str = "reuse";

/// Id under which a trial says that what it left on its target could not be cleared.
pub const CLEARING: &str = "clearing";

/// Id under which a wrong declaration is reported.
pub const DECLARATION: &str = "declaration";

#[cfg(test)]
mod tests {
    use super::*;
    use proofhouse_core::ids::EntryId;
    use proofhouse_core::target::{Endpoint, TargetKind};
    use proofhouse_core::value::Fields;

    fn target(claims: &[&str], lacks: &[&str]) -> TargetSpec {
        TargetSpec {
            name: "t".into(),
            kind: TargetKind::Remote,
            endpoints: vec![Endpoint {
                name: "plain".into(),
                protocol: "mqtt".into(),
                versions: vec![],
                client: false,
                address: "127.0.0.1:1".into(),
                claims: claims.iter().map(|c| (*c).into()).collect(),
                lacks: lacks.iter().map(|c| ((*c).into(), "no such feature".into())).collect(),
                resources: Fields::default(),
            }],
            account: None,
            known: vec![],
            digest: String::new(),
            owner: None,
        }
    }

    fn ask(claims: &[&str], lacks: &[&str], observed: &[(&str, bool)]) -> Gate {
        let observed = observed.iter().map(|(c, seen)| ((*c).to_owned(), *seen)).collect();
        gate(&["acl".to_owned()], &target(claims, lacks), &observed)
    }

    #[test]
    fn observation_beats_declaration_beats_silence() {
        assert_eq!(ask(&["acl"], &[], &[]), Gate::Run);
        assert_eq!(ask(&[], &["acl"], &[("acl", true)]), Gate::Run);
        assert!(matches!(ask(&[], &["acl"], &[("acl", false)]), Gate::NotApplicable(_)));
        assert!(matches!(ask(&[], &[], &[("acl", false)]), Gate::Doubt(_)));
        assert_eq!(ask(&[], &[], &[("acl", true)]), Gate::Run);
    }

    #[test]
    fn what_is_declared_absent_and_not_refuted_is_not_applicable_also_where_its_probe_died() {
        let Gate::NotApplicable(proof) = ask(&[], &["acl"], &[]) else { panic!("declared, and nothing refuted it") };
        assert!(proof.contains("its probe could not decide"), "{proof}");
        // A declaration says nothing about another capability.
        assert!(matches!(ask(&[], &["sessions"], &[]), Gate::Doubt(_)));
    }

    #[test]
    fn a_probe_that_cannot_decide_says_so_once() {
        let mut seen = vec![Judgement::inconclusive("answer-in-set", "the connection was refused")];
        assert_eq!(declaration("acl", &target(&[], &["acl"]), &mut seen, &Registry::default()), None);
        assert_eq!(seen.len(), 1);
        assert!(seen[0].reason.contains("acl could not decide: the connection was refused"), "{}", seen[0].reason);
        assert_eq!(seen[0].verdict, Verdict::Inconclusive);
    }

    #[test]
    fn an_absence_that_is_observed_is_a_declaration_defect() {
        let mut seen = vec![Judgement::pass("x", vec![EntryId(3)], "there")];
        assert_eq!(declaration("acl", &target(&[], &["acl"]), &mut seen, &Registry::default()), Some(true));
        assert_eq!(Verdict::all(seen.iter().map(|j| j.verdict)), Verdict::Fail);
        let mut spared = vec![Judgement::pass("x", vec![EntryId(3)], "there")];
        assert_eq!(declaration("acl", &target(&["acl"], &[]), &mut spared, &Registry::default()), Some(true));
        assert_eq!(Verdict::all(spared.iter().map(|j| j.verdict)), Verdict::Pass);
    }

    fn fail(oracle: &str) -> Judgement {
        let (expected, actual) = ("it holds".to_owned(), "it does not".to_owned());
        let (clause, place) = (String::new(), String::from("here"));
        Judgement::fail(
            oracle,
            vec![Violation { expected, actual, clause, place, entries: vec![EntryId(3)], lesser: false }],
        )
    }

    fn failed(judgements: &[Judgement]) -> Vec<&str> {
        judgements.iter().filter(|j| j.verdict == Verdict::Fail).map(|j| j.oracle.as_str()).collect()
    }

    #[test]
    fn doubt_about_a_capability_excuses_a_rule_but_no_crash() {
        let mut seen = vec![fail("answer-in-set"), fail("never-at"), fail("no-crash")];
        doubted("needs", "needs acl", &mut seen, &Registry::default());
        assert_eq!(failed(&seen), ["no-crash"]);
        let mut seen = vec![fail("answer-in-set")];
        doubted("needs", "needs acl", &mut seen, &Registry::default());
        assert_eq!(Verdict::all(seen.iter().map(|j| j.verdict)), Verdict::Inconclusive);
    }

    #[test]
    fn a_probe_that_crashes_the_target_shows_a_crash_and_no_absence() {
        let mut crashed = vec![fail("no-crash"), fail("answer-in-set")];
        assert_eq!(declaration("acl", &target(&[], &[]), &mut crashed, &Registry::default()), None);
        assert_eq!(failed(&crashed), ["no-crash"]);
        let mut absent = vec![fail("answer-in-set")];
        assert_eq!(declaration("acl", &target(&[], &[]), &mut absent, &Registry::default()), Some(false));
        assert!(absent.is_empty());
    }

    #[test]
    fn a_probe_that_sees_the_capability_and_an_exception_says_both() {
        let mut seen = vec![Judgement::pass("answer-in-set", vec![EntryId(3)], "there"), fail("no-crash")];
        assert_eq!(declaration("acl", &target(&[], &[]), &mut seen, &Registry::default()), Some(true));
        assert_eq!(failed(&seen), ["no-crash"]);
        let mut crash_alone = vec![fail("no-crash")];
        assert_eq!(declaration("acl", &target(&[], &[]), &mut crash_alone, &Registry::default()), None);
    }
}
