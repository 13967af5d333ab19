//! What is held for one peer: one address that speaks to our socket.
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use proofhouse_coap::codec::{Kind, Token};
use proofhouse_coap::exchange::{Ids, Outgoing, Recent};
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;

use super::Limits;

/// One peer. A million of them: what most do not need is behind a box.
#[derive(Debug)]
pub(in crate::reference) struct Peer {
    /// When its last datagram came.
    pub(in crate::reference) heard: Time,
    /// Bytes of all datagrams that came.
    pub(in crate::reference) received: u64,
    /// Bytes of all that went there.
    pub(in crate::reference) sent: u64,
    /// What it must repeat to show that its address is its own.
    pub(in crate::reference) challenge: Option<u64>,
    /// It did.
    pub(in crate::reference) validated: bool,
    /// A malformed datagram came, and a flaw has not got over it.
    pub(in crate::reference) spoilt: bool,
    pub(in crate::reference) recent: Recent,
    /// When something is due for it.
    pub(in crate::reference) due: Time,
    pub(in crate::reference) own: Option<Box<Own>>,
}

/// What we say by ourselves.
#[derive(Debug)]
pub(in crate::reference) struct Own {
    pub(in crate::reference) ids: Ids,
    /// The one message that is on its way \[RFC 7641 §4.5.1\].
    pub(in crate::reference) outgoing: Outgoing,
    pub(in crate::reference) topic: Topic,
    /// Observations, and whether something new is to be told.
    pub(in crate::reference) watched: BTreeMap<Token, bool>,
    /// Separate responses: when, to what, how it was asked, and under which message id.
    pub(in crate::reference) slow: VecDeque<(Time, Token, Kind, u16)>,
}

/// What the message on its way is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reference) enum Topic {
    /// An observation.
    Notice(Token),
    /// A separate response.
    Separate,
}

impl Peer {
    pub(in crate::reference) fn new(now: Time, limits: &Limits) -> Peer {
        Peer {
            heard: now,
            received: 0,
            sent: 0,
            challenge: None,
            validated: false,
            spoilt: false,
            recent: Recent::new(limits.recent, limits.recent_bytes),
            due: Time::NEVER,
            own: None,
        }
    }

    pub(in crate::reference) fn own(&mut self, draw: impl FnOnce() -> u64) -> &mut Own {
        self.own.get_or_insert_with(|| {
            Box::new(Own {
                ids: Ids::new(draw()),
                outgoing: Outgoing::new(),
                topic: Topic::Separate,
                watched: BTreeMap::new(),
                slow: VecDeque::new(),
            })
        })
    }

    /// Whether so many bytes may go to it: until it has shown its address, only in proportion to what came from there.
    pub(in crate::reference) fn affords(&self, bytes: usize, factor: u32) -> bool {
        self.validated || self.sent + bytes as u64 <= self.received * u64::from(factor)
    }

    fn bytes(&self) -> usize {
        let own = self.own.as_ref().map_or(0, |own| {
            size_of::<Own>()
                + own.outgoing.wire().len()
                + own.watched.len() * size_of::<(Token, bool)>()
                + own.slow.capacity() * size_of::<(Time, Token, Kind, u16)>()
        });
        size_of::<(Conn, Peer)>() + self.recent.len() * ENTRY + self.recent.bytes() + own
    }
}

impl Own {
    /// When something is due.
    pub(in crate::reference) fn due(&self) -> Time {
        let next = if self.outgoing.is_idle() { self.slow.front().map(|(at, ..)| *at) } else { None };
        self.outgoing.due().min(next.unwrap_or(Time::NEVER))
    }
}

/// A remembered message id, with its time and its reply's place.
const ENTRY: usize = 40;

/// All peers, and who was silent for longest.
#[derive(Debug, Default)]
pub(in crate::reference) struct Peers {
    all: BTreeMap<Conn, Peer>,
    order: BTreeSet<(Time, Conn)>,
    /// Bytes of replies that are kept.
    pub(in crate::reference) replies: usize,
}

impl Peers {
    pub(in crate::reference) fn get(&mut self, conn: Conn) -> Option<&mut Peer> {
        self.all.get_mut(&conn)
    }

    /// Bytes of replies that are kept for a peer.
    pub(in crate::reference) fn kept(&self, conn: Conn) -> usize {
        self.all.get(&conn).map_or(0, |peer| peer.recent.bytes())
    }

    /// Keeps the reply to a message; that to a NON is said only once \[RFC 7252 §4.5\].
    pub(in crate::reference) fn keep(&mut self, conn: Conn, mid: u16, reply: &[u8]) {
        let before = self.kept(conn);
        if let Some(peer) = self.all.get_mut(&conn) {
            peer.recent.keep(mid, reply);
        }
        self.replies = self.replies + self.kept(conn) - before;
    }

    /// A peer that is new, or has just spoken.
    pub(in crate::reference) fn heard(&mut self, conn: Conn, now: Time, limits: &Limits) -> &mut Peer {
        let peer = self.all.entry(conn).or_insert_with(|| Peer::new(now, limits));
        self.order.remove(&(peer.heard, conn));
        peer.heard = now;
        self.order.insert((now, conn));
        peer
    }

    pub(in crate::reference) fn remove(&mut self, conn: Conn) -> Option<Peer> {
        let peer = self.all.remove(&conn)?;
        self.order.remove(&(peer.heard, conn));
        self.replies -= peer.recent.bytes();
        Some(peer)
    }

    /// The peer that was silent for longest, if it may be forgotten: there are too many, or too much is kept for them, or nothing
    /// can come of it any more.
    pub(in crate::reference) fn stale(&self, now: Time, limits: &Limits) -> Option<Conn> {
        let (heard, conn) = *self.order.first()?;
        let crowded = self.all.len() > limits.peers as usize || self.replies > limits.replies as usize;
        let over = || {
            let idle = |peer: &Peer| peer.own.as_ref().is_none_or(|own| own.watched.is_empty() && own.slow.is_empty());
            now.since(heard) > limits.idle && self.all.get(&conn).is_none_or(idle)
        };
        (crowded || over()).then_some(conn)
    }

    pub(in crate::reference) fn bytes(&self) -> usize {
        self.all.values().map(Peer::bytes).sum::<usize>() + self.order.len() * size_of::<(Time, Conn)>()
    }
}
