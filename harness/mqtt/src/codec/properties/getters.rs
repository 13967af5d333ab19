//! One getter per property; each finds its property or says `None`.

use super::{Properties, PropertyId, Value};

impl<'a> Properties<'a> {
    /// The first value of a property.
    #[must_use]
    pub fn find(self, wanted: PropertyId) -> Option<Value<'a>> {
        if !self.has(wanted) {
            return None;
        }
        self.iter().find(|(id, _)| *id == wanted).map(|(_, value)| value)
    }

    /// User properties in the order of the wire; names may repeat \[MQTT5 3.3.2-18\].
    pub fn user_properties(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter_map(|(_, value)| match value {
            Value::Pair(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// Subscription Identifiers: one at most in SUBSCRIBE, any number in a server's PUBLISH \[MQTT5 3.3.4-4\].
    pub fn subscription_identifiers(self) -> impl Iterator<Item = u32> {
        self.iter().filter_map(|(id, value)| match (id, value) {
            (PropertyId::SubscriptionIdentifier, Value::Int(value)) => Some(value),
            _ => None,
        })
    }

    fn int(self, id: PropertyId) -> Option<u32> {
        match self.find(id) {
            Some(Value::Int(value)) => Some(value),
            _ => None,
        }
    }

    fn flag(self, id: PropertyId) -> Option<bool> {
        self.int(id).map(|value| value != 0)
    }

    fn text(self, id: PropertyId) -> Option<&'a str> {
        match self.find(id) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn binary(self, id: PropertyId) -> Option<&'a [u8]> {
        match self.find(id) {
            Some(Value::Binary(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// `true`: the payload says of itself that it is UTF-8; nothing here has checked it \[MQTT5 §3.3.2.3.2\].
    #[must_use]
    pub fn payload_format_indicator(self) -> Option<bool> {
        self.flag(PropertyId::PayloadFormatIndicator)
    }

    /// Seconds until the message expires \[MQTT5 §3.3.2.3.3\].
    #[must_use]
    pub fn message_expiry_interval(self) -> Option<u32> {
        self.int(PropertyId::MessageExpiryInterval)
    }

    /// The content type \[MQTT5 §3.3.2.3.9\].
    #[must_use]
    pub fn content_type(self) -> Option<&'a str> {
        self.text(PropertyId::ContentType)
    }

    /// The topic for the answer; without wildcards \[MQTT5 §3.3.2.3.5\].
    #[must_use]
    pub fn response_topic(self) -> Option<&'a str> {
        self.text(PropertyId::ResponseTopic)
    }

    /// What ties the answer to the request \[MQTT5 §3.3.2.3.6\].
    #[must_use]
    pub fn correlation_data(self) -> Option<&'a [u8]> {
        self.binary(PropertyId::CorrelationData)
    }

    /// Seconds that the session outlives the connection; `u32::MAX` is for ever \[MQTT5 §3.1.2.11.2\].
    #[must_use]
    pub fn session_expiry_interval(self) -> Option<u32> {
        self.int(PropertyId::SessionExpiryInterval)
    }

    /// The client identifier that the server chose \[MQTT5 §3.2.2.3.7\].
    #[must_use]
    pub fn assigned_client_identifier(self) -> Option<&'a str> {
        self.text(PropertyId::AssignedClientIdentifier)
    }

    /// Keep Alive in seconds that replaces the client's own \[MQTT5 §3.2.2.3.14\].
    #[must_use]
    pub fn server_keep_alive(self) -> Option<u16> {
        self.int(PropertyId::ServerKeepAlive).map(|value| value as u16)
    }

    /// The name of the authentication method \[MQTT5 §3.1.2.11.9\].
    #[must_use]
    pub fn authentication_method(self) -> Option<&'a str> {
        self.text(PropertyId::AuthenticationMethod)
    }

    /// The data of the authentication method \[MQTT5 §3.1.2.11.10\].
    #[must_use]
    pub fn authentication_data(self) -> Option<&'a [u8]> {
        self.binary(PropertyId::AuthenticationData)
    }

    /// `false`: Reason String and User Property only on PUBLISH, CONNACK, DISCONNECT \[MQTT5 §3.1.2.11.7\].
    #[must_use]
    pub fn request_problem_information(self) -> Option<bool> {
        self.flag(PropertyId::RequestProblemInformation)
    }

    /// Seconds between the end of the connection and the Will \[MQTT5 §3.1.3.2.2\].
    #[must_use]
    pub fn will_delay_interval(self) -> Option<u32> {
        self.int(PropertyId::WillDelayInterval)
    }

    /// `true`: the client asks for Response Information \[MQTT5 §3.1.2.11.6\].
    #[must_use]
    pub fn request_response_information(self) -> Option<bool> {
        self.flag(PropertyId::RequestResponseInformation)
    }

    /// A basis for response topics \[MQTT5 §3.2.2.3.15\].
    #[must_use]
    pub fn response_information(self) -> Option<&'a str> {
        self.text(PropertyId::ResponseInformation)
    }

    /// Another server to use \[MQTT5 §3.2.2.3.16\].
    #[must_use]
    pub fn server_reference(self) -> Option<&'a str> {
        self.text(PropertyId::ServerReference)
    }

    /// The reason, for people \[MQTT5 §3.2.2.3.9\].
    #[must_use]
    pub fn reason_string(self) -> Option<&'a str> {
        self.text(PropertyId::ReasonString)
    }

    /// How many unacknowledged QoS 1 and 2 messages the sender of this takes; never 0 \[MQTT5 §3.1.2.11.3\].
    #[must_use]
    pub fn receive_maximum(self) -> Option<u16> {
        self.int(PropertyId::ReceiveMaximum).map(|value| value as u16)
    }

    /// The highest Topic Alias that the sender of this takes \[MQTT5 §3.1.2.11.5\].
    #[must_use]
    pub fn topic_alias_maximum(self) -> Option<u16> {
        self.int(PropertyId::TopicAliasMaximum).map(|value| value as u16)
    }

    /// The alias of the topic; never 0 \[MQTT5 §3.3.2.3.4\].
    #[must_use]
    pub fn topic_alias(self) -> Option<u16> {
        self.int(PropertyId::TopicAlias).map(|value| value as u16)
    }

    /// The highest QoS that the server takes: 0 or 1 \[MQTT5 §3.2.2.3.4\].
    #[must_use]
    pub fn maximum_qos(self) -> Option<u8> {
        self.int(PropertyId::MaximumQoS).map(|value| value as u8)
    }

    /// `false`: the server keeps no retained messages \[MQTT5 §3.2.2.3.5\].
    #[must_use]
    pub fn retain_available(self) -> Option<bool> {
        self.flag(PropertyId::RetainAvailable)
    }

    /// Bytes of the largest packet that the sender of this takes; never 0 \[MQTT5 §3.1.2.11.4\].
    #[must_use]
    pub fn maximum_packet_size(self) -> Option<u32> {
        self.int(PropertyId::MaximumPacketSize)
    }

    /// `false`: no wildcards in filters \[MQTT5 §3.2.2.3.11\].
    #[must_use]
    pub fn wildcard_subscription_available(self) -> Option<bool> {
        self.flag(PropertyId::WildcardSubscriptionAvailable)
    }

    /// `false`: no Subscription Identifiers \[MQTT5 §3.2.2.3.12\].
    #[must_use]
    pub fn subscription_identifier_available(self) -> Option<bool> {
        self.flag(PropertyId::SubscriptionIdentifierAvailable)
    }

    /// `false`: no shared subscriptions \[MQTT5 §3.2.2.3.13\].
    #[must_use]
    pub fn shared_subscription_available(self) -> Option<bool> {
        self.flag(PropertyId::SharedSubscriptionAvailable)
    }
}
