//! One set of laws for everything that carries out an Outbox: the simulator, the live driver, the embedded reference server. Actors run
//! unchanged on all of them, so they must be told the same.
mod laws;
mod machines;
mod puppet;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use laws::{LAWS, Law};
use machines::{Driver, Machine, Reference, Seen, Simulator};
use proofhouse_core::transcript::{Event, Transcript};

#[test]
fn the_simulator_keeps_the_laws() {
    keeps(&Simulator);
}

#[test]
fn the_live_driver_keeps_the_laws() {
    keeps(&Driver);
}

#[test]
fn the_embedded_reference_server_keeps_the_laws() {
    keeps(&Reference);
}

fn keeps(machine: &dyn Machine) {
    let broken: Vec<String> = thread::scope(|scope| {
        // Most of a law's time is waiting.
        let played: Vec<_> = LAWS.iter().map(|law| scope.spawn(move || broken(law, &machine.play(law)))).collect();
        played.into_iter().filter_map(|law| law.join().expect("a law that can be played")).collect()
    });
    assert!(broken.is_empty(), "{} of {} laws are broken:\n{}", broken.len(), LAWS.len(), broken.join("\n"));
}

/// How a law was broken.
fn broken(law: &Law, seen: &Seen) -> Option<String> {
    let client = seen.clients.iter().find(|told| !law.client_told.contains(&told.as_str()));
    let server = seen.server.iter().find(|told| !law.server_told.contains(&told.as_str()));
    let what = match (client, server) {
        (Some(told), _) => format!("a client was told {told:?}, not {:?}", law.client_told),
        (_, Some(told)) => format!("the server was told {told:?}, not {:?}", law.server_told),
        _ if seen.server.len() < law.least => format!("the server was told of {} connections", seen.server.len()),
        _ => out_of_order(&seen.record)?,
    };
    Some(format!("{}: {what}", law.name))
}

/// How the record is out of order: a connection is opened before anything is received on it, and nothing is received after its end.
fn out_of_order(record: &Transcript) -> Option<String> {
    if !record.entries.is_sorted_by_key(|entry| entry.at) {
        return Some("the record is not in order of time".into());
    }
    let (mut opened, mut closed) = (BTreeSet::new(), BTreeMap::new());
    for entry in &record.entries {
        match &entry.event {
            Event::Opened { conn, .. } if !opened.insert(*conn) => return Some(format!("c{conn} was opened twice")),
            Event::Closed { conn, how, .. } => {
                if let Some(before) = closed.insert(*conn, *how) {
                    return Some(format!("c{conn} was closed twice: {before:?}, then {how:?}"));
                }
            }
            Event::Received(bytes) if !opened.contains(&bytes.conn) => {
                return Some(format!("c{} received before it was opened", bytes.conn));
            }
            Event::Received(bytes) if closed.contains_key(&bytes.conn) => {
                return Some(format!("c{} received after its end", bytes.conn));
            }
            _ => {}
        }
    }
    None
}
