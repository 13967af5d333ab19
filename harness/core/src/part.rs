//! What a step, or all that a fleet sends, is for: the legal variant or the attack.
use core::fmt;

use serde::{Deserialize, Serialize};

/// Whether a step is the legal variant or the attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The legal variant: must succeed.
    Control,
    /// The attack: must reach the target.
    Stimulus,
}

impl Part {
    /// Each with its word in files and transcripts.
    pub const WORDS: [(&'static str, Part); 2] = [("control", Part::Control), ("stimulus", Part::Stimulus)];

    /// As files and transcripts write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Part::WORDS[self as usize].0
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_word_in_scenarios_transcripts_and_messages() {
        for (word, part) in Part::WORDS {
            assert_eq!(alloc::format!("{part}"), word);
            assert_eq!(serde_json::to_string(&part).unwrap(), alloc::format!("{word:?}"));
            assert_eq!(serde_json::from_str::<Part>(&alloc::format!("{word:?}")).unwrap(), part);
        }
    }
}
