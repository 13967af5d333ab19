//! Laws of planning.
use super::*;
use crate::plan::{FleetPlan, Segments, Source};
use crate::spread::Spread;
use crate::time::Duration;
use proptest::prelude::*;

const RANGES: &str = r#"format   = 1
title    = "x 1..2"
attack   = "2..3"
protocol = "stub"
version  = "2"
limit    = "20s..60s"
segments = "3B"

[network]
delay = "1ms~9ms"
loss  = "1%..5%"
cut   = { after = "5s..6s", how = "fin" }

[party.owner]
may = { publish = ["a/1..2"] }

[fleet.meters]
as        = "owner"
count     = "20..200"
source    = "each"
behaviour = "chatter"
every     = "5s~30s"
messages  = "2~4"
for       = "1s..9s"
part      = "control"

[fleet.foe]
behaviour = "script"
network   = { delay = "2ms..3ms" }
step = [
  { do = "hello", name = "4..9", level = "1..9", keep = "1s..3m", weight = "0.5..1.5", within = "1s..2s" },
  { do = "wait", for = "100ms..900ms" },
  { do = "say", topic = "a..b", qos = 1, canary = "c", part = "stimulus" },
]

[[expect]]
oracle   = "stub-closes"
at_least = "90%..99%"
"#;

#[test]
fn a_plan_shows_points_and_text_is_never_a_range() {
    let plan = plan(RANGES);
    let fleet = plan.fleet("meters").expect("meters");
    assert!((20..=200).contains(&fleet.count));
    assert_eq!(fleet.duration("every", Duration::ZERO), Spread::Each(Duration::from_secs(5), Duration::from_secs(30)));
    assert_eq!(fleet.number("messages", 0), Spread::Each(2, 4));
    let Spread::Fixed(whole) = fleet.duration("for", Duration::ZERO) else { panic!("a..b is a point") };
    assert!((1..=9).contains(&whole.as_secs()));
    assert_eq!(plan.network.delay, Spread::Each(Duration::from_millis(1), Duration::from_millis(9)));
    assert!((0.01..=0.05).contains(&plan.network.loss));
    assert!(matches!(plan.fleet("foe").map(|foe| foe.network.delay), Some(Spread::Fixed(_))));
    assert_eq!(plan.segments, Segments::Each(3));
    let steps = &plan.fleets[1].steps;
    assert_eq!(steps[0].fields.text("name"), Some("4..9"));
    assert!((1..=9).contains(&steps[0].fields.int("level").expect("level")));
    assert!((100..=900).contains(&steps[1].wait.as_millis()));
    assert_eq!(steps[2].fields.text("topic"), Some("a..b"));
    assert_eq!((plan.title.as_str(), plan.about.attack.as_str()), ("x 1..2", "2..3"));
    assert_eq!(plan.parties[0].may, [("publish".to_string(), "a/1..2".to_string())]);
    let printed = plan.to_toml();
    for point in ["limit", "count", "keep", "weight", "at_least", "loss"] {
        let line = printed.lines().find(|line| line.contains(point)).unwrap_or_else(|| panic!("{point} in\n{printed}"));
        let value =
            line.split(&alloc::format!("{point} ")).last().unwrap_or_default().split(',').next().unwrap_or_default();
        assert!(!value.contains(".."), "{line}");
    }
}

#[test]
fn the_witness_is_in_every_printed_plan_once() {
    let plan = plan(PLAIN);
    assert_eq!(plan.fleets.iter().map(|fleet| fleet.name.as_str()).collect::<Vec<_>>(), ["foe", "witness"]);
    let witness = plan.fleet("witness").expect("witness");
    assert_eq!(
        (witness.behaviour.as_str(), witness.endpoint.as_str(), witness.version.as_str()),
        ("witness", "two", "2")
    );
    let party = &plan.parties[usize::from(witness.party.expect("logs in"))];
    assert_eq!((party.name.as_str(), party.may.len()), ("witness", 2));
    assert!(plan.to_toml().contains("[fleet.witness]"));
    assert_eq!(load(&plan.to_toml()).plan("", Seed(7), &target(), &registry()).expect("plans").fleets.len(), 2);
}

#[test]
fn two_protocols_have_two_witnesses() {
    let text = PLAIN.replace(
        "[[expect]]",
        "[fleet.dumb]\nprotocol = \"dumb\"\nendpoint = \"south\"\nbehaviour = \"chatter\"\n[[expect]]",
    );
    let plan = plan(&text);
    let names: Vec<&str> = plan.fleets.iter().map(|fleet| fleet.name.as_str()).collect();
    assert_eq!(names, ["foe", "dumb", "witness-stub", "witness-dumb"]);
    assert_eq!(plan.fleets[3].endpoint, "south");
    assert_eq!(plan.fleets[3].version, "");
    assert_eq!(plan.parties.last().map(|party| party.name.as_str()), Some("witness"));
}

#[test]
fn a_fleet_plays_a_party_of_its_own_name_or_nobody() {
    let plan = plan(PLAIN);
    assert_eq!(plan.fleets[0].party, Some(0));
    assert_eq!((plan.parties[0].name.as_str(), plan.parties[0].may.len()), ("foe", 0));
    let nobody = super::plan(&PLAIN.replace("behaviour =", "as = \"nobody\"\nbehaviour ="));
    assert_eq!(nobody.fleets[0].party, None);
}

#[test]
fn always_on_rules_are_in_every_plan_once() {
    let ids = |plan: &Plan| plan.expects.iter().map(|expect| expect.oracle.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&plan(PLAIN)), ["stub-closes", "no-crash", "no-hang"]);
    let said = alloc::format!("{PLAIN}[[expect]]\noracle = \"no-hang\"\n");
    assert_eq!(ids(&plan(&said)), ["stub-closes", "no-hang", "no-crash"]);
}

#[test]
fn a_fleet_speaks_at_the_first_endpoint_of_its_protocol_and_version() {
    assert_eq!(plan(PLAIN).fleets[0].endpoint_id.0, 1);
    assert_eq!(plan(&PLAIN.replace("\"2\"", "\"1\"")).fleets[0].endpoint_id.0, 0);
    let newest = plan(&PLAIN.replace("version  = \"2\"\n", ""));
    assert_eq!((newest.fleets[0].endpoint.as_str(), newest.fleets[0].version.as_str()), ("one", "1"));
}

/// What keeps a scenario from a target.
fn unmet(text: &str, target: &TargetSpec) -> String {
    match load(text).plan("", Seed(0), target, &registry()) {
        Err(PlanError::Unmet(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_target_lacks_is_named() {
    let mut one = target();
    one.endpoints.truncate(1);
    assert_eq!(unmet(PLAIN, &one), "needs an endpoint for stub 2");
    one.endpoints[0].client = true;
    assert_eq!(
        unmet(PLAIN, &one),
        format!("needs an endpoint for stub 2 ({} has role = \"client\")", one.endpoints[0].name)
    );
    assert_eq!(
        unmet(&PLAIN.replace("behaviour =", "endpoint = \"far\"\nbehaviour ="), &target()),
        "needs an endpoint named far for stub 2"
    );
    let path =
        PLAIN.replace("{ do = \"hello\",", "{ do = \"say\", path = [\"{resource.counter}\"] },\n  { do = \"hello\",");
    assert_eq!(unmet(&path, &target()), "needs resource.counter");
    let filled = plan(&path.replace("counter", "observable"));
    assert_eq!(filled.fleets[0].steps[0].fields.find("path").map(ToString::to_string).as_deref(), Some("[/time]"));
    assert_eq!(unmet(PLAIN, &stub::given(&["a"])), "needs 2 accounts, target gives 1");
}

#[test]
fn fleets_and_rules_may_speak_of_a_targets_resources_too() {
    let fleet = "[fleet.crowd]\nbehaviour = \"chatter\"\nrequest = { path = \"{resource.observable}\" }\n";
    let rule = "[[expect]]\noracle = \"stub-size\"\nbytes = \"{resource.observable}\"\n";
    let filled = plan(&format!("{PLAIN}{rule}{fleet}"));
    let request = filled.fleet("crowd").and_then(|crowd| crowd.keys.find("request").cloned()).expect("a request");
    assert_eq!(request.to_string(), "{path=/time}");
    let rules = filled.expects.iter().find(|expect| expect.oracle == "stub-size").expect("the rule");
    assert_eq!(rules.keys.text("bytes"), Some("/time"));
    assert_eq!(unmet(&format!("{PLAIN}{}", fleet.replace("observable", "large")), &target()), "needs resource.large");
    assert_eq!(unmet(&format!("{PLAIN}{}", rule.replace("observable", "large")), &target()), "needs resource.large");
}

#[test]
fn given_accounts_go_to_their_namesakes_first() {
    let plan = load(PLAIN).plan("", Seed(0), &stub::given(&["a", "b", "foe"]), &registry()).expect("plans");
    let users: Vec<(&str, &str)> =
        plan.parties.iter().map(|party| (party.user.as_str(), party.password.as_str())).collect();
    assert_eq!(users, [("foe", ""), ("a", "")]);
}

#[test]
fn a_canary_is_128_bits_of_the_seed() {
    let scenario = load(RANGES);
    let canary = |seed| plan_of(&scenario, "", seed).canaries[0].clone();
    assert_eq!((canary(1).0.as_str(), canary(1).1.len()), ("c", 32));
    assert_eq!(canary(1), canary(1));
    assert_ne!(canary(1), canary(2));
}

#[test]
fn a_cut_plan_keeps_identities_and_indexes() {
    let plan = plan(PLAIN);
    let mut tree = plan.tree.clone();
    let foe = tree.find_mut("fleet").and_then(|fleets| fleets.find_mut("foe")).expect("foe");
    foe.set("count", &crate::value::Value::Int(9));
    foe.set("only", &crate::value::Value::List(alloc::vec![3u32.into(), 7u32.into()]));
    let Some(document::Node::List(steps)) = foe.find_mut("step").map(|step| &mut step.node) else { panic!("steps") };
    steps.insert(0, steps[0].clone());
    steps[0].set("index", &crate::value::Value::Int(0));
    steps.remove(1);
    let cut = Plan::read("stub/x", "", Seed(7), tree.clone(), &target(), &registry()).expect("reads");
    assert_eq!(cut.fleets[0].members().collect::<Vec<_>>(), [3, 7]);
    assert_eq!(cut.fleets[0].steps.iter().map(|step| step.index).collect::<Vec<_>>(), [0, 1, 2]);
    let foe = tree.find_mut("fleet").and_then(|fleets| fleets.find_mut("foe")).expect("foe");
    let Some(document::Node::List(steps)) = foe.find_mut("step").map(|step| &mut step.node) else { panic!("steps") };
    steps.remove(1);
    let error = Plan::read("stub/x", "", Seed(7), tree, &target(), &registry()).expect_err("no stimulus");
    assert!(error.to_string().contains("no step is part = \"stimulus\""), "{error}");
}

#[test]
fn the_control_arm_skips_what_it_goes_without() {
    let text = PLAIN.replace(
        "[[expect]]",
        "[control]\nwithout = [\"foe.sent\"]\nexpect = { canary = \"c\", at = \"foe:a/#\" }\n[[expect]]",
    );
    let plan = plan(&text.replace("hex = \"00 ff\"", "hex = \"00\", canary = \"c\""));
    assert!(plan.fleets[0].steps.iter().all(|step| !step.skip));
    let arm = plan.control_arm().expect("an arm");
    assert_eq!(arm.fleets[0].steps.iter().map(|step| step.skip).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(plan.control.expect("an arm").canary, Some((crate::ids::CanaryId(0), "foe:a/#".to_string())));
}

#[test]
fn a_plan_lasts_as_long_as_what_it_waits_for() {
    let lasts = |text: &str| plan(text).duration_estimate();
    assert_eq!(lasts(PLAIN), Duration::ZERO, "an answer comes at once, and closing is no silence");
    let waits =
        PLAIN.replace("{ do = \"expect\",", "{ do = \"wait\", for = \"4s\", mark = \"w\" },\n  { do = \"expect\",");
    assert_eq!(lasts(&waits), Duration::from_secs(4));
    let chain = "[fleet.other]\nramp = \"1s\"\nbehaviour = \"script\"\nstep = [ { after = \"foe.w\", do = \"wait\", for = \"5s\" } ]\n[[expect]]";
    assert_eq!(lasts(&waits.replace("[[expect]]", chain)), Duration::from_secs(9));
    let silent = waits.replace("{ closed = true }", "{ silence = \"7s\" }").replace(", within = \"1s\"", "");
    assert_eq!(lasts(&silent), Duration::from_secs(11));
    assert!(plan(&silent).is_slow() && !plan(&waits).is_slow());
    let close = |within: &str| lasts(&PLAIN.replace("within = \"1s\"", within));
    assert_eq!(close("within = \"5s\""), Duration::ZERO, "an answer");
    assert_eq!(close("within = \"6s\""), Duration::from_secs(6), "a deadline of the target");
    let window = alloc::format!("{PLAIN}[[expect]]\noracle = \"stub-size\"\nwindow = \"93s\"\n");
    assert_eq!(lasts(&window), Duration::from_secs(20), "never more than the limit");
    let chatter = "[fleet.c]\nbehaviour = \"chatter\"\nevery = \"1s~2s\"\nmessages = 3\nramp = \"1s\"\n[[expect]]";
    assert_eq!(lasts(&PLAIN.replace("[[expect]]", chatter)), Duration::from_secs(7));
}

#[test]
fn no_two_fleets_share_an_address_and_no_two_members_either() {
    let plan = plan(RANGES);
    let fleet = |index: u16, count, source| FleetPlan { index, count, source, ..plan.fleets[0].clone() };
    let mut seen = alloc::collections::BTreeSet::new();
    for index in 0..14 {
        for member in [0, 1, 2, 1_000, 1_048_575] {
            let ip = fleet(index, 1 << 20, Source::Each).source(member, 0).ip;
            assert!((0x7f10_0000..0x7ff0_0000).contains(&ip), "{ip:x}");
            assert!(seen.insert(ip), "fleet {index}, member {member}");
        }
    }
    let fresh = fleet(3, 1_000, Source::Fresh);
    let mut seen = alloc::collections::BTreeSet::new();
    for member in 0..1_000 {
        assert!((0..1_000).all(|nth| seen.insert(fresh.source(member, nth).ip)), "member {member}");
    }
}

fn check_idempotent(scenario: &Scenario, case: &str, seed: u64) {
    let first = plan_of(scenario, case, seed);
    let printed = first.to_toml();
    let again = load(&printed);
    for seed in [seed, seed + 1] {
        let second = plan_of(&again, "", seed);
        assert_eq!(second.tree.plain(), first.tree.plain(), "\n{printed}");
        assert_eq!(second.to_toml(), printed);
    }
    let read = Plan::read(&first.id, case, Seed(seed), first.tree.clone(), &target(), &registry()).expect("reads");
    assert_eq!(read, first);
}

proptest! {
    #[test]
    fn planning_a_plan_changes_nothing(seed in 0..u64::MAX) {
        check_idempotent(&load(RANGES), "", seed);
    }

    #[test]
    fn any_text_loads_or_is_refused(cut in 0..RANGES.len(), put in "[\\[\\]{}\"=,.~a0\n ]{0,3}", skip in 0..30_usize) {
        let end = (cut + skip).min(RANGES.len());
        let text = alloc::format!("{}{put}{}", &RANGES[..cut], &RANGES[end..]);
        let _ = Scenario::load("x", "x.toml", &text, &registry());
    }
}

#[test]
fn planning_a_plan_of_a_hard_scenario_changes_nothing() {
    for (text, case) in hard::ALL {
        check_idempotent(&load(text), case, 11);
    }
}
