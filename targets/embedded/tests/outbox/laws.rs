//! What an [`Outbox`](proofhouse_core::actor::Outbox) promises, as a table: what both sides do, and what each of them must be told.
use proofhouse_core::protocol::Transport;

use super::puppet::Script;

/// One law: the first side opens, the second is opened to.
pub struct Law {
    pub name: &'static str,
    pub transport: Transport,
    /// How many there are of the first side.
    pub clients: u32,
    pub client: Script,
    pub server: Script,
    /// What each client may have been told; where there are several, a race on the wire decides.
    pub client_told: &'static [&'static str],
    /// What the server may have been told of each connection.
    pub server_told: &'static [&'static str],
    /// Whether anybody listens.
    pub served: bool,
    /// The server is told of so many connections at least.
    pub least: usize,
    pub lasts_ms: u64,
}

const STREAM: Law = Law {
    name: "",
    transport: Transport::Stream,
    clients: 1,
    client: &[],
    server: &[],
    client_told: &["opened"],
    server_told: &["accepted"],
    served: true,
    least: 1,
    lasts_ms: 1_000,
};

const GRAM: Law = Law { transport: Transport::Datagram, ..STREAM };

pub const LAWS: &[Law] = &[
    Law {
        name: "what was said before an orderly end arrives before it, however slowly it is read",
        client: &[("start", "open"), ("opened", "say:abc fill:3000000 fin")],
        server: &[("accepted", "stop wake:1:1300"), ("timer:1", "read")],
        server_told: &["accepted timer:1 bytes*3000003 closed:fin"],
        lasts_ms: 3_000,
        ..STREAM
    },
    Law {
        name: "what a server said before an orderly end arrives before it, however slowly it is read",
        client: &[("start", "open"), ("opened", "stop wake:1:1300"), ("timer:1", "read")],
        server: &[("accepted", "fill:3000000 say:abc fin")],
        client_told: &["opened timer:1 bytes*3000003 closed:fin"],
        lasts_ms: 3_000,
        ..STREAM
    },
    Law {
        name: "what is said while connecting arrives first",
        client: &[("start", "open say:a say:b"), ("opened", "say:c fin")],
        server_told: &["accepted bytes:abc closed:fin"],
        ..STREAM
    },
    Law {
        name: "an orderly end while connecting comes after what was said",
        client: &[("start", "open say:last fin")],
        client_told: &[""],
        server_told: &["accepted bytes:last closed:fin"],
        ..STREAM
    },
    Law {
        name: "a reset while connecting is the last that is heard, if anything is",
        client: &[("start", "open say:x reset")],
        client_told: &[""],
        server_told: &["accepted closed:reset", "accepted bytes:x closed:reset"],
        least: 0,
        ..STREAM
    },
    Law {
        name: "after a half close we hear on, and the end comes after the last word of the peer",
        client: &[("start", "open"), ("opened", "say:q half")],
        server: &[("closed", "say:adieu")],
        client_told: &["opened bytes:adieu closed:fin"],
        server_told: &["accepted bytes:q closed:fin"],
        ..STREAM
    },
    Law {
        name: "a last word may be long",
        client: &[("start", "open"), ("opened", "half")],
        server: &[("closed", "fill:3000000")],
        client_told: &["opened bytes*3000000 closed:fin"],
        server_told: &["accepted closed:fin"],
        lasts_ms: 2_000,
        ..STREAM
    },
    Law {
        name: "a client that is told of the end has a last word too",
        client: &[("start", "open"), ("closed", "say:adieu")],
        server: &[("accepted", "half")],
        client_told: &["opened closed:fin"],
        server_told: &["accepted bytes:adieu closed:fin"],
        ..STREAM
    },
    Law {
        name: "what is under way to a peer that says no more still arrives",
        client: &[("start", "open"), ("opened", "stop half wake:1:300"), ("timer:1", "read")],
        server: &[("accepted", "fill:3000000")],
        client_told: &["opened timer:1 bytes*3000000 closed:fin"],
        server_told: &["accepted closed:fin"],
        lasts_ms: 2_000,
        ..STREAM
    },
    Law {
        name: "after a half close nothing more is said",
        client: &[("start", "open"), ("opened", "say:a half say:b half")],
        client_told: &["opened closed:fin"],
        server_told: &["accepted bytes:a closed:fin"],
        ..STREAM
    },
    Law {
        name: "an orderly end may follow a half close",
        client: &[("start", "open"), ("opened", "say:a half fin")],
        server_told: &["accepted bytes:a closed:fin"],
        ..STREAM
    },
    Law {
        name: "a reset is the last that is heard, and what was said before it may be lost",
        client: &[("start", "open"), ("opened", "say:abc reset")],
        server_told: &["accepted closed:reset", "accepted bytes:abc closed:reset"],
        ..STREAM
    },
    Law {
        name: "a reset reaches one who does not read",
        client: &[("start", "open"), ("opened", "say:x wake:1:200"), ("timer:1", "reset")],
        client_told: &["opened timer:1"],
        server: &[("accepted", "stop")],
        server_told: &["accepted closed:reset"],
        ..STREAM
    },
    Law {
        name: "a reset of the server reaches one who does not read",
        client: &[("start", "open"), ("opened", "stop")],
        client_told: &["opened closed:reset"],
        server: &[("accepted", "say:x wake:1:200"), ("timer:1", "reset")],
        server_told: &["accepted timer:1"],
        ..STREAM
    },
    Law {
        name: "after our own end nothing is heard",
        client: &[("start", "open"), ("opened", "fin")],
        server: &[("accepted", "say:first wake:1:200"), ("timer:1", "say:late")],
        server_told: &["accepted closed:fin timer:1", "accepted timer:1 closed:fin", "accepted closed:reset timer:1"],
        ..STREAM
    },
    Law {
        name: "who does not read loses nothing",
        client: &[("start", "open"), ("opened", "stop wake:1:200"), ("timer:1", "read")],
        server: &[("accepted", "say:a say:b say:c")],
        client_told: &["opened timer:1 bytes:abc"],
        ..STREAM
    },
    Law {
        name: "who does not read hears of the end once it has read what came before",
        client: &[("start", "open"), ("opened", "stop wake:1:200"), ("timer:1", "read")],
        server: &[("accepted", "say:abc fin")],
        client_told: &["opened timer:1 bytes:abc closed:fin"],
        ..STREAM
    },
    Law {
        name: "a server that does not read hears of the end once it has read what came before",
        client: &[("start", "open"), ("opened", "say:abc fin")],
        server: &[("accepted", "stop wake:1:200"), ("timer:1", "read")],
        server_told: &["accepted timer:1 bytes:abc closed:fin"],
        ..STREAM
    },
    Law {
        name: "a last word is not cut off by what the peer still says",
        client: &[("start", "open"), ("opened", "fill:2000000")],
        server: &[("accepted", "say:bye fin")],
        client_told: &["opened bytes:bye closed:fin"],
        lasts_ms: 2_000,
        ..STREAM
    },
    Law {
        name: "an end is told once, and asking twice changes nothing",
        client: &[("start", "open"), ("opened", "say:a fin fin reset half")],
        server: &[("closed", "fin fin")],
        server_told: &["accepted bytes:a closed:fin"],
        ..STREAM
    },
    Law {
        name: "who asks is told once everything is written",
        client: &[("start", "open"), ("opened", "say:a flush"), ("flushed", "say:b fin")],
        client_told: &["opened flushed"],
        server: &[("accepted", "stop wake:1:200"), ("timer:1", "read")],
        server_told: &["accepted timer:1 bytes:ab closed:fin"],
        ..STREAM
    },
    Law {
        name: "a server that asks is told once everything is written",
        client: &[("start", "open"), ("opened", "stop wake:1:200"), ("timer:1", "read")],
        client_told: &["opened timer:1 bytes*3000001 closed:fin"],
        server: &[("accepted", "fill:3000000 flush"), ("flushed", "say:b fin")],
        server_told: &["accepted flushed"],
        ..STREAM
    },
    Law {
        name: "a half close while connecting comes after what was said",
        client: &[("start", "open say:a half")],
        client_told: &["opened closed:fin"],
        server_told: &["accepted bytes:a closed:fin"],
        ..STREAM
    },
    Law {
        name: "an orderly end after the end of the peer comes after what was said",
        client: &[("start", "open"), ("opened", "say:q half stop wake:1:200"), ("timer:1", "read")],
        client_told: &["opened timer:1 bytes*3000000 closed:fin"],
        server: &[("bytes", "fill:3000000 fin")],
        server_told: &["accepted bytes:q"],
        lasts_ms: 2_000,
        ..STREAM
    },
    Law {
        name: "both may end at once",
        client: &[("start", "open"), ("opened", "say:a fin")],
        server: &[("accepted", "say:b fin")],
        least: 1,
        ..STREAM
    },
    Law {
        name: "reading on without a stop changes nothing",
        client: &[("start", "open"), ("opened", "read read")],
        server: &[("accepted", "read say:x")],
        client_told: &["opened bytes:x"],
        ..STREAM
    },
    Law {
        name: "wakes come in order and never early",
        client: &[("start", "wake:2:120 wake:1:60 wake:3:120")],
        client_told: &["timer:1 timer:2 timer:3"],
        least: 0,
        ..STREAM
    },
    Law {
        name: "each of several keeps its order",
        clients: 5,
        client: &[("start", "open say:a"), ("opened", "say:b say:c fin")],
        server_told: &["accepted bytes:abc closed:fin"],
        least: 5,
        ..STREAM
    },
    Law {
        name: "where nobody listens one refusal is all that is heard",
        client: &[("start", "open say:x"), ("closed", "say:y fin")],
        client_told: &["closed:refused"],
        served: false,
        least: 0,
        ..STREAM
    },
    Law {
        name: "the first datagram announces who is there, and each is one",
        client: &[("start", "open say:a"), ("opened", "say:b empty say:c")],
        server_told: &["accepted bytes:a bytes:b bytes: bytes:c"],
        ..GRAM
    },
    Law {
        name: "who asks is told when its datagram is written",
        client: &[("start", "open"), ("opened", "say:a flush"), ("flushed", "say:b")],
        client_told: &["opened flushed"],
        server: &[("bytes", "flush")],
        server_told: &["accepted bytes:a flushed bytes:b flushed", "accepted bytes:a bytes:b flushed flushed"],
        ..GRAM
    },
    Law {
        name: "nobody hears that a socket of datagrams is gone",
        client: &[("start", "open"), ("opened", "say:a fin")],
        server: &[("bytes", "wake:1:100"), ("timer:1", "say:late")],
        // A system need not tell a socket of many peers that one of them is unreachable.
        server_told: &["accepted bytes:a timer:1", "accepted bytes:a timer:1 closed:refused"],
        ..GRAM
    },
    Law {
        name: "whoever is forgotten is announced again",
        client: &[("start", "open"), ("opened", "say:a wake:1:200"), ("timer:1", "say:b")],
        client_told: &["opened timer:1"],
        server: &[("bytes", "fin")],
        server_told: &["accepted bytes:a", "accepted bytes:b"],
        least: 2,
        ..GRAM
    },
    Law {
        name: "no direction of datagrams ends alone",
        client: &[("start", "open"), ("opened", "half say:a")],
        server: &[("bytes", "half say:b")],
        client_told: &["opened bytes:b"],
        server_told: &["accepted bytes:a"],
        ..GRAM
    },
    Law {
        name: "who does not read datagrams gets them later, in order",
        client: &[("start", "open"), ("opened", "stop say:q wake:1:200"), ("timer:1", "read")],
        server: &[("bytes", "say:x say:y say:z")],
        client_told: &["opened timer:1 bytes:x bytes:y bytes:z"],
        server_told: &["accepted bytes:q"],
        ..GRAM
    },
    Law {
        name: "each of several sockets of datagrams is somebody else",
        clients: 5,
        client: &[("start", "open"), ("opened", "say:a say:b")],
        server: &[("bytes", "say:x")],
        client_told: &["opened bytes:x bytes:x"],
        server_told: &["accepted bytes:a bytes:b"],
        least: 5,
        ..GRAM
    },
    Law {
        name: "where nobody listens a datagram is refused, and nothing before it was said",
        client: &[("start", "open wake:1:200"), ("timer:1", "say:x")],
        client_told: &["opened timer:1 closed:refused"],
        served: false,
        least: 0,
        ..GRAM
    },
];
