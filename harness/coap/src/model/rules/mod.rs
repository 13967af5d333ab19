//! The rules of the model, one row each.
use proofhouse_core::model::{Breach, Rule, Tally};

use super::facts::{Assoc, EXCHANGE_LIFETIME, Exchange, Facts, PATIENCE, Seen};
use super::paths::{Act, Last, Path, Shown};

mod blocks;
mod content;
mod copies;
mod discovery;
mod malformed;
mod messages;
mod methods;
mod notices;
mod observing;
mod stored;

type Row = Rule<for<'a> fn(&Facts<'a>, &mut Tally)>;

/// Every rule of the model.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    let tables = [
        messages::RULES,
        copies::RULES,
        malformed::RULES,
        methods::RULES,
        content::RULES,
        stored::RULES,
        discovery::RULES,
        observing::RULES,
        notices::RULES,
        blocks::RULES,
    ];
    tables.into_iter().flatten()
}
