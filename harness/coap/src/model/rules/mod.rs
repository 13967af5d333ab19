//! The rules of the model, one row each.
use proofhouse_core::model::{Breach, Rule, Tally};

use super::facts::{Assoc, EXCHANGE_LIFETIME, Exchange, Facts, PATIENCE, Seen};

mod blocks;
mod content;
mod messages;
mod observing;

type Row = Rule<for<'a> fn(&Facts<'a>, &mut Tally)>;

/// Every rule of the model.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    let tables = [messages::RULES, content::RULES, observing::RULES, blocks::RULES];
    tables.into_iter().flatten()
}
