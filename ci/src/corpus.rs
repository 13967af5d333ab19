//! `cargo ci corpus`: real software with known defects. A scenario must find the defect and spare the version without it.
mod install;
mod list;
mod run;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use list::{Lists, Version};
use table::Outcomes;

const HELP: &str = "\
cargo ci corpus [OPTIONS] [NAME]...
    Installs old and repaired versions of real servers, runs the scenario of each known defect against both, and prints
    what was found, missed, and false. NAME limits it to defects or versions whose name begins so.

    --dir DIR           where everything is installed and run (default target/corpus)
    --proofhouse PATH   a built proofhouse (default: builds one without the embedded broker)
    --jobs N            trials side by side (default 8)
    --reuse             judge the runs that lie in DIR, and run only what is missing
    --install           install and stop
    --sweep             all scenarios against every repaired version: each FAIL must be explained
    --explained FILE    what a FAIL beside the known defects is: [[explained]] on, scenario, case, why
    --list              print defects and versions, and stop

    Needs what the versions come from: npm and node, python3.7 to 3.13 (also from pyenv), apt-get and dpkg, cargo. What a
    missing tool takes away is skipped by name; with CI=true it is an error.
    Exit: 0 every defect found and no version falsely accused, 1 not so, 2 usage, 3 nothing could run.";

/// What the command says.
struct Options {
    dir: PathBuf,
    proofhouse: Option<PathBuf>,
    jobs: u32,
    reuse: bool,
    install: bool,
    sweep: bool,
    list: bool,
    explained: Option<PathBuf>,
    names: Vec<String>,
}

/// Runs the task; what it says is on standard output, progress and trouble on standard error.
pub fn corpus(root: &Path, args: &[String]) -> ExitCode {
    let options = match options(root, args) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("corpus: {wrong}; see cargo ci corpus --help");
            return ExitCode::from(2);
        }
    };
    match work(root, &options) {
        Ok(code) => code,
        Err(wrong) => {
            eprintln!("corpus: {wrong}");
            ExitCode::from(3)
        }
    }
}

fn options(root: &Path, args: &[String]) -> Result<Option<Options>, String> {
    let mut all = Options {
        dir: root.join("target/corpus"),
        proofhouse: None,
        jobs: 8,
        reuse: false,
        install: false,
        sweep: false,
        list: false,
        explained: None,
        names: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(None),
            "--dir" => all.dir = value()?.into(),
            "--proofhouse" => all.proofhouse = Some(value()?.into()),
            "--jobs" => all.jobs = value()?.parse().map_err(|_| "--jobs wants a number".to_owned())?,
            "--explained" => all.explained = Some(value()?.into()),
            "--reuse" => all.reuse = true,
            "--install" => all.install = true,
            "--sweep" => all.sweep = true,
            "--list" => all.list = true,
            flag if flag.starts_with('-') => return Err(format!("{flag} is no option")),
            name => all.names.push(name.to_owned()),
        }
    }
    Ok(Some(all))
}

fn work(root: &Path, options: &Options) -> Result<ExitCode, String> {
    let mut lists = Lists::read(&root.join("ci/corpus"))?;
    if let Some(file) = &options.explained {
        lists.explain(file)?;
    }
    lists.keep(&options.names)?;
    if options.list {
        print!("{}", lists.describe());
        return Ok(ExitCode::SUCCESS);
    }
    let wanted: BTreeSet<&str> = lists.wanted();
    let versions: Vec<&Version> = lists.versions.iter().filter(|v| wanted.contains(v.name.as_str())).collect();
    fs::create_dir_all(&options.dir).map_err(|e| format!("make {}: {e}", options.dir.display()))?;
    let dir = options.dir.canonicalize().map_err(|e| format!("find {}: {e}", options.dir.display()))?;
    let place = install::Place { root, dir: &dir };
    let present: Vec<&Version> = versions.into_iter().filter(|version| place.install(version)).collect();
    if options.install {
        return Ok(code(present.len() == wanted.len() || !strict()));
    }
    if present.is_empty() {
        return Err("none of the versions could be installed".to_owned());
    }
    let prover = run::Prover::find(root, &dir, options)?;
    let mut outcomes = Outcomes::default();
    for version in &present {
        let fixed = lists.defects.iter().any(|defect| defect.fixed == version.name);
        if options.sweep && !fixed {
            continue;
        }
        let scenarios = if options.sweep { Vec::new() } else { lists.scenarios(&version.name) };
        match prover.run(version, &scenarios) {
            Ok(results) => outcomes.add(&version.name, results),
            Err(why) => {
                eprintln!("corpus: {why}");
                outcomes.add(&version.name, run::Results::default());
            }
        }
    }
    let table = table::Table::judge(&lists, &outcomes, options.sweep);
    print!("{table}");
    Ok(code(table.holds() && (present.len() == wanted.len() || !strict())))
}

/// Whether a missing tool is an error.
fn strict() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
}

fn code(fine: bool) -> ExitCode {
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
