//! Link faults: `[network]`, or `network = { .. }` of a fleet.
use alloc::format;

use crate::connection::Close;
use crate::document::{Keys, Mistake, Span};
use crate::plan::Network;
use crate::protocol::Transport;
use crate::spread::Spread;
use crate::time::Duration;

/// What only one transport can suffer: a stream undoes what happens to single messages, and a datagram is never cut.
const SINGULAR: [(&str, Transport); 5] = [
    ("duplicate", Transport::Datagram),
    ("reorder", Transport::Datagram),
    ("corrupt", Transport::Datagram),
    ("split", Transport::Stream),
    ("cut", Transport::Stream),
];

/// What the links of a group do, and which of the keys in [`SINGULAR`] the file says, and where.
#[derive(Clone, Copy)]
pub(super) struct Links {
    pub(super) network: Network,
    said: [Option<Span>; SINGULAR.len()],
}

impl Links {
    /// No faults, and nothing said about them.
    pub(super) const NONE: Links = Links { network: Network::CLEAN, said: [None; SINGULAR.len()] };

    /// The faults, if this transport can suffer them.
    pub(super) fn on(self, transport: Transport) -> Result<Network, Mistake> {
        for ((key, needs), said) in SINGULAR.iter().zip(self.said) {
            let Some(span) = said.filter(|_| *needs != transport) else { continue };
            return Err(match needs {
                Transport::Datagram => {
                    Mistake::new(span, format!("{key} acts on datagrams; on a stream there are none"))
                }
                Transport::Stream => Mistake::new(
                    span,
                    format!("{key} acts on streams; a datagram is never cut, and its socket has no end"),
                ),
            });
        }
        Ok(self.network)
    }
}

pub(super) fn read(mut keys: Keys<'_>) -> Result<Links, Mistake> {
    let unread = keys.rest();
    let said = SINGULAR.map(|(key, _)| unread.iter().any(|name| name == key).then(|| keys.span_of(key)));
    let network = Network {
        delay: keys.durations("delay")?.unwrap_or(Spread::Fixed(Duration::ZERO)),
        loss: keys.share("loss")?.unwrap_or_default(),
        duplicate: keys.share("duplicate")?.unwrap_or_default(),
        reorder: keys.share("reorder")?.unwrap_or_default(),
        corrupt: keys.share("corrupt")?.unwrap_or_default(),
        cut: keys.table("cut")?.map(cut).transpose()?,
        stall: keys.table("stall")?.map(stall).transpose()?,
        rate: keys.int("rate", 1..=i64::MAX)?.map_or(0, i64::cast_unsigned),
        split: keys.int("split", 1..=i64::from(u32::MAX))?.map_or(0, |n| n as u32),
    };
    let faults = network.loss + network.duplicate + network.reorder + network.corrupt;
    if faults > 1.0 {
        return Err(Mistake::new(keys.span(), "loss, duplicate, reorder and corrupt are more than 100% together"));
    }
    keys.finish()?;
    Ok(Links { network, said })
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
