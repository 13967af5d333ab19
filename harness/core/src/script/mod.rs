//! Scripted fleets: steps in order, marks, bindings, expectations. Knows no protocol: a [`Dialog`](crate::protocol::Dialog) says
//! and hears.
//!
//! A member plays its steps one after the other; each starts when the one before is answered. What it hears on a connection goes
//! into that connection's inbox; a step that awaits something reads the inbox in order (`matching` decides), so that an answer
//! counts the same whether it came just before the step began or just after. An administrator is a script without connections.
mod admin;
mod connection;
mod fill;
mod hush;
mod inbox;
mod matching;
mod member;
mod program;
mod saw;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::actor::Crowd;
use crate::key::{Key, Kind};
use crate::plan::{FleetPlan, Plan};
use crate::protocol::{Behaviour, Protocol, Verb};

pub(crate) use matching::{Class, Wanted, is_about};
use member::Member;
use program::Program;

/// Behaviours that every protocol has.
pub const BEHAVIOURS: &[Behaviour] = &[
    Behaviour {
        name: "script",
        keys: &[],
        doc: "plays its steps in order; each starts when the one before is answered",
        crowd,
        ends: |_| true,
        written_out: None,
    },
    Behaviour {
        name: "admin",
        keys: &[],
        doc: "acts on the target's accounts and life, never on the wire: revoke, grant, rekey, remove, restart",
        crowd,
        ends: |_| true,
        written_out: None,
    },
];

/// Steps that every protocol has.
pub const VERBS: &[Verb] = &[
    Verb { name: "open", keys: &[], doc: "opens the connection and says nothing" },
    Verb { name: "send", keys: SEND, doc: "writes bytes or frames as they are, legal or not; awaits nothing" },
    Verb { name: "expect", keys: &[], doc: "waits for what `expect` or `any` says, and says nothing" },
    Verb { name: "wait", keys: WAIT, doc: "lets time pass; only where time itself is the stimulus" },
    Verb { name: "shutdown", keys: &[], doc: "ends our direction of the connection and keeps reading" },
    Verb { name: "reset", keys: &[], doc: "ends the connection at once, with a reset" },
    Verb { name: "stop-reading", keys: STOP, doc: "stops reading, so that the window of the connection fills" },
    Verb { name: "revoke", keys: RIGHT, doc: "admin: takes a right away" },
    Verb { name: "grant", keys: RIGHT, doc: "admin: gives a right" },
    Verb { name: "rekey", keys: PARTY, doc: "admin: gives a party a new password; the old one is void" },
    Verb { name: "remove", keys: PARTY, doc: "admin: deletes a party's account" },
    Verb { name: "restart", keys: &[], doc: "admin: stops the target and starts it again, with what it keeps on disk" },
];

const SEND: &[Key] = &[
    Key { name: "hex", kind: Kind::Hex, doc: "the bytes; {mid} is a fresh message id, {canary} the step's canary" },
    Key {
        name: "frame",
        kind: Kind::Any,
        doc: "a frame of the protocol, or several for one write; nothing in it need be true",
    },
    Key { name: "repeat", kind: Kind::Int, doc: "the same bytes so many times in one write (default 1)" },
];
const WAIT: &[Key] = &[
    Key { name: "for", kind: Kind::Duration, doc: "how long" },
    Key {
        name: "until_closed",
        kind: Kind::Bool,
        doc: "true: not longer than until the target has ended every connection of this member (default false)",
    },
];
const STOP: &[Key] = &[Key { name: "resume", kind: Kind::Bool, doc: "true: read again (default false)" }];
const PARTY: &[Key] = &[Key { name: "party", kind: Kind::Text, doc: "the party by name" }];
const RIGHT: &[Key] = &[
    Key { name: "party", kind: Kind::Text, doc: "the party by name" },
    Key { name: "grant", kind: Kind::Text, doc: "the right as `may` calls it, a space, and its filter" },
];

/// The members of a scripted fleet, in the order of their identities.
fn crowd(fleet: &FleetPlan, plan: &Plan, protocol: Option<&Protocol>) -> Box<dyn Crowd> {
    let program = Arc::new(Program::new(fleet, plan, protocol));
    let members: Vec<Member> = fleet.members().map(|identity| Member::new(program.clone(), identity)).collect();
    Box::new(members)
}
