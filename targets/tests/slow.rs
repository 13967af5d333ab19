//! A server that is right and slow is right, and one that is wrong and slow is wrong: time alone makes no failure, and hides none.
mod rig;

use std::collections::VecDeque;
use std::time::Duration;

use proofhouse_core::actor::{Act, Actor, Input, Outbox};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::seed::Seed;
use proofhouse_core::time::Time;
use proofhouse_core::verdict::Verdict;
use rig::{files, judged_behind, load, reference, registry, run};

/// Longer than the 2 s after which most clients repeat themselves, so that most requests come twice and are answered twice.
const DELAY: Duration = Duration::from_millis(2_600);
/// Longer than the 1 s of silence that most scenarios take for an answer, and as long as nobody repeats himself.
const HIDING: Duration = Duration::from_millis(1_200);
/// The notification that is reset is not the last any more when it is heard of so late: the flaws are not hit.
const UNHIT: [&str; 2] = ["rst-matched-by-mid-only", "rst-matched-later"];
const SEEDS: u64 = 3;
const DUE: TimerId = TimerId(u32::MAX);

/// Says everything later.
struct Slow {
    inner: Box<dyn Actor>,
    delay: Duration,
    out: Outbox,
    due: VecDeque<(Time, Conn, Vec<u8>)>,
}

impl Slow {
    fn behind(inner: Box<dyn Actor>) -> Box<dyn Actor> {
        Box::new(Slow { inner, delay: DELAY, out: Outbox::new(), due: VecDeque::new() })
    }

    fn hiding(inner: Box<dyn Actor>) -> Box<dyn Actor> {
        Box::new(Slow { inner, delay: HIDING, out: Outbox::new(), due: VecDeque::new() })
    }
}

impl Actor for Slow {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        if !matches!(input, Input::Timer(DUE)) {
            self.inner.handle(now, input, &mut self.out);
        }
        let (acts, bytes) = self.out.take();
        for act in &acts {
            match act {
                Act::Send(conn, start, end) => {
                    self.due.push_back((now + self.delay, *conn, bytes[*start..*end].to_vec()));
                    out.wake(now + self.delay, DUE);
                }
                Act::Wake(at, id) => out.wake(*at, *id),
                Act::Note(note) => out.note(note.clone()),
                Act::Close(conn, how) => out.close(*conn, *how),
                other => panic!("the CoAP server does not ask for {other:?}"),
            }
        }
        self.out.restore(acts, bytes);
        while self.due.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, conn, bytes)) = self.due.pop_front() else { break };
            out.datagram(conn, |buffer| buffer.extend_from_slice(&bytes));
        }
    }

    fn held(&self) -> u64 {
        self.inner.held()
    }
}

#[test]
fn a_server_that_answers_after_two_and_a_half_seconds_fails_no_scenario() {
    let registry = registry();
    let (mut failed, mut passed, mut all) = (Vec::new(), 0, 0);
    for (id, file) in files(&["coap"]) {
        let scenario = load(&id, &file, &registry);
        let target = reference(&scenario, &[], &registry);
        for (case, seed) in scenario.cases.iter().flat_map(|case| (0..SEEDS).map(move |seed| (case, seed))) {
            let plan = scenario.plan(&case.name, Seed(seed), &target, &registry).expect("it plans on its reference");
            let outcome = judged_behind(plan, &target, &registry, &Slow::behind);
            all += 1;
            match outcome.verdict() {
                Verdict::Pass => passed += 1,
                Verdict::Fail => failed.push(format!("{id} [{}] seed {seed}: {}", case.name, outcome.reason())),
                other => println!("{id} [{}] seed {seed}: {} {}", case.name, other.name(), outcome.reason()),
            }
        }
    }
    assert!(failed.is_empty(), "{} of {all} fail:\n{}", failed.len(), failed.join("\n"));
    assert!(passed * 10 >= all * 9, "{passed} of {all} pass: slowness alone leaves too much open");
}

#[test]
fn no_flaw_passes_since_its_answers_come_after_the_silence() {
    let registry = registry();
    let mut wrong = Vec::new();
    for (id, file) in files(&["coap"]) {
        let scenario = load(&id, &file, &registry);
        for flaw in scenario.twins.iter().map(|(flaw, _)| flaw).filter(|flaw| !UNHIT.contains(&flaw.as_str())) {
            let target = reference(&scenario, &[flaw], &registry);
            let seen = |case: &str| run(&scenario, case, Seed(1), &target, &registry).verdict() == Verdict::Fail;
            for case in scenario.cases.iter().filter(|case| seen(&case.name)) {
                let plan = scenario.plan(&case.name, Seed(1), &target, &registry).expect("it plans on its reference");
                let outcome = judged_behind(plan, &target, &registry, &Slow::hiding);
                if outcome.verdict() == Verdict::Pass {
                    wrong.push(format!("{id} [{}] --flaw {flaw}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} flaws pass:\n{}", wrong.len(), wrong.join("\n"));
}
