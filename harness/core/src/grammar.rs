//! Packet semantics that rules of every protocol ask about: the packets that begin and end a session, what a packet is about, how filters
//! match. The engine asks; the answers stand in the protocol's own crate.
use alloc::string::String;
use core::fmt;

use crate::transcript::Packet;

/// The packets of a protocol, as far as rules of every protocol ask about them. One for each protocol.
#[derive(Clone, Copy)]
pub struct Grammar {
    /// Name of the protocol.
    pub protocol: &'static str,
    /// Verbs that begin a session: said on a connection that has ended, they open it again, as `open` does.
    pub opening: &'static [&'static str],
    /// Packets and verbs by which a client says goodbye: whoever is disconnected after one was not thrown out.
    pub leaving: &'static [&'static str],
    /// Whether a server says with this packet that it serves nobody, or this client no longer, for a reason that is nobody's fault.
    pub own_reason: fn(&Packet) -> bool,
    /// Resource that a packet is about (a topic, a path), as filters name it.
    pub resource: fn(&Packet) -> Option<String>,
    /// Filter match: whether a filter, with the protocol's wildcards, covers a resource.
    pub covers: fn(filter: &str, resource: &str) -> bool,
    /// Type of a packet, with what else tells packets of one type apart. Part of signatures: never a number of one trial.
    pub kind: fn(&Packet) -> String,
    /// Acknowledgement that promises an answer, and is none.
    pub interim: fn(&Packet) -> bool,
    /// Whether a packet that was heard answers one that was said, by the identifiers that both carry.
    pub answers: fn(said: &Packet, heard: &Packet) -> bool,
    /// Keep-alive: asks whether the peer is there, and is no reason for it to say anything else.
    pub keep_alive: fn(&Packet) -> bool,
    /// Type of the acknowledgement that a packet asks for; `None` where it asks for none.
    pub asks: fn(&Packet) -> Option<&'static str>,
    /// Acknowledgement that says that what it answers was taken, as opposed to refused.
    pub takes: fn(&Packet) -> bool,
    /// Rate limit or overload: the peer refuses whoever asks just now, whatever is asked.
    pub busy: fn(&Packet) -> bool,
    /// Whether a field of an answer tells a limit that the server has announced: in the answer itself, or in one of those before it.
    pub limit: fn(before: &mut dyn Iterator<Item = &Packet>, answer: &Packet, field: &str) -> bool,
}

impl Grammar {
    /// Of a fleet that speaks no protocol: an administrator.
    pub const NONE: Grammar = Grammar {
        protocol: "",
        opening: &[],
        leaving: &[],
        own_reason: |_| false,
        resource: |_| None,
        covers: |filter, resource| filter == resource,
        kind: |packet| packet.kind.clone(),
        interim: |_| false,
        answers: |_, _| false,
        keep_alive: |_| false,
        asks: |_| None,
        takes: |_| false,
        busy: |_| false,
        limit: |_, _, _| false,
    };
}

/// A protocol has one.
impl PartialEq for Grammar {
    fn eq(&self, other: &Grammar) -> bool {
        self.protocol == other.protocol
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grammar({:?})", self.protocol)
    }
}
