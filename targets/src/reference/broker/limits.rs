//! How much of everything one client, and all of them together, may take.
use core::time::Duration;

/// Limits of the reference broker. Every one of them is announced where MQTT 5 has a word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From accept to a whole CONNECT. The standard says "a reasonable amount of time"; our own scenarios call 30 s too long.
    pub connect_within: Duration,
    /// Bytes of the largest packet from a client, fixed header included. The protocol's own end is 256 MiB.
    pub packet_bytes: u32,
    /// Clients connected at once; the next one is refused with "server busy".
    pub connections: u32,
    /// Clients connected at once from one address; the next one is refused with "quota exceeded". Without an end by default: a
    /// simulated fleet comes from one address.
    pub per_source: u32,
    /// Sessions, connected or not.
    pub sessions: u32,
    /// Filters of one session.
    pub filters: u32,
    /// Levels of one filter. Matching is iterative: this bounds memory, not the stack.
    pub levels: u32,
    /// Unacknowledged QoS 1 and 2 messages to one client, if its own Receive Maximum is not lower.
    pub inflight: u16,
    /// QoS 2 messages from one client whose PUBREL has not come: announced as Receive Maximum.
    pub receive_maximum: u16,
    /// Messages queued for one client. The newest is dropped.
    pub queue: u32,
    /// Bytes of payload and topic queued for one client. The newest is dropped.
    pub queue_bytes: u32,
    /// Retained messages.
    pub retained: u32,
    /// Topic aliases that a client may set in one connection.
    pub aliases: u16,
    /// The highest quality of service that MQTT 5 clients may use.
    pub qos: u8,
    /// What MQTT 5 clients may not use.
    pub lacks: Lacks,
    /// The Keep Alive that MQTT 5 clients have to keep instead of their own.
    pub keep_alive: Option<u16>,
    /// The longest that a session of MQTT 5 outlives its connection, in seconds.
    pub session_expiry: u32,
}

/// Features that MQTT 5 has a word for where they are not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Retained messages.
    pub retain: bool,
    /// Filters with wildcards.
    pub wildcards: bool,
    /// Subscription Identifiers.
    pub identifiers: bool,
    /// Shared subscriptions.
    pub shares: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect_within: Duration::from_secs(10),
            packet_bytes: 1 << 20,
            connections: 4_000_000,
            per_source: u32::MAX,
            sessions: 4_000_000,
            filters: 1_000,
            levels: 128,
            inflight: 64,
            receive_maximum: 256,
            queue: 1_000,
            queue_bytes: 8 << 20,
            retained: 20_000,
            aliases: 16,
            qos: 2,
            lacks: Lacks::default(),
            keep_alive: None,
            session_expiry: u32::MAX,
        }
    }
}
