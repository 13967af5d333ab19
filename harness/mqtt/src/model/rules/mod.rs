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

type Row<'a> = Rule<Facts<'a>>;

/// Every rule of the model.
pub(super) fn all<'a>() -> impl Iterator<Item = Row<'a>> {
    let tables = [
        packets::rules(),
        connack::rules(),
        acks::rules(),
        subscribing::rules(),
        delivery::rules(),
        content::rules(),
        flow::rules(),
        order::rules(),
        retained::rules(),
        session::rules(),
        will::rules(),
        closing::rules(),
    ];
    tables.into_iter().flatten()
}
