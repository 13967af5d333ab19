//! `results.json`: from the types that write it, read where they are declared, so that no field can be forgotten.
use proofhouse_core::finding::Standing;
use proofhouse_core::severity::{FindingKind, Level};
use serde_json::{Map, Value, json};

use super::DRAFT;

/// Where the types stand: plain structs with a doc line for each field.
const DECLARED: &str = include_str!("../../../../core/src/results.rs");
const VERDICTS: [proofhouse_core::verdict::Verdict; 6] = {
    use proofhouse_core::verdict::Verdict;
    [Verdict::NotApplicable, Verdict::Pass, Verdict::Inconclusive, Verdict::NotRun, Verdict::Error, Verdict::Fail]
};

/// Schema of `results.json`.
pub fn results() -> Value {
    let mut definitions = structs(DECLARED);
    let mut top = definitions.remove("Results").expect("core::results declares Results");
    top["$schema"] = DRAFT.into();
    top["title"] = "Proofhouse results".into();
    definitions.insert("Verdict".into(), json!({ "enum": VERDICTS }));
    definitions.insert("Level".into(), json!({ "enum": Level::WORDS.map(|(word, _)| word) }));
    definitions.insert("FindingKind".into(), json!({ "enum": FindingKind::WORDS.map(|(word, _)| word) }));
    definitions.insert("Standing".into(), json!({ "enum": [Standing::Confirmed, Standing::Suspicion] }));
    definitions
        .insert("Repeats".into(), json!({ "type": "string", "pattern": "^(exact|not replayed|[0-9]+ of [0-9]+)$" }));
    top["$defs"] = definitions.into();
    top
}

/// Every `pub struct` of a source file.
fn structs(source: &str) -> Map<String, Value> {
    let mut all = Map::new();
    let mut lines = source.lines();
    let mut doc: Vec<&str> = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            all.insert(name.to_owned(), object(&doc.join(" "), &body));
        }
        keep_doc(line, &mut doc);
    }
    all
}

/// Doc lines pile up until something else stands there; attributes do not count.
fn keep_doc<'l>(line: &'l str, doc: &mut Vec<&'l str>) {
    let line = line.trim_start();
    match line.strip_prefix("/// ") {
        Some(text) => doc.push(text),
        None if line.starts_with("#[") => {}
        None => doc.clear(),
    }
}

fn object(about: &str, body: &[&str]) -> Value {
    let (mut properties, mut required, mut doc, mut optional) = (Map::new(), Vec::new(), Vec::new(), false);
    for line in body {
        optional |= line.trim_start().starts_with("#[serde(");
        if let Some((name, kind)) = line.trim().strip_prefix("pub ").and_then(|field| field.split_once(": ")) {
            let mut schema = kind_of(kind.trim_end_matches(','));
            schema["description"] = doc.join(" ").replace(['[', ']'], "").into();
            properties.insert(name.to_owned(), schema);
            if !std::mem::take(&mut optional) {
                required.push(name);
            }
        }
        keep_doc(line, &mut doc);
    }
    // Fields may come in later versions of Proofhouse; whoever reads these files ignores what it does not know.
    json!({ "type": "object", "description": about, "required": required, "properties": properties })
}

fn kind_of(kind: &str) -> Value {
    if let Some(inner) = kind.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>')) {
        return json!({ "type": "array", "items": kind_of(inner) });
    }
    if let Some(inner) = kind.strip_prefix("Option<").and_then(|rest| rest.strip_suffix('>')) {
        return json!({ "anyOf": [kind_of(inner), { "type": "null" }] });
    }
    match kind {
        "String" => json!({ "type": "string" }),
        "bool" => json!({ "type": "boolean" }),
        "f64" => json!({ "type": "number" }),
        "u8" | "u16" | "u32" | "u64" => json!({ "type": "integer", "minimum": 0 }),
        "i64" => json!({ "type": "integer" }),
        other => json!({ "$ref": format!("#/$defs/{other}") }),
    }
}
