//! One connection: its socket, what is still to be written, and whether it is being closed.
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use socket2::SockRef;

/// Bytes that may wait for a client that does not read. Above that it is cut off, so that one slow reader cannot hold our memory.
const UNSENT_MAX: usize = 16 << 20;

/// How far an attempt to read or write came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do at once.
    More,
    /// The socket will say when there is.
    Wait,
    /// The peer ended its direction.
    End,
    /// The connection is broken.
    Broken,
}

/// What the actor still does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// It speaks and hears.
    Open,
    /// It hears on, and has said its last word.
    Half,
    /// It has ended it: what waits is still written, what arrives is thrown away.
    Leaving,
}

/// An accepted connection.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    unsent: Vec<u8>,
    /// How much of `unsent` is written.
    written: usize,
    pub(super) side: Side,
    /// How often the actor has asked to be told that everything is written: it is told as often.
    pub(super) tell_written: u32,
    /// Our end of stream is on its way.
    pub(super) shut: bool,
    /// The peer has its time to end too.
    pub(super) lingers: bool,
    /// The peer ended its direction, and the actor was told unless it had ended the connection before.
    pub(super) peer_ended: bool,
    /// The actor does not want to read.
    pub(super) paused: bool,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Socket {
        Socket {
            stream,
            unsent: Vec::new(),
            written: 0,
            side: Side::Open,
            tell_written: 0,
            shut: false,
            lingers: false,
            peer_ended: false,
            paused: false,
        }
    }

    /// Writes what it can and keeps the rest. Whoever has ended its direction says nothing more.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Step {
        if self.side != Side::Open {
            return Step::Wait;
        }
        self.unsent.extend_from_slice(bytes);
        let step = self.flush();
        if self.unsent.len() - self.written > UNSENT_MAX { Step::Broken } else { step }
    }

    /// Nothing waits.
    pub(super) fn is_written(&self) -> bool {
        self.written == self.unsent.len()
    }

    /// Writes what waits; after the last of it comes the end of stream, where the actor has ended its direction.
    pub(super) fn flush(&mut self) -> Step {
        while self.written < self.unsent.len() {
            match self.stream.write(&self.unsent[self.written..]) {
                Ok(0) => return Step::Broken,
                Ok(n) => self.written += n,
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Step::Wait,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Step::Broken,
            }
        }
        self.unsent.clear();
        self.unsent.shrink_to(4096);
        self.written = 0;
        if self.side != Side::Open && !self.shut {
            self.shut = true;
            // A peer that is gone already needs no end of stream.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        Step::More
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Step> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(Step::End),
                Ok(n) => return Ok(n),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Err(Step::Wait),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Step::Broken),
            }
        }
    }

    /// Makes the drop that follows a reset.
    pub(super) fn reset(&self) -> io::Result<()> {
        SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO))
    }
}
