//! The rules of the model, one row each.
use proofhouse_core::model::{Breach, Rule, Tally};

use super::facts::{Conn, Facts, Seen};

mod acks;
mod closing;
mod connack;
mod content;
mod delivery;
mod flow;
mod order;
mod packets;
mod retained;
mod session;
mod subscribing;
mod will;

type Row = Rule<for<'a> fn(&Facts<'a>, &mut Tally)>;

/// Every rule of the model.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    let tables = [
        packets::RULES,
        connack::RULES,
        acks::RULES,
        subscribing::RULES,
        delivery::RULES,
        content::RULES,
        flow::RULES,
        order::RULES,
        retained::RULES,
        session::RULES,
        will::RULES,
        closing::RULES,
    ];
    tables.into_iter().flatten()
}
