//! A party that plays the server: takes every client of the target, in both versions, acknowledges everything and keeps nothing.
//!
//! What it gets stands in the transcript, and that is all it is for: rules about where a canary arrives read it there.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Crowd, Input, Outbox};
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::Conn;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::time::Time;

use crate::codec::{
    Ack, Connack, Connect, Cut, Delivery, Framer, Packet, Place, PropertiesBuf, PropertyId, ReasonCode, Sender, Suback,
    Unsuback, Version,
};

/// The largest packet that it takes: 16 times what our own scenarios send.
const PACKET_MAX: u32 = 1 << 20;

/// One such server.
#[derive(Default)]
struct Server {
    clients: BTreeMap<Conn, Client>,
    /// Client ids given out.
    assigned: u32,
}

/// One connection.
struct Client {
    framer: Framer,
    /// `None` until CONNECT has come.
    version: Option<Version>,
}

/// What is to be done with a connection after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoesOn,
    Ends,
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, _: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    Box::new(fleet.members().map(|_| Server::default()).collect::<Vec<Server>>())
}

impl Actor for Server {
    fn handle(&mut self, _: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Accepted(conn, _) => {
                let framer = Framer::new(Version::V311, Sender::Client, PACKET_MAX);
                self.clients.insert(conn, Client { framer, version: None });
            }
            Input::Bytes(conn, bytes) => self.hear(conn, bytes, out),
            Input::Closed(conn, _) => _ = self.clients.remove(&conn),
            _ => {}
        }
    }
}

impl Server {
    fn hear(&mut self, conn: Conn, mut bytes: &[u8], out: &mut Outbox) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        loop {
            let next = match client.framer.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(cut)) => match client.version {
                    None => welcome(conn, cut, &mut self.assigned, out),
                    Some(version) => answer(conn, version, cut, out).map(|next| (version, next)),
                },
                Err(_) => None,
            };
            match next {
                Some((version, Next::GoesOn)) => {
                    client.version = Some(version);
                    client.framer.set_version(version);
                }
                Some((_, Next::Ends)) | None => {
                    out.close(conn, CloseHow::Fin);
                    self.clients.remove(&conn);
                    return;
                }
            }
        }
    }
}

/// Lets a client in, whoever it is; `None` for anything but CONNECT.
fn welcome(conn: Conn, cut: Cut<'_>, assigned: &mut u32, out: &mut Outbox) -> Option<(Version, Next)> {
    let (version, connect) = Connect::first(cut).ok()?;
    let mut properties = PropertiesBuf::new(Place::Connack);
    if version == Version::V5 && connect.client_id.is_empty() {
        *assigned += 1;
        let id = alloc::format!("guest-{assigned}");
        properties.push(PropertyId::AssignedClientIdentifier, id.as_str()).ok()?;
    }
    let connack = Connack { session_present: false, code: ReasonCode::SUCCESS, properties: properties.view() };
    say(conn, version, &Packet::Connack(connack), out);
    Some((version, Next::GoesOn))
}

/// Acknowledges a packet; `None` for one that no client may send now.
fn answer(conn: Conn, version: Version, cut: Cut<'_>, out: &mut Outbox) -> Option<Next> {
    let packet = Packet::decode(version, Sender::Client, cut.first, cut.body).ok()?;
    let reply = match &packet {
        Packet::Publish(publish) => match publish.delivery {
            Delivery::AtMostOnce => return Some(Next::GoesOn),
            Delivery::AtLeastOnce { id, .. } => Packet::Puback(Ack::success(id)),
            Delivery::ExactlyOnce { id, .. } => Packet::Pubrec(Ack::success(id)),
        },
        Packet::Pubrel(ack) => Packet::Pubcomp(Ack::success(ack.id)),
        Packet::Subscribe(subscribe) => {
            let codes: Vec<u8> = subscribe.subscriptions.iter().map(|wanted| wanted.options.qos.number()).collect();
            let suback = Suback { id: subscribe.id, properties: Default::default(), codes: &codes };
            say(conn, version, &Packet::Suback(suback), out);
            return Some(Next::GoesOn);
        }
        Packet::Unsubscribe(unsubscribe) => {
            let codes: Vec<u8> = unsubscribe.filters.iter().map(|_| ReasonCode::SUCCESS.0).collect();
            let codes = if version == Version::V5 { &codes[..] } else { &[] };
            say(conn, version, &Packet::Unsuback(Unsuback::new(unsubscribe.id, codes)), out);
            return Some(Next::GoesOn);
        }
        Packet::Pingreq => Packet::Pingresp,
        Packet::Disconnect(_) => return Some(Next::Ends),
        // We send no message, so nobody has anything to acknowledge; there was one CONNECT, and no method of authentication.
        _ => return None,
    };
    say(conn, version, &reply, out);
    Some(Next::GoesOn)
}

fn say(conn: Conn, version: Version, packet: &Packet<'_>, out: &mut Outbox) {
    out.send(conn, |bytes| packet.encode(version, bytes).expect("an answer to a legal packet is legal"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proofhouse_core::actor::Act;
    use proofhouse_core::connection::Addr;
    use proofhouse_core::value::{hex, unhex};

    /// What the server does when a client says this, cut into pieces of `most` bytes: hex, and `end`.
    fn hears(text: &str, most: usize) -> String {
        let (mut server, mut out) = (Server::default(), Outbox::new());
        let conn = out.new_conn();
        server.handle(Time::ZERO, Input::Accepted(conn, Addr::new([127, 0, 0, 1], 9)), &mut out);
        for piece in unhex(text).expect("hex").chunks(most) {
            server.handle(Time::ZERO, Input::Bytes(conn, piece), &mut out);
        }
        let (acts, bytes) = out.take();
        let told = acts.iter().map(|act| match act {
            Act::Send(_, from, to) => hex(&bytes[*from..*to]),
            Act::Close(..) => "end".into(),
            other => panic!("{other:?}"),
        });
        told.collect::<Vec<String>>().join(" ")
    }

    const CONNECT: &str = "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61";
    const CONNECT_5: &str = "10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 61";

    #[test]
    fn every_packet_of_a_client_is_acknowledged_in_its_version() {
        let said = "32 07 00 03 61 2f 62 00 05 34 07 00 03 61 2f 62 00 06 62 02 00 06 82 08 00 07 00 03 61 2f 62 02 \
                    a2 07 00 08 00 03 61 2f 62 c0 00 e0 00";
        let answers = "20020000 40020005 50020006 70020006 9003000702 b0020008 d000 end";
        for most in [1, 7, 1_000] {
            assert_eq!(hears(&alloc::format!("{CONNECT} {said}"), most), answers, "pieces of {most}");
        }
        let said = "32 08 00 03 61 2f 62 00 05 00 82 09 00 07 00 00 03 61 2f 62 01 a2 08 00 08 00 00 03 61 2f 62 c0 00";
        let answers = "2003000000 40020005 900400070001 b00400080000 d000";
        assert_eq!(hears(&alloc::format!("{CONNECT_5} {said}"), 1_000), answers);
    }

    #[test]
    fn a_message_of_qos_0_and_half_a_packet_are_answered_by_silence() {
        assert_eq!(hears(&alloc::format!("{CONNECT} 30 05 00 03 61 2f 62 c0"), 1_000), "20020000");
    }

    #[test]
    fn a_client_of_mqtt_5_without_an_id_is_given_one() {
        let nameless = "10 0d 00 04 4d 51 54 54 05 02 00 3c 00 00 00";
        assert_eq!(hears(nameless, 1_000), "200d00000a12000767756573742d31");
    }

    #[test]
    fn what_no_client_may_send_ends_the_connection_and_panics_nobody() {
        for said in ["c0 00", "ff ff ff ff ff ff", "10 02 00 04", "10 0d 00 04 4d 51 54 54 09 02 00 3c 00 01 61"] {
            assert_eq!(hears(said, 1_000), "end", "{said} first");
        }
        for said in ["d0 00", "00 00", CONNECT, "30 03 00 01 2b", "40 02 00 01", "32 ff ff ff 7f"] {
            assert_eq!(hears(&alloc::format!("{CONNECT} {said} c0 00"), 1_000), "20020000 end", "{said}");
        }
    }
}
