//! The properties of MQTT 5 as data: identifier, name, type and the places where each may stand \[MQTT5 §2.2.2.2\].
//!
//! Each place carries the section that describes the property there: it is what a refusal cites.

use super::{Place, ValueKind};

/// A property identifier \[MQTT5 §2.2.2.2\].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PropertyId {
    /// Payload Format Indicator: Byte.
    PayloadFormatIndicator = 0x01,
    /// Message Expiry Interval: Four Byte Integer.
    MessageExpiryInterval = 0x02,
    /// Content Type: UTF-8 Encoded String.
    ContentType = 0x03,
    /// Response Topic: UTF-8 Encoded String.
    ResponseTopic = 0x08,
    /// Correlation Data: Binary Data.
    CorrelationData = 0x09,
    /// Subscription Identifier: Variable Byte Integer.
    SubscriptionIdentifier = 0x0B,
    /// Session Expiry Interval: Four Byte Integer.
    SessionExpiryInterval = 0x11,
    /// Assigned Client Identifier: UTF-8 Encoded String.
    AssignedClientIdentifier = 0x12,
    /// Server Keep Alive: Two Byte Integer.
    ServerKeepAlive = 0x13,
    /// Authentication Method: UTF-8 Encoded String.
    AuthenticationMethod = 0x15,
    /// Authentication Data: Binary Data.
    AuthenticationData = 0x16,
    /// Request Problem Information: Byte.
    RequestProblemInformation = 0x17,
    /// Will Delay Interval: Four Byte Integer.
    WillDelayInterval = 0x18,
    /// Request Response Information: Byte.
    RequestResponseInformation = 0x19,
    /// Response Information: UTF-8 Encoded String.
    ResponseInformation = 0x1A,
    /// Server Reference: UTF-8 Encoded String.
    ServerReference = 0x1C,
    /// Reason String: UTF-8 Encoded String.
    ReasonString = 0x1F,
    /// Receive Maximum: Two Byte Integer.
    ReceiveMaximum = 0x21,
    /// Topic Alias Maximum: Two Byte Integer.
    TopicAliasMaximum = 0x22,
    /// Topic Alias: Two Byte Integer.
    TopicAlias = 0x23,
    /// Maximum QoS: Byte.
    MaximumQoS = 0x24,
    /// Retain Available: Byte.
    RetainAvailable = 0x25,
    /// User Property: UTF-8 String Pair.
    UserProperty = 0x26,
    /// Maximum Packet Size: Four Byte Integer.
    MaximumPacketSize = 0x27,
    /// Wildcard Subscription Available: Byte.
    WildcardSubscriptionAvailable = 0x28,
    /// Subscription Identifier Available: Byte.
    SubscriptionIdentifierAvailable = 0x29,
    /// Shared Subscription Available: Byte.
    SharedSubscriptionAvailable = 0x2A,
}

/// One row of the property table.
#[derive(Clone, Copy, Debug)]
pub struct PropertyRow {
    /// The identifier on the wire.
    pub id: PropertyId,
    /// The name the standard gives it.
    pub name: &'static str,
    /// The type of its value.
    pub kind: ValueKind,
    /// Where it may stand, and the section that says so.
    pub places: &'static [(Place, &'static str)],
    /// Where it may stand more than once.
    pub repeats: &'static [Place],
}

use Place::*;
use PropertyId as Id;
use ValueKind::{Binary, Byte, FourBytes, Pair, Text, TwoBytes, Varint};

/// Every property of MQTT 5, by identifier.
pub const PROPERTIES: [PropertyRow; 27] = [
    PropertyRow {
        id: Id::PayloadFormatIndicator,
        name: "Payload Format Indicator",
        kind: Byte,
        places: &[(Publish, "MQTT5 §3.3.2.3.2"), (Will, "MQTT5 §3.1.3.2.3")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::MessageExpiryInterval,
        name: "Message Expiry Interval",
        kind: FourBytes,
        places: &[(Publish, "MQTT5 §3.3.2.3.3"), (Will, "MQTT5 §3.1.3.2.4")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::ContentType,
        name: "Content Type",
        kind: Text,
        places: &[(Publish, "MQTT5 §3.3.2.3.9"), (Will, "MQTT5 §3.1.3.2.5")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::ResponseTopic,
        name: "Response Topic",
        kind: Text,
        places: &[(Publish, "MQTT5 §3.3.2.3.5"), (Will, "MQTT5 §3.1.3.2.6")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::CorrelationData,
        name: "Correlation Data",
        kind: Binary,
        places: &[(Publish, "MQTT5 §3.3.2.3.6"), (Will, "MQTT5 §3.1.3.2.7")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::SubscriptionIdentifier,
        name: "Subscription Identifier",
        kind: Varint,
        places: &[(Publish, "MQTT5 §3.3.2.3.8"), (Subscribe, "MQTT5 §3.8.2.1.2")],
        repeats: &[Publish],
    },
    PropertyRow {
        id: Id::SessionExpiryInterval,
        name: "Session Expiry Interval",
        kind: FourBytes,
        places: &[(Connect, "MQTT5 §3.1.2.11.2"), (Connack, "MQTT5 §3.2.2.3.2"), (Disconnect, "MQTT5 §3.14.2.2.2")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::AssignedClientIdentifier,
        name: "Assigned Client Identifier",
        kind: Text,
        places: &[(Connack, "MQTT5 §3.2.2.3.7")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::ServerKeepAlive,
        name: "Server Keep Alive",
        kind: TwoBytes,
        places: &[(Connack, "MQTT5 §3.2.2.3.14")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::AuthenticationMethod,
        name: "Authentication Method",
        kind: Text,
        places: &[(Connect, "MQTT5 §3.1.2.11.9"), (Connack, "MQTT5 §3.2.2.3.17"), (Auth, "MQTT5 §3.15.2.2.2")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::AuthenticationData,
        name: "Authentication Data",
        kind: Binary,
        places: &[(Connect, "MQTT5 §3.1.2.11.10"), (Connack, "MQTT5 §3.2.2.3.18"), (Auth, "MQTT5 §3.15.2.2.3")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::RequestProblemInformation,
        name: "Request Problem Information",
        kind: Byte,
        places: &[(Connect, "MQTT5 §3.1.2.11.7")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::WillDelayInterval,
        name: "Will Delay Interval",
        kind: FourBytes,
        places: &[(Will, "MQTT5 §3.1.3.2.2")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::RequestResponseInformation,
        name: "Request Response Information",
        kind: Byte,
        places: &[(Connect, "MQTT5 §3.1.2.11.6")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::ResponseInformation,
        name: "Response Information",
        kind: Text,
        places: &[(Connack, "MQTT5 §3.2.2.3.15")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::ServerReference,
        name: "Server Reference",
        kind: Text,
        places: &[(Connack, "MQTT5 §3.2.2.3.16"), (Disconnect, "MQTT5 §3.14.2.2.5")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::ReasonString,
        name: "Reason String",
        kind: Text,
        places: &[
            (Connack, "MQTT5 §3.2.2.3.9"),
            (Puback, "MQTT5 §3.4.2.2.2"),
            (Pubrec, "MQTT5 §3.5.2.2.2"),
            (Pubrel, "MQTT5 §3.6.2.2.2"),
            (Pubcomp, "MQTT5 §3.7.2.2.2"),
            (Suback, "MQTT5 §3.9.2.1.2"),
            (Unsuback, "MQTT5 §3.11.2.1.2"),
            (Disconnect, "MQTT5 §3.14.2.2.3"),
            (Auth, "MQTT5 §3.15.2.2.4"),
        ],
        repeats: &[],
    },
    PropertyRow {
        id: Id::ReceiveMaximum,
        name: "Receive Maximum",
        kind: TwoBytes,
        places: &[(Connect, "MQTT5 §3.1.2.11.3"), (Connack, "MQTT5 §3.2.2.3.3")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::TopicAliasMaximum,
        name: "Topic Alias Maximum",
        kind: TwoBytes,
        places: &[(Connect, "MQTT5 §3.1.2.11.5"), (Connack, "MQTT5 §3.2.2.3.8")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::TopicAlias,
        name: "Topic Alias",
        kind: TwoBytes,
        places: &[(Publish, "MQTT5 §3.3.2.3.4")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::MaximumQoS,
        name: "Maximum QoS",
        kind: Byte,
        places: &[(Connack, "MQTT5 §3.2.2.3.4")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::RetainAvailable,
        name: "Retain Available",
        kind: Byte,
        places: &[(Connack, "MQTT5 §3.2.2.3.5")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::UserProperty,
        name: "User Property",
        kind: Pair,
        places: &[
            (Connect, "MQTT5 §3.1.2.11.8"),
            (Connack, "MQTT5 §3.2.2.3.10"),
            (Publish, "MQTT5 §3.3.2.3.7"),
            (Will, "MQTT5 §3.1.3.2.8"),
            (Puback, "MQTT5 §3.4.2.2.3"),
            (Pubrec, "MQTT5 §3.5.2.2.3"),
            (Pubrel, "MQTT5 §3.6.2.2.3"),
            (Pubcomp, "MQTT5 §3.7.2.2.3"),
            (Subscribe, "MQTT5 §3.8.2.1.3"),
            (Suback, "MQTT5 §3.9.2.1.3"),
            (Unsubscribe, "MQTT5 §3.10.2.1.2"),
            (Unsuback, "MQTT5 §3.11.2.1.3"),
            (Disconnect, "MQTT5 §3.14.2.2.4"),
            (Auth, "MQTT5 §3.15.2.2.5"),
        ],
        repeats: &[
            Connect,
            Connack,
            Publish,
            Will,
            Puback,
            Pubrec,
            Pubrel,
            Pubcomp,
            Subscribe,
            Suback,
            Unsubscribe,
            Unsuback,
            Disconnect,
            Auth,
        ],
    },
    PropertyRow {
        id: Id::MaximumPacketSize,
        name: "Maximum Packet Size",
        kind: FourBytes,
        places: &[(Connect, "MQTT5 §3.1.2.11.4"), (Connack, "MQTT5 §3.2.2.3.6")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::WildcardSubscriptionAvailable,
        name: "Wildcard Subscription Available",
        kind: Byte,
        places: &[(Connack, "MQTT5 §3.2.2.3.11")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::SubscriptionIdentifierAvailable,
        name: "Subscription Identifier Available",
        kind: Byte,
        places: &[(Connack, "MQTT5 §3.2.2.3.12")],
        repeats: &[],
    },
    PropertyRow {
        id: Id::SharedSubscriptionAvailable,
        name: "Shared Subscription Available",
        kind: Byte,
        places: &[(Connack, "MQTT5 §3.2.2.3.13")],
        repeats: &[],
    },
];
