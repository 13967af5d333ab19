//! A lab outlives its rounds: one start, many records, each whole by itself.
mod support;

use proofhouse_core::plan::{Expect, FleetPlan, Plan};
use proofhouse_core::target::TargetSpec;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::{Event, Life, Transcript, Who, WitnessState};
use proofhouse_core::value::{Fields, Value};
use proofhouse_core::verdict::Verdict;
use proofhouse_core::witness::is_witness;
use proofhouse_live::run::Runner;
use proofhouse_live::run::replay::{self, Replay};
use proofhouse_live::{Lab, LiveOptions};
use support::*;

/// Echoes, and dies of a signal of its own when it is asked to end.
const DIES_AT_THE_END: &str = "\
def dies():
    signal.sigwait([signal.SIGTERM])
    os.abort()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
threading.Thread(target=dies, daemon=True).start()
";

const ECHOES: &str = "d = c.recv(65536)\nwhile d:\n    c.sendall(d)\n    d = c.recv(65536)";

fn talker() -> FleetPlan {
    fleet("f", 0, 1, &[("say", "616263".into()), ("hear", Value::Int(3))])
}

fn watched() -> Plan {
    plan(vec![talker(), fleet("witness", 1, 1, &[])])
}

fn witness_words(transcript: &Transcript) -> Vec<(Time, WitnessState)> {
    let own = |who: &Who| matches!(who, Who::Member(fleet, _) if is_witness(fleet));
    events(transcript, |entry| match entry.event {
        Event::Witness(state) if own(&entry.who) => Some((entry.at, state)),
        _ => None,
    })
}

/// When the last of the fleet finished.
fn finished(transcript: &Transcript) -> Time {
    events(transcript, |entry| (entry.event == Event::Finished).then_some(entry.at)).pop().expect("somebody finished")
}

#[test]
fn every_round_of_a_lab_is_a_record_of_its_own() {
    let plan = watched();
    let mut lab = Lab::open(&server(ECHOES), &plan, &registry(), &options()).unwrap();
    for round in 1..=3 {
        let transcript = lab.round(&plan, header()).unwrap();
        assert_eq!(received(&transcript, "f"), "abc", "round {round}");
        assert_eq!(life(&transcript).len(), 2, "started and ready, round {round}: {:?}", life(&transcript));
        let opened =
            events(&transcript, |entry| matches!(entry.event, Event::Opened { .. }).then(|| entry.event.conn()));
        let mut numbers = opened.clone();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), opened.len(), "no two connections share a number, round {round}");
        let (at, word) = *witness_words(&transcript).last().expect("the witness spoke");
        let WitnessState::Served { rtt, .. } = word else { panic!("round {round}: {word:?}") };
        assert!(at.0 - rtt >= finished(&transcript).0, "its last question came after everybody had finished");
        assert!(transcript.entries[0].at == Time::ZERO && at < Time::ZERO + Duration::from_secs(8), "{at}");
    }
    assert_eq!(lab.rounds(), 3);
    let ending = lab.close();
    assert!(ending.entries.iter().any(|entry| entry.event == Event::Life(Life::Stopped)), "{ending:?}");
}

#[test]
fn a_target_that_dies_between_rounds_is_dead_in_the_next() {
    let plan = watched();
    let body =
        "d = c.recv(65536)\nif d: c.sendall(d)\nif d: threading.Timer(0.3, lambda: os._exit(9)).start()\nc.recv(1)";
    let mut lab = Lab::open(&server(body), &plan, &registry(), &options()).unwrap();
    lab.round(&plan, header()).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    let transcript = lab.round(&plan, header()).unwrap();
    assert!(life(&transcript).contains(&Life::Exited { code: 9 }), "{:?}", life(&transcript));
}

#[test]
fn a_crash_after_the_last_word_and_before_we_stop_it_is_told_at_its_end() {
    let plan = watched();
    let body = "d = c.recv(65536)\nif d:\n    c.sendall(d)\n    threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGSEGV)).start()\nc.recv(1)";
    let mut lab = Lab::open(&server(body), &plan, &registry(), &options()).unwrap();
    let played = lab.round(&plan, header()).unwrap();
    assert_eq!(life(&played).len(), 2, "it lives as the round ends: {:?}", life(&played));
    // Longer than it has left, whatever we were doing meanwhile.
    std::thread::sleep(Duration::from_millis(1_800));
    let ending = Transcript { entries: lab.close().entries, ..played };
    assert_eq!(life(&ending), [Life::Signalled { signal: 11 }], "and we did not stop what had ended");
}

#[test]
fn a_lab_without_a_witness_plays_rounds_too() {
    let plan = plan(vec![talker()]);
    let mut lab = Lab::open(&server(ECHOES), &plan, &registry(), &options()).unwrap();
    for _ in 0..2 {
        assert_eq!(received(&lab.round(&plan, header()).unwrap(), "f"), "abc");
    }
}

/// A target that plays so many rounds, and first does what `prelude` says.
fn kept(rounds: u32, prelude: &str) -> TargetSpec {
    let mut target = server(ECHOES);
    let spec = spec(&mut target);
    spec.rounds = rounds;
    for arg in &mut spec.args {
        *arg = arg.replace("def talk(c):", &format!("{prelude}def talk(c):"));
    }
    target
}

fn crash_asked() -> Plan {
    let no_crash = Expect { oracle: "no-crash".into(), of: vec![], keys: Fields::default() };
    Plan { expects: vec![no_crash], ..watched() }
}

#[test]
fn how_a_kept_target_ends_belongs_to_the_trial_that_was_played_in_it_last() {
    let (registry, plan) = (registry(), crash_asked());
    let runner = Runner::new(&registry, options());
    let target = kept(100, DIES_AT_THE_END);
    for _ in 0..2 {
        let outcome = runner.outcome(plan.clone(), &target).unwrap();
        assert_eq!(outcome.verdict(), Verdict::Pass, "{}", outcome.reason());
    }
    runner.end_waiting(Some(&target.digest));
    assert!(runner.parted().is_empty(), "it still waits");
    runner.end_waiting(None);
    let parted = runner.parted();
    let [parting] = parted.as_slice() else { panic!("one target ended, told were {}", parted.len()) };
    assert!(parting.rounds == 2 && parting.why.contains("signal 6"), "{}", parting.why);
    // Only what a fresh target shows counts, and this one shows it too.
    let again = runner.after(parting, &target).unwrap();
    assert_eq!(again.verdict(), Verdict::Fail, "{}", again.reason());
    // A target that was well when it was played again leaves a suspicion.
    let well = runner.after(parting, &kept(100, "")).unwrap();
    assert_eq!(well.verdict(), Verdict::Inconclusive, "{}", well.reason());
    assert!(runner.parted().is_empty(), "each is told once");
}

/// A tool that looks for leaks as its program ends takes its time, and says what it found last.
#[test]
fn a_target_that_is_at_work_as_it_ends_is_heard_to_the_end() {
    let (registry, plan) = (registry(), crash_asked());
    let works = DIES_AT_THE_END.replace(
        "    os.abort()",
        "    until = time.monotonic() + 1.8\n    while time.monotonic() < until: pass\n    os.abort()",
    );
    let outcome = Runner::new(&registry, options()).outcome(plan, &kept(1, &works)).unwrap();
    assert_eq!(outcome.verdict(), Verdict::Fail, "{}", outcome.reason());
}

#[test]
fn a_kept_target_that_ends_as_it_should_is_told_of_no_more() {
    let (registry, plan) = (registry(), crash_asked());
    let runner = Runner::new(&registry, options());
    runner.outcome(plan, &kept(100, "unused_but_by_this_law = 4711\n")).unwrap();
    assert!(!processes_with("unused_but_by_this_law").is_empty(), "it waits");
    runner.end_waiting(None);
    assert!(processes_with("unused_but_by_this_law").is_empty(), "nothing runs beside what needs quiet");
    assert!(runner.parted().is_empty());
}

#[test]
fn the_end_of_a_target_after_its_last_round_is_part_of_that_round() {
    let (registry, plan) = (registry(), crash_asked());
    let runner = Runner::new(&registry, options());
    let target = kept(2, DIES_AT_THE_END);
    assert_eq!(runner.outcome(plan.clone(), &target).unwrap().verdict(), Verdict::Pass, "it goes on");
    let last = runner.outcome(plan.clone(), &target).unwrap();
    assert_eq!(last.verdict(), Verdict::Fail, "{}", last.reason());
    let clean = kept(2, "");
    for _ in 0..2 {
        let outcome = runner.outcome(plan.clone(), &clean).unwrap();
        assert_eq!(outcome.verdict(), Verdict::Pass, "{}", outcome.reason());
    }
}

/// What a trial came to whose target lives on for a second: it does this as long after it has heard the fleet.
fn lived_on(after: f64, does: &str) -> Replay {
    let body = ECHOES.replace(
        "while d:\n",
        &format!("while d:\n    if b'abc' in d: threading.Timer({after}, lambda: {does}).start()\n"),
    );
    let rule = |oracle: &str| Expect { oracle: oracle.into(), of: vec![], keys: Fields::default() };
    let plan = Plan { expects: vec![rule("no-crash"), rule("no-hang")], ..watched() };
    let live = LiveOptions { linger: Duration::from_secs(1), ..options() };
    let (registry, target) = (registry(), server(&body));
    replay::replay(&Runner::new(&registry, live), &plan, &target, true).unwrap()
}

#[test]
fn a_target_that_breaks_down_while_it_lives_on_after_its_trial_fails_it() {
    for does in ["os.abort()", "os._exit(0)"] {
        let late = lived_on(0.7, does);
        let failed: Vec<&str> = late.shown.iter().map(|shown| shown.oracle.as_str()).collect();
        assert_eq!(failed, ["no-crash"], "{does}");
        assert!(replay::is_late(&late.outcome.transcript), "{does}");
    }
}

#[test]
fn a_target_that_lives_on_well_leaves_no_trace_of_that() {
    let well = lived_on(60.0, "None");
    assert_eq!(well.outcome.verdict(), Verdict::Pass);
    assert!(!replay::is_late(&well.outcome.transcript));
    let words = witness_words(&well.outcome.transcript);
    let last = finished(&well.outcome.transcript);
    assert!(words.iter().all(|(at, _)| at.since(last) < Duration::from_millis(900)), "{last:?}: {words:?}");
}
