//! Both ends of every connection, in one slab: 24 bytes each.
use alloc::vec::Vec;

use crate::ids::Conn;
use crate::time::Time;

/// How far one end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody's.
    Free,
    /// Asked for, or knocking.
    Opening,
    /// Its owner was told that it stands.
    Open,
    /// Its owner was told that the peer says no more, and may have a last word.
    Told,
    /// Its owner ended it, or was told that it is over.
    Closed,
}

/// What its owner's messages travel as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// A stream.
    Stream,
    /// A stream on which its owner says no more.
    Silent,
    /// Datagrams.
    Datagram,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// When the last message towards this end arrives: the next one does not overtake it.
    pub(super) arrives: Time,
    pub(super) peer: Conn,
    /// Whose end it is.
    pub(super) who: u32,
    /// Events that name it.
    pub(super) in_flight: u32,
    pub(super) state: State,
    pub(super) carrier: Carrier,
    /// Its owner does not read.
    pub(super) stopped: bool,
    /// Something waits to be read.
    pub(super) backlog: bool,
}

impl End {
    const FREE: End = End {
        arrives: Time::ZERO,
        peer: Conn(0),
        who: 0,
        in_flight: 0,
        state: State::Free,
        carrier: Carrier::Stream,
        stopped: false,
        backlog: false,
    };

    pub(super) fn stands(&self) -> bool {
        matches!(self.state, State::Opening | State::Open | State::Told)
    }

    pub(super) fn sends(&self) -> bool {
        self.stands() && self.carrier != Carrier::Silent
    }
}

#[derive(Default)]
pub(super) struct Ends {
    all: Vec<End>,
}

impl Ends {
    /// A connection between two actors begins.
    pub(super) fn pair(&mut self, client: (Conn, u32), server: (Conn, u32), carrier: Carrier) {
        for ((conn, who), (peer, _)) in [(client, server), (server, client)] {
            let place = conn.0 as usize;
            if place >= self.all.len() {
                self.all.resize(place + 1, End::FREE);
            }
            self.all[place] = End { peer, who, carrier, state: State::Opening, ..End::FREE };
        }
    }

    /// The end; `None` where nobody has such a connection.
    pub(super) fn find(&mut self, conn: Conn) -> Option<&mut End> {
        self.all.get_mut(conn.0 as usize).filter(|end| end.state != State::Free)
    }

    pub(super) fn touch(&self, conn: Conn) {
        core::hint::black_box(self.all[conn.0 as usize].in_flight);
    }

    /// The ends of an actor that stand, in order.
    pub(super) fn of(&self, who: u32) -> Vec<Conn> {
        let standing = self.all.iter().enumerate().filter(|(_, end)| end.who == who && end.stands());
        standing.map(|(place, _)| Conn(place as u32)).collect()
    }

    /// Frees both ends if both are over and no event names them any more.
    pub(super) fn free_pair(&mut self, conn: Conn) -> Option<(Conn, Conn)> {
        let end = self.all[conn.0 as usize];
        let peer = self.all[end.peer.0 as usize];
        let over = |end: &End| end.state == State::Closed && end.in_flight == 0;
        if !over(&end) || !over(&peer) {
            return None;
        }
        self.all[conn.0 as usize].state = State::Free;
        self.all[end.peer.0 as usize].state = State::Free;
        Some((conn, end.peer))
    }
}

impl core::ops::Index<Conn> for Ends {
    type Output = End;
    fn index(&self, conn: Conn) -> &End {
        &self.all[conn.0 as usize]
    }
}

impl core::ops::IndexMut<Conn> for Ends {
    fn index_mut(&mut self, conn: Conn) -> &mut End {
        &mut self.all[conn.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_24_bytes() {
        assert_eq!(size_of::<End>(), 24);
    }

    #[test]
    fn a_pair_is_freed_only_when_both_are_over_and_nothing_names_them() {
        let mut ends = Ends::default();
        let (a, b) = (Conn(0), Conn(1));
        ends.pair((a, 5), (b, 6), Carrier::Stream);
        ends[a].state = State::Closed;
        assert_eq!(ends.free_pair(a), None);
        ends[b].state = State::Closed;
        ends[b].in_flight = 1;
        assert_eq!(ends.free_pair(a), None);
        ends[b].in_flight = 0;
        assert_eq!(ends.free_pair(a), Some((a, b)));
        assert!(ends.find(a).is_none() && ends.find(b).is_none());
    }
}
