//! `report.md`: what a run came to, for a pull request or a wiki.
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use proofhouse_core::results::Results;
use proofhouse_core::verdict::Verdict;

const TEMPLATE: &str = include_str!("markdown.md.jinja");

/// The report as Markdown. Text of targets is escaped, so that a hostile log line cannot write the report.
///
/// # Panics
/// When the template is wrong, which the tests would have shown.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are consistent"));
    environment.add_filter("plain", |text: &str| plain(text));
    environment.add_template("report", TEMPLATE).expect("the template reads");
    let template = environment.get_template("report").expect("it was added above");
    template
        .render(context! { results => Serde(results), counts => Serde(counts(results)) })
        .expect("every name in the template is set")
}

fn counts(results: &Results) -> Vec<(&'static str, usize)> {
    [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::NotApplicable, Verdict::NotRun, Verdict::Error]
        .into_iter()
        .map(|verdict| (verdict.name(), results.count(verdict)))
        .filter(|(_, n)| *n > 0)
        .collect()
}

/// One line that is nothing but text in Markdown, in a table cell too.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proofhouse_core::results::{FORMAT, FindingRow, TrialRow};

    fn trial(n: u32, verdict: Verdict) -> TrialRow {
        TrialRow {
            n,
            scenario: "mqtt/mc-03-takeover".into(),
            case: "5".into(),
            target: "reference".into(),
            target_version: "1".into(),
            seed: 7,
            verdict,
            reason: "both | alive".into(),
            wall_ms: 12,
        }
    }

    fn results() -> Results {
        let finding = FindingRow {
            id: "F-3f9a1c27".into(),
            signature: "3f9a".into(),
            verdict: "fail".into(),
            kind: "conformance".into(),
            level: "must".into(),
            title: "A <b>title</b>".into(),
            scenario: "mqtt/mc-03-takeover".into(),
            case: "5".into(),
            target: "reference".into(),
            oracle: "session-exclusive".into(),
            clause: "MQTT5 3.1.4-3".into(),
            expected: "closed".into(),
            actual: "open".into(),
            cvss: "CVSS:4.0/AV:N".into(),
            cwe: vec![694],
            guidance: vec!["HRD-1".into()],
            attack: "MC-03".into(),
            replay: "exact".into(),
            path: "findings/F-3f9a1c27-reference".into(),
        };
        Results {
            format: FORMAT,
            run: "r".into(),
            trials: vec![trial(1, Verdict::Fail), trial(2, Verdict::Pass)],
            findings: vec![finding],
        }
    }

    #[test]
    fn every_finding_and_every_open_trial_is_in_the_report() {
        let text = markdown(&results());
        for part in ["F-3f9a1c27", "MQTT5 3.1.4-3", "CWE-694", "1 fail", "1 pass", "findings/F-3f9a1c27-reference"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn text_from_outside_stays_text() {
        let text = markdown(&results());
        assert!(text.contains("A \\<b\\>title"), "{text}");
        assert!(text.contains("both \\| alive"), "{text}");
    }

    #[test]
    fn an_empty_run_still_has_a_report() {
        let empty = Results { format: FORMAT, run: "r".into(), trials: vec![], findings: vec![] };
        assert!(markdown(&empty).contains("0 trials"));
    }
}
