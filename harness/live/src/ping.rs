//! One datagram that asks whether anybody is there: a CoAP ping, which servers of other protocols ignore or refuse.
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use proofhouse_core::actor::Addr;

use crate::guard::socket_addr;

/// An Empty CON (RFC 7252, 4.3), which is answered by a Reset.
const PING: [u8; 4] = [0x40, 0x00, 0x50, 0x48];

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
pub(crate) fn ask(to: Addr, within: Duration) -> io::Result<Echo> {
    let loopback = Ipv4Addr::from(to.ip).is_loopback();
    let socket = UdpSocket::bind((if loopback { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED }, 0))?;
    socket.set_read_timeout(Some(within))?;
    // Connected, so that the system tells of an unreachable port.
    let asked = socket.connect(socket_addr(to)).and_then(|()| socket.send(&PING));
    match asked.and_then(|_| socket.recv(&mut [0; 16])) {
        Ok(_) => Ok(Echo::Answered),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(Echo::Silence),
        Err(_) => Ok(Echo::Nobody),
    }
}
