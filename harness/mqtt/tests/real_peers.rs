//! Our client session against a broker that others wrote: mosquitto, both versions, over real sockets.
//!
//! Without mosquitto the tests are skipped by name, except where `CI=true` says that it must be there.
#![expect(clippy::disallowed_methods, reason = "real peers have real clocks, and CI says so in the environment")]
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::{QoS, Version};
use proofhouse_mqtt::session::{Event, Message, Profile, Session, WillProfile};

/// A mosquitto on a port of its own; gone when the test is over.
struct Broker {
    child: Child,
    port: u16,
}

impl Broker {
    /// `None`: there is no mosquitto here.
    fn start() -> Option<Broker> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let spawned = Command::new("mosquitto")
            .args(["-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(_) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("no mosquitto: {INSTALL}"),
            Err(_) => {
                eprintln!("skipped, no mosquitto: {INSTALL}");
                return None;
            }
        };
        let broker = Broker { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "mosquitto does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(broker)
    }
}

const INSTALL: &str = "apt-get install mosquitto";

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A session on a socket, and everything that it was told.
struct Device {
    session: Session,
    socket: Option<TcpStream>,
    began: Instant,
    events: Vec<String>,
}

impl Device {
    fn new(profile: Profile, client_id: &str) -> Device {
        let session = Session::new(Arc::new(profile), client_id.into());
        Device { session, socket: None, began: Instant::now(), events: Vec::new() }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.began.elapsed()
    }

    fn connect(mut self, broker: &Broker) -> Device {
        let socket = TcpStream::connect(("127.0.0.1", broker.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        self.socket = Some(socket);
        let (now, mut out) = (self.now(), Vec::new());
        self.session.connect(now, &mut out);
        self.send(&out);
        self.until("Connected")
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.as_mut().expect("connected").write_all(bytes).unwrap();
    }

    /// Reads once; `false` where nothing came.
    fn pump(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = match self.socket.as_mut().expect("connected").read(&mut buffer) {
            Ok(0) => panic!("the broker closed the connection; {:?}", self.events),
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
            Err(error) => panic!("{error}; {:?}", self.events),
        };
        let (now, mut out, events) = (self.now(), Vec::new(), &mut self.events);
        // One byte at a time: nothing may depend on how a stream is cut.
        for byte in &buffer[..read] {
            let heard = self.session.hear(now, &[*byte], &mut out, &mut |event| {
                events.push(match event {
                    Event::Message { topic, payload, qos, retain } => {
                        let (text, retained) =
                            (String::from_utf8_lossy(payload), if retain { " retained" } else { "" });
                        format!("{topic} {text} {}{retained}", qos.number())
                    }
                    Event::Delivered { .. } => "Delivered".to_string(),
                    other => format!("{other:?}"),
                });
            });
            heard.unwrap_or_else(|reason| panic!("mosquitto is not legal: {reason}"));
        }
        self.send(&out);
        true
    }

    /// Waits for an event that begins so, and for everything before it.
    #[track_caller]
    fn until(mut self, event: &str) -> Device {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.events.iter().any(|seen| seen.starts_with(event)) {
            assert!(Instant::now() < deadline, "waited for {event:?}, saw {:?}", self.events);
            self.pump();
        }
        self
    }

    fn subscribe(mut self, filter: &str, qos: QoS) -> Device {
        let (now, mut out) = (self.now(), Vec::new());
        self.session.subscribe(now, &[(filter, qos)], &mut out).unwrap();
        self.send(&out);
        self.until("Subscribed")
    }

    fn publish(mut self, topic: &str, payload: &str, qos: QoS, retain: bool) -> Device {
        let (now, mut out) = (self.now(), Vec::new());
        let message = Message { topic: topic.into(), payload: payload.into(), qos, retain };
        self.session.publish(now, message, &mut out).unwrap();
        self.send(&out);
        self
    }

    fn delivered(mut self, count: usize) -> Device {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.events.iter().filter(|event| *event == "Delivered").count() < count {
            assert!(Instant::now() < deadline, "waited for {count} acknowledgements, saw {:?}", self.events);
            self.pump();
        }
        assert_eq!(self.session.unfinished(), 0);
        self
    }

    /// The connection breaks without a goodbye.
    fn drop_connection(mut self) -> Device {
        self.socket = None;
        self.session.lost();
        self.events.clear();
        self
    }

    fn goodbye(mut self) -> Device {
        let (now, mut out) = (self.now(), Vec::new());
        self.session.disconnect(now, &mut out);
        self.send(&out);
        self.drop_connection()
    }
}

fn kept(version: Version) -> Profile {
    Profile { clean_start: false, session_expiry: 60, ..Profile::new(version) }
}

fn with_broker(law: impl Fn(&Broker, Version)) {
    let Some(broker) = Broker::start() else { return };
    for version in Version::ALL {
        law(&broker, version);
    }
}

#[test]
fn messages_of_every_quality_go_both_ways() {
    with_broker(|broker, version| {
        let topic = format!("both/{version}");
        let reader = Device::new(Profile::new(version), "reader").connect(broker).subscribe(&topic, QoS::ExactlyOnce);
        let mut writer = Device::new(Profile::new(version), "writer").connect(broker);
        for qos in QoS::ALL {
            writer = writer.publish(&topic, "hello", qos, false);
        }
        writer.delivered(2);
        let mut reader = reader;
        for qos in QoS::ALL {
            reader = reader.until(&format!("{topic} hello {}", qos.number()));
        }
        let messages = reader.events.iter().filter(|event| event.starts_with(&topic)).count();
        assert_eq!(messages, 3, "{version}: {:?}", reader.events);
    });
}

#[test]
fn a_retained_message_greets_a_later_subscriber() {
    with_broker(|broker, version| {
        let topic = format!("kept/{version}");
        Device::new(Profile::new(version), "writer")
            .connect(broker)
            .publish(&topic, "last", QoS::AtLeastOnce, true)
            .delivered(1);
        let reader = Device::new(Profile::new(version), "reader").connect(broker).subscribe(&topic, QoS::AtLeastOnce);
        reader.until(&format!("{topic} last 1 retained"));
    });
}

#[test]
fn a_will_is_published_when_the_connection_breaks_and_not_after_a_goodbye() {
    with_broker(|broker, version| {
        let will = WillProfile {
            topic: "wills/{id}".into(),
            payload: b"gone".to_vec(),
            qos: QoS::AtLeastOnce,
            retain: false,
            delay: 0,
        };
        let profile = Profile { will: Some(will), ..Profile::new(version) };
        let reader =
            Device::new(Profile::new(version), "reader").connect(broker).subscribe("wills/#", QoS::AtLeastOnce);
        Device::new(profile.clone(), "polite").connect(broker).goodbye();
        Device::new(profile, "rude").connect(broker).drop_connection();
        let reader = reader.until("wills/rude gone 1");
        assert!(!reader.events.iter().any(|event| event.starts_with("wills/polite")), "{:?}", reader.events);
    });
}

#[test]
fn a_session_outlives_its_connection_and_gets_what_was_queued() {
    with_broker(|broker, version| {
        let topic = format!("queue/{version}");
        let reader =
            Device::new(kept(version), "sleeper").connect(broker).subscribe(&topic, QoS::ExactlyOnce).goodbye();
        let writer = Device::new(Profile::new(version), "writer").connect(broker);
        writer
            .publish(&topic, "one", QoS::AtLeastOnce, false)
            .publish(&topic, "two", QoS::ExactlyOnce, false)
            .delivered(2);
        let reader = reader.connect(broker).until(&format!("{topic} one 1")).until(&format!("{topic} two 2"));
        assert!(reader.events.contains(&"Connected { present: true }".to_string()), "{:?}", reader.events);
        Device::new(Profile::new(version), "sleeper").connect(broker).goodbye();
    });
}

#[test]
fn what_a_broken_connection_left_unacknowledged_is_delivered_once_over_the_next() {
    with_broker(|broker, version| {
        let topic = format!("again/{version}");
        let reader = Device::new(Profile::new(version), "reader").connect(broker).subscribe(&topic, QoS::ExactlyOnce);
        let writer =
            Device::new(kept(version), "unlucky").connect(broker).publish(&topic, "x", QoS::ExactlyOnce, false);
        // PUBREC is on its way; nobody reads it.
        std::thread::sleep(Duration::from_millis(100));
        let writer = writer.drop_connection();
        assert_eq!(writer.session.unfinished(), 1);
        writer.connect(broker).delivered(1).goodbye();
        let mut reader = reader.until(&format!("{topic} x 2"));
        while reader.pump() {}
        let times = reader.events.iter().filter(|event| event.starts_with(&topic)).count();
        assert_eq!(times, 1, "{version}: {:?}", reader.events);
        Device::new(Profile::new(version), "unlucky").connect(broker).goodbye();
    });
}

#[test]
fn flow_control_keeps_every_message_and_their_order() {
    with_broker(|broker, version| {
        let topic = format!("many/{version}");
        let slow = Profile { receive_maximum: 3, ..Profile::new(version) };
        let mut reader = Device::new(slow, "reader").connect(broker).subscribe(&topic, QoS::ExactlyOnce);
        let mut writer = Device::new(Profile::new(version), "writer").connect(broker);
        for n in 0..100 {
            writer = writer.publish(&topic, &n.to_string(), QoS::ExactlyOnce, false);
        }
        writer.delivered(100);
        reader = reader.until(&format!("{topic} 99 2"));
        let seen: Vec<_> = reader.events.iter().filter(|event| event.starts_with(&topic)).cloned().collect();
        let wanted: Vec<_> = (0..100).map(|n| format!("{topic} {n} 2")).collect();
        assert_eq!(seen, wanted, "{version}");
    });
}
