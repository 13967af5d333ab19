//! Runs scenarios of the tree on targets in this process.
#![allow(dead_code, reason = "every test binary uses its own part")]
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
use proofhouse_mqtt::MQTT;
use proofhouse_targets::{BUILDS, flaw};

/// One trial in the simulator, with its control arm.
pub fn run(scenario: &Scenario, case: &str, seed: Seed, target: &TargetSpec, registry: &Registry) -> Outcome {
    match scenario.plan(case, seed, target, registry) {
        Ok(plan) => judged(plan, target, registry),
        Err(error) => panic!("{} [{case}]: {error:?}", scenario.id),
    }
}

/// What comes of a plan.
pub fn judged(plan: Plan, target: &TargetSpec, registry: &Registry) -> Outcome {
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

/// An in-process target with these flaws that claims everything.
pub fn target(build: &str, flaws: &[&str], registry: &Registry) -> TargetSpec {
    let text = format!(
        "format = 1\nkind = \"in-process\"\nbuild = {build:?}\nflaws = {flaws:?}\n[[endpoint]]\nname = \"plain\"\nprotocol = \"mqtt\"\n\
         versions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:1883\"\nclaims = [\"authenticated\", \"acl\", \"sessions\", \
         \"retained\", \"wills\", \"qos-2\", \"shared\", \"topic-alias\", \"quotas\", \"admin.grant\", \"admin.revoke\", \"admin.rekey\", \"admin.remove\"]\n"
    );
    TargetSpec::load(build, "twins.toml", &text, registry).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Everything that there is to run.
pub fn registry() -> Registry {
    Registry { protocols: vec![MQTT], builds: BUILDS.to_vec(), flaws: flaw::lines() }
}

/// Every attack on a broker.
pub fn scenarios(registry: &Registry) -> Vec<Scenario> {
    files(&["mqtt"]).iter().map(|(id, file)| load(id, file, registry)).collect()
}

/// A scenario of the tree.
pub fn load(id: &str, file: &Path, registry: &Registry) -> Scenario {
    let text = fs::read_to_string(file).expect("the scenario was just listed");
    Scenario::load(id, &file.display().to_string(), &text, registry)
        .unwrap_or_else(|e| panic!("{}:{}:{}: {}\n{}", e.file, e.line, e.column, e.message, e.source))
}

/// Every scenario of some folders, by id.
pub fn files(folders: &[&str]) -> Vec<(String, PathBuf)> {
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
