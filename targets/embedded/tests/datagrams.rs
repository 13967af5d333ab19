//! What the loop for datagrams promises, whatever the target; and that the CoAP servers behind it are who they say they are.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proofhouse_core::seed::Seed;
use proofhouse_embedded::coap_lite;
use proofhouse_embedded::reference::DatagramServer;
use proofhouse_live::port::Port;
use proofhouse_targets::flaw::Flaws;
use proofhouse_targets::reference::coap_server::{CoapServer, Limits};

/// CON, id 0x1234, no token.
const PING: &[u8] = &[0x40, 0, 0x12, 0x34];
const RESET: &[u8] = &[0x70, 0, 0x12, 0x34];
/// CON GET /slow.
const SLOW: &[u8] = b"\x40\x01\x12\x35\xb4slow";
/// CON POST /counter.
const COUNT: &[u8] = b"\x40\x02\x12\x36\xb7counter";

#[test]
fn an_answer_goes_back_to_whom_it_belongs_and_from_where_it_was_asked() {
    let (server, _) = served(&[]);
    let (a, b) = (peer(server), peer(server));
    a.send(COUNT).unwrap();
    assert_eq!(hear(&a).last(), Some(&b'1'));
    b.send(COUNT).unwrap();
    assert_eq!(hear(&b).last(), Some(&b'2'), "the same message id of another peer is another message");
    a.send(COUNT).unwrap();
    assert_eq!(hear(&a).last(), Some(&b'1'), "a copy");
}

#[test]
fn what_is_due_later_is_sent_when_nobody_speaks() {
    let (server, _) = served(&[]);
    let a = peer(server);
    a.send(SLOW).unwrap();
    assert_eq!(hear(&a), [0x60, 0, 0x12, 0x35]);
    assert_eq!(hear(&a)[..2], [0x40, 0x45], "a CON of its own, a second later");
}

#[test]
fn an_empty_datagram_and_a_peer_that_is_gone_disturb_nobody() {
    let (server, _) = served(&[]);
    let (a, b) = (peer(server), peer(server));
    a.send(&[]).unwrap();
    for _ in 0..3 {
        a.send(SLOW).unwrap();
    }
    drop(a);
    thread::sleep(Duration::from_millis(1100));
    b.send(PING).unwrap();
    assert_eq!(hear(&b), RESET);
}

#[test]
fn an_actor_that_exits_ends_its_server_with_its_code() {
    let (server, ended) = served(&["short-datagram-crash"]);
    peer(server).send(&[0x40]).unwrap();
    assert_eq!(ended.join().unwrap(), 139);
}

#[test]
fn coap_lite_answers_counts_every_copy_and_has_no_deduplication() {
    let port = free_port();
    thread::spawn(move || coap_lite::serve(port));
    let a = peer(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut first = Vec::new();
    for _ in 0..50 {
        let _ = a.send(COUNT);
        first = hear(&a);
        if !first.is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(first[..4], [0x60, 0x44, 0x12, 0x36]);
    a.send(COUNT).unwrap();
    assert_eq!(hear(&a).last(), first.last().map(|count| count + 1).as_ref());
    a.send(PING).unwrap();
    assert_eq!(hear(&a), RESET);
}

fn served(flaws: &[&str]) -> (SocketAddr, JoinHandle<i32>) {
    let server = CoapServer::new(Limits::default(), Flaws::parse(flaws).unwrap(), Seed(1));
    let server = DatagramServer::bind(server, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    (server.address().unwrap(), thread::spawn(move || server.run().unwrap()))
}

fn peer(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// The next datagram; empty where none comes, or nobody is there yet.
fn hear(socket: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 2048];
    let len = socket.recv(&mut bytes).unwrap_or(0);
    bytes.truncate(len);
    bytes
}

fn free_port() -> u16 {
    Port::claim().unwrap().keep()
}
