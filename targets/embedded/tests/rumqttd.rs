//! The embedded rumqttd over real sockets. rumqttd has no stop: each server lives in a thread until this test process ends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use proofhouse_embedded::rumqttd::{Options, ServeError, serve};
use proofhouse_live::port::Port;

const CONNECT_V4: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";
const CONNECT_V5: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01a";
/// The peer closed without a byte.
const NOTHING: &[u8] = &[];
/// User `u`, password `p`.
const LOGIN_V4: &[u8] = b"\x10\x13\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x01u\0\x01p";
const WRONG_V4: &[u8] = b"\x10\x13\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x01u\0\x01x";

#[test]
fn a_connect_is_answered_on_both_ports() {
    let (v4, v5) = started(&[]);
    assert_eq!(answer(v4, CONNECT_V4), [0x20, 2, 0, 0]);
    let connack = answer(v5, CONNECT_V5);
    assert_eq!((connack[0], connack[2], connack[3]), (0x20, 0, 0), "{connack:02x?}");
}

#[test]
fn the_other_version_is_closed_without_an_answer() {
    let (v4, v5) = started(&[]);
    assert_eq!(answer(v4, CONNECT_V5), NOTHING);
    assert_eq!(answer(v5, CONNECT_V4), NOTHING);
}

#[test]
fn only_the_right_password_is_answered() {
    let (v4, _) = started(&[("u", "p")]);
    assert_eq!(answer(v4, LOGIN_V4), [0x20, 2, 0, 0]);
    assert_eq!(answer(v4, WRONG_V4), NOTHING);
    assert_eq!(answer(v4, CONNECT_V4), NOTHING);
}

#[test]
fn a_taken_port_is_an_error_and_not_a_silent_success() {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = held.local_addr().unwrap().port();
    for (port_v4, port_v5) in [(taken, free_port()), (free_port(), taken)] {
        let refused = serve(&Options { port_v4, port_v5, users: Vec::new() });
        assert!(matches!(refused, Err(ServeError::Taken { port, .. }) if port == taken), "{refused:?}");
    }
}

#[test]
fn ports_that_were_not_chosen_are_refused() {
    for (port_v4, port_v5) in [(0, 1), (1, 0), (1, 1)] {
        assert!(matches!(serve(&Options { port_v4, port_v5, users: Vec::new() }), Err(ServeError::Ports(_))));
    }
}

#[test]
fn mosquitto_clients_reach_each_other_on_both_ports() {
    if !clients_installed() {
        return;
    }
    let (v4, v5) = started(&[]);
    for (port, version) in [(v4, "mqttv311"), (v5, "mqttv5")] {
        assert_eq!(round_trip(port, version), "seven\n", "{version}");
    }
}

/// A retained message, so that it does not matter which of the two clients is first.
fn round_trip(port: u16, version: &str) -> String {
    let common = ["-V", version, "-p", &port.to_string(), "-h", "127.0.0.1", "-t", "room/seven", "-q", "1"];
    let sent = Command::new("mosquitto_pub").args(common).args(["-r", "-m", "seven"]).status().unwrap();
    assert!(sent.success(), "mosquitto_pub: {sent}");
    let got = Command::new("mosquitto_sub").args(common).args(["-C", "1", "-W", "20"]).output().unwrap();
    String::from_utf8_lossy(&got.stdout).into_owned()
}

/// Without the clients the test is skipped by name; a CI machine must have them.
#[expect(clippy::disallowed_methods, reason = "whether this machine is CI is not a setting of the product")]
fn clients_installed() -> bool {
    let found =
        Command::new("mosquitto_pub").arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let hint = "mosquitto_clients_reach_each_other_on_both_ports: no mosquitto_pub; apt-get install mosquitto-clients";
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{hint}");
    if !found {
        eprintln!("SKIPPED {hint}");
    }
    found
}

fn started(users: &[(&str, &str)]) -> (u16, u16) {
    let (port_v4, port_v5) = (free_port(), free_port());
    let users = users.iter().map(|(name, password)| ((*name).to_owned(), (*password).to_owned())).collect();
    thread::spawn(move || serve(&Options { port_v4, port_v5, users }).unwrap());
    for port in [port_v4, port_v5] {
        let ready = (0..1_000).any(|_| {
            thread::sleep(Duration::from_millis(10));
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        assert!(ready, "nothing listens on {port} after 10 s");
    }
    (port_v4, port_v5)
}

/// What comes back until the peer closes or a first answer is read; empty when it closed without one.
fn answer(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut bytes = [0; 64];
    let n = stream.read(&mut bytes).unwrap();
    bytes[..n].to_vec()
}

fn free_port() -> u16 {
    Port::claim().unwrap().keep()
}
