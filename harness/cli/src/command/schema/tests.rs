//! Every file of the tree is of its schema, and wrong ones are not. The checker knows the words that our schemas use, and refuses others.
use std::path::{Path, PathBuf};

use proofhouse_core::results::{ArmedRow, CoverageRow, FindingRow, Results, TrialRow};
use proofhouse_core::verdict::Verdict;
use serde_json::{Value, json};

use super::*;

/// What is wrong with `value`, with its place; nothing where all is well.
fn wrong(schema: &Value, value: &Value, root: &Value, at: &str) -> Vec<String> {
    if *schema == Value::Bool(false) {
        return vec![format!("{at}: nothing may stand here")];
    }
    let Some(rules) = schema.as_object() else { return Vec::new() };
    let is = |schema: &Value, value: &Value| wrong(schema, value, root, at).is_empty();
    let list = |rule: &Value| rule.as_array().expect("a list").clone();
    let (mut all, mut said) = (Vec::new(), Vec::new());
    let mut say = |fine: bool, what: &str| {
        if !fine {
            said.push(format!("{at}: {what}"));
        }
    };
    let fields = value.as_object();
    for (rule, told) in rules {
        match rule.as_str() {
            "$schema" | "title" | "description" | "$defs" | "then" | "properties" | "items" => {}
            "type" => say(is_of(value, told.as_str().unwrap()), &format!("is no {told}")),
            "enum" => say(list(told).contains(value), &format!("{value} is none of {told}")),
            "const" => say(told == value, &format!("{value} is not {told}")),
            "minimum" => say(value.as_f64() >= told.as_f64(), "is too small"),
            "pattern" => {
                let pattern = regex_lite::Regex::new(told.as_str().unwrap()).unwrap();
                say(value.as_str().is_none_or(|text| pattern.is_match(text)), &format!("{value} is not {told}"));
            }
            "required" => {
                for name in list(told) {
                    say(fields.is_none_or(|f| f.contains_key(name.as_str().unwrap())), &format!("{name} is missing"));
                }
            }
            "anyOf" => say(list(told).iter().any(|one| is(one, value)), &format!("{value} fits none of its schemas")),
            "allOf" => all.extend(list(told).iter().flat_map(|one| wrong(one, value, root, at))),
            "if" if is(told, value) => all.extend(wrong(&rules["then"], value, root, at)),
            "if" => {}
            "propertyNames" => {
                for name in fields.into_iter().flatten().map(|(name, _)| json!(name)) {
                    all.extend(wrong(told, &name, root, at));
                }
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                for (name, one) in fields.into_iter().flatten() {
                    if !known.is_some_and(|known| known.contains_key(name)) {
                        all.extend(wrong(told, one, root, &format!("{at}.{name}")));
                    }
                }
            }
            "$ref" => all.extend(wrong(&root["$defs"][&told.as_str().unwrap()[8..]], value, root, at)),
            other => panic!("the checker does not know {other:?}"),
        }
    }
    for (name, one) in rules.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(inner) = fields.and_then(|fields| fields.get(name)) {
            all.extend(wrong(one, inner, root, &format!("{at}.{name}")));
        }
    }
    if let (Some(items), Some(values)) = (rules.get("items"), value.as_array()) {
        all.extend(values.iter().flat_map(|one| wrong(items, one, root, &format!("{at}[]"))));
    }
    all.extend(said);
    all
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}

fn toml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            toml_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "toml") {
            found.push(path);
        }
    }
}

fn tree(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder)
}

fn read(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap_or_else(|e| panic!("{e}\n{text}"))).unwrap()
}

#[test]
fn every_scenario_of_the_tree_is_of_the_schema() {
    let schema = of_files::scenario(&registry());
    let mut files = Vec::new();
    toml_files(&tree("scenarios"), &mut files);
    files.retain(|file| !file.parent().unwrap().ends_with("guidance"));
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(wrong(&schema, &read(&text), &schema, ""), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn every_target_file_of_the_tree_is_of_the_schema() {
    let schema = of_files::target(&registry());
    for name in crate::library::target_names() {
        let text = std::fs::read_to_string(tree("targets").join(format!("{name}.toml"))).unwrap();
        assert_eq!(wrong(&schema, &read(&text), &schema, ""), Vec::<String>::new(), "{name}");
    }
}

/// The template with one line changed must be refused, at this place.
#[track_caller]
fn check(from: &str, to: &str, place: &str) {
    let schema = of_files::scenario(&registry());
    let text = include_str!("../../../../../scenarios/_template.toml");
    assert!(text.contains(from), "the template has no {from}");
    let found = wrong(&schema, &read(&text.replacen(from, to, 1)), &schema, "");
    assert!(found.iter().any(|line| line.contains(place)), "{to} must be refused at {place}: {found:?}");
}

#[test]
fn wrong_scenarios_are_not_of_the_schema() {
    check("limit  ", "lmit  ", "\"limit\" is missing");
    check("limit  ", "x = 1\nlimit  ", ".x");
    check("\"must\"", "\"mist\"", ".level");
    check("\"20s\"", "\"20\"", ".limit");
    check("behaviour = \"script\"", "behaviour = \"scripted\"", "behaviour");
    check("do = \"connect\"", "do = \"conect\"", "step");
    check("client_id = ", "clientid = ", "step");
    check("within = \"1500ms\"", "within = 1500", "step");
    check("[[expect]]\noracle = \"session-exclusive\"", "[[expect]]\noracle = \"session-exclusiv\"", ".expect");
    check("keeps-both-sessions = \"session-exclusive\"", "keeps-both = \"session-exclusive\"", "keeps-both");
    check("[\"3.1.1\", \"5\"]", "[\"3.1.1\", \"6\"]", ".version");
}

#[test]
fn a_key_of_another_oracle_or_behaviour_is_not_of_the_schema() {
    check("within = \"1s\"", "factor_max = 3.0", ".expect");
    check("behaviour = \"script\"", "behaviour = \"script\"\nevery = \"1s\"", "every");
}

#[test]
fn wrong_targets_are_not_of_the_schema() {
    let schema = of_files::target(&registry());
    let text = std::fs::read_to_string(tree("targets/mosquitto.toml")).unwrap();
    for (from, to) in [
        ("kind   = \"process\"", "kind = \"proces\""),
        ("program = ", "programm = "),
        ("protocol = \"mqtt\"", "protocol = \"amqp\""),
        ("within = \"15s\"", "within = 15"),
        ("\"acl\", \"sessions\"", "\"acll\", \"sessions\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(!wrong(&schema, &read(&changed), &schema, "").is_empty(), "{to}");
    }
}

#[test]
fn results_are_of_their_schema_field_by_field() {
    let schema = of_results::results();
    let text = |name: &str| name.to_owned();
    let trial = TrialRow {
        n: proofhouse_core::ids::TrialNo(1),
        scenario: text("s"),
        case: text(""),
        target: text("t"),
        target_version: text(""),
        seed: u64::MAX,
        verdict: Verdict::NotApplicable,
        reason: text("r"),
        wall_ms: 1,
        findings: vec![proofhouse_core::finding::Signature(text("s"))],
        remarks: vec![text("m")],
    };
    let mut finding = json!({ "cwe": [1], "guidance": ["HRD-1"], "not_replayed": ["no port was free"], "verdict": "fail", "replay": "2 of 3", "kind": "crash", "level": "must" });
    for (name, told) in schema["$defs"]["FindingRow"]["properties"].as_object().unwrap() {
        assert!(!told["description"].as_str().unwrap().is_empty(), "{name}");
        if finding.get(name).is_none() {
            finding[name] = "x".into();
        }
    }
    let finding: FindingRow = serde_json::from_value(finding).unwrap();
    let covered = CoverageRow { document: text("mqtt5"), armed: 1, of: 251 };
    let armed = ArmedRow { clause: text("MQTT5 3.1.4-3"), by: vec![text("takeover")], armed: 2, broken: 1 };
    let results = Results {
        format: 1,
        run: text("r"),
        trials: vec![trial],
        findings: vec![finding],
        coverage: vec![covered],
        statements: vec![armed],
    };
    let mut value = serde_json::to_value(&results).unwrap();
    assert_eq!(wrong(&schema, &value, &schema, ""), Vec::<String>::new());
    for (place, of) in
        [("findings", "FindingRow"), ("trials", "TrialRow"), ("coverage", "CoverageRow"), ("statements", "ArmedRow")]
    {
        let fields: Vec<&String> = value[place][0].as_object().unwrap().keys().collect();
        let told: Vec<&String> = schema["$defs"][of]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(fields, told, "{of}");
    }
    value["trials"][0]["verdict"] = "maybe".into();
    assert!(wrong(&schema, &value, &schema, "").len() == 1);
    value["findings"][0].as_object_mut().unwrap().remove("signature");
    assert!(wrong(&schema, &value, &schema, "").len() == 2);
}
