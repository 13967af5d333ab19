//! Scenario and target files: from the tables in `core::vocabulary` and the rows of the registry.
use std::collections::BTreeMap;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::registry::Registry;
use proofhouse_core::script;
use proofhouse_core::vocabulary::{More, Shape, Sort, Table, Word, scenario_tables, target_tables};
use serde_json::{Map, Value, json};

use super::DRAFT;

/// Schema of a scenario file.
pub fn scenario(registry: &Registry) -> Value {
    Maker { registry, cases: true }.whole(&scenario_tables(), "Proofhouse scenario")
}

/// Schema of a target file.
pub fn target(registry: &Registry) -> Value {
    Maker { registry, cases: false }.whole(&target_tables(), "Proofhouse target")
}

struct Maker<'r> {
    registry: &'r Registry,
    /// `"{case.k}"` may stand for any value, and a range for a number.
    cases: bool,
}

/// Rows that a name chooses: what they are about, and their keys.
struct Row {
    name: &'static str,
    doc: &'static str,
    keys: &'static [Key],
}

impl Maker<'_> {
    /// The outermost table, and every other one and every sort of names once, to be referred to.
    fn whole(&self, tables: &[&Table], title: &str) -> Value {
        let mut definitions: Map<String, Value> =
            tables.iter().skip(1).map(|table| (slug(table.what), self.table(table))).collect();
        definitions.extend(SORTS.iter().map(|sort| (sort_slug(*sort), self.name(*sort))));
        let mut schema = self.table(tables[0]);
        schema["$schema"] = DRAFT.into();
        schema["title"] = title.into();
        schema["$defs"] = definitions.into();
        schema
    }

    fn table(&self, table: &Table) -> Value {
        let mut properties: Map<String, Value> =
            table.words(self.registry).iter().map(|word| (word.name.to_owned(), self.word(word))).collect();
        let required: Vec<&str> = table.keys.iter().filter(|word| word.required).map(|word| word.name).collect();
        let mut schema = json!({ "type": "object", "required": required });
        match table.more {
            More::Nothing | More::Rows(_) => schema["additionalProperties"] = false.into(),
            More::Anything => {}
            More::Of(by, sort) => {
                let rows = self.rows(sort);
                schema["allOf"] = rows.iter().map(|(name, rows)| self.chosen(table, by, name, rows)).collect();
                for (name, docs) in keys_of(&rows) {
                    // The kind is told where the row is known; here stands what editors show.
                    properties.entry(name).or_insert_with(|| json!({ "description": docs.join("; ") }));
                }
                schema["additionalProperties"] = false.into();
            }
        }
        schema["properties"] = properties.into();
        schema
    }

    /// Where the key `by` says `name`: only the keys of the table and of these rows, and the rows' kinds.
    fn chosen(&self, table: &Table, by: &str, name: &str, rows: &[Row]) -> Value {
        let own = rows.iter().flat_map(|row| row.keys);
        let names: Vec<&str> = table.keys.iter().map(|word| word.name).chain(own.clone().map(|key| key.name)).collect();
        let mut properties = Map::new();
        for key in own.filter(|key| !table.keys.iter().any(|word| word.name == key.name)) {
            let one = described(self.kind(key.kind), key.doc);
            // Two protocols may use one name differently: then either may stand.
            let both = match properties.remove(key.name) {
                Some(other) if other != one => json!({ "anyOf": [other, one] }),
                _ => one,
            };
            properties.insert(key.name.into(), both);
        }
        json!({
            "if": { "properties": { by: { "const": name } }, "required": [by] },
            "then": { "propertyNames": { "enum": names }, "properties": properties },
        })
    }

    fn word(&self, word: &Word) -> Value {
        described(self.shape(&word.shape), word.doc)
    }

    fn shape(&self, shape: &Shape) -> Value {
        match shape {
            Shape::One(kind) => self.kind(*kind),
            Shape::Words(words) => self.or_case(json!({ "enum": words })),
            Shape::Texts => self.one_or_more(&json!({ "type": "string" })),
            Shape::Ints => self.or_case(json!({ "type": "array", "items": { "type": "integer" } })),
            Shape::Name(sort) => self.or_case(refer(&sort_slug(*sort))),
            Shape::Names(sort) => self.one_or_more(&refer(&sort_slug(*sort))),
            Shape::Table(table) => self.or_case(refer(&slug(table.what))),
            Shape::List(table) => {
                let one = self.or_case(refer(&slug(table.what)));
                self.or_case(json!({ "type": "array", "items": one }))
            }
            Shape::Named(table) => json!({ "type": "object", "additionalProperties": refer(&slug(table.what)) }),
            Shape::NamedTexts => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            Shape::Twins => self.twins(),
        }
    }

    fn twins(&self) -> Value {
        let oracles = self.one_or_more(&refer(&sort_slug(Sort::Oracle)));
        let flaw = |(name, doc): &(&str, &str)| ((*name).to_owned(), described(oracles.clone(), doc));
        let flaws: Map<String, Value> = self.registry.flaws.iter().map(flaw).collect();
        json!({ "type": "object", "properties": flaws, "additionalProperties": false })
    }

    /// One name of this sort, with what it stands for.
    fn name(&self, sort: Sort) -> Value {
        let registry = self.registry;
        let protocols = || registry.protocols.iter();
        let mut named: Vec<(String, String)> = match sort {
            Sort::Protocol => protocols().map(|p| (p.name.into(), format!("port {}", p.scheme.1))).collect(),
            Sort::Version => {
                let of = |p: &proofhouse_core::protocol::Protocol| {
                    let name = p.name;
                    p.versions.iter().map(move |version| ((*version).to_owned(), format!("of {name}")))
                };
                protocols().flat_map(of).collect()
            }
            Sort::Capability => capabilities(registry),
            Sort::CaseList => protocols().flat_map(|p| p.case_lists).map(|l| (l.name.into(), String::new())).collect(),
            Sort::Build => registry.builds.iter().map(|b| (b.name.into(), b.doc.into())).collect(),
            Sort::Flaw => registry.flaws.iter().map(|(name, doc)| ((*name).into(), (*doc).into())).collect(),
            Sort::Verb | Sort::Behaviour | Sort::Oracle => {
                let doc = |rows: &[Row]| rows.iter().map(|row| row.doc).collect::<Vec<_>>().join("; ");
                self.rows(sort).iter().map(|(name, rows)| ((*name).into(), doc(rows))).collect()
            }
        };
        named.dedup();
        let one = |(name, doc): &(String, String)| described(json!({ "const": name }), doc);
        let mut any: Vec<Value> = named.iter().map(one).collect();
        if sort == Sort::Capability {
            any.push(described(json!({ "type": "string", "pattern": "^resource\\." }), "an endpoint names it"));
        }
        json!({ "type": "string", "anyOf": any })
    }

    /// The rows that a name chooses, protocol by protocol.
    fn rows(&self, sort: Sort) -> BTreeMap<&'static str, Vec<Row>> {
        let protocols = || self.registry.protocols.iter();
        let rows: Vec<Row> = match sort {
            Sort::Verb => {
                let all = script::VERBS.iter().chain(protocols().flat_map(|p| p.verbs));
                all.map(|v| Row { name: v.name, doc: v.doc, keys: v.keys }).collect()
            }
            Sort::Behaviour => {
                let all = script::BEHAVIOURS.iter().chain(protocols().flat_map(|p| p.behaviours));
                all.map(|b| Row { name: b.name, doc: b.doc, keys: b.keys }).collect()
            }
            Sort::Oracle => {
                let all = self.registry.oracles();
                all.map(|o| Row { name: o.id, doc: o.doc, keys: o.keys }).collect()
            }
            _ => Vec::new(),
        };
        let mut by_name: BTreeMap<&'static str, Vec<Row>> = BTreeMap::new();
        for row in rows {
            by_name.entry(row.name).or_default().push(row);
        }
        by_name
    }

    fn kind(&self, kind: Kind) -> Value {
        match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Bool => self.or_filled(json!({ "type": "boolean" }), None),
            Kind::Int => self.or_filled(json!({ "type": "integer" }), Some("-?[0-9]+(\\.\\.|~)-?[0-9]+")),
            Kind::Float => self.or_filled(json!({ "type": "number" }), Some("-?[0-9.]+(\\.\\.|~)-?[0-9.]+")),
            Kind::Duration => self.text_of("[0-9]+(ns|us|ms|s|m|h)((\\.\\.|~)[0-9]+(ns|us|ms|s|m|h))?"),
            Kind::Percent => self.text_of("[0-9.]+ ?%?((\\.\\.|~)[0-9.]+ ?%)?"),
            Kind::Hex => json!({ "type": "string" }),
            Kind::Fleets => self.one_or_more(&json!({ "type": "string" })),
            Kind::Any => json!({}),
        }
    }

    /// A value, or text that is filled in with one: a range, `{case.k}`, `$fleet.name`.
    fn or_filled(&self, value: Value, range: Option<&str>) -> Value {
        if !self.cases {
            return value;
        }
        json!({ "anyOf": [value, { "type": "string", "pattern": filled(range) }] })
    }

    fn text_of(&self, pattern: &str) -> Value {
        let pattern = if self.cases { filled(Some(pattern)) } else { format!("^({pattern})$") };
        json!({ "type": "string", "pattern": pattern })
    }

    fn or_case(&self, value: Value) -> Value {
        if !self.cases {
            return value;
        }
        json!({ "anyOf": [value, { "type": "string", "pattern": "^\\{case\\.[^{}]+\\}$" }] })
    }

    fn one_or_more(&self, one: &Value) -> Value {
        self.or_case(json!({ "anyOf": [one, { "type": "array", "items": one }] }))
    }
}

const SORTS: [Sort; 9] = [
    Sort::Protocol,
    Sort::Version,
    Sort::Capability,
    Sort::CaseList,
    Sort::Verb,
    Sort::Behaviour,
    Sort::Oracle,
    Sort::Build,
    Sort::Flaw,
];

/// Name of a table's definition: `a-step`.
fn slug(what: &str) -> String {
    what.replace(' ', "-")
}

/// Name of the definition of a sort of names: `oracle`.
fn sort_slug(sort: Sort) -> String {
    format!("{sort:?}").to_lowercase()
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// What is filled in for a value, as one pattern.
fn filled(also: Option<&str>) -> String {
    let also = also.map(|pattern| format!("|{pattern}")).unwrap_or_default();
    format!("^(\\{{case\\.[^{{}}]+\\}}|\\$.+{also})$")
}

fn described(mut schema: Value, doc: &str) -> Value {
    if !doc.is_empty() {
        schema["description"] = doc.into();
    }
    schema
}

/// The keys of all rows, each with what rows say about it.
fn keys_of(rows: &BTreeMap<&'static str, Vec<Row>>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows.values().flatten() {
        for key in row.keys {
            let docs = all.entry(key.name.to_owned()).or_default();
            let doc = format!("{}: {}", row.name, key.doc);
            if !docs.contains(&doc) {
                docs.push(doc);
            }
        }
    }
    all
}

/// What `needs`, `claims` and `lacks` may name, with a line where a protocol says one.
fn capabilities(registry: &Registry) -> Vec<(String, String)> {
    let declared = |name: &str| {
        let mut all = registry.protocols.iter().flat_map(|p| p.capabilities);
        all.find(|c| c.name == name).map(|c| c.doc.to_owned()).unwrap_or_default()
    };
    let names = proofhouse_core::scenario::capability_names(registry);
    names.into_iter().map(|name| (name.clone(), declared(&name))).collect()
}
