//! Replays of one plan, counted for one failure.
use std::sync::Arc;

use proofhouse_core::finding::Repeats;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Violation;

use crate::run::replay::Replay;
use crate::run::resume::{Shown, Suspicion};

/// What one replay says about one failure.
pub(super) enum Came {
    /// It came again.
    Again(Violation),
    /// It did not.
    Not,
    /// It did not take place, or nothing that it shows counts.
    Void(String),
}

impl Came {
    /// What `again` says about a failure.
    pub fn of(again: &Replay, suspicion: &Suspicion) -> Came {
        let Shown { signature, oracle, .. } = &suspicion.shown;
        match (again.violation(signature), again.void(oracle, signature)) {
            (Some(violation), _) => Came::Again(violation.clone()),
            (None, Some(why)) => Came::Void(why),
            (None, None) => Came::Not,
        }
    }

    /// Whether it came again.
    pub fn is_again(&self) -> bool {
        matches!(self, Came::Again(_))
    }
}

/// What the journal says of one replay that counts.
pub(super) struct Line {
    /// It came again.
    pub reproduced: bool,
    /// Byte for byte as in the first replay.
    pub exact: bool,
}

/// Replays of one plan, counted.
#[derive(Default)]
pub(super) struct Counted {
    /// Those that took place.
    pub ran: u32,
    /// Those of them that showed it.
    pub agreed: u32,
    /// All of them have one transcript, byte for byte.
    pub exact: bool,
    /// It is a finding.
    pub confirmed: bool,
    /// Of the first that showed it: the record, and what it shows.
    pub shown: Option<(Arc<Outcome>, Violation)>,
    /// Why the others did not take place.
    pub others: Vec<String>,
    /// SHA-256 of the first transcript.
    first: Option<String>,
}

impl Counted {
    /// Counts one replay: its transcript's digest, and its record where that is kept. `None` where it does not count.
    pub fn add(&mut self, came: Came, digest: &str, outcome: Option<&Arc<Outcome>>) -> Option<Line> {
        let violation = match came {
            Came::Void(why) => {
                self.others.push(why);
                return None;
            }
            Came::Again(violation) => Some(violation),
            Came::Not => None,
        };
        let reproduced = violation.is_some();
        let exact = self.first.as_ref().is_some_and(|first| first == digest);
        self.first.get_or_insert_with(|| digest.to_owned());
        self.exact = exact && (self.ran == 1 || self.exact);
        self.ran += 1;
        self.agreed += u32::from(reproduced);
        if self.shown.is_none() {
            self.shown = outcome.cloned().zip(violation);
        }
        Some(Line { reproduced, exact })
    }

    /// As findings say it.
    pub fn repeats(&self, in_process: bool) -> Repeats {
        match (self.ran, in_process && self.exact && self.agreed == self.ran) {
            (0, _) => Repeats::NotReplayed,
            (_, true) => Repeats::Exact,
            _ => Repeats::Counted { agreed: self.agreed, ran: self.ran },
        }
    }
}

/// More than half of the replays that were asked for show it, and two thirds of those that took place.
pub(super) fn is_confirmed(agreed: u32, ran: u32, asked: u32) -> bool {
    agreed * 2 > asked && agreed * 3 >= ran * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_that_did_not_take_place_speaks_neither_for_nor_against_a_finding() {
        assert!(is_confirmed(2, 3, 3) && is_confirmed(2, 2, 3), "the third did not start");
        assert!(!is_confirmed(1, 1, 3), "one of three that took place is too little");
        assert!(!is_confirmed(1, 2, 3) && !is_confirmed(0, 0, 3) && !is_confirmed(6, 10, 10));
        assert!(is_confirmed(7, 10, 10) && is_confirmed(1, 1, 1));
        assert!(is_confirmed(6, 6, 10) && !is_confirmed(5, 5, 10), "half of what was asked for is no majority");
        assert!(is_confirmed(2, 2, 2) && !is_confirmed(1, 1, 2));
    }
}
