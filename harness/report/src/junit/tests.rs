use super::*;
use crate::run::Spared;
use crate::samples;

fn case(run: &Run, scenario: &str) -> String {
    let text = junit(run);
    let at = text.find(&format!("classname=\"{scenario}\"")).unwrap_or_else(|| panic!("{scenario} in\n{text}"));
    let begin = text[..at].rfind("<testcase").expect("it stands in a case");
    let end = text[at..].find("</testcase>").map_or(text.len(), |end| at + end);
    text[begin..end].to_owned()
}

#[test]
#[ignore = "writes the golden file anew"]
fn write_golden() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/junit/golden.xml");
    std::fs::write(path, junit(&samples::run())).expect("the golden file is written");
}

#[test]
fn the_document_is_as_it_was() {
    let golden = include_str!("golden.xml");
    assert_eq!(junit(&samples::run()), golden, "\n{}", junit(&samples::run()));
}

#[test]
fn a_finding_that_counts_is_a_failure() {
    let mut run = samples::run();
    run.results.trials.remove(0);
    let text = case(&run, "mqtt.mc-03-takeover");
    assert!(text.contains("<failure message=\"F-04040404: both stand\" type=\"conformance\">"), "{text}");
    assert!(
        text.contains("<property name=\"replay\" value=\"proofhouse replay findings/F-04040404-reference\"/>"),
        "{text}"
    );
}

#[test]
fn a_finding_that_does_not_count_is_skipped_and_stays_visible() {
    let text = case(&samples::run(), "mqtt.md-02-half-open");
    assert!(
        text.contains(
            "<skipped message=\"finding F-06060606 does not count, level should is below --fail-on: both stand\"/>"
        ),
        "{text}"
    );
    assert!(text.contains("<system-out>F-06060606"), "{text}");
    let mut run = samples::run();
    run.findings[1].spared = None;
    assert!(case(&run, "mqtt.md-02-half-open").contains("<failure"));
}

#[test]
fn a_failing_trial_without_its_finding_is_a_failure_all_the_same() {
    let mut run = samples::run();
    run.findings.clear();
    assert!(case(&run, "mqtt.md-02-half-open").contains("<failure message=\"closes-in-time: open\""));
}

#[test]
fn what_did_not_take_place_is_skipped_and_what_was_not_decided_is_an_error() {
    let run = samples::run();
    assert!(case(&run, "mqtt.mb-01-wildcard").contains("<skipped message=\"not applicable: lacks acl\"/>"));
    assert!(case(&run, "mqtt.mb-04-publish").contains("<skipped message=\"not run: needs 2 accounts\"/>"));
    assert!(case(&run, "mqtt.mb-06-will").contains("<error message=\"inconclusive: preconditions"));
    assert!(case(&run, "mqtt.me-01-length").contains("<error message=\"error: bug in Proofhouse"));
}

#[test]
fn several_seeds_are_one_test_that_is_as_good_as_its_worst() {
    let mut run = samples::run();
    run.results.trials = (0..3)
        .map(|n| samples::trial(n + 1, "mqtt/a", "5", if n == 1 { Verdict::Inconclusive } else { Verdict::Pass }, "?"))
        .collect();
    let text = junit(&run);
    assert!(text.contains("tests=\"1\"") && text.contains("<error"), "{text}");
    assert!(text.contains("<property name=\"seeds\" value=\"3\"/>") && text.contains("time=\"0.036\""), "{text}");
}

#[test]
fn text_from_outside_stays_text() {
    let mut run = samples::hostile();
    for spared in [None, Some(Spared::Suspicion)] {
        run.findings.iter_mut().for_each(|f| f.spared = spared.clone());
        let text = junit(&run);
        for raw in ["</script>", "<img", "]]>", "\u{1b}", "\u{202e}"] {
            assert!(!text.contains(raw), "{raw:?} is raw in\n{text}");
        }
    }
}

#[test]
fn an_empty_run_still_has_a_report() {
    let mut run = samples::run();
    run.results.trials.clear();
    run.findings.clear();
    assert!(junit(&run).contains("tests=\"0\""));
}
