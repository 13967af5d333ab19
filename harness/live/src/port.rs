//! Ports that nobody listens on, and that no outgoing connection takes meanwhile.
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the system's ephemeral range, so that no outgoing connection takes one between its choice and its listener's bind.
const PORTS: Range<u16> = 20_000..32_000;

/// A port that no other Proofhouse on this machine takes as long as this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// An abstract socket: seen exactly where the port is, and gone when its holder is, however it ends.
    claim: UnixListener,
}

impl Port {
    /// One that nobody listens on, neither for connections nor for datagrams. A program that is no Proofhouse may still be faster.
    ///
    /// # Errors
    /// That all are in use, or that the system gives no socket.
    pub fn claim() -> io::Result<Port> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let width = PORTS.end - PORTS.start;
        // Processes begin at different places, so that parallel runs rarely ask for the same one.
        let begin = (std::process::id().wrapping_mul(7919) % u32::from(width)) as u16;
        for _ in 0..width {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % width;
            let number = PORTS.start + (begin + step) % width;
            let Some(claim) = unless_taken(UnixListener::bind_addr(&name(number)?))? else { continue };
            let at = (Ipv4Addr::LOCALHOST, number);
            // Both: a target may listen for datagrams there, and some listen for both under one number.
            if unless_taken(TcpListener::bind(at))?.is_some() && unless_taken(UdpSocket::bind(at))?.is_some() {
                return Ok(Port { number, claim });
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, format!("all of {}..{} are in use", PORTS.start, PORTS.end)))
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Its number, for a server that ends with this process.
    #[must_use]
    pub fn keep(self) -> u16 {
        std::mem::forget(self.claim);
        self.number
    }
}

fn name(number: u16) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("proofhouse-port-{number}"))
}

/// `None` where somebody else has it. Any other trouble, such as no descriptor left, is no matter of this port.
fn unless_taken<T>(bound: io::Result<T>) -> io::Result<Option<T>> {
    match bound {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_only_where_somebody_else_has_it() {
        let error = |number| Err::<(), _>(io::Error::from_raw_os_error(number));
        const EMFILE: i32 = 24;
        const EADDRINUSE: i32 = 98;
        assert!(matches!(unless_taken(Ok(())), Ok(Some(()))));
        assert!(matches!(unless_taken(error(EADDRINUSE)), Ok(None)));
        assert_eq!(unless_taken(error(EMFILE)).unwrap_err().raw_os_error(), Some(EMFILE));
    }

    #[test]
    fn a_port_is_claimed_until_it_is_given_back() {
        let taken = |number| UnixListener::bind_addr(&name(number).unwrap()).is_err();
        let (given_back, kept) = (Port::claim().unwrap(), Port::claim().unwrap().keep());
        let number = given_back.number();
        assert!(taken(number) && taken(kept));
        drop(given_back);
        assert!(!taken(number) && taken(kept));
    }
}
