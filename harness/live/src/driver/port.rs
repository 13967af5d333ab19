//! One socket of datagrams, everybody who was heard at it, and what the system says about datagrams that reached nobody.
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket as Plain};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::net::UdpSocket;
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::ids::Conn;
use socket2::{Domain, Protocol, Socket as System, Type};

use super::socket::{LinkState, addr, close_of};
use crate::guard::{Approved, socket_addr};

/// Associations of one socket that are told apart. Whoever comes after them is counted and not heard.
pub(super) const ASSOCIATIONS_MAX: usize = 1_024;
/// Datagrams, and their bytes, that wait for the system to take them. What comes on top is not delivered.
const WAITING_MAX: (usize, usize) = (256, 4 << 20);

/// Bytes that a socket may hold for us, if the system lets it: twice what Linux gives unasked.
const RECEIVE_BUFFER: usize = 416 << 10;

/// Before so much has been heard at a socket, the system was not short of room for it: a quarter of what Linux gives unasked.
const SURELY_ROOM: u64 = 52 << 10;

/// A bound socket, unconnected, so that answers from anywhere are seen.
pub(super) struct Port {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) fleet: usize,
    /// Whose it is; `None`: all members of a fleet that plays the server, in turn.
    pub(super) position: Option<u32>,
    /// Our address.
    pub(super) from: Addr,
    /// Everybody with whom we speak here. `None`: one of whom we have heard too much.
    pub(super) known: BTreeMap<Addr, Option<Conn>>,
    pub(super) reading: bool,
    /// The system has something to say about earlier datagrams.
    pub(super) troubled: bool,
    /// Datagrams of those who came after [`ASSOCIATIONS_MAX`] others.
    pub(super) unheard: u64,
    /// What it has cost to hear all of them.
    pub(super) heard: u64,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
}

/// A datagram that the system did not take yet.
pub(super) struct Waiting {
    pub(super) conn: Conn,
    to: Approved,
    bytes: Vec<u8>,
}

/// What became of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The system has it.
    Taken,
    /// It waits: the socket is full (the system rings), or the machine is (nobody rings).
    Waits { rings: bool },
    /// It will never leave.
    Failed,
}

/// One association: a socket of ours and one address.
pub(super) struct Peer {
    pub(super) port: Conn,
    pub(super) fleet: usize,
    pub(super) position: u32,
    pub(super) addr: Addr,
    pub(super) begun: Begun,
    /// The same where the guard lets us answer.
    pub(super) approved: Option<Approved>,
    pub(super) label: String,
    pub(super) reading: bool,
    /// What it has cost us to hear it.
    pub(super) received: u64,
    pub(super) link: LinkState,
}

/// How an association began, and whether its actor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// The actor asked for it, and waits to hear that it stands.
    Asked,
    /// Somebody spoke to us.
    Heard,
    /// The actor knows it.
    Stands,
}

impl Port {
    pub(super) fn new(socket: UdpSocket, fleet: usize, position: Option<u32>) -> Port {
        Port {
            from: addr(socket.local_addr().ok()),
            socket: Arc::new(socket),
            fleet,
            position,
            known: BTreeMap::new(),
            reading: true,
            troubled: false,
            unheard: 0,
            heard: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Datagrams that came while the system had no room for them here. Asked only where so much was heard that it may have been short of it.
    pub(super) fn dropped(&self) -> u64 {
        if self.heard < SURELY_ROOM { 0 } else { inode(&self.socket).and_then(dropped).unwrap_or(0) }
    }

    /// Sends one datagram, after those that wait.
    pub(super) fn send(&mut self, conn: Conn, to: Approved, bytes: &[u8]) -> Sent {
        if !self.waiting.is_empty() {
            return self.wait(conn, to, bytes, true);
        }
        match send(&self.socket, to, bytes, &mut self.troubled) {
            Sent::Waits { rings } => self.wait(conn, to, bytes, rings),
            sent => sent,
        }
    }

    fn wait(&mut self, conn: Conn, to: Approved, bytes: &[u8], rings: bool) -> Sent {
        let (most, most_bytes) = WAITING_MAX;
        if self.waiting.len() >= most || self.waiting_bytes + bytes.len() > most_bytes {
            return Sent::Failed;
        }
        self.waiting_bytes += bytes.len();
        self.waiting.push_back(Waiting { conn, to, bytes: bytes.to_vec() });
        Sent::Waits { rings }
    }

    /// Sends the first that waits. `None`: nobody does.
    pub(super) fn send_waiting(&mut self) -> Option<(Waiting, Sent)> {
        let first = self.waiting.pop_front()?;
        let sent = send(&self.socket, first.to, &first.bytes, &mut self.troubled);
        if let Sent::Waits { .. } = sent {
            let (conn, to) = (first.conn, first.to);
            self.waiting.push_front(first);
            return Some((Waiting { conn, to, bytes: Vec::new() }, sent));
        }
        self.waiting_bytes -= first.bytes.len();
        Some((first, sent))
    }

    /// Everything that waits, given up.
    pub(super) fn take_waiting(&mut self) -> VecDeque<Waiting> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// The next datagram of ours that reached nobody: to whom, and why. `None`: no more are known.
    pub(super) fn unreachable(&mut self) -> Option<(Addr, Option<Close>)> {
        let found = queued_error(&self.socket);
        self.troubled = found.is_some();
        found
    }
}

impl Waiting {
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// How often a send is tried again that was told of an earlier one's trouble instead.
const TRIES: u32 = 4;
/// Linux's number for "no buffer space".
const ENOBUFS: i32 = 105;

/// Hands one datagram to the system.
pub(super) fn send(socket: &UdpSocket, to: Approved, bytes: &[u8], troubled: &mut bool) -> Sent {
    for _ in 0..TRIES {
        match socket.send_to(bytes, to.socket_addr()) {
            Ok(_) => return Sent::Taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Waits { rings: true },
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => return Sent::Waits { rings: false },
            // It is told once, and is about an earlier datagram: the queue says which.
            Err(error) if unreached(&error) => *troubled = true,
            Err(_) => return Sent::Failed,
        }
    }
    Sent::Failed
}

/// Binds a socket that may speak to `to`. Off loopback, a 127/8 source would reach nobody: then it is the one that the system chooses.
pub(super) fn bind(to: Approved, from: Addr) -> io::Result<UdpSocket> {
    let ip = if to.is_loopback() { from.ip } else { way_out(to)? };
    listen(Addr { ip, ..from })
}

/// Binds a socket to this address.
pub(super) fn listen(from: Addr) -> io::Result<UdpSocket> {
    let socket = System::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // What the system gives of it, it gives; what comes while nobody reads and does not fit is lost without a word.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    // Without it, the system keeps what it hears of unreachable ports to itself.
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
    socket.bind(&socket_addr(from).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// A socket's number in the tables of `/proc/net`.
fn inode(socket: &UdpSocket) -> Option<u64> {
    rustix::fs::fstat(socket).ok().map(|stat| stat.st_ino)
}

/// The last column of a socket's line in `/proc/net/udp`.
fn dropped(inode: u64) -> Option<u64> {
    const INODE: usize = 9;
    let table = std::fs::read_to_string("/proc/net/udp").ok()?;
    let of = |line: &&str| line.split_whitespace().nth(INODE).and_then(|text| text.parse().ok()) == Some(inode);
    table.lines().find(of)?.split_whitespace().last()?.parse().ok()
}

/// Our address on the way to `to`; nothing is sent.
fn way_out(to: Approved) -> io::Result<u32> {
    let probe = Plain::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    probe.connect(to.socket_addr())?;
    Ok(addr(probe.local_addr().ok()).ip)
}

/// The error is what became of an earlier datagram on its way.
fn unreached(error: &io::Error) -> bool {
    matches!(close_of(error), Close::Refused | Close::TimedOut)
}

/// Takes one entry from the socket's queue of errors: to whom our datagram went, and how that ended. `None` in the pair: in a way that
/// says nothing about the peer.
fn queued_error(socket: &UdpSocket) -> Option<(Addr, Option<Close>)> {
    let mut payload = [0; 1];
    let mut parts = [IoSliceMut::new(&mut payload)];
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in);
    let message =
        recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_ERRQUEUE).ok()?;
    let to = message.address.map_or(Addr { ip: 0, port: 0 }, |to| Addr { ip: to.ip().into(), port: to.port() });
    let said = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, _) => Some(error),
        _ => None,
    });
    let how = said.filter(|error| error.ee_origin == libc::SO_EE_ORIGIN_ICMP);
    let how = how.map(|error| io::Error::from_raw_os_error(error.ee_errno.cast_signed()));
    Some((to, how.filter(unreached).map(|error| close_of(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: u32 = 0x7f00_0001;

    fn bound() -> Port {
        let any = Addr { ip: LOOPBACK, port: 0 };
        Port::new(bind(approved(any), any).unwrap(), 0, Some(0))
    }

    fn approved(addr: Addr) -> Approved {
        crate::guard::on_loopback(&addr.to_string()).unwrap()
    }

    /// A port on which nobody listens.
    fn closed() -> Addr {
        bound().from
    }

    #[test]
    fn a_datagram_to_a_closed_port_is_told_with_its_destination() {
        let (mut port, one, two) = (bound(), closed(), closed());
        assert_eq!(port.unreachable(), None);
        assert_eq!(port.send(Conn(0), approved(one), b"x"), Sent::Taken);
        // The error of the first is told to the second, which is sent all the same.
        assert_eq!(port.send(Conn(0), approved(two), b"y"), Sent::Taken);
        assert!(port.troubled);
        let told: Vec<_> = std::iter::from_fn(|| port.unreachable()).collect();
        assert_eq!(told, [(one, Some(Close::Refused)), (two, Some(Close::Refused))]);
        assert!(!port.troubled);
    }

    #[test]
    fn a_datagram_holds_65_507_bytes_and_not_one_more() {
        let (mut port, peer) = (bound(), bound());
        assert_eq!(port.send(Conn(0), approved(peer.from), &[0; 65_507]), Sent::Taken);
        assert_eq!(port.send(Conn(0), approved(peer.from), &[0; 65_508]), Sent::Failed);
        let mut buffer = vec![0; 65_536];
        assert_eq!(peer.socket.recv_from(&mut buffer).unwrap().0, 65_507);
    }

    #[test]
    fn what_waits_is_bounded_and_keeps_its_order() {
        let (mut port, peer) = (bound(), bound());
        for n in 0..256_u32 {
            assert_eq!(port.wait(Conn(n), approved(peer.from), &[0; 4], true), Sent::Waits { rings: true });
        }
        assert_eq!(port.send(Conn(256), approved(peer.from), &[0; 4]), Sent::Failed);
        let order: Vec<u32> = std::iter::from_fn(|| port.send_waiting()).map(|(waiting, _)| waiting.conn.0).collect();
        assert_eq!(order, (0..256).collect::<Vec<_>>());
        assert_eq!(port.waiting_bytes, 0);
    }

    #[test]
    fn what_the_system_had_no_room_for_is_counted_and_what_it_had_is_not() {
        let (mut storm, mut calm) = (bound(), bound());
        let from = Plain::bind("127.0.0.1:0").unwrap();
        for port in [&mut storm, &mut calm] {
            port.heard = SURELY_ROOM;
        }
        let bytes = [0; 60_000];
        for _ in 0..50 {
            from.send_to(&bytes, ("127.0.0.1", storm.from.port)).unwrap();
        }
        from.send_to(&bytes, ("127.0.0.1", calm.from.port)).unwrap();
        assert!(storm.dropped() > 0 && calm.dropped() == 0, "{} {}", storm.dropped(), calm.dropped());
        storm.heard = SURELY_ROOM - 1;
        assert_eq!(storm.dropped(), 0, "nobody asks the system where so little has come");
    }
}
