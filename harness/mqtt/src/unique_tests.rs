//! Laws of names on a target that outlives a trial.
use super::*;
use crate::testing::{self, ELSEWHERE};
use proofhouse_core::target::TargetSpec;

const OURS: &str = "format = 1\nkind = \"process\"\n[process]\nprogram = \"x\"\nargs = []\nready = { after = \"1ms\" }\n[[endpoint]]\n\
    name = \"plain\"\nprotocol = \"mqtt\"\nversions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:{port}\"\n";

/// Two connections with one client id, a reader and a topic.
const TAKEOVER: &str = r#"
[party.owner]
may = { publish = ["site/#"], subscribe = ["site/#"] }
[fleet.first]
as = "owner"
behaviour = "script"
step = [
  { do = "connect", client_id = "second-0", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "FILTER", part = "control" },
  { do = "expect", any = [{ type = "publish", topic = "site/x" }], part = "control" },
]
[fleet.second]
as = "owner"
behaviour = "script"
step = [
  { do = "connect", part = "stimulus" },
  { do = "publish", topic = "site/x", canary = "n", part = "control" },
]
[[expect]]
oracle = "never-at"
canary = "n"
at = "second:site/x"
"#;

fn planned(id: &str, text: &str, target: &str) -> (Plan, TargetSpec) {
    let text = format!("format = 1\ntitle = \"x\"\nprotocol = \"mqtt\"\nversion = \"5\"\nlimit = \"60s\"\n{text}");
    testing::planned(id, &text, target)
}

fn takeover(filter: &str) -> String {
    TAKEOVER.replace("FILTER", filter)
}

fn said<'a>(plan: &'a Plan, fleet: &str, step: usize, key: &str) -> &'a str {
    plan.fleet(fleet).unwrap().steps[step].fields.text(key).unwrap()
}

#[test]
fn two_that_share_a_client_id_still_share_it() {
    let (plan, _) = planned("mqtt/a", &takeover("site/#"), ELSEWHERE);
    let id = client_id(plan.fleet("second").unwrap(), 0);
    assert!(id.starts_with("second-0-") && id.len() <= 23, "{id}");
    assert_eq!(said(&plan, "first", 0, "client_id"), id);
}

#[test]
fn trials_of_one_seed_share_no_name() {
    let (a, _) = planned("mqtt/a", &takeover("site/#"), ELSEWHERE);
    let (b, _) = planned("mqtt/b", &takeover("site/#"), ELSEWHERE);
    for (fleet, step, key) in [("first", 0, "client_id"), ("first", 1, "filter"), ("second", 1, "topic")] {
        assert_ne!(said(&a, fleet, step, key), said(&b, fleet, step, key), "{key}");
    }
    assert_ne!(a.canaries, b.canaries);
    let witness = |plan: &Plan| client_id(plan.fleet("witness").unwrap(), 0);
    assert_eq!(witness(&a), witness(&b), "a witness outlives the rounds of both");
}

#[test]
fn a_topic_moves_with_every_filter_that_names_it() {
    let (plan, _) = planned("mqtt/a", &takeover("site/#"), ELSEWHERE);
    let topic = said(&plan, "second", 1, "topic");
    let level =
        topic.strip_prefix("site/").and_then(|rest| rest.strip_suffix("/x")).unwrap_or_else(|| panic!("{topic}"));
    assert_eq!(said(&plan, "first", 1, "filter"), format!("site/{level}/#"));
    let awaited = &plan.fleet("first").unwrap().steps[2].any[0].fields;
    assert!(awaited.iter().any(|(key, values)| key == "topic" && values[..] == [Value::from(topic)]), "{awaited:?}");
    assert_eq!(plan.expects.iter().find_map(|e| e.keys.text("at")), Some(&*format!("second:{topic}")));
}

#[test]
fn a_plan_that_says_more_than_plain_topics_keeps_them() {
    let kept = |text: &str| {
        let (plan, _) = planned("mqtt/a", text, ELSEWHERE);
        assert_eq!(said(&plan, "second", 1, "topic"), "site/x", "{text}");
        assert_ne!(client_id(plan.fleet("second").unwrap(), 0), "second-0");
    };
    kept(&takeover("+/x")); // would match no more
    kept(&takeover("site/#").replace("publish = [\"site/#\"]", "publish = [\"site/x\"]")); // the right covers no other
    kept(&takeover("site/#").replace(
        "{ do = \"connect\", part = \"stimulus\" }",
        "{ do = \"send\", hex = \"c000\", part = \"stimulus\" }",
    ));
}

#[test]
fn a_fresh_process_is_spoken_to_in_the_words_of_the_file() {
    let (plan, _) = planned("mqtt/a", &takeover("site/#"), OURS);
    assert_eq!(client_id(plan.fleet("second").unwrap(), 0), "second-0");
    assert_eq!(said(&plan, "first", 1, "filter"), "site/#");
}

#[test]
fn planning_a_plan_changes_nothing_and_its_print_is_free_of_endings() {
    let (plan, target) = planned("mqtt/a", &takeover("site/#"), ELSEWHERE);
    let again = Plan::read("mqtt/a", "", Seed(1), plan.tree.clone(), &target, &testing::registry()).unwrap();
    assert_eq!(again.to_toml(), plan.to_toml());
    assert_eq!((again.fleets, again.canaries), (plan.fleets.clone(), plan.canaries.clone()));
    assert!(plan.to_toml().contains("\"site/x\""), "{}", plan.to_toml());
}
