//! The server's list of observers.

use alloc::collections::BTreeMap;

use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;

use crate::codec::Token;

/// Who follows what: one entry per association and token \[RFC 7641 §4.1\], and no more of them than a server can afford.
#[derive(Clone, Debug, Default)]
pub struct Observers {
    list: BTreeMap<(Conn, Token), Observer>,
    limit: usize,
}

/// One entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observer {
    /// The resource, in the server's own numbering.
    pub resource: u32,
    /// Message id of the last notification, so that a RST finds the entry.
    pub mid: Option<u16>,
    /// Notifications since one was confirmed: a server sends a CON in between \[RFC 7641 §7\].
    pub unconfirmed: u32,
    /// When the client last showed that it is still there: a server asks once a day at least \[RFC 7641 §4.5\].
    pub confirmed: Time,
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// A new entry: the response carries Observe.
    New,
    /// The entry of this association and token was replaced: the response carries Observe.
    Renewed,
    /// The list is full: the request is a plain GET, and the response carries no Observe \[RFC 7641 §4.1\].
    Full,
}

impl Observers {
    /// At most so many entries.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { list: BTreeMap::new(), limit }
    }

    /// Puts a client on the list.
    pub fn register(&mut self, conn: Conn, token: Token, resource: u32, now: Time) -> Registered {
        let entry = Observer { resource, mid: None, unconfirmed: 0, confirmed: now };
        if let Some(old) = self.list.get_mut(&(conn, token)) {
            *old = entry;
            return Registered::Renewed;
        }
        if self.list.len() >= self.limit {
            return Registered::Full;
        }
        self.list.insert((conn, token), entry);
        Registered::New
    }

    /// Takes a client off the list: it asked for that, a CON notification was given up, or the resource is gone
    /// \[RFC 7641 §3.6, RFC 7641 §4.5, RFC 7641 §4.2\].
    pub fn remove(&mut self, conn: Conn, token: Token) -> Option<Observer> {
        self.list.remove(&(conn, token))
    }

    /// Takes off all entries of an association that is gone; how many there were.
    pub fn remove_all(&mut self, conn: Conn) -> usize {
        let tokens: alloc::vec::Vec<Token> = self.of_conn(conn).map(|(token, _)| token).collect();
        tokens.iter().filter(|token| self.list.remove(&(conn, **token)).is_some()).count()
    }

    /// A RST came: takes off the entry whose last notification had this message id \[RFC 7641 §4.5\].
    pub fn reset(&mut self, conn: Conn, mid: u16) -> Option<(Token, Observer)> {
        let (token, _) = self.of_conn(conn).find(|(_, observer)| observer.mid == Some(mid))?;
        self.remove(conn, token).map(|observer| (token, observer))
    }

    /// A notification was sent.
    pub fn sent(&mut self, conn: Conn, token: Token, mid: u16) {
        if let Some(observer) = self.list.get_mut(&(conn, token)) {
            observer.mid = Some(mid);
            observer.unconfirmed = observer.unconfirmed.saturating_add(1);
        }
    }

    /// An ACK came for the notification with this message id; whether one was known.
    pub fn confirmed(&mut self, conn: Conn, mid: u16, now: Time) -> bool {
        let entries = self.list.range_mut(span(conn));
        let Some((_, observer)) = entries.into_iter().find(|(_, observer)| observer.mid == Some(mid)) else {
            return false;
        };
        (observer.unconfirmed, observer.confirmed) = (0, now);
        true
    }

    /// The entry of this association and token.
    #[must_use]
    pub fn get(&self, conn: Conn, token: Token) -> Option<&Observer> {
        self.list.get(&(conn, token))
    }

    /// All who follow this resource, in a fixed order.
    pub fn of(&self, resource: u32) -> impl Iterator<Item = (Conn, Token, &Observer)> {
        let these = self.list.iter().filter(move |(_, observer)| observer.resource == resource);
        these.map(|((conn, token), observer)| (*conn, *token, observer))
    }

    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether no one follows anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn of_conn(&self, conn: Conn) -> impl Iterator<Item = (Token, &Observer)> {
        self.list.range(span(conn)).map(|((_, token), observer)| (*token, observer))
    }
}

/// All keys of one association: from no token to the largest.
fn span(conn: Conn) -> core::ops::RangeInclusive<(Conn, Token)> {
    (conn, Token::EMPTY)..=(conn, Token::LARGEST)
}
