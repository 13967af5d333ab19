//! Packets that no client may send: those of servers, and those that are nobody's.
use alloc::string::ToString;
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::{Fields, Value};

use crate::codec::Version;

/// `frame` is the packet, `clause` what it breaks, `attack` its name in words. Each is what a server would say: nothing about it is
/// wrong but its sender. PUBACK, PUBREC, PUBREL and PUBCOMP go both ways, and unasked ones are no error in 3.1.1: not here.
pub(super) fn rows(version: Version) -> Vec<CaseRow> {
    let v5 = version == Version::V5;
    let mut rows = alloc::vec![
        row(v5, "connack", &[("type", "connack".into()), ("reason", Value::Int(0))], "a CONNACK from a client"),
        row(
            v5,
            "suback",
            &[("type", "suback".into()), ("packet_id", Value::Int(1)), ("reason", Value::Int(0))],
            "a SUBACK from a client",
        ),
        row(v5, "pingresp", &[("type", "pingresp".into())], "a PINGRESP from a client"),
        row(v5, "type-0", &[("type", Value::Int(0))], "a packet of the reserved type 0"),
    ];
    let mut unsuback = alloc::vec![("type", Value::from("unsuback")), ("packet_id", Value::Int(1))];
    if v5 {
        unsuback.push(("reason", Value::Int(0)));
        let auth = |reason| [("type", "auth".into()), ("reason", Value::Int(reason)), ("auth_method", "x".into())];
        rows.push(row(v5, "auth-continues", &auth(0x18), "an AUTH that nobody asked for"));
        rows.push(row(v5, "auth-again", &auth(0x19), "a re-authentication without an authentication"));
    } else {
        rows.push(row(v5, "type-15", &[("type", Value::Int(15))], "a packet of the reserved type 15"));
    }
    rows.push(row(v5, "unsuback", &unsuback, "an UNSUBACK from a client"));
    rows
}

fn row(v5: bool, name: &str, frame: &[(&str, Value)], attack: &str) -> CaseRow {
    let mut fields = Fields::default();
    fields.set("frame", Fields(frame.iter().map(|(key, value)| ((*key).to_string(), value.clone())).collect()));
    fields.set("clause", if v5 { "mqtt5:4.13.1-1" } else { "mqtt3:4.8.0-1" });
    fields.set("attack", attack);
    CaseRow { name: name.to_string(), fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Packet, Sender, split};

    #[test]
    fn the_strict_decoder_refuses_each_from_a_client_and_takes_those_that_servers_send() {
        for version in Version::ALL {
            for row in rows(version) {
                let Some(Value::Table(frame)) = row.fields.find("frame") else { panic!("{}: no frame", row.name) };
                let mut bytes = Vec::new();
                crate::frames::build(version, frame, &mut bytes).unwrap_or_else(|e| panic!("{}: {e:?}", row.name));
                let decode = |sender| {
                    let cut =
                        split(version, sender, u32::MAX, &bytes).expect("its length is right").expect("it is whole");
                    Packet::decode(version, sender, cut.first, cut.body).map(|_| ())
                };
                let (auth, reserved) = (row.name.starts_with("auth"), row.name.starts_with("type"));
                assert_eq!(decode(Sender::Client).is_ok(), auth, "{version} {}", row.name);
                assert!(decode(Sender::Server).is_ok() || reserved || auth, "{version} {}", row.name);
            }
        }
    }
}
