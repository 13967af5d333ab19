//! The words that scenarios and transcripts use for what the standard names at length.
use proofhouse_core::words::{Form, Words};

use crate::codec::{Kind, PropertyId, Version};

use PropertyId as Id;

/// Every property by its short name, in the order of their identifiers. In a CONNECT, those of the Will have `will_` before them.
pub const PROPERTY_NAMES: [(&str, PropertyId); 27] = [
    ("payload_format", Id::PayloadFormatIndicator),
    ("message_expiry", Id::MessageExpiryInterval),
    ("content_type", Id::ContentType),
    ("response_topic", Id::ResponseTopic),
    ("correlation_data", Id::CorrelationData),
    ("subscription_id", Id::SubscriptionIdentifier),
    ("session_expiry", Id::SessionExpiryInterval),
    ("assigned_client_id", Id::AssignedClientIdentifier),
    ("server_keep_alive", Id::ServerKeepAlive),
    ("auth_method", Id::AuthenticationMethod),
    ("auth_data", Id::AuthenticationData),
    ("request_problem_info", Id::RequestProblemInformation),
    ("will_delay", Id::WillDelayInterval),
    ("request_response_info", Id::RequestResponseInformation),
    ("response_info", Id::ResponseInformation),
    ("server_reference", Id::ServerReference),
    ("reason_string", Id::ReasonString),
    ("receive_maximum", Id::ReceiveMaximum),
    ("topic_alias_maximum", Id::TopicAliasMaximum),
    ("topic_alias", Id::TopicAlias),
    ("maximum_qos", Id::MaximumQoS),
    ("retain_available", Id::RetainAvailable),
    ("user_properties", Id::UserProperty),
    ("maximum_packet_size", Id::MaximumPacketSize),
    ("wildcard_available", Id::WildcardSubscriptionAvailable),
    ("subscription_id_available", Id::SubscriptionIdentifierAvailable),
    ("shared_available", Id::SharedSubscriptionAvailable),
];

/// Properties of a Will, by their name in a CONNECT.
pub const WILL_NAMES: [(&str, PropertyId); 7] = [
    ("will_delay", Id::WillDelayInterval),
    ("will_payload_format", Id::PayloadFormatIndicator),
    ("will_message_expiry", Id::MessageExpiryInterval),
    ("will_content_type", Id::ContentType),
    ("will_response_topic", Id::ResponseTopic),
    ("will_correlation_data", Id::CorrelationData),
    ("will_user_properties", Id::UserProperty),
];

/// Every type of packet by its number from 1, and the one that the standard keeps back.
const KINDS: [&str; 16] = [
    "connect",
    "connack",
    "publish",
    "puback",
    "pubrec",
    "pubrel",
    "pubcomp",
    "subscribe",
    "suback",
    "unsubscribe",
    "unsuback",
    "pingreq",
    "pingresp",
    "disconnect",
    "auth",
    "reserved",
];

/// Fields of packets beside properties.
const FIELDS: [(&str, Form); 26] = [
    ("reason", Form::Number),
    ("session_present", Form::Truth),
    ("packet_id", Form::Number),
    ("topic", Form::Text),
    ("qos", Form::Number),
    ("retain", Form::Truth),
    ("dup", Form::Truth),
    ("payload", Form::Text),
    ("payload_len", Form::Number),
    ("filter", Form::Text),
    ("filters", Form::Text),
    ("no_local", Form::Truth),
    ("retain_as_published", Form::Truth),
    ("retain_handling", Form::Number),
    ("client_id", Form::Text),
    ("clean_start", Form::Truth),
    ("keep_alive", Form::Number),
    ("username", Form::Text),
    ("password", Form::Text),
    ("will_topic", Form::Text),
    ("will_payload", Form::Text),
    ("will_payload_len", Form::Number),
    ("will_qos", Form::Number),
    ("will_retain", Form::Truth),
    ("flags", Form::Number),
    ("raw", Form::Text),
];

/// The words in which packets are told.
pub static WORDS: Words = Words { kinds: &KINDS, fields: &[&FIELDS, &forms(&PROPERTY_NAMES), &forms(&WILL_NAMES)] };

const fn forms<const N: usize>(names: &[(&'static str, PropertyId); N]) -> [(&'static str, Form); N] {
    let mut forms = [("", Form::Number); N];
    let mut at = 0;
    while at < N {
        forms[at] = (names[at].0, form(names[at].1));
        at += 1;
    }
    forms
}

const fn form(id: PropertyId) -> Form {
    match id {
        Id::ContentType
        | Id::ResponseTopic
        | Id::CorrelationData
        | Id::AssignedClientIdentifier
        | Id::AuthenticationMethod
        | Id::AuthenticationData
        | Id::ResponseInformation
        | Id::ServerReference
        | Id::ReasonString
        | Id::UserProperty => Form::Text,
        _ => Form::Number,
    }
}

/// The short name of a property.
#[must_use]
pub fn property(id: PropertyId) -> &'static str {
    PROPERTY_NAMES.iter().find(|(_, of)| *of == id).map_or("unknown", |(name, _)| name)
}

/// The short name of a property of a Will.
#[must_use]
pub fn will_property(id: PropertyId) -> &'static str {
    WILL_NAMES.iter().find(|(_, of)| *of == id).map_or("unknown", |(name, _)| name)
}

/// The type of a packet in lower case: `connack`.
#[must_use]
pub const fn kind(kind: Kind) -> &'static str {
    KINDS[kind as usize - 1]
}

/// The packet type of this name.
#[must_use]
pub fn kind_named(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|one| kind(*one) == name)
}

/// The version of this name; MQTT 5 unless it is `3.1.1`.
#[must_use]
pub fn version(name: &str) -> Version {
    if name == "3.1.1" { Version::V311 } else { Version::V5 }
}
