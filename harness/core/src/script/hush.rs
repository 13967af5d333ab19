//! A step that was met by silence, and what still comes for it: silence shows only that the peer had not answered by then.
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::inbox::Unread;
use super::matching::{self, Class, Sight, Wanted};
use crate::ids::CanaryId;
use crate::plan::Alternative;
use crate::protocol::Answers;
use crate::transcript::{Packet, StepState};

/// A silence that was taken for the answer to what was said.
pub(super) struct Hush {
    /// Index of the step in its fleet's script.
    pub(super) index: u16,
    /// The numbers of what was said that it was the answer to.
    pub(super) said: RangeInclusive<u32>,
    pub(super) any: Vec<Alternative>,
    /// An acknowledgement came: the answer itself was not waited for.
    pub(super) doubted: bool,
}

impl Hush {
    /// What this packet makes of the step; `None`: nothing. `interim`: it promises an answer, and is none.
    pub(super) fn hear<'p>(
        &mut self,
        unread: &Unread,
        class: Class<'p>,
        canary: &'p dyn Fn(CanaryId) -> &'p str,
        interim: fn(&Packet) -> bool,
    ) -> Option<(StepState, String)> {
        let Answers::Step(nth) = unread.answers else { return None };
        if !self.said.contains(&nth) {
            return None;
        }
        let canary = |id| canary(id);
        let wanted = Wanted { any: &self.any, natural: None, class, canary: &canary };
        let came = matching::brief(&unread.packet);
        if let Sight::Met(_) = wanted.look(&unread.packet, unread.answers) {
            return core::mem::take(&mut self.doubted).then_some((StepState::Met, came));
        }
        let awaits_packets = self.any.iter().any(|alternative| alternative.silence.is_none());
        if awaits_packets && interim(&unread.packet) {
            self.doubted = true;
            return Some((
                StepState::Cut,
                alloc::format!("{came} came after the silence, and we had not waited for more"),
            ));
        }
        let instead = matching::in_words(&self.any, None);
        Some((StepState::Unmet, alloc::format!("{came}, after the silence, instead of {instead}")))
    }
}
