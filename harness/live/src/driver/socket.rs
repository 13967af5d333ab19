//! One connection: its stream, what waits to be written, and how it goes.
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::seed::SplitMix;
use proofhouse_core::time::{Duration, Time};
use socket2::{Domain, Protocol, SockRef, Socket as System, Type};

use crate::guard::{Approved, addr_of, socket_addr};

/// A connection of a member.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) fleet: usize,
    pub(super) position: u32,
    pub(super) phase: Phase,
    /// The script's name; empty: as its steps say.
    pub(super) label: String,
    pub(super) to: Addr,
    /// What the actor said before the connection stood.
    pub(super) early: Vec<Vec<u8>>,
    pub(super) out: VecDeque<Chunk>,
    /// Our direction ends once `out` is written.
    pub(super) half: bool,
    /// How often the actor has asked to be told that `out` is written: it is told as often.
    pub(super) tell_written: u32,
    /// It has ended.
    pub(super) shut: bool,
    /// The actor has ended it before it stood: it stands for as long as what was said takes.
    pub(super) left: bool,
    /// The peer has ended its direction.
    pub(super) peer_ended: bool,
    /// A write has failed like this; the system says so only once.
    pub(super) broken: Option<Close>,
    pub(super) reading: bool,
    pub(super) received: u64,
    /// The link's state; unused where the fleet has none.
    pub(super) link: LinkState,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not yet standing.
    Connecting,
    /// Standing, the actor knows it.
    Open,
    /// The peer says no more, and the actor is being told: it has a last word.
    Told,
    /// The actor has ended it, or the peer has and was answered; what was said before is still on its way.
    Leaving,
    /// Our end of stream is sent; what the peer still says is thrown away, so that it gets no reset in answer.
    Lingering,
}

/// One write.
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) written: usize,
    /// The link holds it until then.
    pub(super) release: Time,
}

impl Chunk {
    pub(super) fn new(bytes: &[u8], release: Time) -> Chunk {
        Chunk { bytes: bytes.to_vec(), written: 0, release }
    }
}

/// What a link does to one connection, in both directions.
pub(super) struct LinkState {
    pub(super) out: LinkDirection,
    pub(super) back: LinkDirection,
    /// What has come but not arrived.
    pub(super) inbox: VecDeque<(Time, Vec<u8>)>,
    /// The peer has ended the connection; not arrived either.
    pub(super) ended: Option<Close>,
    /// Since when it stands.
    pub(super) opened: Time,
}

/// One direction over a link: the draws of its faults, and when its last message arrives.
pub(super) struct LinkDirection {
    pub(super) draws: SplitMix,
    pub(super) before: Time,
}

impl LinkState {
    pub(super) fn new(seed: u64) -> LinkState {
        let mut mix = SplitMix(seed);
        let mut direction = || LinkDirection { draws: SplitMix(mix.next()), before: Time::ZERO };
        LinkState { out: direction(), back: direction(), inbox: VecDeque::new(), ended: None, opened: Time::ZERO }
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, who: (usize, u32), phase: Phase, to: Addr, link: LinkState) -> Socket {
        Socket {
            stream,
            fleet: who.0,
            position: who.1,
            phase,
            label: String::new(),
            to,
            early: Vec::new(),
            out: VecDeque::new(),
            half: false,
            tell_written: 0,
            shut: false,
            left: false,
            peer_ended: false,
            broken: None,
            reading: true,
            received: 0,
            link,
        }
    }

    /// Bytes that wait to be written.
    pub(super) fn unwritten(&self) -> u64 {
        let early = self.early.iter().map(|bytes| bytes.len() as u64);
        early.chain(self.out.iter().map(|chunk| (chunk.bytes.len() - chunk.written) as u64)).sum()
    }

    /// Closing it now sends a reset.
    pub(super) fn will_reset(&self) {
        // Fails only for a socket that is gone, which needs none.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Our address.
    pub(super) fn from(&self) -> Addr {
        addr(self.stream.local_addr().ok())
    }
}

/// An address of ours, which is IPv4; zero for a socket that is gone.
pub(super) fn addr(found: Option<SocketAddr>) -> Addr {
    match found {
        Some(SocketAddr::V4(v4)) => addr_of(v4),
        _ => Addr { ip: 0, port: 0 },
    }
}

/// Begins to connect; never waits.
pub(super) fn connect(to: Approved, from: Addr) -> io::Result<TcpStream> {
    let socket = System::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if binds(to, from) {
        socket.bind(&socket_addr(from).into())?;
    }
    match socket.connect(&to.socket_addr().into()) {
        Err(error) if !in_progress(&error) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// 127.0.0.1 with any port is what the system chooses anyway, and it chooses better: a bound port is taken from all other
/// destinations too. Off loopback, a 127/8 source would reach nobody.
fn binds(to: Approved, from: Addr) -> bool {
    let default = from.ip == u32::from(Ipv4Addr::LOCALHOST) && from.port == 0;
    !default && to.is_loopback()
}

fn in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(EINPROGRESS)
}

/// Linux's number for "the connection is being made".
const EINPROGRESS: i32 = 115;
/// Linux's numbers for "no descriptor left", in the process and in the system.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
/// "No buffer space".
const ENOBUFS: i32 = 105;

/// What an error of a connection means to its actor.
pub(super) fn close_of(error: &io::Error) -> Close {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::ConnectionRefused, _) => Close::Refused,
        (io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable, _) => {
            Close::TimedOut
        }
        (io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse | io::ErrorKind::OutOfMemory, _)
        | (_, Some(EMFILE | ENFILE | ENOBUFS)) => Close::LocalLimit,
        _ => Close::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_limits_are_not_the_targets_refusals() {
        for (number, close) in [
            (111, Close::Refused),
            (110, Close::TimedOut),
            (104, Close::Reset),
            (32, Close::Reset),
            (24, Close::LocalLimit),
            (23, Close::LocalLimit),
            (99, Close::LocalLimit),
            (98, Close::LocalLimit),
            (105, Close::LocalLimit),
        ] {
            assert_eq!(close_of(&io::Error::from_raw_os_error(number)), close, "errno {number}");
        }
    }
}
