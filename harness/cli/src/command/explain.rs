//! `proofhouse explain`: what an id stands for.
use std::sync::Arc;

use proofhouse_core::document::nearest;
use proofhouse_core::key::Key;
use proofhouse_core::oracle::Oracle;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::script;
use proofhouse_core::vocabulary::{Shape, Table, scenario_tables, target_tables};

use crate::args::Explain;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;
use crate::say::say;
use crate::style::bold;

/// The way from an idea to a scenario, also at the head of `scenarios/README.md`.
const HOW_TO: &str = include_str!("../../../../scenarios/_howto.md");

/// Runs the command.
pub fn run(args: &Explain) -> Result<ExitCode, Failure> {
    if args.id == "how-to" {
        say!("{}", HOW_TO.trim_end());
        return Ok(ExitCode::Fine);
    }
    let registry = registry();
    let scenarios = library::scenarios(&args.scenarios, &registry)?;
    let mut known: Vec<String> = vec!["how-to".into()];
    let mut said = false;
    for s in scenarios.iter() {
        known.push(s.id.clone());
        if s.id == args.id || s.about.attack == args.id || s.id.rsplit('/').next() == Some(&args.id) {
            scenario(s);
            said = true;
        }
    }
    for o in registry.oracles() {
        known.push(o.id.into());
        if o.id == args.id {
            oracle(o);
            said = true;
        }
    }
    said |= rows(&args.id, &registry, &mut known)?;
    said |= flaw(&args.id, &scenarios, &registry, &mut known);
    said |= key(&args.id, &registry, &mut known);
    if let Some(name) = library::target_names().into_iter().find(|n| *n == args.id) {
        say!("{}", library::target(&name, &[], &registry)?.text);
        said = true;
    }
    known.extend(library::target_names());
    if said {
        return Ok(ExitCode::Fine);
    }
    let hint = nearest(&args.id, &known).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
    Err(Failure::new(ExitCode::Nothing, format!("nothing is called {:?}{hint} (see: proofhouse list --help)", args.id)))
}

fn scenario(s: &Scenario) {
    say!("{}  {}", bold(&s.id), s.title);
    say!("  attack {}, level {}, guidance {}", s.about.attack, s.about.level, s.about.guidance.join(" "));
    say!("  clauses {}", s.about.spec.join(" "));
    if !s.needs.is_empty() {
        say!("  needs {}", s.needs.join(", "));
    }
    let names: Vec<&str> = s.cases.iter().map(|c| c.name.as_str()).filter(|n| !n.is_empty()).take(8).collect();
    say!("  {} case(s) {}", s.cases.len(), names.join(" "));
    for (flaw, oracles) in &s.twins {
        say!("  twin {flaw} must fail {}", oracles.join(", "));
    }
    say!("\n{}", s.text);
}

fn oracle(o: &Oracle) {
    say!("{}  {}", bold(o.id), o.doc);
    say!("  kind of finding {}; needs {:?}", o.kind, o.needs);
    if !o.clauses.is_empty() {
        say!("  clauses {}", o.clauses.join(", "));
    }
    keys(o.keys);
}

fn keys(keys: &[Key]) {
    for key in keys {
        say!("  {:<20} {:<10} {}", key.name, format!("{:?}", key.kind).to_lowercase(), key.doc);
    }
}

/// Guidance rows, verbs, behaviours, capabilities and case lists.
fn rows(id: &str, registry: &Registry, known: &mut Vec<String>) -> Result<bool, Failure> {
    let mut said = false;
    let mut row = |name: &str, doc: &str, of: &[Key]| {
        known.push(name.into());
        if name == id {
            say!("{}  {doc}", bold(name));
            keys(of);
            said = true;
        }
    };
    for guidance in library::guidance()? {
        row(&guidance.id, &format!("{} {}: {}", guidance.code, guidance.principle, guidance.title), &[]);
    }
    for verb in script::VERBS.iter().chain(registry.protocols.iter().flat_map(|p| p.verbs)) {
        row(verb.name, verb.doc, verb.keys);
    }
    for behaviour in script::BEHAVIOURS.iter().chain(registry.protocols.iter().flat_map(|p| p.behaviours)) {
        row(behaviour.name, behaviour.doc, behaviour.keys);
    }
    for capability in registry.protocols.iter().flat_map(|p| p.capabilities) {
        row(capability.name, capability.doc, &[]);
    }
    Ok(said)
}

/// A planted flaw, and the scenarios that must catch it.
fn flaw(id: &str, scenarios: &[Arc<Scenario>], registry: &Registry, known: &mut Vec<String>) -> bool {
    known.extend(registry.flaws.iter().map(|(name, _)| (*name).to_owned()));
    let Some((name, doc)) = registry.flaws.iter().find(|(name, _)| *name == id) else { return false };
    say!("{}  {doc}", bold(name));
    let mut caught = false;
    for s in scenarios {
        for (_, oracles) in s.twins.iter().filter(|(flaw, _)| flaw == id) {
            say!("  {} must fail {}", s.id, oracles.join(", "));
            say!("    proofhouse run {} --target {} --flaw {id}", s.id, in_process(s, registry));
            caught = true;
        }
    }
    if !caught {
        say!("  no scenario has it as its twin");
    }
    true
}

/// The reference that carries a scenario's twins.
fn in_process(scenario: &Scenario, registry: &Registry) -> String {
    library::reference(scenario, &[], registry).map_or_else(|_| "reference".into(), |target| target.spec.name.clone())
}

/// A key, at every place where it may stand.
fn key(id: &str, registry: &Registry, known: &mut Vec<String>) -> bool {
    let mut said = false;
    for table in scenario_tables().into_iter().chain(target_tables()) {
        said |= key_of_table(id, table, registry, known);
    }
    let verbs = script::VERBS.iter().chain(registry.protocols.iter().flat_map(|p| p.verbs));
    let behaviours = script::BEHAVIOURS.iter().chain(registry.protocols.iter().flat_map(|p| p.behaviours));
    let rows = (verbs.map(|v| ("do", v.name, v.keys)))
        .chain(behaviours.map(|b| ("behaviour", b.name, b.keys)))
        .chain(registry.oracles().map(|o| ("oracle", o.id, o.keys)));
    for (by, name, keys) in rows {
        known.extend(keys.iter().map(|key| key.name.to_owned()));
        for key in keys.iter().filter(|key| key.name == id) {
            let kind = format!("{:?}", key.kind).to_lowercase();
            say!("{}  where {by} = \"{name}\": {} ({kind})", bold(id), key.doc);
            said = true;
        }
    }
    said
}

fn key_of_table(id: &str, table: &Table, registry: &Registry, known: &mut Vec<String>) -> bool {
    let words = table.words(registry);
    known.extend(words.iter().map(|word| word.name.to_owned()));
    let Some(word) = words.iter().find(|word| word.name == id) else { return false };
    let required = if word.required { ", required" } else { "" };
    say!("{}  key of {}: {} ({}{required})", bold(id), table.what, word.doc, stands(&word.shape));
    if let Shape::Table(inner) | Shape::List(inner) | Shape::Named(inner) = word.shape {
        for word in inner.words(registry) {
            say!("  {:<20} {}", word.name, word.doc);
        }
    }
    true
}

/// What may stand there, in a few words.
fn stands(shape: &Shape) -> String {
    match shape {
        Shape::One(kind) => format!("{kind:?}").to_lowercase(),
        Shape::Words(words) => words.join(" | "),
        Shape::Texts => "text, or a list of them".into(),
        Shape::Ints => "list of whole numbers".into(),
        Shape::Name(sort) => format!("{sort:?} by name").to_lowercase(),
        Shape::Names(sort) => format!("{sort:?} by name, or a list of them").to_lowercase(),
        Shape::Table(_) => "table".into(),
        Shape::List(_) => "list of tables".into(),
        Shape::Named(_) => "one table for each name".into(),
        Shape::NamedTexts => "table of texts".into(),
        Shape::Twins => "flaw = \"rule\", or a list of rules".into(),
    }
}
