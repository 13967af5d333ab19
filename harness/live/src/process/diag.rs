//! The kernel's socket diagnostics (`sock_diag(7)`): which sockets hold one port. The tables in `/proc/net` say the same, but a busy
//! machine's are thousands of lines, and are read whole for one port.
use std::collections::BTreeSet;
use std::io;

use procfs::net::{TcpNetEntry, TcpState, UdpNetEntry};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

/// A socket's number in `/proc/PID/fd`.
pub(super) type Inode = u64;

/// The sockets that listen for TCP on `port`, on any address.
pub(super) fn listening(port: u16) -> BTreeSet<Inode> {
    ask(&Question { protocol: TCP, states: 1 << LISTEN, port }).unwrap_or_else(|_| {
        let listens = |entry: &TcpNetEntry| entry.state == TcpState::Listen && entry.local_address.port() == port;
        let tables = [procfs::net::tcp(), procfs::net::tcp6()];
        tables.into_iter().flatten().flatten().filter(listens).map(|entry| entry.inode).collect()
    })
}

/// The sockets of datagrams on `port` that take them from everybody.
pub(super) fn bound(port: u16) -> BTreeSet<Inode> {
    // A kernel may have the diagnostics of one protocol only.
    ask(&Question { protocol: UDP, states: u32::MAX, port }).unwrap_or_else(|_| {
        let takes = |entry: &UdpNetEntry| entry.local_address.port() == port && entry.remote_address.port() == 0;
        let tables = [procfs::net::udp(), procfs::net::udp6()];
        tables.into_iter().flatten().flatten().filter(takes).map(|entry| entry.inode).collect()
    })
}

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Linux's number of the state `LISTEN`.
const LISTEN: u32 = 10;

struct Question {
    protocol: u8,
    /// One bit for each state that counts.
    states: u32,
    port: u16,
}

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

fn ask(question: &Question) -> io::Result<BTreeSet<Inode>> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    let mut found = BTreeSet::new();
    for family in [AF_INET, AF_INET6] {
        // A socket of this kind that names no receiver speaks to the kernel.
        send(&socket, &request(question, family), SendFlags::empty())?;
        let mut answer = [0; 16 << 10];
        loop {
            let (n, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
            if !read(&answer[..n], question.port, &mut found)? {
                break;
            }
        }
    }
    Ok(found)
}

/// `nlmsghdr`, then `inet_diag_req_v2`: everything in the machine's own order but the port.
fn request(question: &Question, family: u8) -> Vec<u8> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    /// `NLM_F_REQUEST | NLM_F_DUMP`.
    const FLAGS: u16 = 0x301;
    let mut bytes = Vec::with_capacity(REQUEST);
    bytes.extend((REQUEST as u32).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(FLAGS.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and sender: there is one question at a time
    bytes.extend([family, question.protocol, 0, 0]);
    bytes.extend(question.states.to_ne_bytes());
    bytes.extend(question.port.to_be_bytes());
    bytes.resize(REQUEST, 0); // no other port, address, interface or cookie is asked for
    bytes
}

/// Length of a question.
const REQUEST: usize = 72;
/// Length of `nlmsghdr`.
const HEAD: usize = 16;
/// Where `inet_diag_msg` has the two ports and the inode.
const LOCAL_PORT: usize = HEAD + 4;
const REMOTE_PORT: usize = HEAD + 6;
const INODE: usize = HEAD + 68;

/// Takes the sockets of one datagram of the answer; whether more follow.
fn read(mut bytes: &[u8], port: u16, found: &mut BTreeSet<Inode>) -> io::Result<bool> {
    const ERROR: u16 = 2;
    const DONE: u16 = 3;
    while bytes.len() >= HEAD {
        let len = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        let message = bytes.get(..len.max(HEAD)).ok_or(io::ErrorKind::InvalidData)?;
        match kind {
            DONE => return Ok(false),
            ERROR => return Err(io::ErrorKind::Unsupported.into()),
            _ => found.extend(inode(message, port)),
        }
        // Messages begin at multiples of four.
        bytes = &bytes[bytes.len().min(len.max(HEAD).next_multiple_of(4))..];
    }
    Ok(true)
}

/// The socket of one message, where it is on this port and speaks to nobody in particular.
fn inode(message: &[u8], port: u16) -> Option<Inode> {
    let at = |from: usize| message.get(from..from + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let inode = message.get(INODE..INODE + 4)?;
    let fits = at(LOCAL_PORT)? == port && at(REMOTE_PORT)? == 0;
    fits.then(|| Inode::from(u32::from_ne_bytes([inode[0], inode[1], inode[2], inode[3]])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsFd, AsRawFd};

    fn number(socket: &impl AsFd) -> Inode {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd())).unwrap();
        let text = link.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']').to_string();
        text.parse().unwrap()
    }

    #[test]
    fn who_listens_is_found_and_who_is_connected_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue }; // no IPv6 here
            let at = listener.local_addr().unwrap();
            let peer = TcpStream::connect(at).unwrap();
            assert_eq!(listening(at.port()), BTreeSet::from([number(&listener)]), "{address}");
            assert_eq!(listening(peer.local_addr().unwrap().port()), BTreeSet::new());
            drop(listener);
            assert_eq!(listening(at.port()), BTreeSet::new());
        }
    }

    #[test]
    fn a_socket_of_datagrams_counts_while_it_takes_them_from_everybody() {
        let open = UdpSocket::bind("127.0.0.1:0").unwrap();
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        connected.connect(open.local_addr().unwrap()).unwrap();
        assert_eq!(bound(open.local_addr().unwrap().port()), BTreeSet::from([number(&open)]));
        assert_eq!(bound(connected.local_addr().unwrap().port()), BTreeSet::new());
    }

    #[test]
    fn a_torn_answer_is_an_error_and_no_panic() {
        let mut message = vec![0; 100];
        message[..4].copy_from_slice(&4096_u32.to_ne_bytes());
        assert!(read(&message, 1, &mut BTreeSet::new()).is_err());
        for len in 0..100 {
            message[..4].copy_from_slice(&(len as u32).to_ne_bytes());
            let _ = read(&message[..len], 1, &mut BTreeSet::new());
        }
    }
}
