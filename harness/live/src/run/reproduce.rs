//! `reproduce.md`: what a person needs to see a finding again.
use std::path::Path;

use proofhouse_core::finding::Finding;

use super::folder::Folder;

/// The text, for the finding's folder below `run`.
#[must_use]
pub fn text(finding: &Finding, run: &Path) -> String {
    let f = finding;
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let cwe = f.cwe.iter().map(|n| format!("CWE-{n}")).collect::<Vec<_>>().join(", ");
    format!(
        "# {title}\n\n\
         - finding: {id} ({kind}, {level}), {verdict}, replay {replay}\n\
         - target: {target} {version}\n\
         - rule: {oracle}, {clause}\n\
         - weakness: {cwe}; {cvss}\n\n\
         Expected: {expected}\n\n\
         Actual: {actual}\n\n\
         ## Run it again\n\n\
         ```sh\nproofhouse replay {run}/{folder}\n```\n\n\
         The smallest scenario is `scenario.toml` beside this file (seed {seed}), what crossed the wire is `transcript.txt`.\n",
        title = f.title,
        id = f.id,
        kind = f.kind,
        level = f.level,
        verdict = f.verdict,
        replay = f.replay,
        target = f.target,
        version = or(&f.target_version, "(version unknown)"),
        oracle = f.oracle,
        clause = or(&f.clause, "a policy, no clause"),
        cwe = or(&cwe, "not classified"),
        cvss = or(&f.cvss, "no CVSS vector"),
        expected = f.expected,
        actual = f.actual,
        seed = f.seed,
        run = run.display(),
        folder = Folder::finding(f),
    )
}
