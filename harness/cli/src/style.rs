//! Colour: only on a terminal, never with `NO_COLOR`. Written through `anstream`, which strips it elsewhere.
use owo_colors::OwoColorize;
use proofhouse_core::verdict::Verdict;

/// Red and bold.
pub fn error(text: &str) -> String {
    text.red().bold().to_string()
}

/// Dim.
pub fn dim(text: &str) -> String {
    text.dimmed().to_string()
}

/// Bold.
pub fn bold(text: &str) -> String {
    text.bold().to_string()
}

/// A verdict in its colour, padded to the longest name.
pub fn verdict(verdict: Verdict) -> String {
    let name = format!("{:<14}", verdict.name());
    match verdict {
        Verdict::Pass => name.green().to_string(),
        Verdict::Fail | Verdict::Error => name.red().bold().to_string(),
        Verdict::NotApplicable => name.dimmed().to_string(),
        Verdict::Inconclusive | Verdict::NotRun => name.yellow().to_string(),
    }
}
