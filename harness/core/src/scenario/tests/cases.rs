//! Laws of the matrix.
use super::*;

const MATRIX: &str = r#"format   = 1
title    = "x"
protocol = "stub"
limit    = "20s"
segments = ["whole", "1B"]
version  = ["1", "2"]

[[case]]
name = "a"
hex  = "ff {mid}"
any  = [{ closed = true }]
[[case]]
name = "b"
hex  = "00"
any  = [{ silence = "3s" }, { type = "bye" }]

[fleet.foe]
behaviour = "script"
step = [
  { do = "hello", part = "control" },
  { do = "send", hex = "01 {case.hex} 02", part = "stimulus" },
  { do = "expect", any = "{case.any}" },
]

[[expect]]
oracle = "stub-closes"
"#;

fn names(text: &str) -> Vec<String> {
    load(text).cases.into_iter().map(|case| case.name).collect()
}

#[test]
fn cases_are_versions_times_segments_times_rows() {
    assert_eq!(
        names(MATRIX),
        ["1/whole/a", "1/whole/b", "1/1B/a", "1/1B/b", "2/whole/a", "2/whole/b", "2/1B/a", "2/1B/b"]
    );
}

#[test]
fn what_is_no_matrix_has_no_part_in_the_name() {
    let text = MATRIX.replace("segments = [\"whole\", \"1B\"]\n", "").replace("[\"1\", \"2\"]", "[\"2\"]");
    assert_eq!(names(&text), ["a", "b"]);
    assert_eq!(names(PLAIN), [""]);
    assert_eq!(names(&PLAIN.replace("version  = \"2\"", "version = [\"1\", \"2\"]")), ["1", "2"]);
}

#[test]
fn a_case_fills_its_values_in_of_any_type_and_inside_hex() {
    let scenario = load(MATRIX);
    let plan = plan_of(&scenario, "2/1B/b", 1);
    assert_eq!((plan.version.as_str(), plan.segments), ("2", crate::plan::Segments::Each(1)));
    let steps = &plan.fleets[0].steps;
    assert_eq!(steps[1].fields.text("hex"), Some("01 00 02"));
    assert_eq!(steps[2].any.len(), 2);
    let first = plan_of(&scenario, "1/whole/a", 1);
    assert_eq!(first.fleets[0].steps[1].fields.text("hex"), Some("01 ff {mid} 02"));
}

#[test]
fn a_planned_tree_has_no_matrix_left() {
    let plan = plan_of(&load(MATRIX), "2/1B/b", 1);
    assert!(plan.tree.find("case").is_none());
    assert_eq!(plan.tree.find("version").and_then(Located::text), Some("2"));
    assert_eq!(plan.tree.find("segments").and_then(Located::text), Some("1B"));
    assert_eq!(names(&plan.to_toml()), [""]);
}

#[test]
fn a_named_list_has_the_rows_of_its_version() {
    let text = PLAIN
        .replace("version  = \"2\"", "version = [\"1\", \"2\"]\ncases = \"stub.matrix\"")
        .replace("{ do = \"hello\", expect", "{ do = \"{case.lead_in}\" },\n  { do = \"hello\", expect")
        .replace("hex = \"00 ff\"", "frame = \"{case.frame}\"");
    assert_eq!(names(&text), ["1/first", "1/second", "2/first", "2/second", "2/third"]);
    let plan = plan_of(&load(&text), "2/second", 1);
    assert_eq!(plan.fleets[0].steps[0].verb, "hello");
    let frame = plan.fleets[0].steps[2].fields.find("frame").expect("frame").clone();
    assert!(matches!(frame, crate::value::Value::Table(fields) if fields.int("flags") == Some(15)));
}

#[test]
fn a_case_that_does_not_exist_has_no_plan() {
    let error = load(MATRIX).plan("3/whole/a", Seed(0), &target(), &registry()).expect_err("no such case");
    assert_eq!(error.to_string(), "stub/x has no case \"3/whole/a\"");
}
