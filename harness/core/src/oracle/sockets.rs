//! Which of our sockets an association belongs to. On datagrams a stranger, who answers from another address than the one that was asked, is
//! an association of his own: what he says was caused by what was said from the socket that he speaks to.
use alloc::collections::BTreeMap;

use super::record::Record;
use crate::connection::Addr;
use crate::transcript::Event;

/// The strangers that spoke to sockets of ours.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By the stranger's association, the one that we began at the same socket.
    strangers: BTreeMap<u32, u32>,
}

impl Sockets {
    /// Looks for them in a record.
    #[must_use]
    pub fn of(record: &Record<'_>) -> Sockets {
        let fleet = |conn: &u32| record.connections.get(conn).map(|connection| connection.fleet);
        let (mut begun, mut strangers) = (BTreeMap::<Addr, u32>::new(), BTreeMap::new());
        for entry in &record.transcript.entries {
            let Event::Opened { conn, from, to, .. } = &entry.event else { continue };
            match begun.get(to).filter(|asked| fleet(asked) == fleet(conn)) {
                Some(asked) => drop(strangers.insert(*conn, *asked)),
                None => drop(begun.insert(*from, *conn)),
            }
        }
        Sockets { strangers }
    }

    /// The association that caused what comes on this one: itself, unless it is a stranger's.
    #[must_use]
    pub fn asked(&self, conn: u32) -> u32 {
        self.strangers.get(&conn).copied().unwrap_or(conn)
    }

    /// The associations of strangers at the socket of this one.
    pub fn strangers_at(&self, conn: u32) -> impl Iterator<Item = u32> + '_ {
        self.strangers.iter().filter(move |(_, asked)| **asked == conn).map(|(stranger, _)| *stranger)
    }
}
