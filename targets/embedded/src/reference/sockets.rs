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

/// An accepted connection.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    unsent: Vec<u8>,
    /// How much of `unsent` is written.
    written: usize,
    /// The actor has ended it: what arrives is thrown away, what waits is still written.
    pub(super) closing: bool,
    /// The actor does not want to read.
    pub(super) paused: bool,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Socket {
        Socket { stream, unsent: Vec::new(), written: 0, closing: false, paused: false }
    }

    /// Writes what it can and keeps the rest.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Step {
        self.unsent.extend_from_slice(bytes);
        let step = self.flush();
        if self.unsent.len() - self.written > UNSENT_MAX { Step::Broken } else { step }
    }

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
        if self.closing {
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
