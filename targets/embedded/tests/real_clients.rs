//! The reference broker over real sockets, against clients that we did not write: mosquitto's and Paho's. What these agree with is
//! not only our own reading of the standard. Without the clients a test is skipped by name; a CI machine must have them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use proofhouse_core::seed::Seed;
use proofhouse_embedded::reference::{Server, serve_broker};
use proofhouse_live::port::Port;
use proofhouse_targets::flaw::Flaws;
use proofhouse_targets::reference::broker::{Accounts, Broker, Limits};

const VERSIONS: [&str; 2] = ["mqttv311", "mqttv5"];

#[test]
fn every_quality_arrives_in_both_versions() {
    let Some(port) = open_broker_for_mosquitto("every_quality_arrives_in_both_versions") else { return };
    for version in VERSIONS {
        for qos in ["0", "1", "2"] {
            let topic = format!("quality/{version}/{qos}");
            let mut sub = sub(port, version, &["-q", qos, "-t", &topic, "-C", "1", "-W", "20", "-F", "%q %p"]);
            // Nobody tells when the subscription stands: publish until it has arrived.
            while sub.try_wait().unwrap().is_none() {
                assert!(publish(port, version, &["-q", qos, "-t", &topic, "-m", "seven"]).status.success());
                thread::sleep(Duration::from_millis(20));
            }
            assert_eq!(text(&sub.wait_with_output().unwrap()), format!("{qos} seven\n"), "{version}");
        }
    }
}

#[test]
fn a_session_keeps_what_its_client_missed_in_order() {
    let Some(port) = open_broker_for_mosquitto("a_session_keeps_what_its_client_missed_in_order") else { return };
    for version in VERSIONS {
        let mut session = vec!["-c", "-i", version, "-q", "2", "-t", "kept/#"];
        if version == "mqttv5" {
            session.extend(["-x", "60"]);
        }
        assert!(sub(port, version, &[&session[..], &["-E"]].concat()).wait().unwrap().success());
        // One quality: a client hands a QoS 2 message on at its PUBREL, and a later one of QoS 1 may overtake it there.
        for (n, qos) in ["2", "2", "2"].into_iter().enumerate() {
            let (topic, message) = (format!("kept/{n}"), format!("m{n}"));
            assert!(publish(port, version, &["-q", qos, "-t", &topic, "-m", &message]).status.success());
        }
        let heard = sub(port, version, &[&session[..], &["-C", "3", "-W", "20", "-F", "%q %t %p"]].concat());
        let heard = text(&heard.wait_with_output().unwrap());
        assert_eq!(heard, "2 kept/0 m0\n2 kept/1 m1\n2 kept/2 m2\n", "{version}");
    }
}

#[test]
fn a_killed_client_leaves_its_will_and_a_retained_message_can_be_cleared() {
    let name = "a_killed_client_leaves_its_will_and_a_retained_message_can_be_cleared";
    let Some(port) = open_broker_for_mosquitto(name) else { return };
    for version in VERSIONS {
        let will = ["--will-topic", "will", "--will-payload", "gone", "--will-qos", "1", "--will-retain"];
        assert!(publish(port, version, &["-t", "ready", "-r", "-m", "ready"]).status.success());
        let mut dying = sub(port, version, &[&will[..], &["-t", "ready"]].concat());
        let mut line = String::new();
        BufReader::new(dying.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "it is connected, and so is its will");
        dying.kill().unwrap();
        dying.wait().unwrap();
        let kept = sub(port, version, &["-t", "will", "-C", "1", "-W", "20", "-F", "%r %p"]);
        assert_eq!(text(&kept.wait_with_output().unwrap()), "1 gone\n");
        assert!(publish(port, version, &["-t", "will", "-r", "-n", "-q", "1"]).status.success());
        assert_eq!(text(&sub(port, version, &["-t", "will", "-C", "1", "-W", "1"]).wait_with_output().unwrap()), "");
    }
}

#[test]
fn a_retained_message_expires_in_version_5() {
    let Some(port) = open_broker_for_mosquitto("a_retained_message_expires_in_version_5") else { return };
    let expiry = ["-D", "publish", "message-expiry-interval", "2"];
    let sent = publish(port, "mqttv5", &[&["-t", "short", "-m", "x", "-r", "-q", "1"], &expiry[..]].concat());
    assert!(sent.status.success(), "{sent:?}");
    let once = || text(&sub(port, "mqttv5", &["-t", "short", "-C", "1", "-W", "1"]).wait_with_output().unwrap());
    assert_eq!(once(), "x\n");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(once(), "");
}

#[test]
fn rights_hold_and_change_while_the_broker_runs() {
    if !mosquitto("rights_hold_and_change_while_the_broker_runs") {
        return;
    }
    let file = std::env::temp_dir().join(format!("proofhouse-accounts-{}", std::process::id()));
    fs::write(&file, "user a pw\nuser b pw\nsubscribe b a/#\n").unwrap();
    let (port, path) = (free_port(), file.clone());
    thread::spawn(move || serve_broker(port, Some(&path), &[]).unwrap());
    wait_for(port);
    let as_a = |password: &str, message: &str| {
        publish(port, "mqttv311", &["-u", "a", "-P", password, "-t", "a/x", "-q", "1", "-r", "-m", message])
            .status
            .success()
    };
    let b_hears = || {
        let args = ["-u", "b", "-P", "pw", "-t", "a/x", "-C", "1", "-W", "1"];
        text(&sub(port, "mqttv311", &args).wait_with_output().unwrap())
    };
    assert!(!as_a("wrong", "x"), "a wrong password is refused");
    assert!(as_a("pw", "early"), "3.1.1 has no word for a refused PUBLISH");
    assert_eq!(b_hears(), "");
    fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"publish a a/#\n").unwrap();
    thread::sleep(Duration::from_millis(500));
    assert!(as_a("pw", "late"));
    assert_eq!(b_hears(), "late\n");
    fs::remove_file(&file).unwrap();
}

#[test]
fn paho_agrees_in_both_versions() {
    const SCRIPT: &str = include_str!("paho.py");
    let found = Command::new("python3").args(["-c", "import paho.mqtt.client"]).output();
    if !present(
        found.is_ok_and(|found| found.status.success()),
        "paho_agrees_in_both_versions",
        "pip install paho-mqtt",
    ) {
        return;
    }
    let port = open_broker();
    let ran = Command::new("python3").args(["-c", SCRIPT, &port.to_string()]).output().unwrap();
    let said = text(&ran);
    assert!(ran.status.success() && said.ends_with("all done\n"), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}

fn open_broker_for_mosquitto(test: &str) -> Option<u16> {
    mosquitto(test).then(open_broker)
}

/// A broker without accounts, in a thread that lives as long as this process.
fn open_broker() -> u16 {
    let broker = Broker::new(Accounts::open(), Limits::default(), Flaws::NONE, Seed(1));
    let server = Server::bind(broker, &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).unwrap();
    let port = server.addresses().unwrap()[0].port();
    thread::spawn(move || server.run(|_, _, _| ()));
    port
}

fn mosquitto(test: &str) -> bool {
    let found = Command::new("mosquitto_sub").arg("--help").output().is_ok();
    present(found, test, "apt-get install mosquitto-clients")
}

#[expect(clippy::disallowed_methods, reason = "whether this machine is CI is not a setting of the product")]
fn present(found: bool, test: &str, install: &str) -> bool {
    let hint = format!("{test}: a client is missing; {install}");
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{hint}");
    if !found {
        eprintln!("SKIPPED {hint}");
    }
    found
}

fn publish(port: u16, version: &str, args: &[&str]) -> Output {
    let port = port.to_string();
    Command::new("mosquitto_pub").args(["-h", "127.0.0.1", "-p", &port, "-V", version]).args(args).output().unwrap()
}

fn sub(port: u16, version: &str, args: &[&str]) -> Child {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-V", version]).args(args);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_port() -> u16 {
    Port::claim().unwrap().keep()
}

fn wait_for(port: u16) {
    let ready = (0..500).any(|_| {
        thread::sleep(Duration::from_millis(10));
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    assert!(ready, "nothing listens on {port} after 5 s");
}
