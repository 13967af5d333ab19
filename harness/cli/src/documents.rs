//! The documents of a run: gathered from what its folder holds, and nothing else, so that they can be written again at any time.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proofhouse_core::finding::{Finding, Signature};
use proofhouse_core::protocol::Transport;
use proofhouse_core::registry::Registry;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::verdict::Arm;
use proofhouse_live::run::folder::Folder;
use proofhouse_live::run::journal::{Journal, JournalEntry};
use proofhouse_live::run::resume::fold;
use proofhouse_report::ladder::Ladder;
use proofhouse_report::run::{Exit, Facts, Found, Rule, Scene};
use proofhouse_report::{Run, capture, fleets, html, junit, markdown, sarif};

use crate::args::Document;
use crate::asked::Asked;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::gate::{self, Accepted};
use crate::library;

/// A finished run, and the exit code that it stands for.
pub fn gather(folder: &Path, asked: &Asked, registry: &Registry) -> Result<(Run, ExitCode), Failure> {
    let records = Journal::read(folder).map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    let name = folder.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let results = fold(&name.unwrap_or_default(), &records);
    let accepted = accepted(folder, &results.trials.iter().map(|t| t.target.as_str()).collect::<Vec<_>>(), registry)?;
    let stored = stored(&records);
    let found = |row: &proofhouse_core::results::FindingRow| {
        let finding = stored[&(row.target.as_str(), &row.signature)];
        let (finding, transcript) = evidence(&folder.join(&row.path), finding);
        let ladder = transcript.map(|transcript| Ladder::of(&transcript, &finding));
        Found { spared: gate::spared(&finding, asked, &accepted), path: row.path.clone(), finding, ladder }
    };
    let findings: Vec<Found> = results.findings.iter().map(found).collect();
    let whole = matches!(records.last(), Some(JournalEntry::End { interrupted: false, .. }));
    let code = gate::exit_code(&results, &findings, !whole);
    let run = Run {
        facts: facts(asked, &records),
        exit: Exit { code: code as u8, meaning: code.meaning().into() },
        findings,
        scenes: scenes(asked, registry)?,
        guidance: library::guidance()?,
        rules: rules(registry),
        results,
    };
    Ok((run, code))
}

/// Writes the documents; what was written, in the order of the list.
pub fn write(out: &Folder, run: &Run, wanted: &[Document], registry: &Registry) -> Result<Vec<PathBuf>, Failure> {
    let mut written = Vec::new();
    // Always: the next run's --baseline and `diff` tools read it, and the other documents point to it.
    let mut one = |file: &str, text: &str| {
        written.push(out.root().join(file));
        out.write(file, text.as_bytes())
    };
    one("results.json", &run.results.to_json())?;
    for document in Document::ALL.into_iter().filter(|d| wanted.contains(d)) {
        match document {
            Document::Json => {}
            Document::Md => one("report.md", &markdown(run))?,
            Document::Html => one("report.html", &html(run))?,
            Document::Junit => one("junit.xml", &junit(run))?,
            Document::Sarif => one("results.sarif", &sarif(run))?,
            Document::Pcap => {}
        }
    }
    if wanted.contains(&Document::Pcap) {
        for found in &run.findings {
            let Some(bytes) = packets(&out.root().join(&found.path), &found.finding, registry) else { continue };
            let file = format!("{}/capture.pcapng", found.path);
            out.write(&file, &bytes)?;
            written.push(out.root().join(file));
        }
    }
    Ok(written)
}

/// The capture of a finding whose transcript is kept.
fn packets(folder: &Path, finding: &Finding, registry: &Registry) -> Option<Vec<u8>> {
    let (finding, transcript) = evidence(folder, finding);
    let scenario = std::fs::read_to_string(folder.join("scenario.toml")).unwrap_or_default();
    let datagrams = |name: &str| registry.protocol(name).is_some_and(|p| p.transport == Transport::Datagram);
    transcript.map(|transcript| capture(&transcript, &finding, &fleets(&scenario, &datagrams)))
}

/// A finding as it was journalled, and its transcript. Its folder may have been cut down since, and shows other entries then.
fn evidence(folder: &Path, journalled: &Finding) -> (Finding, Option<Transcript>) {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let own = text("finding.toml").and_then(|text| toml::from_str::<Finding>(&text).ok());
    let own = own.filter(|own| own.signature == journalled.signature);
    let entries = own.map_or_else(|| journalled.entries.clone(), |own| own.entries);
    let finding = Finding { entries, ..journalled.clone() };
    let file = match finding.arm {
        Arm::Main => "transcript.jsonl",
        Arm::Control => "control.jsonl",
    };
    let transcript = text(file).and_then(|text| Transcript::from_jsonl(&text).ok());
    (finding, transcript)
}

/// Findings by target and signature; a later line of the journal replaces an earlier one.
fn stored(records: &[JournalEntry]) -> BTreeMap<(&str, &Signature), &Finding> {
    let mut all = BTreeMap::new();
    for record in records {
        if let JournalEntry::Finding { finding, .. } = record {
            all.insert((&*finding.target, &finding.signature), &**finding);
        }
    }
    all
}

fn facts(asked: &Asked, records: &[JournalEntry]) -> Facts {
    let planned =
        records.iter().find_map(|r| if let JournalEntry::Run { trials, .. } = r { Some(*trials) } else { None });
    let wall = |record: &JournalEntry| if let JournalEntry::End { wall_ms, .. } = record { *wall_ms } else { 0 };
    Facts {
        version: asked.proofhouse.clone(),
        began: asked.began.clone(),
        machine: asked.machine.clone(),
        seed: asked.seed,
        seeds: asked.seeds,
        selector: asked.selector.clone(),
        planned: planned.unwrap_or_default(),
        wall_ms: records.iter().map(wall).sum(),
        fail_on: asked.fail_on.name().into(),
    }
}

/// What the run kept about its scenarios; runs of older versions kept nothing, so the scenarios of this build stand in.
fn scenes(asked: &Asked, registry: &Registry) -> Result<BTreeMap<String, Scene>, Failure> {
    if !asked.scenes.is_empty() {
        return Ok(asked.scenes.clone());
    }
    let all = library::scenarios(&asked.scenarios, registry)?;
    Ok(all.iter().map(|scenario| (scenario.id.clone(), scene(scenario))).collect())
}

/// What reports say about a scenario.
pub fn scene(scenario: &proofhouse_core::scenario::Scenario) -> Scene {
    let about = &scenario.about;
    Scene {
        title: scenario.title.clone(),
        attack: about.attack.clone(),
        guidance: about.guidance.clone(),
        level: about.level,
    }
}

fn rules(registry: &Registry) -> BTreeMap<String, Rule> {
    let rule = |oracle: &proofhouse_core::oracle::Oracle| Rule {
        doc: oracle.doc.into(),
        kind: oracle.kind.to_string(),
        clauses: oracle.clauses.iter().map(|clause| (*clause).to_owned()).collect(),
    };
    registry.oracles().map(|oracle| (oracle.id.into(), rule(oracle))).collect()
}

/// Accepted findings of the target files that the run kept.
fn accepted(folder: &Path, targets: &[&str], registry: &Registry) -> Result<Accepted, Failure> {
    let mut all = Accepted::new();
    for name in targets {
        if all.contains_key(*name) {
            continue;
        }
        let kept = library::kept(folder, name, &[], registry)?;
        let known = kept.map(|target| target.spec.known.clone()).unwrap_or_default();
        all.insert((*name).to_owned(), known);
    }
    Ok(all)
}
