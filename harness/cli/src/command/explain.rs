//! `proofhouse explain`: what an id stands for.
use proofhouse_core::document::nearest;
use proofhouse_core::oracle::Oracle;
use proofhouse_core::protocol::Key;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::script;

use crate::args::Explain;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;
use crate::style::bold;

/// Runs the command.
pub fn run(args: &Explain) -> Result<ExitCode, Failure> {
    let registry = registry();
    let scenarios = library::scenarios(&args.scenarios, &registry)?;
    let mut known: Vec<String> = Vec::new();
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
    if let Some(name) = library::target_names().into_iter().find(|n| *n == args.id) {
        anstream::println!("{}", library::target(&name, &[], &registry)?.text);
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
    anstream::println!("{}  {}", bold(&s.id), s.title);
    anstream::println!("  attack {}, level {}, guidance {}", s.about.attack, s.about.level, s.about.guidance.join(" "));
    anstream::println!("  clauses {}", s.about.spec.join(" "));
    if !s.needs.is_empty() {
        anstream::println!("  needs {}", s.needs.join(", "));
    }
    let names: Vec<&str> = s.cases.iter().map(|c| c.name.as_str()).filter(|n| !n.is_empty()).take(8).collect();
    anstream::println!("  {} case(s) {}", s.cases.len(), names.join(" "));
    for (flaw, oracles) in &s.twins {
        anstream::println!("  twin {flaw} must fail {}", oracles.join(", "));
    }
    anstream::println!("\n{}", s.text);
}

fn oracle(o: &Oracle) {
    anstream::println!("{}  {}", bold(o.id), o.doc);
    anstream::println!("  kind of finding {}; needs {:?}", o.kind, o.needs);
    if !o.clauses.is_empty() {
        anstream::println!("  clauses {}", o.clauses.join(", "));
    }
    keys(o.keys);
}

fn keys(keys: &[Key]) {
    for key in keys {
        anstream::println!("  {:<20} {:<10} {}", key.name, format!("{:?}", key.kind).to_lowercase(), key.doc);
    }
}

/// Flaws, guidance rows, verbs, behaviours, capabilities and case lists.
fn rows(id: &str, registry: &Registry, known: &mut Vec<String>) -> Result<bool, Failure> {
    let mut said = false;
    let mut row = |name: &str, doc: &str, of: &[Key]| {
        known.push(name.into());
        if name == id {
            anstream::println!("{}  {doc}", bold(name));
            keys(of);
            said = true;
        }
    };
    for (name, doc) in &registry.flaws {
        row(name, doc, &[]);
    }
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
