//! `results.sarif`: SARIF 2.1.0 for code scanning pages. Rules are oracles, results are findings.
//!
//! A finding that counts is a `fail` with the level of its scenario (must: error, should: warning, hardening: note); a suspicion is a
//! `review`; one that the target file accepts is suppressed, with its reason; with a baseline each result is `unchanged` or `new`.
//! Passing trials are not here (`junit.xml` has them); undecided ones are notifications of the invocation, one for each reason.
//! Every path is below the run's folder, the base `RUN`.
use std::collections::BTreeMap;

use proofhouse_core::severity::Level;
use serde_json::{Value, json};

use crate::run::{Found, Rule, Run, Spared};
use crate::score;
use crate::words::{self, uri, visible};
use log::{
    Artifact, ArtifactLocation, Attachment, Configuration, Driver, Invocation, Location, Log, LogicalLocation, Message,
    Notification, Physical, Region, ReportingDescriptor, ResultRow, RunLog, Suppression, Tool,
};

mod log;

/// The base of every path: the run's folder.
const BASE: &str = "RUN";

/// The report as SARIF 2.1.0, indented.
///
/// # Panics
/// When text and numbers are no JSON, which they always are.
#[must_use]
pub fn sarif(run: &Run) -> String {
    let rules = rules(run);
    let results = run.findings.iter().map(|found| result(run, found, &rules)).collect();
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: vec![RunLog {
            tool: Tool { driver: driver(run, &rules) },
            automation_details: json!({ "id": format!("proofhouse/{}", visible(&run.results.run)) }),
            invocations: vec![invocation(run)],
            original_uri_base_ids: json!({ BASE: { "description": { "text": "The folder of the run." } } }),
            artifacts: artifacts(run),
            results,
            column_kind: "unicodeCodePoints",
        }],
    };
    serde_json::to_string_pretty(&log).expect("text and numbers are always JSON") + "\n"
}

/// The rules that were broken, by oracle, each with its findings.
fn rules(run: &Run) -> Vec<(&str, Vec<&Found>)> {
    let mut all: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in &run.findings {
        all.entry(&found.finding.oracle).or_default().push(found);
    }
    all.into_iter().collect()
}

fn driver(run: &Run, rules: &[(&str, Vec<&Found>)]) -> Driver {
    let unknown = Rule { doc: "A declaration of the target file".into(), ..Rule::default() };
    let rule = |(id, found): &(&str, Vec<&Found>)| descriptor(id, run.rules.get(*id).unwrap_or(&unknown), found);
    Driver { name: "Proofhouse", semantic_version: run.facts.version.clone(), rules: rules.iter().map(rule).collect() }
}

fn descriptor(id: &str, rule: &Rule, found: &[&Found]) -> ReportingDescriptor {
    let clauses: Vec<&str> = rule.clauses.iter().map(String::as_str).collect();
    let cites = if clauses.is_empty() { String::new() } else { format!("\n\nDecides: {}.", clauses.join(", ")) };
    let mut tags: Vec<String> = vec!["security".into()];
    let mut cwe: Vec<u32> = found.iter().flat_map(|f| f.finding.cwe.iter().copied()).collect();
    cwe.sort_unstable();
    cwe.dedup();
    tags.extend(cwe.iter().map(|n| format!("external/cwe/cwe-{n:03}")));
    // The rule of a result carries one number; its worst finding gives it.
    let score = found.iter().filter_map(|f| score::of(&f.finding.cvss)).map(|(score, _)| score).fold(0.0, f64::max);
    let mut properties = json!({ "tags": tags, "kind": rule.kind, "clauses": clauses });
    if score > 0.0 {
        properties["security-severity"] = json!(format!("{score:.1}"));
    }
    ReportingDescriptor {
        id: id.to_owned(),
        name: pascal(id),
        short_description: text(&sentence(&rule.doc)),
        full_description: text(&format!("{}{}", sentence(&rule.doc), cites.replace("\n\n", " "))),
        help: text(&format!("{}{cites}\n\nproofhouse explain {id}", sentence(&rule.doc))),
        default_configuration: Configuration { level: "error" },
        properties,
    }
}

fn result(run: &Run, found: &Found, rules: &[(&str, Vec<&Found>)]) -> ResultRow {
    let f = &found.finding;
    let suspicion = found.spared == Some(Spared::Suspicion);
    let clause = if f.clause.is_empty() { String::new() } else { format!(" ({})", f.clause) };
    let message = format!("{}{clause}: expected {}; actual: {}.", sentence(&f.title), f.expected, f.actual);
    let at = |name: &str| location(found, name);
    ResultRow {
        rule_id: f.oracle.clone(),
        rule_index: rules.iter().position(|(id, _)| *id == f.oracle).expect("every finding's oracle is a rule"),
        kind: if suspicion { "review" } else { "fail" },
        level: if suspicion { "none" } else { level(f.level) },
        message: text(&message),
        locations: vec![Location {
            physical_location: Physical { artifact_location: at("scenario.toml"), region: Region { start_line: 1 } },
            logical_locations: vec![LogicalLocation {
                name: visible(&f.target),
                fully_qualified_name: visible(&format!("{}/{}", f.target, f.place)),
            }],
        }],
        partial_fingerprints: BTreeMap::from([
            ("proofhouseSignature/v1", f.signature.to_string()),
            ("proofhouseTarget/v1", visible(&f.target)),
        ]),
        baseline_state: baseline(run, found),
        suppressions: match &found.spared {
            Some(Spared::Accepted(reason)) => {
                vec![Suppression { kind: "external", status: "accepted", justification: visible(reason) }]
            }
            _ => Vec::new(),
        },
        attachments: ["reproduce.md", "transcript.txt", "capture.pcapng"]
            .map(|name| Attachment { description: text(name), artifact_location: at(name) })
            .into(),
        properties: properties(found),
    }
}

fn properties(found: &Found) -> Value {
    let f = &found.finding;
    let mut all = json!({
        "id": f.id, "title": visible(&f.title), "attack": f.attack, "scenario": f.scenario, "case": visible(&f.case), "seed": f.seed,
        "target": visible(&f.target), "targetVersion": visible(&f.target_version), "findingKind": f.kind, "findingLevel": f.level,
        "clause": f.clause, "guidance": f.guidance, "cwe": f.cwe, "cvss": f.cvss,
        "reproduced": f.replay, "replay": visible(&format!("proofhouse replay {}", found.path)),
    });
    if let Some((score, word)) = score::of(&f.cvss) {
        all["cvssScore"] = json!(score);
        all["cvssSeverity"] = json!(word);
    }
    if let Some(why) = &found.spared {
        all["exitCodeNotMoved"] = json!(visible(&why.to_string()));
    }
    all
}

/// `new` or `unchanged` in a run with a baseline that found something again; where no run is compared, nothing.
fn baseline(run: &Run, found: &Found) -> Option<&'static str> {
    let compared = run.findings.iter().any(|f| f.spared == Some(Spared::Baseline));
    compared.then_some(if found.spared == Some(Spared::Baseline) { "unchanged" } else { "new" })
}

fn invocation(run: &Run) -> Invocation {
    use proofhouse_core::verdict::Verdict;
    let open = [(Verdict::Error, "error"), (Verdict::NotRun, "warning"), (Verdict::Inconclusive, "warning")];
    let notes = open.into_iter().flat_map(|(verdict, level)| {
        run.reasons(verdict).into_iter().map(move |(scenario, reason, n)| Notification {
            level,
            message: text(&format!(
                "{} {}, such as {scenario}: {reason}",
                words::count(n, "trial"),
                words::verdict(verdict)
            )),
        })
    });
    Invocation {
        execution_successful: run.exit.code != 1,
        exit_code: run.exit.code,
        exit_code_description: run.exit.meaning.clone(),
        start_time_utc: run.facts.began.clone(),
        tool_execution_notifications: notes.collect(),
    }
}

fn artifacts(run: &Run) -> Vec<Artifact> {
    run.findings
        .iter()
        .map(|found| Artifact { location: location(found, "scenario.toml"), roles: ["attachment"] })
        .collect()
}

fn location(found: &Found, name: &str) -> ArtifactLocation {
    ArtifactLocation { uri: uri(&format!("{}/{name}", found.path)), uri_base_id: BASE }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "error",
        Level::Should => "warning",
        Level::Hardening => "note",
    }
}

fn text(text: &str) -> Message {
    Message { text: text.split('\n').map(visible).collect::<Vec<_>>().join("\n") }
}

/// With a capital and a full stop, as the format asks of descriptions.
fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// `SessionExclusive`: the format wants names of rules so.
fn pascal(id: &str) -> String {
    id.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

#[cfg(test)]
mod tests;
