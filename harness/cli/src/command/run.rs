//! `proofhouse run`: select, estimate, run, sum up.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::target::TargetKind;
use proofhouse_live::run::folder::Folder;
use proofhouse_live::run::{Campaign, Job, Runner, Settings};

use super::under_limit;
use crate::args::{Keep, Print, Run};
use crate::asked::Asked;
use crate::documents;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library::{self, Target};
use crate::progress::Terminal;
use crate::registry::registry;
use crate::say::{say, tell};
use crate::select::{self, Matrix};
use crate::{style, summary};

/// What one finding may cost to cut down over real sockets; `shrink` takes longer when asked to.
const SHRINK_LIVE: Duration = Duration::from_secs(4);
/// The same in simulation, in trials: they take milliseconds.
const SHRINK_SIM: u32 = 1_000;

/// Runs the command.
pub fn run(args: &Run) -> Result<ExitCode, Failure> {
    let folder = args.resume.as_ref().or(args.out.as_ref()).cloned().unwrap_or_else(default_folder);
    if under_limit::is_needed(args) {
        return under_limit::run(args, &folder);
    }
    let registry = registry();
    let asked = if args.resume.is_some() { reread(args, &folder)? } else { Asked::of(args)? };
    let selected = Selected::of(&asked, &registry)?;
    tell_before(args, &asked, &selected, &folder, &registry);
    if args.dry_run {
        return Ok(ExitCode::Fine);
    }
    let replays = asked.replays;
    let interrupt = super::interrupt()?;
    if args.guarded && !proofhouse_live::end_with_parent() {
        // Whoever guards this run would have been told of it, and is gone.
        interrupt.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    let live = proofhouse_live::LiveOptions::new(interrupt.clone(), args.i_own.clone());
    live.host.set_memory(u64::from(args.memory) << 20);
    let out = Folder::at(&folder);
    if args.resume.is_none() {
        vacant(&out)?;
    }
    let _alone = super::alone(selected.targets.iter(), &live)?;
    let Started { versions, absent } = preflight(&selected.targets, &registry, &live)?;
    let asked = store(&out, asked, &versions, &selected, args.resume.is_some())?;
    let terminal = Terminal::new(selected.jobs.len(), args.quiet);
    let settings = Settings {
        jobs: side_by_side(args),
        replays,
        shrink_live: SHRINK_LIVE,
        shrink_sim: SHRINK_SIM,
        keep_all: args.keep == Keep::All,
        interrupt,
    };
    let runner = Runner::new(&registry, live);
    let campaign = Campaign { runner, settings, folder: out.clone(), versions, absent, reporter: &terminal };
    let results = campaign.run(&selected.jobs, args.resume.is_some());
    terminal.end();
    results?;
    let (run, code) = documents::gather(&folder, &asked, &registry)?;
    documents::write(&out, &run, &args.format, &registry)?;
    point_latest(&folder);
    match args.print {
        Print::Summary => crate::say::out(format_args!("{}", summary::text(&run, &folder, &selected.left_out))),
        Print::Json => crate::say::out(format_args!("{}", run.results.to_json())),
    }
    Ok(code)
}

/// Trials side by side, where nobody says how many. Most of a live trial is waiting: two processors carry forty-eight, as measured
/// with the embedded broker; beyond a hundred, memory and ports are the limit.
fn side_by_side(args: &Run) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    args.jobs.map_or((24 * cores).min(96), usize::from)
}

/// What the run that goes on was asked for; what counts may be said anew.
fn reread(args: &Run, folder: &Path) -> Result<Asked, Failure> {
    let mut asked = Asked::read(folder, ExitCode::Usage)?;
    asked.count_anew(args.fail_on, args.baseline.as_deref())?;
    Ok(asked)
}

/// Scenarios, targets and trials that a run is about.
struct Selected {
    jobs: Vec<Job>,
    targets: Vec<Target>,
    left_out: Vec<String>,
}

impl Selected {
    fn of(asked: &Asked, registry: &Registry) -> Result<Selected, Failure> {
        let mut selected = Selected::unnumbered(asked, registry)?;
        selected.jobs = select::number(selected.jobs, asked.shard)?;
        Ok(selected)
    }

    fn unnumbered(asked: &Asked, registry: &Registry) -> Result<Selected, Failure> {
        let all = library::scenarios(&asked.scenarios, registry)?;
        let chosen = select::scenarios(&all, &asked.selector)?;
        let matrix = Matrix { seeds: asked.seed..asked.seed.saturating_add(asked.seeds), case: asked.case.as_deref() };
        if asked.targets.is_empty() && asked.flaws.is_empty() {
            return baseline_suite(&chosen, &matrix, registry);
        }
        if asked.targets.is_empty() {
            return Selected::each_on(
                chosen.iter().map(|one| reference(one, &asked.flaws, registry)),
                &matrix,
                registry,
            );
        }
        let named = asked.targets.iter().map(|name| library::target(name, &asked.flaws, registry));
        let targets: Vec<Target> = named.collect::<Result<_, _>>()?;
        let (jobs, left_out) = select::jobs(&chosen, &targets, &matrix, registry)?;
        Ok(Selected { jobs, targets, left_out })
    }

    /// Each scenario on a target of its own choice.
    fn each_on(
        pairs: impl Iterator<Item = Result<(Arc<Scenario>, Target), Failure>>,
        matrix: &Matrix<'_>,
        registry: &Registry,
    ) -> Result<Selected, Failure> {
        let mut groups: Vec<(Target, Vec<Arc<Scenario>>)> = Vec::new();
        for pair in pairs {
            let (scenario, target) = pair?;
            match groups.iter_mut().find(|(known, _)| known.spec.name == target.spec.name) {
                Some((_, scenarios)) => scenarios.push(scenario),
                None => groups.push((target, vec![scenario])),
            }
        }
        let mut all = Selected { jobs: Vec::new(), targets: Vec::new(), left_out: Vec::new() };
        for (target, scenarios) in groups {
            let (mut jobs, left_out) = select::jobs(&scenarios, std::slice::from_ref(&target), matrix, registry)?;
            all.jobs.append(&mut jobs);
            all.left_out.extend(left_out);
            all.targets.push(target);
        }
        Ok(all)
    }
}

fn reference(
    scenario: &Arc<Scenario>,
    flaws: &[String],
    registry: &Registry,
) -> Result<(Arc<Scenario>, Target), Failure> {
    Ok((scenario.clone(), library::reference(scenario, flaws, registry)?))
}

/// The embedded servers of others, in the order in which they are asked whether they speak a scenario's protocols.
const EMBEDDED: [&str; 2] = ["rumqttd", "coap-lite"];

/// The main job: everything that takes at most 10 s on the embedded servers of others; what takes longer, or what neither of
/// them speaks, on the references in simulation.
fn baseline_suite(chosen: &[Arc<Scenario>], matrix: &Matrix<'_>, registry: &Registry) -> Result<Selected, Failure> {
    let names = if cfg!(feature = "embedded") { &EMBEDDED[..] } else { &[] };
    let embedded: Vec<Target> =
        names.iter().map(|name| library::target(name, &[], registry)).collect::<Result<_, _>>()?;
    let choose = |scenario: &Arc<Scenario>| {
        let (scenario, reference) = reference(scenario, &[], registry)?;
        let fits = embedded.iter().find(|target| select::speaks_all(target, &scenario));
        let target = fits.filter(|_| !is_slow(&scenario, &reference, registry)).cloned();
        Ok((scenario, target.unwrap_or(reference)))
    };
    // The simulated ones last: they are short, and the live ones mostly wait.
    let (live, simulated): (Vec<_>, Vec<_>) = chosen
        .iter()
        .map(choose)
        .collect::<Result<Vec<_>, Failure>>()?
        .into_iter()
        .partition(|(_, target)| !matches!(target.spec.kind, TargetKind::InProcess { .. }));
    Selected::each_on(live.into_iter().chain(simulated).map(Ok), matrix, registry)
}

/// Whether a scenario's plan lasts too long over real sockets for the main job.
fn is_slow(scenario: &Scenario, target: &Target, registry: &Registry) -> bool {
    let seed = proofhouse_core::seed::Seed(1);
    let plan = scenario.cases.first().map(|case| scenario.plan(&case.name, seed, &target.spec, registry));
    matches!(plan, Some(Ok(plan)) if plan.is_slow())
}

fn default_folder() -> PathBuf {
    let stamp = proofhouse_live::clock::utc_now().replace(':', "-");
    let fresh = |n: u32| Path::new("runs").join(if n == 0 { stamp.clone() } else { format!("{stamp}-{n}") });
    (0..).map(fresh).find(|path| !path.exists()).expect("there is always a next number")
}

/// What a person wants to know before anything happens: the seed, how many trials, how long.
fn tell_before(args: &Run, asked: &Asked, selected: &Selected, folder: &Path, registry: &Registry) {
    if args.quiet {
        return;
    }
    let names: Vec<&str> = selected.targets.iter().map(|t| t.spec.name.as_str()).collect();
    let about = estimate(&selected.jobs, side_by_side(args), registry);
    tell!(
        "{} trials against {}, seed {}, about {} s, longer where failures have to be confirmed; everything goes to {}",
        selected.jobs.len(),
        names.join(" and "),
        asked.seed,
        about.as_secs().max(1),
        folder.display()
    );
    if args.dry_run {
        for job in &selected.jobs {
            say!("{:>5}  {} {}  {}", job.n, job.scenario.id, style::dim(&job.case), job.target.name);
        }
    }
}

/// Wall time when everything goes well: live plans last what they last, side by side; simulated ones next to nothing.
fn estimate(jobs: &[Job], side_by_side: usize, registry: &Registry) -> Duration {
    let one = |job: &Job| match job.target.kind {
        TargetKind::InProcess { .. } => Duration::from_millis(20),
        _ => {
            let plan = job.scenario.plan(&job.case, job.seed, &job.target, registry);
            // Start and stop of a target process: a guess for the estimate, not a measurement.
            plan.map_or(Duration::ZERO, |plan| plan.duration_estimate() + Duration::from_millis(400))
        }
    };
    let total: Duration = jobs.iter().map(one).sum();
    let longest = jobs.iter().map(one).max().unwrap_or_default();
    longest.max(total / u32::try_from(side_by_side.min(jobs.len()).max(1)).unwrap_or(1))
}

/// What starting every target once has shown, by name.
#[derive(Default)]
struct Started {
    versions: BTreeMap<String, String>,
    /// Why one does not start.
    absent: BTreeMap<String, String>,
}

/// Starts every target once, so that a missing program is said at once and not two hundred times. The others go on without one that does
/// not start.
fn preflight(targets: &[Target], registry: &Registry, live: &proofhouse_live::LiveOptions) -> Result<Started, Failure> {
    let mut started = Started::default();
    for target in targets {
        let name = target.spec.name.clone();
        match proofhouse_live::preflight(&target.spec, registry, live).map_err(Failure::from) {
            Ok(version) => drop(started.versions.insert(name, version)),
            Err(failure) if failure.code == ExitCode::NoTarget => {
                drop(started.absent.insert(name, failure.to_string()));
            }
            Err(failure) => return Err(failure),
        }
    }
    let mut reasons = started.absent.iter();
    match reasons.next() {
        Some((_, why)) if targets.len() == 1 => Err(Failure::new(ExitCode::NoTarget, why.clone())),
        Some((name, why)) if started.versions.is_empty() => {
            let others: String = reasons.map(|(name, why)| format!("\n{name}: {why}")).collect();
            Err(Failure::new(ExitCode::NoTarget, format!("{name}: {why}{others}")))
        }
        _ => {
            for (name, why) in &started.absent {
                tell!("{}: {why}; its trials are not run", style::error(name));
            }
            Ok(started)
        }
    }
}

/// Nothing of another run is written over.
fn vacant(out: &Folder) -> Result<(), Failure> {
    if out.root().join("journal.jsonl").exists() {
        let text = format!("{} holds a run already: choose another --out, or --resume it", out.root().display());
        return Err(Failure::new(ExitCode::NoOutput, text));
    }
    Ok(())
}

/// Writes what was asked for, before anything runs. Of a run that goes on, only what counts may have changed.
fn store(
    out: &Folder,
    mut asked: Asked,
    versions: &BTreeMap<String, String>,
    selected: &Selected,
    resume: bool,
) -> Result<Asked, Failure> {
    if resume {
        asked.store(out)?;
        return Ok(asked);
    }
    // Another run may have begun there while this one waited for its turn.
    vacant(out)?;
    out.create()?;
    asked.versions = versions.clone();
    asked.scenes = selected.jobs.iter().map(|job| (job.scenario.id.clone(), documents::scene(&job.scenario))).collect();
    for target in &selected.targets {
        out.write(&Folder::target(&target.spec.name), target.text.as_bytes())?;
    }
    asked.store(out)?;
    Ok(asked)
}

/// `runs/latest` points to the newest run; a file system without links does without.
fn point_latest(folder: &Path) {
    if let (Some(parent), Some(name)) = (folder.parent(), folder.file_name())
        && parent.ends_with("runs")
    {
        let latest = parent.join("latest");
        if latest.is_symlink() || !latest.exists() {
            let _ = std::fs::remove_file(&latest);
            let _ = std::os::unix::fs::symlink(name, latest);
        }
    }
}
