//! Who speaks on a connection, and what the transcript shows of its packets.
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use proofhouse_core::oracle::record::{Crossing, Moment, Record};
use proofhouse_core::plan::Plan;
use proofhouse_core::transcript::Packet;

/// A connection as its first CONNECT introduced it. A second CONNECT changes nothing: it is a protocol error (3.1.0-2).
#[derive(Clone, Debug)]
pub(crate) struct Login<'a> {
    /// When CONNECT was sent.
    pub connect: Moment,
    /// The client id; empty where the server assigns one.
    pub client_id: &'a str,
    /// The user name that was sent.
    pub user: Option<&'a str>,
    /// When the server accepted; `None`: it did not.
    pub accepted: Option<Moment>,
}

/// Connections that said CONNECT, by number.
pub(crate) type Logins<'a> = BTreeMap<u32, Login<'a>>;

/// Every connection that said CONNECT.
pub(crate) fn logins<'a>(record: &Record<'a>) -> Logins<'a> {
    let mut logins: BTreeMap<u32, Login<'a>> = BTreeMap::new();
    for Crossing { moment, conn, sent, packet } in record.packets() {
        match (sent, packet.kind.as_str()) {
            (true, "connect") => {
                logins.entry(conn).or_insert(Login {
                    connect: moment,
                    client_id: packet.fields.text("client_id").unwrap_or(""),
                    user: packet.fields.text("username"),
                    accepted: None,
                });
            }
            (false, "connack") if accepts(packet) => {
                if let Some(login) = logins.get_mut(&conn) {
                    login.accepted = login.accepted.or(Some(moment));
                }
            }
            _ => {}
        }
    }
    logins
}

/// CONNACK with success: 0 in both versions.
pub(crate) fn accepts(packet: &Packet) -> bool {
    packet.kind == "connack" && packet.fields.int("reason") == Some(0)
}

/// The party that speaks on a connection: who logged in, or, where nobody is asked, the fleet's. `None`: nobody, who has no rights.
pub(crate) fn party(plan: &Plan, record: &Record<'_>, logins: &BTreeMap<u32, Login<'_>>, conn: u32) -> Option<u16> {
    let fleet = plan.fleet(record.connections.get(&conn)?.fleet)?;
    if !fleet.authenticated {
        return fleet.party;
    }
    let user = logins.get(&conn)?.user?;
    plan.parties.iter().position(|party| party.user == user).and_then(|at| u16::try_from(at).ok())
}

/// Name of a party, as messages write it.
pub(crate) fn name_of(plan: &Plan, party: Option<u16>) -> String {
    party
        .and_then(|at| plan.parties.get(usize::from(at)))
        .map_or_else(|| "nobody".to_string(), |party| party.name.clone())
}
