//! What the loop under a served target promises, whatever the target: the last packet arrives, an exit is an exit, and a client that
//! does not read is the only one to suffer for it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proofhouse_core::seed::Seed;
use proofhouse_embedded::reference::{Server, serve_broker};
use proofhouse_targets::flaw::Flaws;
use proofhouse_targets::reference::broker::{Accounts, Broker, Limits};

/// Client `a`, MQTT 5, clean start, no Keep Alive.
const CONNECT: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01a";
const CONNECT_B: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01b";
const PING: &[u8] = b"\xc0\0";
const PONG: &[u8] = b"\xd0\0";

#[test]
fn the_last_packet_arrives_although_more_was_sent_than_is_read() {
    let (port, _) = served(&[]);
    let mut client = connected(port, CONNECT);
    client.write_all(&[&[0x36, 5, 0, 1, b'a', 0, 1][..], &[0x55; 100_000]].concat()).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0xE0, 1, 0x81], "DISCONNECT, Malformed Packet, then an orderly end");
}

#[test]
fn an_actor_that_exits_ends_its_server_with_its_code() {
    let (port, server) = served(&["exits-on-malformed"]);
    let mut client = connected(port, CONNECT);
    client.write_all(&[0, 0]).unwrap();
    assert_eq!(server.join().unwrap(), 139);
}

#[test]
fn who_does_not_read_is_cut_off_and_nobody_else() {
    const MESSAGES: usize = 60;
    let (port, _) = served(&[]);
    let mut deaf = connected(port, CONNECT);
    deaf.write_all(b"\x82\x07\0\x01\0\0\x01t\0").unwrap();
    let mut suback = [0; 6];
    deaf.read_exact(&mut suback).unwrap();
    let mut busy = connected(port, CONNECT_B);
    // 60 messages of 1,000,000 bytes: 16 MiB may wait, the system's own buffers hold a few more.
    let mut message = b"\x30\xc0\x84\x3d\0\x01t\0".to_vec();
    message.resize(4 + 1_000_000, b'x');
    for _ in 0..MESSAGES {
        busy.write_all(&message).unwrap();
    }
    busy.write_all(PING).unwrap();
    let mut pong = [0; 2];
    busy.read_exact(&mut pong).unwrap();
    assert_eq!(pong, PONG);
    let mut heard = 0;
    let end = loop {
        match deaf.read(&mut [0; 65_536]) {
            Ok(0) => break ErrorKind::UnexpectedEof,
            Ok(n) => heard += n,
            Err(why) => break why.kind(),
        }
    };
    assert_eq!(end, ErrorKind::ConnectionReset, "after {heard} bytes");
    assert!(heard < MESSAGES * 1_000_000, "all of {heard} bytes were kept for a client that did not read");
}

#[test]
fn a_port_that_is_taken_and_a_flaw_that_nobody_knows_are_errors() {
    let (port, _) = served(&[]);
    assert_eq!(serve_broker(port, None, &[]).unwrap_err().kind(), ErrorKind::AddrInUse);
    let unknown = serve_broker(0, None, &["keeps-both".into()]).unwrap_err().to_string();
    assert_eq!(unknown, "unknown flaw \"keeps-both\"; did you mean \"keeps-both-sessions\"?");
}

fn served(flaws: &[&str]) -> (u16, JoinHandle<i32>) {
    let broker = Broker::new(Accounts::open(), Limits::default(), Flaws::parse(flaws).unwrap(), Seed(1));
    let server = Server::bind(broker, &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).unwrap();
    let port = server.addresses().unwrap()[0].port();
    (port, thread::spawn(move || server.run(|_, _, _| ()).unwrap()))
}

/// Connected, and its CONNACK read.
fn connected(port: u16, connect: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(connect).unwrap();
    let mut header = [0; 2];
    client.read_exact(&mut header).unwrap();
    assert_eq!(header[0], 0x20);
    let mut body = vec![0; header[1].into()];
    client.read_exact(&mut body).unwrap();
    assert_eq!(body[1], 0, "accepted");
    client
}
