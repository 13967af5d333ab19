//! Identifiers of what a trial is made of: connections, endpoints, timers, marks, bound values, canaries, entries. A type each, so that
//! no number is taken for another.
use core::fmt;

use serde::{Deserialize, Serialize};

/// One end of a connection; on datagrams one association: a socket of ours and one peer address. Given out by
/// [`Outbox::open`](crate::actor::Outbox::open) or by [`Input::Accepted`](crate::actor::Input::Accepted); unique among everything
/// open in one trial, and used again only after it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conn(pub u32);

/// Which endpoint of the target an actor connects to: the place among the endpoints of its target file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointId(pub u16);

/// Names one of an actor's timers; what it means is the actor's own business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId(pub u32);

/// Place of a mark in [`Plan::marks`](crate::plan::Plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkId(pub u16);

/// Place of a bound value in [`Plan::binds`](crate::plan::Plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BindId(pub u16);

/// Place of a canary in [`Plan::canaries`](crate::plan::Plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CanaryId(pub u16);

/// Index of an entry in its transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub u32);

/// Number of a trial in its run, from 1; the same in every shard. What joins a row to its journal entry, its finding and its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrialNo(pub u32);

impl fmt::Display for TrialNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
