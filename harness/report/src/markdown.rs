//! `report.md`: what a run came to, for a pull request or a wiki.
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use proofhouse_core::results::FindingRow;

use crate::run::{Run, VERDICTS};
use crate::words::{cut, uri, visible};

const TEMPLATE: &str = include_str!("markdown.md.jinja");
/// Rows of the table of trials: what a wiki still renders.
const TRIALS_MAX: usize = 2_000;
/// Characters of one cell.
const CELL_MAX: usize = 1_200;

/// The report as Markdown. Text of targets is escaped, so that a hostile log line cannot write the report.
///
/// # Panics
/// When the template is wrong, which the tests would have shown.
#[must_use]
pub fn markdown(run: &Run) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are consistent"));
    environment.add_filter("plain", |text: &str| plain(text));
    environment.add_filter("code", |text: &str| visible(text).replace('`', "'"));
    environment.add_filter("uri", |text: &str| uri(text));
    environment.add_template("report", TEMPLATE).expect("the template reads");
    let template = environment.get_template("report").expect("it was added above");
    let results = &run.results;
    let spared = |row: &FindingRow| {
        let found = run.findings.iter().find(|f| f.path == row.path);
        found.and_then(|f| f.spared.as_ref()).map(ToString::to_string).unwrap_or_default()
    };
    let findings: Vec<(&FindingRow, String)> = results.findings.iter().map(|row| (row, spared(row))).collect();
    template
        .render(context! {
            results => Serde(results),
            findings => Serde(findings),
            counts => Serde(counts(run)),
            exit => context! { code => run.exit.code, meaning => run.exit.meaning.clone() },
            trials => Serde(results.trials.iter().take(TRIALS_MAX).collect::<Vec<_>>()),
            remarks => Serde(run.remarks()),
            left_out => results.trials.len().saturating_sub(TRIALS_MAX),
        })
        .expect("every name in the template is set")
}

fn counts(run: &Run) -> Vec<(&'static str, usize)> {
    let count = |verdict: proofhouse_core::verdict::Verdict| (verdict.name(), run.results.count(verdict));
    VERDICTS.into_iter().map(count).filter(|(_, n)| *n > 0).collect()
}

/// One line that is nothing but text in Markdown, in a table cell too.
fn plain(text: &str) -> String {
    let text = cut(&visible(text), CELL_MAX);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '&' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn every_finding_and_every_open_trial_is_in_the_report() {
        let text = markdown(&samples::run());
        for part in ["F-04040404", "MQTT5 3.1.4-3", "CWE-694", "2 fail", "2 pass", "findings/F-04040404-reference"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.contains("exit code not moved: level should is below --fail-on"), "{text}");
    }

    #[test]
    fn a_remark_is_in_the_report_once() {
        let mut run = samples::run();
        assert!(!markdown(&run).contains("## Remarks"));
        run.results.trials.iter_mut().for_each(|trial| trial.remarks = vec!["a caught KeyError".into()]);
        assert!(markdown(&run).contains("- 8 trial(s), such as `mqtt/mc-03-takeover`: a caught KeyError"));
    }

    #[test]
    fn text_from_outside_stays_text() {
        let text = markdown(&samples::hostile());
        assert!(text.contains("\\<img src=x"), "{text}");
        for raw in ["</script>", " <img", "\u{1b}", "\u{202e}", " ]]> "] {
            assert!(!text.contains(raw), "{raw:?} is raw in\n{text}");
        }
    }

    #[test]
    fn an_empty_run_still_has_a_report() {
        let mut empty = samples::run();
        empty.results.trials.clear();
        empty.results.findings.clear();
        empty.findings.clear();
        assert!(markdown(&empty).contains("0 trials"));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut run = samples::run();
        let row = run.results.trials[0].clone();
        run.results.trials = vec![row; 20_000];
        let text = markdown(&run);
        assert!(text.contains("18000 more trials are in [results.json]"), "{}", &text[text.len() - 200..]);
    }
}
