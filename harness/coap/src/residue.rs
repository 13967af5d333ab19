//! Resources that a trial has created and left on a server, and the scenario that deletes them.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use core::fmt::Write;

use proofhouse_core::oracle::record::{Crossing, Record};
use proofhouse_core::plan::Plan;
use proofhouse_core::shared::{Residue, quoted};
use proofhouse_core::transcript::{Packet, Transcript};

/// For [`Shared::residue`](proofhouse_core::shared::Shared::residue): what the server answered with 2.01 (Created) is there until it
/// is deleted.
#[must_use]
pub fn residue(plan: &Plan, transcript: &Transcript) -> Option<Residue> {
    let created = created(plan, transcript);
    if created.is_empty() {
        return None;
    }
    let names: BTreeSet<String> = created.iter().map(|(_, path)| path.clone()).collect();
    Some(Residue { names, scenario: scenario(&created) })
}

/// Endpoint and path of each.
fn created(plan: &Plan, transcript: &Transcript) -> BTreeSet<(String, String)> {
    let record = Record::new(plan, transcript);
    let mut asked: BTreeMap<(u32, &str), &str> = BTreeMap::new();
    let mut created = BTreeSet::new();
    for Crossing { conn, sent, packet, .. } in record.packets() {
        let token = text(packet, "token");
        if sent && packet.kind == "request" {
            asked.insert((conn, token), text(packet, "path"));
        }
        if sent || text(packet, "code") != "2.01" {
            continue;
        }
        let path = packet.fields.text("location_path").or(asked.get(&(conn, token)).copied());
        let fleet = record.connections.get(&conn).and_then(|connection| plan.fleet(connection.fleet));
        if let (Some(path), Some(fleet)) = (path, fleet) {
            created.insert((fleet.endpoint.clone(), path.to_string()));
        }
    }
    created
}

/// Each is deleted, and asked for afterwards.
fn scenario(created: &BTreeSet<(String, String)>) -> String {
    let mut out = String::from(
        "format = 1\ntitle = \"What a trial has left on the target is gone\"\nprotocol = \"coap\"\nlimit = \"60s\"\n",
    );
    let mut fleets = String::new();
    for (n, (endpoint, path)) in created.iter().enumerate() {
        let path = quoted(path);
        let _ = write!(
            out,
            "[fleet.clears-{n}]\nendpoint = {}\nbehaviour = \"script\"\nstep = [\n  {{ do = \"delete\", path = {path}, expect = \
             {{ type = \"response\" }}, part = \"control\" }},\n  {{ do = \"get\", path = {path}, expect = {{ code = \"4.04\" }}, part = \
             \"stimulus\" }},\n]\n",
            quoted(endpoint),
        );
        let _ = write!(fleets, "{}\"clears-{n}\"", if n == 0 { "" } else { ", " });
    }
    let _ = write!(out, "[[expect]]\noracle = \"answer-in-set\"\nof = [{fleets}]\n");
    out
}

fn text<'a>(packet: &'a Packet, key: &str) -> &'a str {
    packet.fields.text(key).unwrap_or_default()
}
