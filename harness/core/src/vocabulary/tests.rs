//! The tables and the reader know the same keys and the same words.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::document::LoadError;
use crate::scenario::{Scenario, stub_registry};
use crate::target::TargetSpec;

/// A scenario in which every table stands once; `@` marks the places, by the table's name.
const SCENARIO_FILE: &str = r#"#@a scenario
format = 1
title = "x"
protocol = "stub"
version = "2"
limit = "20s"
[party.foe]
#@a party
[party.foe.may]
#@rights
[network]
#@link faults
[network.cut]
#@a cut
after = "1s"
[network.stall]
#@a stall
after = "1s"
for = "1s"
[fleet.foe]
#@a fleet
behaviour = "script"
[[fleet.foe.step]]
do = "hello"
part = "control"
mark = "m"
[fleet.foe.step.expect]
#@an outcome
type = "welcome"
[[fleet.foe.step]]
#@a step
do = "open"
part = "stimulus"
[[expect]]
#@an expectation
oracle = "no-crash"
[control]
#@the control arm
without = ["foe.m"]
[control.expect]
#@what the control arm must see
at = "foe"
type = "welcome"
"#;

const PROCESS_FILE: &str = r##"#@a target
format = 1
kind = "process"
[process]
#@a process
program = "x"
[process.ready]
#@readiness
after = "1s"
[process.version]
#@a version
run = "x"
match = "x"
[[endpoint]]
#@an endpoint
protocol = "stub"
address = "127.0.0.1:1"
[account.add]
#@a change
run = "x"
[account.grant]
#@grants
[account]
#@accounts
[account.reload]
#@a reload
signal = "HUP"
[account.reload.done]
#@the end of a reload
log = "x"
[[account.given]]
#@a given account
name = "x"
password_env = "X"
[account.given.may]
#@rights
[[known]]
#@an accepted finding
signature = "x"
reason = "x"
"##;

type Load = fn(&str) -> Result<(), LoadError>;

fn scenario(text: &str) -> Result<(), LoadError> {
    Scenario::load("stub/x", "x.toml", text, &stub_registry()).map(drop)
}

fn target(text: &str) -> Result<(), LoadError> {
    TargetSpec::load("x", "x.toml", text, &stub_registry()).map(drop)
}

/// What the reader knows at the place of this table: it says so where a key is unknown.
fn read_there(file: &str, table: &str, line: &str, load: Load) -> BTreeSet<String> {
    let text: String = file
        .lines()
        .map(|at| if at.strip_prefix("#@") == Some(table) { format!("{line}\n") } else { format!("{at}\n") })
        .collect();
    let error = load(&text).expect_err(&format!("{table}: {line} must not load:\n{text}"));
    assert!(error.unknown.is_some(), "{table}: {error}");
    error.known.into_iter().collect()
}

fn names(table: &Table) -> BTreeSet<String> {
    table.words(&stub_registry()).iter().map(|word| word.name.to_string()).collect()
}

fn check(file: &str, table: &Table, apart: &[&str], load: Load) {
    let mut told = names(table);
    for name in apart {
        assert!(told.remove(*name), "{}: {name}", table.what);
    }
    assert_eq!(read_there(file, table.what, "zzzzzz = 1", load), told, "{}", table.what);
}

#[test]
fn the_tables_of_scenarios_hold_the_keys_that_the_reader_asks_for() {
    for table in scenario_tables() {
        match table.what {
            // Rows of the matrix are gone before the rest is read.
            "a scenario" => check(SCENARIO_FILE, table, &["case", "cases"], scenario),
            // Every key that is no other is a field of the packet, or a value of the case.
            "an outcome" | "what the control arm must see" | "a case" => assert!(matches!(table.more, More::Anything)),
            _ => check(SCENARIO_FILE, table, &[], scenario),
        }
    }
}

#[test]
fn the_tables_of_targets_hold_the_keys_that_the_reader_asks_for() {
    for table in target_tables() {
        let apart: &[&str] = if table.what == "a target" { &["build", "flaws"] } else { &[] };
        check(PROCESS_FILE, table, apart, target);
    }
    let in_process = "#@a target\nformat = 1\nkind = \"in-process\"\nbuild = \"x\"\n[[endpoint]]\nprotocol = \"stub\"\naddress = \"127.0.0.1:1\"\n";
    check(in_process, &TARGET, &["process"], target);
}

#[test]
fn the_words_of_a_key_are_those_that_the_reader_knows() {
    let mut seen = 0;
    let all: [(&str, Vec<&'static Table>, Load); 2] =
        [(SCENARIO_FILE, scenario_tables(), scenario), (PROCESS_FILE, target_tables(), target)];
    for (file, tables, load) in all {
        for table in tables {
            for word in table.keys {
                let Shape::Words(words) = word.shape else { continue };
                // Once only in a table: where the file says it already, its own line goes.
                let file: String = file
                    .lines()
                    .filter(|line| table.what != "a target" || !line.starts_with(&format!("{} = ", word.name)))
                    .filter(|line| table.what != "a step" || *line != "part = \"stimulus\"")
                    .map(|line| format!("{line}\n"))
                    .collect();
                let told = words.iter().map(ToString::to_string).collect();
                let line = format!("{} = \"zzzzzz\"", word.name);
                assert_eq!(read_there(&file, table.what, &line, load), told, "{}: {}", table.what, word.name);
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "{seen} keys with words");
}

#[test]
fn what_is_required_is_missed_and_every_key_says_something() {
    for (name, text) in [("title", "format = 1\n"), ("limit", "format = 1\ntitle = \"x\"\n")] {
        assert!(scenario(text).unwrap_err().message.contains(&format!("missing key {name:?}")));
        assert!(SCENARIO.keys.iter().any(|word| word.name == name && word.required));
    }
    for table in scenario_tables().into_iter().chain(target_tables()) {
        let words = table.words(&stub_registry());
        assert!(words.iter().all(|word| !word.doc.is_empty()), "{}", table.what);
        assert_eq!(names(table).len(), words.len(), "{}: a key twice", table.what);
    }
}
