//! How much a finding weighs and what kind of defect it is: the two words by which reports sort.
use core::fmt;

use serde::{Deserialize, Serialize};

/// Severity level: how much a finding weighs. Moves the exit code, never the verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Defence in depth that no standard asks for.
    Hardening,
    /// A SHOULD of a standard, or something close to it.
    Should,
    /// A MUST of a standard, or a crash, hang or leak.
    #[default]
    Must,
}

/// Kind of finding: what class of defect a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The target ended by itself, or a task of it did.
    Crash,
    /// It serves nobody any more.
    Hang,
    /// It spends more memory, time or slots than it may.
    Resource,
    /// It shows something to somebody who may not see it.
    Disclosure,
    /// It lets somebody do what they may not.
    Auth,
    /// It is not what its declaration says.
    Config,
    /// It breaks a rule of its protocol.
    Conformance,
    /// It did not handle an exception.
    Exception,
    /// It answers a forged sender with more than was sent.
    Amplification,
}

impl Level {
    /// Each with its word in files and results, the heaviest first.
    pub const WORDS: [(&'static str, Level); 3] =
        [("must", Level::Must), ("should", Level::Should), ("hardening", Level::Hardening)];

    /// As files and results write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(&self, &Level::WORDS)
    }
}

impl FindingKind {
    /// Each with its word in files and results.
    pub const WORDS: [(&'static str, FindingKind); 9] = [
        ("crash", FindingKind::Crash),
        ("hang", FindingKind::Hang),
        ("resource", FindingKind::Resource),
        ("disclosure", FindingKind::Disclosure),
        ("auth", FindingKind::Auth),
        ("config", FindingKind::Config),
        ("conformance", FindingKind::Conformance),
        ("exception", FindingKind::Exception),
        ("amplification", FindingKind::Amplification),
    ];

    /// As files and results write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(&self, &FindingKind::WORDS)
    }

    /// Whether it names a target that broke down, whatever rule was asked: no missing capability or failed control explains it.
    #[must_use]
    pub fn is_breakdown(self) -> bool {
        matches!(self, FindingKind::Crash | FindingKind::Hang | FindingKind::Exception)
    }
}

fn word<T: PartialEq>(meaning: &T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, known)| known == meaning).map_or("", |(word, _)| word)
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word of a file is the word of results, both ways.
    fn same_word<T>(words: &[(&str, T)])
    where
        T: Serialize + for<'a> Deserialize<'a> + PartialEq + fmt::Debug + fmt::Display,
    {
        for (word, meaning) in words {
            let stored = alloc::format!("{word:?}");
            assert_eq!(serde_json::to_string(meaning).unwrap(), stored);
            assert_eq!(serde_json::from_str::<T>(&stored).unwrap(), *meaning);
            assert_eq!(alloc::format!("{meaning}"), *word);
        }
    }

    #[test]
    fn levels_and_kinds_have_one_word_in_scenarios_results_and_reports() {
        same_word(&Level::WORDS);
        same_word(&FindingKind::WORDS);
        assert!(serde_json::from_str::<Level>("\"mist\"").is_err());
    }

    #[test]
    fn a_must_weighs_more_than_a_should() {
        assert!(Level::Must > Level::Should && Level::Should > Level::Hardening);
    }
}
