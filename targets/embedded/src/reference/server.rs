//! The loop: sockets and clock on one side, an actor on the other. Nothing here knows a protocol.
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use proofhouse_core::actor::{Act, Actor, Input, Outbox};
use proofhouse_core::connection::{Addr, Close, CloseHow};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::note::Note;
use proofhouse_core::time::Time;

use super::sockets::{Side, Socket, Step};
use super::{LEAVE_MAX, LINGER};

/// How often whoever runs a server is asked whether something else is to be done.
pub const TICK: Duration = Duration::from_millis(20);

/// Reads of one connection before the others have their turn.
const TURN: usize = 16;
/// Tokens of listeners lie above all connections.
const LISTENER: usize = 1 << 40;

/// What the clock brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Wake(TimerId),
    /// A closed connection is forgotten. The second number tells it from a later one of the same number.
    Forget(Conn, u64),
}

/// An actor behind listening sockets.
pub struct Server<A> {
    actor: A,
    out: Outbox,
    poll: Poll,
    listeners: Vec<TcpListener>,
    /// By number of the connection; the number says which life of it this is.
    sockets: Vec<Option<(Socket, u64)>>,
    lives: u64,
    due: BinaryHeap<Reverse<(Time, Due)>>,
    /// Connections that had their turn and may have more.
    ready: Vec<Conn>,
    began: Instant,
    exit: Option<i32>,
}

impl<A: Actor> Server<A> {
    /// Listens on these addresses.
    ///
    /// # Errors
    /// An address that cannot be bound.
    #[expect(clippy::disallowed_methods, reason = "a served target lives by the real clock")]
    pub fn bind(actor: A, addresses: &[SocketAddr]) -> io::Result<Server<A>> {
        let poll = Poll::new()?;
        let mut listeners = Vec::new();
        for address in addresses {
            let mut listener = TcpListener::bind(*address)?;
            poll.registry().register(&mut listener, Token(LISTENER + listeners.len()), Interest::READABLE)?;
            listeners.push(listener);
        }
        Ok(Server {
            actor,
            out: Outbox::new(),
            poll,
            listeners,
            sockets: Vec::new(),
            lives: 0,
            due: BinaryHeap::new(),
            ready: Vec::new(),
            began: Instant::now(),
            exit: None,
        })
    }

    /// The addresses that it listens on, with the ports that the system chose.
    ///
    /// # Errors
    /// What the system says.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Serves until the actor notes its exit; yields the exit code. `tick` is called about every [`TICK`].
    ///
    /// # Errors
    /// A failure of the event queue itself; never that of one connection.
    pub fn run(mut self, mut tick: impl FnMut(&mut A, Time, &mut Outbox)) -> io::Result<i32> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; 64 * 1024];
        let mut next_tick = Time::ZERO;
        self.tell(Input::Start);
        while self.exit.is_none() {
            let wait = if self.ready.is_empty() { self.idle() } else { Duration::ZERO };
            if let Err(why) = self.poll.poll(&mut events, Some(wait))
                && why.kind() != ErrorKind::Interrupted
            {
                return Err(why);
            }
            for conn in core::mem::take(&mut self.ready) {
                self.readable(conn, &mut buffer);
            }
            for event in &events {
                self.event(
                    event.token().0,
                    event.is_readable() || event.is_read_closed(),
                    event.is_error(),
                    &mut buffer,
                );
            }
            self.clock();
            if self.now() >= next_tick {
                next_tick = self.now() + TICK;
                // Whoever could not be taken for want of a descriptor is taken once there is one.
                (0..self.listeners.len()).for_each(|listener| self.accept(listener));
                let now = self.now();
                tick(&mut self.actor, now, &mut self.out);
                self.perform();
            }
        }
        Ok(self.exit.unwrap_or_default())
    }

    #[expect(clippy::disallowed_methods, reason = "a served target lives by the real clock")]
    fn now(&self) -> Time {
        Time::ZERO + (Instant::now() - self.began)
    }

    /// How long nothing is due.
    fn idle(&self) -> Duration {
        let next = self.due.peek().map_or(TICK, |Reverse((at, _))| at.since(self.now()));
        next.min(TICK)
    }

    fn event(&mut self, token: usize, readable: bool, broken: bool, buffer: &mut [u8]) {
        match token.checked_sub(LISTENER) {
            Some(listener) => self.accept(listener),
            None => {
                let conn = Conn(token as u32);
                self.writable(conn);
                if readable {
                    self.readable(conn, buffer);
                }
                if broken {
                    self.broken_unread(conn);
                }
            }
        }
    }

    fn accept(&mut self, listener: usize) {
        loop {
            match self.listeners[listener].accept() {
                Ok((stream, from)) => self.accepted(Socket::new(stream), from),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn accepted(&mut self, mut socket: Socket, from: SocketAddr) {
        let conn = self.out.new_conn();
        let both = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut socket.stream, Token(conn.0 as usize), both).is_err() {
            return self.out.recycle(conn);
        }
        let _ = socket.stream.set_nodelay(true);
        let place = conn.0 as usize;
        if place >= self.sockets.len() {
            self.sockets.resize_with(place + 1, || None);
        }
        self.lives += 1;
        self.sockets[place] = Some((socket, self.lives));
        let ip = match from.ip() {
            IpAddr::V4(ip) => u32::from(ip),
            IpAddr::V6(_) => 0,
        };
        self.tell(Input::Accepted(conn, Addr { ip, port: from.port() }));
    }

    fn writable(&mut self, conn: Conn) {
        let Some(socket) = self.socket(conn) else { return };
        match socket.flush() {
            Step::Broken => self.ended(conn, Close::Reset),
            _ => {
                self.written(conn);
                self.perform();
                self.leave(conn);
            }
        }
    }

    /// Tells the actor that what it sent is written, once it is, where it wants to know.
    fn written(&mut self, conn: Conn) {
        let now = self.now();
        let whole = self.socket(conn).filter(|socket| socket.is_written());
        let asked = whole.map_or(0, |socket| core::mem::take(&mut socket.tell_written));
        for _ in 0..asked {
            self.actor.handle(now, Input::Flushed(conn), &mut self.out);
        }
    }

    fn readable(&mut self, conn: Conn, buffer: &mut [u8]) {
        for _ in 0..TURN {
            let Some(socket) = self.socket(conn) else { return };
            if socket.paused || socket.peer_ended {
                return;
            }
            let leaving = socket.side == Side::Leaving;
            match socket.read(buffer) {
                Ok(_) if leaving => {}
                Ok(n) => self.tell(Input::Bytes(conn, &buffer[..n])),
                Err(Step::End) => return self.ended(conn, Close::Fin),
                Err(Step::Broken) => return self.ended(conn, Close::Reset),
                Err(_) => return,
            }
        }
        self.ready.push(conn);
    }

    /// The system says that a connection is broken. Whoever reads learns it by reading; whoever does not has to be told.
    fn broken_unread(&mut self, conn: Conn) {
        let paused = self.socket(conn).filter(|socket| socket.paused);
        if paused.is_some_and(|socket| matches!(socket.stream.take_error(), Ok(Some(_)))) {
            self.ended(conn, Close::Reset);
        }
    }

    /// The peer ended the connection: the actor hears of it, unless it has ended it itself. After an orderly end it has a last word, and
    /// what it said before is still written.
    fn ended(&mut self, conn: Conn, how: Close) {
        let Some(socket) = self.socket(conn) else { return };
        let heard = socket.peer_ended || socket.side == Side::Leaving;
        socket.peer_ended = true;
        if how != Close::Fin {
            self.forget(conn);
        }
        if !heard {
            self.tell(Input::Closed(conn, how));
        }
        if how == Close::Fin {
            self.end(conn);
        } else {
            self.out.recycle(conn);
        }
    }

    /// Our side ends once everything is written.
    fn end(&mut self, conn: Conn) {
        let now = self.now();
        let Some((socket, life)) = self.sockets.get_mut(conn.0 as usize).and_then(Option::as_mut) else { return };
        if socket.side != Side::Leaving {
            (socket.side, socket.paused) = (Side::Leaving, false);
            self.due.push(Reverse((now + LEAVE_MAX, Due::Forget(conn, *life))));
            // What is there already must be read, or the system answers it with a reset that overtakes our last packet.
            self.ready.push(conn);
        }
        let _ = socket.flush();
        self.leave(conn);
    }

    /// A connection that the actor has ended is gone once both directions have ended, or the peer had its time to end its own.
    fn leave(&mut self, conn: Conn) {
        let now = self.now();
        let Some((socket, life)) = self.sockets.get_mut(conn.0 as usize).and_then(Option::as_mut) else { return };
        match (socket.side == Side::Leaving && socket.shut, socket.peer_ended) {
            (true, true) => {
                self.forget(conn);
                self.out.recycle(conn);
            }
            (true, false) if !socket.lingers => {
                socket.lingers = true;
                self.due.push(Reverse((now + LINGER, Due::Forget(conn, *life))));
            }
            _ => {}
        }
    }

    fn forget(&mut self, conn: Conn) {
        if let Some((mut socket, _)) = self.sockets[conn.0 as usize].take() {
            let _ = self.poll.registry().deregister(&mut socket.stream);
        }
    }

    fn socket(&mut self, conn: Conn) -> Option<&mut Socket> {
        self.sockets.get_mut(conn.0 as usize)?.as_mut().map(|(socket, _)| socket)
    }

    fn clock(&mut self) {
        let now = self.now();
        while let Some(Reverse((at, due))) = self.due.peek().copied() {
            if at > now {
                return;
            }
            self.due.pop();
            match due {
                Due::Wake(id) => self.tell(Input::Timer(id)),
                Due::Forget(conn, life) => {
                    if self.sockets[conn.0 as usize].as_ref().is_some_and(|(_, now)| *now == life) {
                        self.forget(conn);
                        self.out.recycle(conn);
                    }
                }
            }
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        let now = self.now();
        self.actor.handle(now, input, &mut self.out);
        self.perform();
    }

    /// Does what the actor asked for. A connection that breaks on the way tells the actor, which may ask for more.
    fn perform(&mut self) {
        while !self.out.is_empty() {
            let (acts, bytes) = self.out.take();
            let (mut broken, mut written) = (Vec::new(), Vec::new());
            for act in &acts {
                match act {
                    Act::Send(conn, start, end) => {
                        let step = self.socket(*conn).map(|socket| socket.send(&bytes[*start..*end]));
                        if step == Some(Step::Broken) {
                            broken.push(*conn);
                        }
                    }
                    Act::Close(conn, how) => self.close(*conn, *how),
                    Act::Reading(conn, on) => {
                        if let Some(socket) = self.socket(*conn) {
                            socket.paused = !on;
                        }
                        self.ready.extend(on.then_some(*conn));
                    }
                    Act::Wake(at, id) => self.due.push(Reverse((*at, Due::Wake(*id)))),
                    Act::Note(Note::Log(line)) => eprintln!("{line}"),
                    Act::Note(Note::Exit(code)) => self.exit = Some(*code),
                    Act::Note(_) => {}
                    Act::Flush(conn) => {
                        if let Some(socket) = self.socket(*conn) {
                            socket.tell_written += 1;
                            written.push(*conn);
                        }
                    }
                    Act::Open(..) => eprintln!("not served here: {act:?}"),
                }
            }
            self.out.restore(acts, bytes);
            written.into_iter().for_each(|conn| self.written(conn));
            for conn in broken {
                self.cut_off(conn);
            }
        }
    }

    /// A connection on which nothing can be written any more.
    fn cut_off(&mut self, conn: Conn) {
        if let Some(socket) = self.socket(conn) {
            let _ = socket.reset();
            let heard = socket.peer_ended || socket.side == Side::Leaving;
            self.forget(conn);
            if !heard {
                let now = self.now();
                self.actor.handle(now, Input::Closed(conn, Close::Reset), &mut self.out);
            }
            self.out.recycle(conn);
        }
    }

    fn close(&mut self, conn: Conn, how: CloseHow) {
        let Some(socket) = self.socket(conn).filter(|socket| socket.side != Side::Leaving) else { return };
        match how {
            CloseHow::Reset => {
                let _ = socket.reset();
                self.forget(conn);
                self.out.recycle(conn);
            }
            CloseHow::Fin => self.end(conn),
            CloseHow::Half => {
                socket.side = Side::Half;
                let _ = socket.flush();
            }
        }
    }
}
