//! Events of the simulator, packed into one word: 4 bits of kind, 28 of whom it is about, 32 of which.
use crate::connection::Close;
use crate::ids::{Conn, MarkId, TimerId};

/// A message in the slab of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message(pub(super) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Start(u32),
    Timer(u32, TimerId),
    /// An attempt to connect reaches this end; the message is the address that it comes from.
    Knock(Conn, Message),
    /// The attempt was accepted.
    Opened(Conn, Message),
    Bytes(Conn, Message),
    Closed(Conn, Close),
    /// An end that reads again gets the next thing that it was not reading.
    Drain(Conn),
    /// The path of the connection that this end began is cut.
    Cut(Conn),
    Mark(u32, MarkId),
    Bound(u32, u32),
    Order(u32),
    Done(u32, bool),
    Tick,
    /// Everything that the owner of this end sent before it asked is written.
    Flushed(Conn),
    /// The witness is asked for its last word.
    Ask(u32),
    Void(u32, MarkId),
}

/// 2^28 actors, or ends of connections that are in use at once: 268 million.
const WHO_BITS: u32 = 28;
const WHO_MAX: u32 = (1 << WHO_BITS) - 1;

impl Happening {
    pub(super) fn pack(self) -> u64 {
        let (kind, who, which) = match self {
            Happening::Start(who) => (0, who, 0),
            Happening::Timer(who, id) => (1, who, id.0),
            Happening::Knock(conn, message) => (2, conn.0, message.0),
            Happening::Opened(conn, message) => (3, conn.0, message.0),
            Happening::Bytes(conn, message) => (4, conn.0, message.0),
            Happening::Closed(conn, how) => (5, conn.0, how as u32),
            Happening::Drain(conn) => (6, conn.0, 0),
            Happening::Cut(conn) => (7, conn.0, 0),
            Happening::Mark(who, id) => (8, who, u32::from(id.0)),
            Happening::Bound(who, place) => (9, who, place),
            Happening::Order(place) => (10, 0, place),
            Happening::Done(who, done) => (11, who, u32::from(done)),
            Happening::Tick => (12, 0, 0),
            Happening::Flushed(conn) => (13, conn.0, 0),
            Happening::Ask(who) => (14, who, 0),
            Happening::Void(who, id) => (15, who, u32::from(id.0)),
        };
        assert!(who <= WHO_MAX, "{who} actors or connections: the simulator numbers them up to {WHO_MAX}");
        kind << 60 | u64::from(who) << 32 | u64::from(which)
    }

    pub(super) fn unpack(word: u64) -> Happening {
        let who = (word >> 32) as u32 & WHO_MAX;
        let which = word as u32;
        match word >> 60 {
            0 => Happening::Start(who),
            1 => Happening::Timer(who, TimerId(which)),
            2 => Happening::Knock(Conn(who), Message(which)),
            3 => Happening::Opened(Conn(who), Message(which)),
            4 => Happening::Bytes(Conn(who), Message(which)),
            5 => Happening::Closed(Conn(who), CLOSES[which as usize]),
            6 => Happening::Drain(Conn(who)),
            7 => Happening::Cut(Conn(who)),
            8 => Happening::Mark(who, MarkId(which as u16)),
            9 => Happening::Bound(who, which),
            10 => Happening::Order(which),
            11 => Happening::Done(who, which == 1),
            12 => Happening::Tick,
            13 => Happening::Flushed(Conn(who)),
            14 => Happening::Ask(who),
            _ => Happening::Void(who, MarkId(which as u16)),
        }
    }
}

/// In the order of their numbers.
const CLOSES: [Close; 5] = [Close::Fin, Close::Reset, Close::Refused, Close::TimedOut, Close::LocalLimit];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks_the_same() {
        let last = Conn(WHO_MAX);
        let all = [
            Happening::Start(7),
            Happening::Timer(WHO_MAX, TimerId(u32::MAX)),
            Happening::Knock(last, Message(9)),
            Happening::Opened(last, Message(9)),
            Happening::Bytes(last, Message(u32::MAX)),
            Happening::Drain(last),
            Happening::Cut(last),
            Happening::Mark(7, MarkId(u16::MAX)),
            Happening::Bound(7, u32::MAX),
            Happening::Order(u32::MAX),
            Happening::Done(7, true),
            Happening::Done(7, false),
            Happening::Tick,
            Happening::Flushed(last),
            Happening::Ask(WHO_MAX),
            Happening::Void(7, MarkId(u16::MAX)),
        ];
        let closes = CLOSES.map(|how| Happening::Closed(last, how));
        for happening in all.into_iter().chain(closes) {
            assert_eq!(Happening::unpack(happening.pack()), happening);
        }
    }

    #[test]
    #[should_panic(expected = "268435456 actors")]
    fn one_actor_too_many_is_our_own_mistake() {
        Happening::Start(WHO_MAX + 1).pack();
    }
}
