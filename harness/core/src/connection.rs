//! Connections: addresses, and how they end (FIN, reset, half-close, refused).
use alloc::string::String;
use core::fmt;
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// An IPv4 address and port. In live runs always loopback, unless the guard was told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Addr {
    /// The address, as a big-endian number: `0x7f00_0001` is 127.0.0.1.
    pub ip: u32,
    /// The port; 0 where the system chooses.
    pub port: u16,
}

impl Addr {
    /// An address from its four bytes and a port.
    #[must_use]
    pub fn new(ip: [u8; 4], port: u16) -> Addr {
        Addr { ip: u32::from_be_bytes(ip), port }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Ipv4Addr::from(self.ip), self.port)
    }
}

impl From<Addr> for String {
    fn from(addr: Addr) -> String {
        alloc::format!("{addr}")
    }
}

impl TryFrom<String> for Addr {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Addr, Self::Error> {
        let (ip, port) = text.rsplit_once(':').ok_or("an address reads 127.0.0.1:1883")?;
        let ip: Ipv4Addr = ip.parse().map_err(|_| "not an IPv4 address")?;
        Ok(Addr { ip: u32::from(ip), port: port.parse().map_err(|_| "not a port")? })
    }
}

/// How a connection ended, or failed to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Close {
    /// The peer's orderly end of stream.
    Fin,
    /// The peer's reset, or our own.
    Reset,
    /// Nothing listens there.
    Refused,
    /// No answer to the attempt to connect.
    TimedOut,
    /// Our own side had no descriptor or port left: says nothing about the target.
    LocalLimit,
}

/// How an actor closes its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseHow {
    /// Orderly: everything sent before still arrives.
    Fin,
    /// At once, with a reset.
    Reset,
    /// Only our direction ends; we keep reading.
    Half,
}
