//! The loop for datagrams: one UDP socket and a clock on one side, an actor on the other. Nothing here knows a protocol.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use proofhouse_core::actor::{Act, Actor, Input, Outbox};
use proofhouse_core::connection::{Addr, Close, CloseHow};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::note::Note;
use proofhouse_core::time::Time;
use socket2::SockRef;

/// Peers that are told apart at a time; above that the one that was silent for longest is forgotten.
const PEERS_MAX: usize = 1 << 20;
/// A peer that is silent for so long is forgotten: twice as long as CoAP lets a message id live.
const IDLE: Duration = Duration::from_secs(500);
/// How long nothing is waited for at most.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// What the system may keep for us while we are busy: bursts of 50,000 endpoints.
const BUFFER: usize = 8 << 20;

/// An actor behind a UDP socket.
pub struct DatagramServer<A> {
    actor: A,
    out: Outbox,
    socket: UdpSocket,
    conns: BTreeMap<SocketAddr, Conn>,
    peers: BTreeMap<Conn, (SocketAddr, Time)>,
    /// By when they were heard.
    order: BTreeSet<(Time, Conn)>,
    due: BinaryHeap<Reverse<(Time, TimerId)>>,
    began: Instant,
    exit: Option<i32>,
}

impl<A: Actor> DatagramServer<A> {
    /// Takes datagrams at this address.
    ///
    /// # Errors
    /// An address that cannot be bound.
    #[expect(clippy::disallowed_methods, reason = "a served target lives by the real clock")]
    pub fn bind(actor: A, address: SocketAddr) -> io::Result<DatagramServer<A>> {
        let socket = UdpSocket::bind(address)?;
        let _ = SockRef::from(&socket).set_recv_buffer_size(BUFFER);
        Ok(DatagramServer {
            actor,
            out: Outbox::new(),
            socket,
            conns: BTreeMap::new(),
            peers: BTreeMap::new(),
            order: BTreeSet::new(),
            due: BinaryHeap::new(),
            began: Instant::now(),
            exit: None,
        })
    }

    /// The address that it takes datagrams at, with the port that the system chose.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the actor notes its exit; yields the exit code.
    ///
    /// # Errors
    /// A socket that does not wait; never what one peer did.
    pub fn run(mut self) -> io::Result<i32> {
        let mut buffer = vec![0; 1 << 16];
        self.tell(Input::Start);
        while self.exit.is_none() {
            self.clock();
            self.socket.set_read_timeout(Some(self.idle()))?;
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => self.datagram(&buffer[..len], from),
                // The time is over, or a peer's port is closed.
                Err(why) if why.kind() != ErrorKind::InvalidInput => {}
                Err(why) => return Err(why),
            }
        }
        Ok(self.exit.unwrap_or_default())
    }

    #[expect(clippy::disallowed_methods, reason = "a served target lives by the real clock")]
    fn now(&self) -> Time {
        Time::ZERO + (Instant::now() - self.began)
    }

    /// How long nothing is due; a socket cannot wait for no time at all.
    fn idle(&self) -> Duration {
        let next = self.due.peek().map_or(WAIT_MAX, |Reverse((at, _))| at.since(self.now()));
        next.clamp(Duration::from_micros(100), WAIT_MAX)
    }

    fn datagram(&mut self, bytes: &[u8], from: SocketAddr) {
        let now = self.now();
        let conn = match self.conns.get(&from).copied() {
            Some(conn) => conn,
            None => self.accept(from, now),
        };
        if let Some((_, heard)) = self.peers.get_mut(&conn) {
            self.order.remove(&(*heard, conn));
            *heard = now;
            self.order.insert((now, conn));
            self.tell(Input::Bytes(conn, bytes));
        }
        self.forget_the_silent(now);
    }

    fn accept(&mut self, from: SocketAddr, now: Time) -> Conn {
        let conn = self.out.new_conn();
        self.conns.insert(from, conn);
        self.peers.insert(conn, (from, now));
        self.order.insert((now, conn));
        let ip = match from.ip() {
            IpAddr::V4(ip) => u32::from(ip),
            IpAddr::V6(_) => 0,
        };
        self.tell(Input::Accepted(conn, Addr { ip, port: from.port() }));
        conn
    }

    /// One at most: no more come than datagrams.
    fn forget_the_silent(&mut self, now: Time) {
        let Some((heard, conn)) = self.order.first().copied() else { return };
        if self.peers.len() > PEERS_MAX || now.since(heard) > IDLE {
            self.forget(conn);
            self.tell(Input::Closed(conn, Close::TimedOut));
            self.out.recycle(conn);
        }
    }

    fn forget(&mut self, conn: Conn) -> bool {
        let Some((from, heard)) = self.peers.remove(&conn) else { return false };
        self.conns.remove(&from);
        self.order.remove(&(heard, conn))
    }

    fn clock(&mut self) {
        let now = self.now();
        while let Some(Reverse((at, id))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            debug_assert!(at <= now, "{at} is not due at {now}");
            self.due.pop();
            self.tell(Input::Timer(id));
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        let now = self.now();
        self.actor.handle(now, input, &mut self.out);
        while !self.out.is_empty() {
            self.perform();
        }
    }

    /// Does what the actor has asked for; it may ask for more.
    fn perform(&mut self) {
        let now = self.now();
        let (acts, bytes) = self.out.take();
        let (mut gone, mut written) = (Vec::new(), Vec::new());
        for act in &acts {
            match act {
                // What cannot be sent now is lost, as datagrams may be.
                Act::Send(conn, start, end) => {
                    if let Some((to, _)) = self.peers.get(conn) {
                        let _ = self.socket.send_to(&bytes[*start..*end], *to);
                    }
                }
                Act::Flush(conn) => written.push(*conn),
                // No direction of it can end alone.
                Act::Close(_, CloseHow::Half) => {}
                Act::Close(conn, _) => gone.extend(self.forget(*conn).then_some(*conn)),
                Act::Wake(at, id) => self.due.push(Reverse((*at, *id))),
                Act::Note(Note::Log(line)) => eprintln!("{line}"),
                Act::Note(Note::Exit(code)) => self.exit = Some(*code),
                Act::Note(_) | Act::Reading(..) => {}
                Act::Open(..) => eprintln!("not served here: {act:?}"),
            }
        }
        self.out.restore(acts, bytes);
        for conn in written.into_iter().filter(|conn| self.peers.contains_key(conn)) {
            self.actor.handle(now, Input::Flushed(conn), &mut self.out);
        }
        gone.into_iter().for_each(|conn| self.out.recycle(conn));
    }
}
