//! A whole trial: no PASS without its preconditions, no FAIL without its control.
use super::*;
use crate::verdict::Arm;
use preconditions::ID;

const CLOSES: &str = "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nwithin = \"5s\"\n";

/// A trial in which everything is as it should be: the target ends the connection at 2 s, the witness is served after that.
fn good() -> Film {
    let mut film = begun(CLOSES);
    film.at(2_000).close(2, By::Peer).step("foe", 0, 2, Some(2), StepState::Met);
    film.at(2_200).served();
    film
}

fn all(film: &Film) -> Vec<Judgement> {
    judge_all(&film.plan, &film.transcript(), None, &stub_registry())
}

fn verdict(judgements: &[Judgement]) -> Verdict {
    Verdict::all(judgements.iter().map(|judgement| judgement.verdict))
}

fn of<'a>(judgements: &'a [Judgement], oracle: &str) -> &'a Judgement {
    judgements.iter().find(|judgement| judgement.oracle == oracle).unwrap_or_else(|| panic!("nobody judged {oracle}"))
}

/// The film with every entry taken out that `gone` names.
fn without(mut film: Film, gone: impl Fn(&Event) -> bool) -> Film {
    let kept = film.transcript().entries.into_iter().filter(|entry| !gone(&entry.event)).collect::<Vec<_>>();
    let mut cut = Film::new(film.plan.clone());
    for entry in kept {
        cut.nanos(entry.at.0).entry(entry.who, entry.event);
    }
    film.at(0);
    cut
}

fn is_step(event: &Event, part: Part) -> bool {
    matches!(event, Event::Step { part: p, .. } if *p == Some(part))
}

#[test]
fn a_sound_trial_passes_and_shows_what_it_rests_on() {
    let judgements = all(&good());
    for judgement in &judgements {
        assert_says(judgement, Verdict::Pass, "");
        assert!(!judgement.evidence.is_empty(), "{} rests on nothing", judgement.oracle);
    }
    let ids: Vec<&str> = judgements.iter().map(|judgement| judgement.oracle.as_str()).collect();
    assert_eq!(ids, [ID, "closes-in-time", "no-crash", "no-hang"]);
}

#[test]
fn nothing_passes_without_its_control() {
    let judgements = all(&without(good(), |event| is_step(event, Part::Control)));
    assert_says(of(&judgements, ID), Verdict::Inconclusive, "control honest step 0 (hello) was never reached");
    assert_eq!(verdict(&judgements), Verdict::Inconclusive);
}

#[test]
fn nothing_passes_without_its_stimulus() {
    let judgements = all(&without(good(), |event| is_step(event, Part::Stimulus)));
    assert_says(of(&judgements, ID), Verdict::Inconclusive, "stimulus foe step 1 (send) was never reached");
    assert_ne!(verdict(&judgements), Verdict::Pass);
}

#[test]
fn nothing_passes_when_the_stimulus_put_no_byte_on_the_wire() {
    let later =
        |event: &Event| matches!(event, Event::Sent(bytes) if bytes.packets.iter().any(|packet| packet.kind == "say"));
    let mut film = without(good(), later);
    let judgements = all(&film);
    assert_says(of(&judgements, ID), Verdict::Inconclusive, "");
    film.at(3_000).served();
    assert_says(of(&all(&film), ID), Verdict::Inconclusive, "put no byte on the wire");
}

#[test]
fn nothing_passes_when_nobody_was_served_afterwards() {
    let served = |event: &Event| matches!(event, Event::Witness(_));
    let judgements = all(&without(good(), served));
    assert_says(of(&judgements, ID), Verdict::Inconclusive, "the witness was not served after the last stimulus");
}

#[test]
fn a_round_trip_that_began_before_the_attack_is_none_after_it() {
    let mut film = without(good(), |event| matches!(event, Event::Witness(_)));
    film.at(1_001).witness(WitnessState::Served { rtt: 2_000_000, late: 0 });
    assert_says(of(&all(&film), ID), Verdict::Inconclusive, "not served after");
}

#[test]
fn the_limit_is_a_gap_where_somebody_had_not_finished() {
    let mut film = good();
    film.entry(Who::Harness, Event::Limit);
    assert_says(of(&all(&film), ID), Verdict::Inconclusive, "0 of 1 members of honest");
    for fleet in ["honest", "foe"] {
        film.entry(Who::Member(fleet.into(), 0), Event::Finished);
    }
    assert_says(of(&all(&film), ID), Verdict::Pass, "");
}

/// The attack goes on and its connection is never closed.
fn bad() -> Film {
    let mut film = begun(CLOSES);
    film.at(7_000).step("foe", 0, 2, Some(2), StepState::Unmet).served();
    film
}

#[test]
fn a_violation_fails_where_its_control_was_met_and_is_a_suspicion_where_not() {
    assert_says(of(&all(&bad()), "closes-in-time"), Verdict::Fail, "still open");
    let judgements = all(&without(bad(), |event| is_step(event, Part::Control)));
    assert_says(of(&judgements, "closes-in-time"), Verdict::Inconclusive, "but its control failed");
}

#[test]
fn a_crash_stands_by_itself() {
    let mut film = without(bad(), |event| is_step(event, Part::Control));
    film.life(Life::Signalled { signal: 6 });
    assert_eq!(verdict(&all(&film)), Verdict::Fail);
    assert_says(of(&all(&film), "no-crash"), Verdict::Fail, "signal 6");
}

#[test]
fn a_panic_is_found_although_no_rule_asks_for_it() {
    let mut film = good();
    film.life(Life::Panic { line: "panicked at x.rs:1".into() });
    assert_says(of(&all(&film), "no-unhandled-exception"), Verdict::Fail, "panic in x.rs:1");
}

#[test]
fn the_control_arm_must_show_what_the_first_is_compared_with() {
    let rules = "[control]\nwithout = [\"foe.sent\"]\nexpect = { canary = \"secret\", at = \"honest\" }\n";
    let text = format!("{}{CLOSES}", TWO.replace("part = \"stimulus\" }", "part = \"stimulus\", mark = \"sent\" }"));
    let mut film = good();
    film.plan = plan(&format!("{rules}{text}"));
    let judged = |arm: Option<&Film>| {
        let arm = arm.map(Film::transcript);
        judge_all(&film.plan, &film.transcript(), arm.as_ref(), &stub_registry())
    };
    assert_says(of(&judged(None), ID), Verdict::Inconclusive, "the control arm was not run");
    let mut arm = Film::new(film.plan.clone());
    arm.open("honest", 0, 1);
    assert_says(of(&judged(Some(&arm)), ID), Verdict::Inconclusive, "was not seen at honest");
    arm.at(10).sees(1, "secret", &[]);
    assert_says(of(&judged(Some(&arm)), ID), Verdict::Pass, "");
    assert_says(of(&judged(Some(&arm)), "no-crash"), Verdict::Pass, "");
    arm.life(Life::Exited { code: 101 });
    let crashed = judged(Some(&arm));
    assert_says(of(&crashed, "no-crash"), Verdict::Pass, "");
    let crash = crashed.iter().find(|judgement| judgement.arm == Arm::Control).expect("a crash there is one too");
    assert_says(crash, Verdict::Fail, "exit code 101, in the control arm");
    let shown = &crash.violations[0];
    assert!(shown.entries.iter().all(|id| (id.0 as usize) < arm.transcript().entries.len()), "evidence of that arm");
    assert_eq!(shown.place, "exit code 101: after stub/x without its attack", "not the crash of the attack");
}

#[test]
fn judging_a_record_that_was_written_and_read_again_gives_the_same_answers() {
    for film in [good(), bad()] {
        let text = film.transcript().to_jsonl();
        let again = Transcript::from_jsonl(&text).expect("what was written can be read");
        assert_eq!(judge_all(&film.plan, &again, None, &stub_registry()), all(&film));
    }
}

#[test]
fn an_unknown_oracle_is_not_passed_over() {
    let mut film = good();
    film.plan.expects.push(Expect { oracle: "of-another-build".into(), of: Vec::new(), keys: Fields::default() });
    assert_says(of(&all(&film), "of-another-build"), Verdict::Inconclusive, "no such oracle");
}

#[test]
fn an_empty_record_passes_nothing() {
    let film = Film::new(plan(&format!("{TWO}{CLOSES}")));
    for judgement in all(&film) {
        assert_eq!(judgement.verdict, Verdict::Inconclusive, "{}: {}", judgement.oracle, judgement.reason);
        assert_eq!(judgement.evidence, Vec::<EntryId>::new());
    }
    assert_eq!(film.transcript().entries.len(), 0, "at {}", Time::ZERO);
}
