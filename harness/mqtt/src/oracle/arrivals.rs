//! Every message that reached somebody, with the topic that it came on: by name, or by an alias that the server had set.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::oracle::record::{Moment, Record};
use proofhouse_core::plan::Expect;
use proofhouse_core::transcript::Packet;

/// A PUBLISH that a member received.
pub(super) struct Arrival<'a> {
    /// When.
    pub moment: Moment,
    /// The connection.
    pub conn: u32,
    /// The fleet.
    pub fleet: &'a str,
    /// The member.
    pub member: u32,
    /// The packet.
    pub packet: &'a Packet,
    /// The topic; `None` where the packet is malformed, or names an alias that was never set.
    pub topic: Option<String>,
}

impl Arrival<'_> {
    /// The reader as messages name it: `foe[0]`.
    pub(super) fn who(&self) -> String {
        format!("{}[{}]", self.fleet, self.member)
    }
}

/// What arrived at the fleets that a rule is about, in order.
pub(super) fn arrivals<'a>(expect: &Expect, record: &Record<'a>) -> Vec<Arrival<'a>> {
    let mut aliases: BTreeMap<(u32, i64), &str> = BTreeMap::new();
    let mut found = Vec::new();
    for crossing in record.packets().filter(|crossing| !crossing.sent && crossing.packet.kind == "publish") {
        let Some(connection) = record.connections.get(&crossing.conn) else { continue };
        let fields = &crossing.packet.fields;
        let (written, alias) = (fields.text("topic").unwrap_or(""), fields.int("topic_alias"));
        if let (false, Some(alias)) = (written.is_empty(), alias) {
            aliases.insert((crossing.conn, alias), written);
        }
        let known = alias.and_then(|alias| aliases.get(&(crossing.conn, alias)).copied());
        let named = if written.is_empty() { known } else { Some(written) };
        if expect.is_about(connection.fleet) {
            found.push(Arrival {
                moment: crossing.moment,
                conn: crossing.conn,
                fleet: connection.fleet,
                member: connection.member,
                packet: crossing.packet,
                topic: named.filter(|_| crossing.packet.malformed.is_empty()).map(ToString::to_string),
            });
        }
    }
    found
}
