//! Link faults: `[network]`, or `network = { .. }` of a fleet.
use alloc::format;

use crate::actor::Close;
use crate::document::{Keys, Mistake};
use crate::plan::Network;
use crate::spread::Spread;
use crate::time::Duration;

/// What only a datagram can suffer. Every protocol so far runs over a stream, where the transport would undo it.
const DATAGRAM_ONLY: [&str; 3] = ["duplicate", "reorder", "corrupt"];

/// No faults.
pub(super) fn none() -> Network {
    Network { delay: Spread::Fixed(Duration::ZERO), loss: 0.0, cut: None, stall: None, rate: 0, split: 0 }
}

pub(super) fn read(mut keys: Keys<'_>) -> Result<Network, Mistake> {
    for key in keys.rest() {
        if DATAGRAM_ONLY.contains(&key.as_str()) {
            return Err(Mistake::new(
                keys.span_of(&key),
                format!("{key} acts on datagrams; on a stream there are none"),
            ));
        }
    }
    let network = Network {
        delay: keys.durations("delay")?.unwrap_or(Spread::Fixed(Duration::ZERO)),
        loss: keys.share("loss")?.unwrap_or_default(),
        cut: keys.table("cut")?.map(cut).transpose()?,
        stall: keys.table("stall")?.map(stall).transpose()?,
        rate: keys.int("rate", 1..=i64::MAX)?.map_or(0, i64::cast_unsigned),
        split: keys.int("split", 1..=i64::from(u32::MAX))?.map_or(0, |n| n as u32),
    };
    keys.finish()?;
    Ok(network)
}

/// `{ after = "5s", how = "reset" }`.
fn cut(mut keys: Keys<'_>) -> Result<(Duration, Close), Mistake> {
    let after = keys.duration("after")?;
    let after = keys.need("after", after)?;
    let how = keys.word("how", &[("reset", Close::Reset), ("fin", Close::Fin)])?.unwrap_or(Close::Reset);
    keys.finish()?;
    Ok((after, how))
}

/// `{ after = "1s", for = "3s" }`.
fn stall(mut keys: Keys<'_>) -> Result<(Duration, Duration), Mistake> {
    let (after, long) = (keys.duration("after")?, keys.duration("for")?);
    let stall = (keys.need("after", after)?, keys.need("for", long)?);
    keys.finish()?;
    Ok(stall)
}
