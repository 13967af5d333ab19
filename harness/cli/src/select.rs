//! Which scenarios a user means, and the trials that follow.
use std::sync::Arc;

use proofhouse_core::document::nearest;
use proofhouse_core::ids::TrialNo;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_live::run::{Job, gate};

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library::Target;

/// Scenarios that are selected by name only: they take minutes.
const BY_NAME_ONLY: &str = "bench/";

/// The scenarios that any of `selectors` means: an id or glob, an attack id, or a guidance row. None: all but benches.
pub fn scenarios(all: &[Arc<Scenario>], selectors: &[String]) -> Result<Vec<Arc<Scenario>>, Failure> {
    if selectors.is_empty() {
        return Ok(all.iter().filter(|s| !s.id.starts_with(BY_NAME_ONLY)).cloned().collect());
    }
    for selector in selectors {
        if !all.iter().any(|scenario| means(selector, scenario)) {
            let ids: Vec<String> = all.iter().map(|s| s.id.clone()).collect();
            let hint = nearest(selector, &ids).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
            let text = format!("nothing is selected by {selector:?}{hint} (see: proofhouse list scenarios)");
            return Err(Failure::new(ExitCode::Nothing, text));
        }
    }
    Ok(all.iter().filter(|s| selectors.iter().any(|selector| means(selector, s))).cloned().collect())
}

fn means(selector: &str, scenario: &Scenario) -> bool {
    let name = scenario.id.rsplit('/').next().unwrap_or(&scenario.id);
    glob(selector, &scenario.id)
        || glob(selector, name)
        || scenario.id.starts_with(&format!("{}/", selector.trim_end_matches('/')))
        || scenario.about.attack.eq_ignore_ascii_case(selector)
        || scenario.about.guidance.iter().any(|row| row.eq_ignore_ascii_case(selector))
}

/// `*` stands for anything, `?` for one character, `[a-c]` for one of these and `[!a-c]` for one of no others.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    let Some(first) = rest.next() else { return text.is_empty() };
    if first == '*' {
        let tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
        return tails.into_iter().any(|tail| glob(rest.as_str(), tail));
    }
    let mut of = text.chars();
    let Some(d) = of.next() else { return false };
    match (first, class(rest.as_str())) {
        ('[', Some((set, rest))) => in_class(set, d) && glob(rest, of.as_str()),
        _ => (first == '?' || first == d) && glob(rest.as_str(), of.as_str()),
    }
}

/// What stands between `[` and `]`, and what follows; `]` as the first character is one of the class. `None`: it never ends.
fn class(rest: &str) -> Option<(&str, &str)> {
    let from = usize::from(rest.starts_with('!'));
    let first = rest[from..].chars().next()?;
    let end = rest[from + first.len_utf8()..].find(']')? + from + first.len_utf8();
    Some((&rest[..end], &rest[end + 1..]))
}

fn in_class(set: &str, c: char) -> bool {
    let (set, wanted) = set.strip_prefix('!').map_or((set, true), |set| (set, false));
    let all: Vec<char> = set.chars().collect();
    let mut at = 0;
    while at < all.len() {
        let to = if all.get(at + 1) == Some(&'-') { all.get(at + 2) } else { None };
        let last = to.copied().unwrap_or(all[at]);
        if (all[at]..=last).contains(&c) {
            return wanted;
        }
        at += if to.is_some() { 3 } else { 1 };
    }
    !wanted
}

/// What the user asked for, beside scenarios and targets.
pub struct Matrix<'a> {
    /// Seeds.
    pub seeds: std::ops::Range<u64>,
    /// Only cases with this name.
    pub case: Option<&'a str>,
}

/// The trials: probes first, then scenario by scenario, and what was left out because no endpoint speaks its version. They have no
/// numbers yet: see [`number`].
pub fn jobs(
    scenarios: &[Arc<Scenario>],
    targets: &[Target],
    matrix: &Matrix<'_>,
    registry: &Registry,
) -> Result<(Vec<Job>, Vec<String>), Failure> {
    let mut jobs = probes(scenarios, targets, matrix, registry)?;
    let mut left_out = Vec::new();
    for target in targets {
        for scenario in scenarios.iter().filter(|scenario| speaks_all(target, scenario)) {
            for case in scenario.cases.iter().filter(|c| matrix.case.is_none_or(|glob_| glob(glob_, &c.name))) {
                if !speaks(target, &case.version) {
                    left_out.push(format!(
                        "{} {}: {} declares no endpoint for it",
                        scenario.id, case.name, target.spec.name
                    ));
                    continue;
                }
                for seed in matrix.seeds.clone() {
                    jobs.push(job(scenario, &case.name, seed, target, None));
                }
            }
        }
    }
    if jobs.iter().all(|job| job.probe.is_some()) {
        let speak: Vec<String> = targets.iter().map(endpoints).collect();
        let text = format!("nothing is selected: no case is left for these targets: {}", speak.join("; "));
        return Err(Failure::new(ExitCode::Nothing, text));
    }
    Ok((jobs, left_out))
}

/// Numbers the trials of a whole run from 1, and keeps those of one part, I of N: a trial has the same number in every part, and in
/// a run that is not cut. Probes are in all of them, since each part asks what the target can do.
pub fn number(mut jobs: Vec<Job>, shard: Option<(u32, u32)>) -> Result<Vec<Job>, Failure> {
    for (at, job) in jobs.iter_mut().enumerate() {
        let n = u32::try_from(at + 1).map_err(|_| Failure::new(ExitCode::Usage, "more than 2^32 trials"))?;
        job.n = TrialNo(n);
    }
    if let Some((i, n)) = shard {
        jobs.retain(|job| job.probe.is_some() || job.n.0 % n == i - 1);
    }
    Ok(jobs)
}

/// Scenarios of another protocol are not meant, and nobody wants to read their names.
pub fn speaks_all(target: &Target, scenario: &Scenario) -> bool {
    scenario.protocols.iter().all(|protocol| target.spec.endpoints.iter().any(|end| end.protocol == *protocol))
}

/// What a target speaks, in words: `lab declares mqtt 5 at plain`.
fn endpoints(target: &Target) -> String {
    let one = |end: &proofhouse_core::target::Endpoint| {
        let versions = end.versions.iter().map(|version| format!(" {version}")).collect::<String>();
        let role = if end.client { ", role = \"client\"" } else { "" };
        format!("{}{versions} at {}{role}", end.protocol, end.name)
    };
    let all: Vec<String> = target.spec.endpoints.iter().map(one).collect();
    format!("{} declares {}", target.spec.name, all.join(" and "))
}

fn speaks(target: &Target, version: &str) -> bool {
    let mut endpoints = target.spec.endpoints.iter();
    version.is_empty() || endpoints.any(|e| e.versions.is_empty() || e.versions.iter().any(|v| v == version))
}

/// One probe per target and capability that some selected scenario needs.
fn probes(
    scenarios: &[Arc<Scenario>],
    targets: &[Target],
    matrix: &Matrix<'_>,
    registry: &Registry,
) -> Result<Vec<Job>, Failure> {
    let mut needs: Vec<&String> = scenarios.iter().flat_map(|s| &s.needs).collect();
    needs.sort();
    needs.dedup();
    let mut jobs = Vec::new();
    for target in targets {
        for need in &needs {
            let Some(text) = gate::probe(registry, need) else { continue };
            let id = format!("probe/{need}");
            let scenario = Arc::new(Scenario::load(&id, &id, text, registry)?);
            let case = scenario.cases.iter().find(|c| speaks(target, &c.version) && speaks_all(target, &scenario));
            if let Some(case) = case {
                jobs.push(job(&scenario, &case.name, matrix.seeds.start, target, Some((*need).clone())));
            }
        }
    }
    Ok(jobs)
}

fn job(scenario: &Arc<Scenario>, case: &str, seed: u64, target: &Target, probe: Option<String>) -> Job {
    Job {
        n: TrialNo(0),
        scenario: scenario.clone(),
        case: case.into(),
        seed: Seed(seed),
        target: target.spec.clone(),
        probe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_a_question_mark_for_one() {
        for (pattern, text) in
            [("mqtt/mc-*", "mqtt/mc-03-takeover"), ("*", ""), ("a?c", "abc"), ("*b*", "abc"), ("é*", "éa")]
        {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("mqtt/mc-*", "mqtt/mb-03"), ("a?c", "ac"), ("", "a"), ("a", "")] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn brackets_stand_for_one_of_a_class() {
        for (pattern, text) in [
            ("mqtt/m[bc]-0[1-3]*", "mqtt/mc-03-takeover"),
            ("[!a-c]x", "dx"),
            ("[]]", "]"),
            ("[a-]", "-"),
            ("a[", "a["),
            ("[", "["),
            ("[é]", "é"),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("m[bc]", "ma"), ("m[b-c]", "md"), ("[!a-c]", "b"), ("[ab]", ""), ("[ab]", "ab"), ("[", "a")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }
}
