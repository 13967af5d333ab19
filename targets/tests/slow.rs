//! A server that is right and slow is right: time alone makes no failure.
mod rig;

use std::collections::VecDeque;
use std::time::Duration;

use proofhouse_core::actor::{Act, Actor, Input, Outbox};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::seed::Seed;
use proofhouse_core::time::Time;
use proofhouse_core::verdict::Verdict;
use rig::{files, judged_behind, load, reference, registry};

/// Longer than the 2 s after which most clients repeat themselves, so that most requests come twice and are answered twice.
const DELAY: Duration = Duration::from_millis(2_600);
const SEEDS: u64 = 3;
const DUE: TimerId = TimerId(u32::MAX);

/// Says everything later.
struct Slow {
    inner: Box<dyn Actor>,
    out: Outbox,
    due: VecDeque<(Time, Conn, Vec<u8>)>,
}

impl Slow {
    fn behind(inner: Box<dyn Actor>) -> Box<dyn Actor> {
        Box::new(Slow { inner, out: Outbox::new(), due: VecDeque::new() })
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
                    self.due.push_back((now + DELAY, *conn, bytes[*start..*end].to_vec()));
                    out.wake(now + DELAY, DUE);
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
