//! The rules of the model, one row each.
use proofhouse_core::model::{Breach, Rule, Tally};

use super::facts::{Assoc, EXCHANGE_LIFETIME, Exchange, Facts, PATIENCE, Seen};

mod blocks;
mod content;
mod messages;
mod observing;

type Row<'a> = Rule<Facts<'a>>;

/// Every rule of the model.
pub(super) fn all<'a>() -> impl Iterator<Item = Row<'a>> {
    [messages::rules(), content::rules(), observing::rules(), blocks::rules()].into_iter().flatten()
}
