//! One datagram that asks whether anybody is there. Which one, its protocol says; servers of others ignore or refuse it.
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::guard::Approved;

/// What became of a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Some datagram came back.
    Answered,
    /// None did in time; that alone says nothing.
    Silence,
    /// The system says that nobody is there.
    Nobody,
}

/// Asks once.
pub(crate) fn ask(to: Approved, datagram: &[u8], within: Duration) -> io::Result<Echo> {
    let socket = UdpSocket::bind((if to.is_loopback() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED }, 0))?;
    socket.set_read_timeout(Some(within))?;
    // Connected, so that the system tells of an unreachable port.
    let asked = socket.connect(to.socket_addr()).and_then(|()| socket.send(datagram));
    match asked.and_then(|_| socket.recv(&mut [0; 16])) {
        Ok(_) => Ok(Echo::Answered),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(Echo::Silence),
        Err(_) => Ok(Echo::Nobody),
    }
}
