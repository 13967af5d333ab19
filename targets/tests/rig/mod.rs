//! Runs scenarios of the tree on targets in this process.
#![allow(dead_code, reason = "every test binary uses its own part")]
use std::fs;
use std::path::{Path, PathBuf};

use proofhouse_coap::COAP;
use proofhouse_core::actor::Actor;
use proofhouse_core::judge::judge_all;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::{BuildPlan, Registry};
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::sim::{self, Conditions};
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::transcript::{FORMAT, Header};
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
    judged_behind(plan, target, registry, &|target| target)
}

/// What comes of a plan while this befalls the harness.
pub fn judged_under(plan: Plan, target: &TargetSpec, registry: &Registry, conditions: &Conditions) -> Outcome {
    let arm = |plan: &Plan, arm| {
        let (target, header) = (build(plan, target, registry), header(plan, target, arm));
        sim::run_under(plan, registry, target, header, conditions.clone())
    };
    let transcript = arm(&plan, "main");
    let control = plan.control_arm().map(|plan| arm(&plan, "control"));
    let judgements = judge_all(&plan, &transcript, control.as_ref(), registry);
    Outcome { plan, transcript, control, clearing: None, judgements, held: Vec::new() }
}

/// What comes of a plan whose target stands behind something else.
pub fn judged_behind(
    plan: Plan,
    target: &TargetSpec,
    registry: &Registry,
    behind: &dyn Fn(Box<dyn Actor>) -> Box<dyn Actor>,
) -> Outcome {
    let arm = |plan: &Plan, name: &str| {
        sim::run(plan, registry, behind(build(plan, target, registry)), header(plan, target, name))
    };
    let transcript = arm(&plan, "main");
    let control = plan.control_arm().map(|plan| arm(&plan, "control"));
    let judgements = judge_all(&plan, &transcript, control.as_ref(), registry);
    Outcome { plan, transcript, control, clearing: None, judgements, held: Vec::new() }
}

/// The header of a simulated arm.
pub fn header(plan: &Plan, target: &TargetSpec, arm: &str) -> Header {
    Header {
        format: FORMAT,
        scenario: plan.id.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        target: target.name.clone(),
        clock: "sim".to_owned(),
        arm: arm.to_owned(),
    }
}

/// The target of a plan.
pub fn build(plan: &Plan, target: &TargetSpec, registry: &Registry) -> Box<dyn Actor> {
    let TargetKind::InProcess { build, flaws } = &target.kind else { panic!("{} is not in process", target.name) };
    let row = registry.builds.iter().find(|row| row.name == build).unwrap_or_else(|| panic!("no build {build:?}"));
    let claims = &target.endpoints[0].claims;
    (row.build)(&BuildPlan { plan, claims, flaws, seed: plan.seed.child("target", 0) }).expect("flaws are known")
}

/// A target file of the tree, in process, with these flaws.
pub fn target(name: &str, flaws: &[&str], registry: &Registry) -> TargetSpec {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.toml"));
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut spec =
        TargetSpec::load(name, &file.display().to_string(), &text, registry).unwrap_or_else(|e| panic!("{e}"));
    let TargetKind::InProcess { flaws: planted, .. } = &mut spec.kind else { panic!("{name} is not in process") };
    planted.extend(flaws.iter().map(|flaw| (*flaw).to_owned()));
    spec
}

/// The reference of a scenario, as the command line chooses it: the first in-process target, by name and not blank, on which it
/// plans.
pub fn reference(scenario: &Scenario, flaws: &[&str], registry: &Registry) -> TargetSpec {
    let mut fitting = in_process(scenario, registry);
    let name = fitting.find(|name| !name.starts_with("blank-"));
    target(&name.unwrap_or_else(|| panic!("{}: no reference for it", scenario.id)), flaws, registry)
}

/// The blank targets on which a scenario plans.
pub fn blanks(scenario: &Scenario, registry: &Registry) -> Vec<TargetSpec> {
    let names = in_process(scenario, registry).filter(|name| name.starts_with("blank-"));
    names.map(|name| target(&name, &[], registry)).collect()
}

fn in_process(scenario: &Scenario, registry: &Registry) -> impl Iterator<Item = String> {
    let listed = fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the folder of this package can be read");
    let mut names: Vec<String> = listed
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().strip_suffix(".toml")?.to_owned()))
        .filter(|name| name != "Cargo")
        .collect();
    names.sort();
    names.into_iter().filter(|name| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.toml"));
        let text = fs::read_to_string(&file).expect("it was just listed");
        let spec =
            TargetSpec::load(name, &file.display().to_string(), &text, registry).unwrap_or_else(|e| panic!("{e}"));
        matches!(spec.kind, TargetKind::InProcess { .. })
            && scenario.plan(&scenario.cases[0].name, Seed(1), &spec, registry).is_ok()
    })
}

/// Everything that there is to run.
pub fn registry() -> Registry {
    Registry { protocols: vec![MQTT, COAP], builds: BUILDS.to_vec(), flaws: flaw::lines(), pattern: None }
}

/// Every attack.
pub fn scenarios(registry: &Registry) -> Vec<Scenario> {
    files(&["coap", "mixed", "mqtt"]).iter().map(|(id, file)| load(id, file, registry)).collect()
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
        for entry in fs::read_dir(root.join(folder)).unwrap_or_else(|e| panic!("scenarios/{folder}: {e}")) {
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
