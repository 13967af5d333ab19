//! What is printed about the scenarios stands where people read it.
mod common;

use common::{expect_code, results, run, stdout};

#[test]
fn the_index_of_scenarios_is_the_printed_one() {
    let out = run(std::path::Path::new("."), &["list", "scenarios", "--markdown"]);
    expect_code(&out, 0);
    let stored = include_str!("../../../scenarios/README.md");
    assert!(stdout(&out) == stored, "write it again: proofhouse list scenarios --markdown > scenarios/README.md");
}

#[test]
fn the_template_loads_and_is_proven_on_its_twin() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("s")).unwrap();
    std::fs::write(temp.path().join("s/mine.toml"), include_str!("../../../scenarios/_template.toml")).unwrap();
    expect_code(&run(temp.path(), &["validate", "mine", "--scenarios", "s", "--seeds", "2"]), 0);
}

#[test]
fn every_scenario_has_a_valid_cvss_vector_guidance_that_exists_and_a_twin() {
    let out = run(std::path::Path::new("."), &["list", "guidance"]);
    let rows = stdout(&out);
    let known: Vec<&str> = rows.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(known.len(), 58, "the rows of the catalogue");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/mqtt");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let vector = text["cvss"].as_str().unwrap_or_default();
        assert!(vector.parse::<cvss::v4::Vector>().is_ok(), "{}: {vector}", path.display());
        let guidance = text["guidance"].as_array().unwrap();
        let fine = guidance.iter().all(|row| known.contains(&row.as_str().unwrap()));
        assert!(!guidance.is_empty() && fine, "{}: {guidance:?}", path.display());
        assert!(!text["twin"].as_table().unwrap().is_empty(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 15, "{seen} scenarios");
}

#[test]
fn a_run_says_which_statements_of_the_standards_it_has_armed() {
    let temp = tempfile::tempdir().unwrap();
    let words = ["run", "mqtt/workload", "--target", "reference", "--out", "r", "-q", "--format", "json,md"];
    expect_code(&run(temp.path(), &words), 0);
    let listed = run(temp.path(), &["list", "--by-clause", "r"]);
    expect_code(&listed, 0);
    let text = stdout(&listed);
    let line = |clause: &str| text.lines().find(|line| line.starts_with(clause)).map(ToOwned::to_owned);
    assert!(line("MQTT5 3.8.4-1 ").is_some_and(|line| !line.contains("not armed")), "{text}");
    assert!(
        line("MQTT5 3.1.2-2 ").is_some_and(|line| line.contains("not armed")),
        "nobody says a reserved bit: {text}"
    );
    assert!(line("RFC ").is_none(), "no CoAP was spoken");
    let last: Vec<&str> = text.lines().rev().take(2).collect();
    for (said, name, of) in [(last[1], "mqtt5", 251), (last[0], "mqtt3", 141)] {
        let stored = results(&temp.path().join("r"));
        let row = stored["coverage"].as_array().unwrap().iter().find(|row| row["document"] == name).unwrap();
        assert_eq!(said, format!("{name}: {} of {of} armed", row["armed"]));
        let report = std::fs::read_to_string(temp.path().join("r/report.md")).unwrap();
        assert!(report.contains(&format!("- {name}: {} of {of} statements armed", row["armed"])), "{report}");
    }
    expect_code(&run(temp.path(), &["list", "--by-clause"]), 2);
    expect_code(&run(temp.path(), &["list", "--by-clause", "oracles"]), 2);
    expect_code(&run(temp.path(), &["list", "oracles", "--by-clause", "r"]), 2);
    expect_code(&run(temp.path(), &["list", "--by-clause", "nowhere"]), 3);
}
