//! What a client is: everything that its CONNECT says, once for a whole fleet.
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::plan::{FleetPlan, Plan};

use super::Backoff;
use crate::codec::{Place, PropertiesBuf, PropertyId, QoS, Version};
use crate::names;

/// A kind of client.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Version of the protocol.
    pub version: Version,
    /// User name and password, where it says who it is.
    pub account: Option<(String, String)>,
    /// Clean Start; in 3.1.1 Clean Session.
    pub clean_start: bool,
    /// Seconds; 0 turns it off.
    pub keep_alive: u16,
    /// Seconds that the session outlives the connection, in MQTT 5; 0 is not said.
    pub session_expiry: u32,
    /// Unacknowledged messages that it takes, in MQTT 5; `u16::MAX` is not said.
    pub receive_maximum: u16,
    /// Unacknowledged messages of its own that it has under way at most, where the server does not say less. Most clients say 20;
    /// mosquitto 2.0.11 was seen to acknowledge 100 QoS 2 messages sent at once in 3.1.1, and to deliver the first 20.
    pub in_flight_maximum: u16,
    /// The highest topic alias that it takes, in MQTT 5; 0 is not said.
    pub topic_alias_maximum: u16,
    /// Uses aliases where the server takes them.
    pub use_aliases: bool,
    /// The Will.
    pub will: Option<WillProfile>,
    /// How it reconnects.
    pub backoff: Backoff,
}

/// A Will.
#[derive(Clone, Debug)]
pub struct WillProfile {
    /// The topic; `{id}` stands for the client id.
    pub topic: String,
    /// The message.
    pub payload: Vec<u8>,
    /// The quality.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// Seconds between the end of the connection and the Will, in MQTT 5; 0 is not said.
    pub delay: u32,
}

impl Profile {
    /// The usual client of this version: clean start, keep-alive 60 s, no Will, nobody in particular.
    #[must_use]
    pub const fn new(version: Version) -> Profile {
        Profile {
            version,
            account: None,
            clean_start: true,
            keep_alive: 60,
            session_expiry: 0,
            receive_maximum: u16::MAX,
            in_flight_maximum: 20,
            topic_alias_maximum: 0,
            use_aliases: false,
            will: None,
            backoff: Backoff::DEVICE,
        }
    }

    /// The client that a fleet's keys describe, with its party's account.
    #[must_use]
    pub fn of(fleet: &FleetPlan, plan: &Plan) -> Profile {
        let number = |key: &str| fleet.keys.int(key).and_then(|n| u32::try_from(n).ok());
        let party = fleet.party.filter(|_| fleet.authenticated).and_then(|at| plan.parties.get(usize::from(at)));
        let usual = Profile::new(names::version(&fleet.version));
        Profile {
            account: party.map(|party| (party.user.clone(), party.password.clone())),
            clean_start: fleet.keys.truth("clean_start").unwrap_or(true),
            keep_alive: number("keep_alive").map_or(usual.keep_alive, |s| u16::try_from(s).unwrap_or(u16::MAX)),
            session_expiry: number("session_expiry").unwrap_or(0),
            receive_maximum: number("receive_maximum")
                .map_or(u16::MAX, |n| u16::try_from(n).unwrap_or(u16::MAX).max(1)),
            topic_alias_maximum: number("topic_alias_maximum").map_or(0, |n| u16::try_from(n).unwrap_or(u16::MAX)),
            use_aliases: fleet.keys.truth("use_aliases").unwrap_or(false),
            will: WillProfile::of(fleet),
            ..usual
        }
    }

    pub(super) fn connect_properties(&self) -> PropertiesBuf {
        let mut properties = PropertiesBuf::new(Place::Connect);
        let mut say = |id, value: u32, unsaid: u32| {
            if value != unsaid {
                properties.push(id, value).expect("a CONNECT may carry it, once");
            }
        };
        say(PropertyId::SessionExpiryInterval, self.session_expiry, 0);
        say(PropertyId::ReceiveMaximum, self.receive_maximum.into(), u16::MAX.into());
        say(PropertyId::TopicAliasMaximum, self.topic_alias_maximum.into(), 0);
        properties
    }
}

impl WillProfile {
    fn of(fleet: &FleetPlan) -> Option<WillProfile> {
        let keys = &fleet.keys;
        Some(WillProfile {
            topic: plain_topic(keys.text("will_topic")?),
            payload: keys.find("will_payload").and_then(|v| v.as_bytes()).unwrap_or(b"gone").to_vec(),
            qos: keys.int("will_qos").and_then(|n| QoS::from_number(n as u8)).unwrap_or_default(),
            retain: keys.truth("will_retain").unwrap_or(false),
            delay: keys.int("will_delay").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        })
    }

    pub(super) fn properties(&self) -> PropertiesBuf {
        let mut properties = PropertiesBuf::new(Place::Will);
        if self.delay > 0 {
            properties.push(PropertyId::WillDelayInterval, self.delay).expect("a Will may be delayed");
        }
        properties
    }
}

/// A topic that a device may publish to, whatever a scenario says: legal clients cannot send wildcards (scripts can).
pub(crate) fn plain_topic(text: &str) -> String {
    const LONGEST: usize = 1024;
    let plain = |c: char| if matches!(c, '+' | '#' | '\0') { '_' } else { c };
    let topic: String = text.chars().map(plain).take(LONGEST).collect();
    if topic.is_empty() { String::from("_") } else { topic }
}
