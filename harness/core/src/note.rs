//! Observations of an actor: what it wants recorded, or tells the runner.
use alloc::string::String;

use crate::admin::Order;
use crate::ids::{BindId, CanaryId, Conn, MarkId};
use crate::transcript::{StepState, WitnessState};
use crate::value::Value;

/// What an actor wants recorded, or tells the runner.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A moment that other fleets may wait for.
    Mark(MarkId),
    /// A mark that this member has not set and never will: whoever waits for it waits in vain.
    Void(MarkId),
    /// A field of an answer, kept for other steps.
    Bind(BindId, Value),
    /// A step of a script changed its state. `detail` says what was seen instead, or which alternative held.
    Step {
        /// Index of the step in the fleet's script.
        index: u16,
        /// The connection that it works on, where it has one.
        conn: Option<Conn>,
        /// What became of it.
        state: StepState,
        /// For people, and for oracles that show it: what matched or what came instead.
        detail: String,
    },
    /// The script's name for a connection that it has just asked to open; noted right after
    /// [`Outbox::open`](crate::actor::Outbox::open), and only where it is not `main`.
    Label(Conn, String),
    /// A canary left this member in plain sight, by its own will.
    Planted(CanaryId, Conn),
    /// An administrator's order for the target; answered by [`Input::Done`](crate::actor::Input::Done).
    Order(Order),
    /// The target says that a grant took effect (`allow`) or ended.
    Grant {
        /// Name of the party.
        party: String,
        /// The right as scenarios write it: `subscribe cmd/#`.
        grant: String,
        /// Given, or taken away.
        allow: bool,
    },
    /// The witness finished or missed a round trip.
    Witness(WitnessState),
    /// A measured number, with its unit in the name: `queue-bytes`.
    Gauge(&'static str, u64),
    /// A line of the target's log.
    Log(String),
    /// The target ended, with this exit code.
    Exit(i32),
    /// This member has nothing more to do.
    Finished,
}
