use proofhouse_core::ids::EntryId;
use proofhouse_core::seed::Seed;

use super::*;

fn row(n: u32, verdict: Verdict, findings: &[&str]) -> TrialRow {
    TrialRow {
        n: TrialNo(n),
        scenario: "mqtt/x".into(),
        case: String::new(),
        target: "t".into(),
        target_version: String::new(),
        seed: Seed(1).0,
        verdict,
        reason: "answer-in-set: first".into(),
        wall_ms: 1,
        findings: findings.iter().map(|f| Signature((*f).into())).collect(),
        remarks: Vec::new(),
    }
}

fn failing(places: &[&str]) -> Vec<Judgement> {
    let violation = |place: &&str| Violation {
        expected: "it holds".into(),
        actual: format!("broken at {place}"),
        clause: String::new(),
        place: (*place).into(),
        entries: vec![EntryId(0)],
        lesser: false,
    };
    vec![Judgement::fail("answer-in-set", places.iter().map(violation).collect())]
}

fn trial(row: TrialRow, judgements: Vec<Judgement>) -> JournalEntry {
    let (plan, transcript) = (String::new(), String::new());
    JournalEntry::Trial {
        row: Box::new(row),
        plan,
        transcript,
        control: None,
        target: None,
        judgements,
        observed: None,
    }
}

/// A finding as `finding.toml` has it: everything that is not asked here is empty.
fn finding(signature: &str, place: &str, verdict: &str, replay: &str) -> JournalEntry {
    let text = format!(
        "format = 1\nid = 'F-{signature}'\nsignature = '{signature}'\nverdict = '{verdict}'\nkind = 'auth'\nlevel = 'must'\n\
         title = ''\nscenario = 'mqtt/x'\ncase = ''\nseed = '1'\ntarget = 't'\ntarget_version = ''\ntarget_digest = ''\n\
         oracle = 'answer-in-set'\nclause = ''\nexpected = ''\nactual = ''\nplace = '{place}'\nreplay = '{replay}'\n\
         attack = ''\nguidance = []\ncwe = []\ncvss = ''\n"
    );
    JournalEntry::Finding { trial: TrialNo(1), finding: Box::new(toml::from_str(&text).expect("a finding reads")) }
}

fn folded(records: &[JournalEntry]) -> (Verdict, String) {
    let row = fold("r", records).trials.remove(0);
    (row.verdict, row.reason)
}

#[test]
fn a_row_is_joined_to_its_finding_by_signature() {
    // Rule and place are alike, the signatures are not: another kind, or another clause.
    let records = [
        trial(row(1, Verdict::Fail, &["aa"]), failing(&["here"])),
        finding("aa", "here", "inconclusive", "1 of 3"),
        finding("bb", "here", "fail", "3 of 3"),
    ];
    let (verdict, reason) = folded(&records);
    assert_eq!(verdict, Verdict::Inconclusive, "{reason}");
    assert!(reason.starts_with("flaky: 1 of 3"), "{reason}");
}

#[test]
fn one_confirmed_finding_makes_the_row_and_gives_its_reason() {
    let records = [
        trial(row(1, Verdict::Fail, &["aa", "bb"]), failing(&["first", "second"])),
        finding("aa", "first", "inconclusive", "1 of 3"),
        finding("bb", "second", "fail", "3 of 3"),
    ];
    assert_eq!(folded(&records), (Verdict::Fail, "answer-in-set: broken at second".into()));
}

#[test]
fn a_trial_says_the_weightiest_of_what_was_confirmed() {
    let advice = finding("aa", "advice", "fail", "3 of 3");
    let JournalEntry::Finding { trial: at, finding: mut lesser } = advice else { unreachable!() };
    lesser.level = proofhouse_core::severity::Level::Should;
    let records = [
        trial(row(1, Verdict::Fail, &["aa", "bb"]), failing(&["advice", "duty"])),
        JournalEntry::Finding { trial: at, finding: lesser },
        finding("bb", "duty", "fail", "3 of 3"),
    ];
    assert_eq!(folded(&records), (Verdict::Fail, "answer-in-set: broken at duty".into()));
}

#[test]
fn advice_beside_a_duty_is_a_finding_of_its_own_that_weighs_less() {
    let [duty, advice] = ["duty", "advice"].map(|place| failing(&[place]).remove(0).violations.remove(0));
    let judgement = Judgement::fail_by("answer-in-set", vec![duty.clone()], vec![advice.clone()]);
    assert!(!judgement.is_lesser() && Judgement::fail_by("answer-in-set", vec![], vec![advice]).is_lesser());
    let shown = shown(None, &[judgement], &Registry::default());
    let weights: Vec<(&str, bool)> = shown.iter().map(|s| (s.violation.place.as_str(), s.lesser)).collect();
    assert_eq!(weights, [("duty", false), ("advice", true)]);
}

#[test]
fn a_failure_that_nobody_has_replayed_yet_is_no_failure_yet() {
    let (verdict, reason) = folded(&[trial(row(1, Verdict::Fail, &["aa"]), failing(&["here"]))]);
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reason.contains("not confirmed yet"), "{reason}");
}

#[test]
fn rows_of_older_journals_are_joined_by_rule_and_place() {
    let found = finding("aa", "here", "fail", "exact");
    let old = |place| folded(&[trial(row(1, Verdict::Fail, &[]), failing(&[place])), found.clone()]).0;
    assert_eq!((old("here"), old("there")), (Verdict::Fail, Verdict::Inconclusive));
}

#[test]
fn of_two_lines_of_one_trial_the_later_holds() {
    let records = [trial(row(1, Verdict::NotRun, &[]), vec![]), trial(row(1, Verdict::Pass, &[]), vec![])];
    assert_eq!(fold("r", &records).trials.len(), 1);
    assert_eq!(folded(&records).0, Verdict::Pass);
}

/// The same finding, with replays that did not take place.
fn without(mut record: JournalEntry, why: &[&str]) -> JournalEntry {
    if let JournalEntry::Finding { finding, .. } = &mut record {
        finding.not_replayed = why.iter().map(|why| (*why).to_owned()).collect();
    }
    record
}

#[test]
fn a_failure_none_of_whose_replays_took_place_is_unconfirmed_and_says_why() {
    let never = without(finding("aa", "here", "inconclusive", "not replayed"), &["no start", "no start"]);
    let (verdict, reason) = folded(&[trial(row(1, Verdict::Fail, &["aa"]), failing(&["here"])), never]);
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(
        reason.starts_with("unconfirmed: none of 2 replays took place (no start), go on with --resume"),
        "{reason}"
    );
    // One that came in every replay there was is not flaky; one that stayed away is.
    for (replay, word) in [("1 of 1", "unconfirmed: 1 of 1"), ("0 of 1", "flaky: 0 of 1")] {
        let found = without(finding("aa", "here", "inconclusive", replay), &["no start"]);
        let (_, reason) = folded(&[trial(row(1, Verdict::Fail, &["aa"]), failing(&["here"])), found]);
        assert!(reason.starts_with(word), "{reason}");
    }
}
