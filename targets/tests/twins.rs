//! The prover, proven: every scenario loads, fails on each of its twins by the oracle that it names and by no other, passes on the
//! clean reference target, and passes on none of the three blank ones.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proofhouse_core::actor::Actor;
use proofhouse_core::oracle::judge_all;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::{BuildPlan, Registry};
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::sim;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::transcript::{FORMAT, Header, Transcript};
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use proofhouse_mqtt::MQTT;
use proofhouse_targets::{BUILDS, flaw};

/// Enough to see a draw that matters, few enough for every `cargo test`; `cargo ci soak` runs 200.
const TWIN_SEEDS: u64 = 3;
const CLEAN_SEEDS: u64 = 20;
const BLANKS: [&str; 3] = ["blank-closed", "blank-mute", "blank-yes"];

#[test]
fn every_scenario_loads() {
    let registry = registry();
    for (id, file) in files(&["mqtt", "bench"]) {
        let scenario = load(&id, &file, &registry);
        assert!(!scenario.twins.is_empty() || id.starts_with("bench/"), "{id}: no twin shows that it catches anything");
    }
}

#[test]
fn each_twin_is_caught_by_its_oracle_and_by_no_other() {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        for (flaw, oracles) in &scenario.twins {
            wrong.extend(twin(&scenario, flaw, oracles, &registry));
        }
    }
    assert!(wrong.is_empty(), "{} of the twins:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_clean_target_passes_with_every_seed() {
    let registry = registry();
    let target = target("broker", &[], &registry);
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        for case in &scenario.cases {
            for seed in 0..CLEAN_SEEDS {
                let outcome = run(&scenario, &case.name, Seed(seed), &target, &registry);
                if outcome.verdict() != Verdict::Pass {
                    wrong.push(line(&scenario, &case.name, seed, &outcome));
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases do not pass on the clean target:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_passes_on_a_blank_target() {
    let registry = registry();
    let mut wrong = Vec::new();
    for blank in BLANKS {
        let target = target(blank, &[], &registry);
        for scenario in scenarios(&registry) {
            for case in &scenario.cases {
                let outcome = run(&scenario, &case.name, Seed(1), &target, &registry);
                if outcome.verdict() == Verdict::Pass {
                    wrong.push(format!("{blank}: {}", line(&scenario, &case.name, 1, &outcome)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases pass on a target that does nothing:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is wrong with a twin: a seed with which no case fails by an oracle that is named, or any case by one that is not.
fn twin(scenario: &Scenario, flaw: &str, oracles: &[String], registry: &Registry) -> Vec<String> {
    let target = target("broker", &[flaw], registry);
    let mut wrong = Vec::new();
    for seed in 0..TWIN_SEEDS {
        let mut caught: BTreeMap<String, String> = BTreeMap::new();
        let mut reasons = BTreeSet::new();
        for case in &scenario.cases {
            let outcome = run(scenario, &case.name, Seed(seed), &target, registry);
            for judgement in outcome.judgements.iter().filter(|j| j.verdict == Verdict::Fail) {
                caught.entry(judgement.oracle.clone()).or_insert_with(|| line(scenario, &case.name, seed, &outcome));
            }
            if outcome.verdict() != Verdict::Fail {
                reasons.insert(format!("{} {}", outcome.verdict().name(), outcome.reason()));
            }
        }
        for oracle in oracles.iter().filter(|oracle| !caught.contains_key(*oracle)) {
            wrong.push(format!(
                "{} --flaw {flaw} seed {seed}: {oracle} did not fail; saw {caught:?} {reasons:?}",
                scenario.id
            ));
        }
        for (oracle, line) in caught.iter().filter(|(oracle, _)| !oracles.contains(oracle)) {
            wrong.push(format!("--flaw {flaw}: {oracle} failed too: {line}"));
        }
        if !wrong.is_empty() {
            break;
        }
    }
    wrong
}

fn line(scenario: &Scenario, case: &str, seed: u64, outcome: &Outcome) -> String {
    format!("{} [{case}] seed {seed}: {} {}", scenario.id, outcome.verdict().name(), outcome.reason())
}

fn run(scenario: &Scenario, case: &str, seed: Seed, target: &TargetSpec, registry: &Registry) -> Outcome {
    let plan = match scenario.plan(case, seed, target, registry) {
        Ok(plan) => plan,
        Err(error) => panic!("{} [{case}]: {error:?}", scenario.id),
    };
    let transcript = arm(&plan, target, registry, "main");
    let control = plan.control_arm().map(|plan| arm(&plan, target, registry, "control"));
    let judgements = judge_all(&plan, &transcript, control.as_ref(), registry);
    Outcome { plan, transcript, control, judgements }
}

fn arm(plan: &Plan, target: &TargetSpec, registry: &Registry, arm: &str) -> Transcript {
    let header = Header {
        format: FORMAT,
        scenario: plan.id.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        target: target.name.clone(),
        clock: "sim".to_owned(),
        arm: arm.to_owned(),
    };
    sim::run(plan, registry, build(plan, target, registry), header)
}

fn build(plan: &Plan, target: &TargetSpec, registry: &Registry) -> Box<dyn Actor> {
    let TargetKind::InProcess { build, flaws } = &target.kind else { panic!("{} is not in process", target.name) };
    let row = registry.builds.iter().find(|row| row.name == build).unwrap_or_else(|| panic!("no build {build:?}"));
    let claims = &target.endpoints[0].claims;
    (row.build)(&BuildPlan { plan, claims, flaws, seed: plan.seed.child("target", 0) }).expect("flaws are known")
}

fn target(build: &str, flaws: &[&str], registry: &Registry) -> TargetSpec {
    let text = format!(
        "format = 1\nkind = \"in-process\"\nbuild = {build:?}\nflaws = {flaws:?}\n[[endpoint]]\nname = \"plain\"\nprotocol = \"mqtt\"\n\
         versions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:1883\"\nclaims = [\"authenticated\", \"acl\", \"sessions\", \
         \"retained\", \"wills\", \"qos-2\", \"shared\", \"topic-alias\", \"quotas\", \"admin.grant\", \"admin.revoke\", \"admin.rekey\", \"admin.remove\"]\n"
    );
    TargetSpec::load(build, "twins.toml", &text, registry).unwrap_or_else(|e| panic!("{e:?}"))
}

fn registry() -> Registry {
    Registry { protocols: vec![MQTT], builds: BUILDS.to_vec(), flaws: flaw::lines() }
}

fn scenarios(registry: &Registry) -> Vec<Scenario> {
    files(&["mqtt"]).iter().map(|(id, file)| load(id, file, registry)).collect()
}

fn load(id: &str, file: &Path, registry: &Registry) -> Scenario {
    let text = fs::read_to_string(file).expect("the scenario was just listed");
    Scenario::load(id, &file.display().to_string(), &text, registry)
        .unwrap_or_else(|e| panic!("{}:{}:{}: {}\n{}", e.file, e.line, e.column, e.message, e.source))
}

/// Every scenario of some folders, by id.
fn files(folders: &[&str]) -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut files = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(root.join(folder)).expect("scenarios/ is beside targets/") {
            let path = entry.expect("a folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let stem = path.file_stem().expect("it has an extension").to_string_lossy();
                files.push((format!("{folder}/{stem}"), path));
            }
        }
    }
    files.sort();
    files
}
