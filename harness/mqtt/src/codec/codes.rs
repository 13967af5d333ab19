//! The reason codes of MQTT 5 as data: which packets may carry each, and who may send it \[MQTT5 §2.4\].
//!
//! 0x8C stands for DISCONNECT in the general table of the standard but not in the DISCONNECT table; it is taken as legal
//! there, because a finding must not rest on a contradiction of the text.

use crate::codec::Kind;

/// Who may send a reason code in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Only a client.
    Client,
    /// Only a server.
    Server,
    /// Either side.
    Both,
}

/// One row of the reason code table. 0x00 has three rows, one per name.
#[derive(Clone, Copy, Debug)]
pub struct CodeRow {
    /// The code on the wire.
    pub code: u8,
    /// The name the standard gives it.
    pub name: &'static str,
    /// The packets that may carry it, and who may send it there.
    pub packets: &'static [(Kind, By)],
}

use By::{Both, Client, Server};
use Kind::*;

/// Every reason code of MQTT 5, by value.
pub const CODES: [CodeRow; 45] = [
    CodeRow {
        code: 0x00,
        name: "Success",
        packets: &[
            (Connack, Server),
            (Puback, Both),
            (Pubrec, Both),
            (Pubrel, Both),
            (Pubcomp, Both),
            (Unsuback, Server),
            (Auth, Server),
        ],
    },
    CodeRow { code: 0x00, name: "Normal disconnection", packets: &[(Disconnect, Both)] },
    CodeRow { code: 0x00, name: "Granted QoS 0", packets: &[(Suback, Server)] },
    CodeRow { code: 0x01, name: "Granted QoS 1", packets: &[(Suback, Server)] },
    CodeRow { code: 0x02, name: "Granted QoS 2", packets: &[(Suback, Server)] },
    CodeRow { code: 0x04, name: "Disconnect with Will Message", packets: &[(Disconnect, Client)] },
    CodeRow { code: 0x10, name: "No matching subscribers", packets: &[(Puback, Both), (Pubrec, Both)] },
    CodeRow { code: 0x11, name: "No subscription existed", packets: &[(Unsuback, Server)] },
    CodeRow { code: 0x18, name: "Continue authentication", packets: &[(Auth, Both)] },
    CodeRow { code: 0x19, name: "Re-authenticate", packets: &[(Auth, Client)] },
    CodeRow {
        code: 0x80,
        name: "Unspecified error",
        packets: &[
            (Connack, Server),
            (Puback, Both),
            (Pubrec, Both),
            (Suback, Server),
            (Unsuback, Server),
            (Disconnect, Both),
        ],
    },
    CodeRow { code: 0x81, name: "Malformed Packet", packets: &[(Connack, Server), (Disconnect, Both)] },
    CodeRow { code: 0x82, name: "Protocol Error", packets: &[(Connack, Server), (Disconnect, Both)] },
    CodeRow {
        code: 0x83,
        name: "Implementation specific error",
        packets: &[
            (Connack, Server),
            (Puback, Both),
            (Pubrec, Both),
            (Suback, Server),
            (Unsuback, Server),
            (Disconnect, Both),
        ],
    },
    CodeRow { code: 0x84, name: "Unsupported Protocol Version", packets: &[(Connack, Server)] },
    CodeRow { code: 0x85, name: "Client Identifier not valid", packets: &[(Connack, Server)] },
    CodeRow { code: 0x86, name: "Bad User Name or Password", packets: &[(Connack, Server)] },
    CodeRow {
        code: 0x87,
        name: "Not authorized",
        packets: &[
            (Connack, Server),
            (Puback, Both),
            (Pubrec, Both),
            (Suback, Server),
            (Unsuback, Server),
            (Disconnect, Server),
        ],
    },
    CodeRow { code: 0x88, name: "Server unavailable", packets: &[(Connack, Server)] },
    CodeRow { code: 0x89, name: "Server busy", packets: &[(Connack, Server), (Disconnect, Server)] },
    CodeRow { code: 0x8A, name: "Banned", packets: &[(Connack, Server)] },
    CodeRow { code: 0x8B, name: "Server shutting down", packets: &[(Disconnect, Server)] },
    CodeRow { code: 0x8C, name: "Bad authentication method", packets: &[(Connack, Server), (Disconnect, Both)] },
    CodeRow { code: 0x8D, name: "Keep Alive timeout", packets: &[(Disconnect, Server)] },
    CodeRow { code: 0x8E, name: "Session taken over", packets: &[(Disconnect, Server)] },
    CodeRow {
        code: 0x8F,
        name: "Topic Filter invalid",
        packets: &[(Suback, Server), (Unsuback, Server), (Disconnect, Server)],
    },
    CodeRow {
        code: 0x90,
        name: "Topic Name invalid",
        packets: &[(Connack, Server), (Puback, Both), (Pubrec, Both), (Disconnect, Both)],
    },
    CodeRow {
        code: 0x91,
        name: "Packet Identifier in use",
        packets: &[(Puback, Both), (Pubrec, Both), (Suback, Server), (Unsuback, Server)],
    },
    CodeRow { code: 0x92, name: "Packet Identifier not found", packets: &[(Pubrel, Both), (Pubcomp, Both)] },
    CodeRow { code: 0x93, name: "Receive Maximum exceeded", packets: &[(Disconnect, Both)] },
    CodeRow { code: 0x94, name: "Topic Alias invalid", packets: &[(Disconnect, Both)] },
    CodeRow { code: 0x95, name: "Packet too large", packets: &[(Connack, Server), (Disconnect, Both)] },
    CodeRow { code: 0x96, name: "Message rate too high", packets: &[(Disconnect, Both)] },
    CodeRow {
        code: 0x97,
        name: "Quota exceeded",
        packets: &[(Connack, Server), (Puback, Both), (Pubrec, Both), (Suback, Server), (Disconnect, Both)],
    },
    CodeRow { code: 0x98, name: "Administrative action", packets: &[(Disconnect, Both)] },
    CodeRow {
        code: 0x99,
        name: "Payload format invalid",
        packets: &[(Connack, Server), (Puback, Both), (Pubrec, Both), (Disconnect, Both)],
    },
    CodeRow { code: 0x9A, name: "Retain not supported", packets: &[(Connack, Server), (Disconnect, Server)] },
    CodeRow { code: 0x9B, name: "QoS not supported", packets: &[(Connack, Server), (Disconnect, Server)] },
    CodeRow { code: 0x9C, name: "Use another server", packets: &[(Connack, Server), (Disconnect, Server)] },
    CodeRow { code: 0x9D, name: "Server moved", packets: &[(Connack, Server), (Disconnect, Server)] },
    CodeRow {
        code: 0x9E,
        name: "Shared Subscriptions not supported",
        packets: &[(Suback, Server), (Disconnect, Server)],
    },
    CodeRow { code: 0x9F, name: "Connection rate exceeded", packets: &[(Connack, Server), (Disconnect, Server)] },
    CodeRow { code: 0xA0, name: "Maximum connect time", packets: &[(Disconnect, Server)] },
    CodeRow {
        code: 0xA1,
        name: "Subscription Identifiers not supported",
        packets: &[(Suback, Server), (Disconnect, Server)],
    },
    CodeRow {
        code: 0xA2,
        name: "Wildcard Subscriptions not supported",
        packets: &[(Suback, Server), (Disconnect, Server)],
    },
];
