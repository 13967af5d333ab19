//! Each rule on films cut by hand: it catches what it is for, spares what is sound, and does not pass on what it has not seen.
use alloc::format;
use alloc::vec::Vec;

use crate::ids::EntryId;
use crate::judge::{judge_all, preconditions};
use crate::part::Part;
use crate::plan::{Expect, Plan};
use crate::scenario::stub_registry;
use crate::target::TargetSpec;
use crate::testing::{self, Film};
use crate::time::Time;
use crate::transcript::{By, Event, Life, Slipped, StepState, Transcript, Who, WitnessState};
use crate::value::Fields;
use crate::verdict::{Judgement, Verdict};

mod aftermath;
mod closing;
mod crash;
mod datagrams;
mod disturbed;
mod effects;
mod exceptions;
mod habit;
mod hang;
mod own_limits;
mod rules;
mod whole;
mod whose_fault;

const HEAD: &str = "format = 1\ntitle = \"x\"\nprotocol = \"stub\"\nversion = \"1\"\nlimit = \"60s\"\nspec = [\"stub1:3.1\", \"stub2:9\"]\n";

/// An honest one who must be answered, and a foe whose second step is the attack.
const TWO: &str = r#"
[fleet.honest]
behaviour = "script"
step = [ { do = "hello", expect = { type = "welcome" }, part = "control" } ]
[fleet.foe]
behaviour = "script"
step = [
  { do = "hello" },
  { do = "send", hex = "00", canary = "secret", part = "stimulus" },
  { do = "expect", any = [{ closed = true }], within = "6s" },
]
"#;

fn plan(text: &str) -> Plan {
    let registry = stub_registry();
    let target = TargetSpec::from_url("stub://127.0.0.1:7", &registry).expect("the stub has a scheme");
    // Somebody must read what becomes of the foe's last step.
    let reader =
        if text.contains("of = \"foe\"") { "" } else { "[[expect]]\noracle = \"answer-in-set\"\nof = \"foe\"\n" };
    let text = format!("{HEAD}{text}{reader}");
    testing::planned("stub/x", &text, &target, &registry)
}

/// The usual beginning: both are there, the control is met, the witness is served at 500 ms, the attack is said at 1 s.
fn begun(rules: &str) -> Film {
    let mut film = Film::new(plan(&format!("{TWO}{rules}")));
    film.at(0).open("witness", 0, 90).open("honest", 0, 1).met("honest", 0, 0, 1);
    film.at(100).open("foe", 0, 2).sent(2, "hello", &[]).got(2, "welcome", &[]).met("foe", 0, 0, 2);
    film.at(500).served();
    film.at(1_000).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
    film.entry(Who::Member("foe".into(), 0), Event::Planted { canary: "secret".into(), conn: 2 });
    film.step("foe", 0, 1, Some(2), StepState::Met).step("foe", 0, 2, Some(2), StepState::Started);
    film
}

fn assert_says(judgement: &Judgement, verdict: Verdict, word: &str) {
    assert_eq!(judgement.verdict, verdict, "{}: {}", judgement.oracle, judgement.reason);
    assert!(judgement.reason.contains(word), "{}: {:?} does not say {word:?}", judgement.oracle, judgement.reason);
}
