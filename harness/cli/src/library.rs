//! Scenarios and target files: those embedded in the binary, and those that the user names.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use proofhouse_core::document::nearest;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_live::run::folder::Folder;

use crate::exit_code::ExitCode;
use crate::failure::Failure;

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../scenarios");
static TARGETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../targets");

/// Text of `scenarios/guidance/rows.toml`.
pub const GUIDANCE: &str = include_str!("../../../scenarios/guidance/rows.toml");

/// Every scenario of the binary and of the folders in `more`, by id. A file of a folder stands in for the one of the same id that
/// the binary brings, or that a folder named before brings.
pub fn scenarios(more: &[PathBuf], registry: &Registry) -> Result<Vec<Arc<Scenario>>, Failure> {
    let mut files = Vec::new();
    embedded(&SCENARIOS, &mut files);
    for folder in more {
        walk(folder, folder, &mut files)?;
    }
    let by_id: BTreeMap<String, (String, String)> =
        files.into_iter().map(|(id, file, text)| (id, (file, text))).collect();
    let load =
        |(id, (file, text)): (&String, &(String, String))| Scenario::load(id, file, text, registry).map(Arc::new);
    Ok(by_id.iter().map(load).collect::<Result<_, _>>()?)
}

/// Whether a file in a scenario folder is a scenario: not the template, not the guidance catalogue.
fn is_scenario(id: &str) -> bool {
    !id.starts_with("guidance/") && !id.rsplit('/').next().unwrap_or_default().starts_with('_')
}

fn embedded(dir: &Dir<'_>, files: &mut Vec<(String, String, String)>) {
    for file in dir.files() {
        let path = file.path().to_string_lossy();
        if let (Some(id), Some(text)) = (path.strip_suffix(".toml"), file.contents_utf8())
            && is_scenario(id)
        {
            files.push((id.to_owned(), format!("scenarios/{path}"), text.to_owned()));
        }
    }
    for dir in dir.dirs() {
        embedded(dir, files);
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String, String)>) -> Result<(), Failure> {
    let listed = std::fs::read_dir(folder).map_err(|e| Failure::unreadable(folder, &e))?;
    for entry in listed {
        let path = entry.map_err(|e| Failure::unreadable(folder, &e))?.path();
        if path.is_dir() {
            walk(root, &path, files)?;
            continue;
        }
        let id = path.strip_prefix(root).unwrap_or(&path).with_extension("").to_string_lossy().into_owned();
        if path.extension().is_some_and(|e| e == "toml") && is_scenario(&id) {
            let text = std::fs::read_to_string(&path).map_err(|e| Failure::unreadable(&path, &e))?;
            files.push((id, path.display().to_string(), text));
        }
    }
    Ok(())
}

/// A target and the text of its file, which a run keeps beside what it found.
#[derive(Clone)]
pub struct Target {
    /// What it is.
    pub spec: Arc<TargetSpec>,
    /// Its file; a URL is its own text.
    pub text: String,
}

/// The names of the embedded target files.
pub fn target_names() -> Vec<String> {
    let stem = |f: &include_dir::File<'_>| f.path().file_stem().map(|s| s.to_string_lossy().into_owned());
    let files = TARGETS.files().filter(|f| f.path().extension().is_some_and(|e| e == "toml"));
    let mut names: Vec<String> = files.filter_map(stem).filter(|name| name != "Cargo").collect();
    names.sort();
    names
}

/// The target that `--target` names: a URL, an embedded file, or a file.
pub fn target(named: &str, flaws: &[String], registry: &Registry) -> Result<Target, Failure> {
    let (mut spec, text) = if named.contains("://") {
        let spec = TargetSpec::from_url(named, registry).map_err(|e| Failure::new(ExitCode::Usage, e))?;
        (spec, named.to_owned())
    } else {
        let (name, file, text) = target_text(named)?;
        (TargetSpec::load(&name, &file, &text, registry)?, text)
    };
    plant(&mut spec, flaws, registry)?;
    Ok(Target { spec: Arc::new(spec), text })
}

/// The target of this name as a run kept it beside what it found, with its planted flaws. `None`: the run kept none.
pub fn kept(run: &Path, name: &str, flaws: &[String], registry: &Registry) -> Result<Option<Target>, Failure> {
    // Runs of older versions used the bare name, also where no file should have it.
    let paths = [run.join(Folder::target(name)), run.join("targets").join(format!("{name}.toml"))];
    let Some((path, text)) = paths.iter().find_map(|path| Some((path, std::fs::read_to_string(path).ok()?))) else {
        return Ok(None);
    };
    if text.contains("://") && !text.contains('=') {
        return target(text.trim(), flaws, registry).map(Some);
    }
    let mut spec = TargetSpec::load(name, &path.display().to_string(), &text, registry)?;
    plant(&mut spec, flaws, registry)?;
    Ok(Some(Target { spec: Arc::new(spec), text }))
}

fn target_text(named: &str) -> Result<(String, String, String), Failure> {
    if let Some(file) = TARGETS.get_file(format!("{named}.toml")).filter(|_| named != "Cargo") {
        let text = file.contents_utf8().expect("embedded target files are text");
        return Ok((named.to_owned(), format!("targets/{named}.toml"), text.to_owned()));
    }
    let path = Path::new(named);
    if path.extension().is_none_or(|e| e != "toml") && !path.exists() {
        let names = target_names();
        let hint = nearest(named, &names).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
        let known = names.join(", ");
        let text = format!("unknown target {named:?}{hint} (embedded: {known}; or a file, or mqtt://127.0.0.1:1883)");
        return Err(Failure::new(ExitCode::Usage, text));
    }
    let text = std::fs::read_to_string(path).map_err(|e| Failure::unreadable(path, &e))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok((name, named.to_owned(), text))
}

/// Blank targets do nothing: their names begin so.
const BLANK: &str = "blank-";

/// The reference of a scenario with these flaws: the first in-process target that is not blank, on which the scenario plans.
pub fn reference(scenario: &Scenario, flaws: &[String], registry: &Registry) -> Result<Target, Failure> {
    let mut fitting = in_process(scenario, registry)?;
    fitting.retain(|target| !target.spec.name.starts_with(BLANK));
    let Some(mut target) = fitting.into_iter().next() else {
        let text = format!("{}: no reference target speaks {}", scenario.id, scenario.protocols.join(" and "));
        return Err(Failure::new(ExitCode::Nothing, text));
    };
    plant(Arc::make_mut(&mut target.spec), flaws, registry)?;
    Ok(target)
}

/// The same in-process target with one more flaw.
pub fn planted(clean: &Target, flaw: &str, registry: &Registry) -> Result<Target, Failure> {
    let mut target = clean.clone();
    plant(Arc::make_mut(&mut target.spec), &[flaw.to_owned()], registry)?;
    Ok(target)
}

/// The same reference as a child process over real sockets, where there is one.
pub fn live_reference(reference: &Target, flaw: &str, registry: &Registry) -> Result<Option<Target>, Failure> {
    let name = format!("{}-live", reference.spec.name);
    if !target_names().contains(&name) {
        return Ok(None);
    }
    let mut target = target(&name, &[], registry)?;
    if let TargetKind::Process(process) = &mut Arc::make_mut(&mut target.spec).kind {
        process.args.extend(["--flaw".to_owned(), flaw.to_owned()]);
    }
    Ok(Some(target))
}

/// The blank targets on which a scenario plans.
pub fn blanks(scenario: &Scenario, registry: &Registry) -> Result<Vec<Target>, Failure> {
    let mut fitting = in_process(scenario, registry)?;
    fitting.retain(|target| target.spec.name.starts_with(BLANK));
    Ok(fitting)
}

/// In-process targets on which a scenario plans, by name.
fn in_process(scenario: &Scenario, registry: &Registry) -> Result<Vec<Target>, Failure> {
    let mut fitting = Vec::new();
    for name in target_names() {
        let target = target(&name, &[], registry)?;
        let case = scenario.cases.first().map_or("", |case| &case.name);
        let plans = scenario.plan(case, Seed(1), &target.spec, registry).is_ok();
        if plans && matches!(target.spec.kind, TargetKind::InProcess { .. }) {
            fitting.push(target);
        }
    }
    Ok(fitting)
}

/// Plants flaws in an in-process target; any other target brings its own.
fn plant(spec: &mut TargetSpec, more: &[String], registry: &Registry) -> Result<(), Failure> {
    for flaw in more {
        if !registry.flaws.iter().any(|(name, _)| name == flaw) {
            let names: Vec<String> = registry.flaws.iter().map(|(name, _)| (*name).to_owned()).collect();
            let hint = nearest(flaw, &names).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
            return Err(Failure::new(
                ExitCode::Usage,
                format!("unknown flaw {flaw:?}{hint} (see: proofhouse list flaws)"),
            ));
        }
    }
    match &mut spec.kind {
        TargetKind::InProcess { flaws, .. } => flaws.extend(more.iter().cloned()),
        _ if !more.is_empty() => {
            let text = format!(
                "--flaw plants in in-process targets only, and {:?} is none: use --target reference",
                spec.name
            );
            return Err(Failure::new(ExitCode::Usage, text));
        }
        _ => {}
    }
    if !more.is_empty() {
        spec.digest = proofhouse_live::digest::sha256(format!("{} {}", spec.digest, more.join(" ")).as_bytes());
    }
    Ok(())
}

/// The rows of published guidance.
pub fn guidance() -> Result<Vec<proofhouse_core::guidance::Row>, Failure> {
    Ok(proofhouse_core::guidance::rows("scenarios/guidance/rows.toml", GUIDANCE)?)
}
