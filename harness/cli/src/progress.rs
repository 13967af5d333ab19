//! Progress on standard error: a bar on a terminal, a line per piece of news elsewhere.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use proofhouse_core::verdict::Verdict;
use proofhouse_live::clock::Stopwatch;
use proofhouse_live::run::{Progress, Reporter, Wait};

use crate::say::tell;
use crate::style;

/// Tells a person how far a run is. Findings are printed as soon as they are on disk.
pub struct Terminal {
    bar: ProgressBar,
    quiet: bool,
    done: AtomicUsize,
    of: usize,
    /// When a line last said what the run waits for.
    waits_said: Mutex<Option<Stopwatch>>,
}

/// How often a log is told what a run waits for.
const WAITS_EVERY: Duration = Duration::from_secs(5);

impl Terminal {
    /// For a run of `of` trials.
    pub fn new(of: usize, quiet: bool) -> Terminal {
        let bar = ProgressBar::with_draw_target(Some(of as u64), ProgressDrawTarget::stderr_with_hz(5));
        let look = ProgressStyle::with_template("{bar:30} {pos}/{len} trials  {elapsed} (about {eta} left)  {msg}");
        bar.set_style(look.expect("the template is a constant that reads"));
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Terminal { bar, quiet, done: AtomicUsize::new(0), of, waits_said: Mutex::new(None) }
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// What a run still waits for: always on the bar, and as a line where there is none, now and then.
    fn waits_for(&self, list: &[Wait]) {
        let Some(first) = list.first() else { return };
        let rest = if list.len() > 1 { format!(" and {} more", list.len() - 1) } else { String::new() };
        let seconds = first.about.as_secs().max(1);
        let text = format!("still confirming {} (about {seconds} s a replay){rest}", first.what);
        self.bar.set_message(text.clone());
        let mut said = self.waits_said.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bar.is_hidden() && said.as_ref().is_none_or(|said| said.elapsed() >= WAITS_EVERY) {
            *said = Some(Stopwatch::start());
            self.line(&style::dim(&text));
        }
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            // A hidden bar prints nothing at all, so the bar only ever steps aside.
            self.bar.suspend(|| tell!("{text}"));
        }
    }
}

impl Reporter for Terminal {
    fn tell(&self, progress: Progress<'_>) {
        match progress {
            Progress::Started(job) => self.bar.set_message(job.scenario.id.clone()),
            Progress::Trial(row) => {
                self.bar.inc(1);
                let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
                let case = if row.case.is_empty() { String::new() } else { format!(" [{}]", row.case) };
                let text =
                    format!("{} {}{case}  {}", style::verdict(row.verdict), row.scenario, style::dim(&row.reason));
                match row.verdict {
                    Verdict::Pass | Verdict::NotApplicable if !done.is_multiple_of(50) => {}
                    Verdict::Pass | Verdict::NotApplicable => {
                        self.line(&style::dim(&format!("{done} of {} trials", self.of)));
                    }
                    _ => self.line(&text),
                }
            }
            Progress::Confirming(n) => {
                self.bar.set_message("confirming");
                self.line(&style::dim(&format!("running {n} failure(s) again to confirm them and to cut them down")));
            }
            Progress::Replays(n) => self.bar.inc_length(u64::from(n)),
            Progress::Replayed => self.bar.inc(1),
            Progress::Waiting(list) => self.waits_for(list),
            Progress::Finding(finding) => self.line(&format!(
                "{} {} on {}: {}  ({})",
                style::bold(&finding.id),
                finding.scenario,
                finding.target,
                finding.actual,
                finding.replay
            )),
        }
    }
}
