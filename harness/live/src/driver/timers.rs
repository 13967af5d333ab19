//! What comes later, in order of time. Timers are never taken back: whoever gets one looks whether it still means something.
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proofhouse_core::connection::Close;
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::time::Time;

/// What is due. A connection is named with its age, see [`super::slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A member starts.
    Start(usize, u32),
    /// A wake of an actor.
    Wake(usize, u32, TimerId),
    /// An attempt to connect has taken too long.
    ConnectLimit(Conn, u32),
    /// A connection that we ended has had its time to go.
    LingerLimit(Conn, u32),
    /// The link lets something out.
    Release(Conn, u32),
    /// A link lets a datagram go, in or out.
    Datagram(u64),
    /// A socket of datagrams whose machine had no buffers is asked again.
    AskAgain(Conn, u32),
    /// The link lets something in.
    Arrive(Conn, u32),
    /// The link ends the connection.
    Cut(Conn, u32, Close),
}

#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
    next: u64,
}

struct Timer {
    at: Time,
    /// Keeps those of one moment in the order in which they were set.
    order: u64,
    due: Due,
}

impl Timers {
    pub(super) fn push(&mut self, at: Time, due: Due) {
        self.heap.push(Reverse(Timer { at, order: self.next, due }));
        self.next += 1;
    }

    /// The next one that is due at `now`, and when it should have come.
    pub(super) fn pop(&mut self, now: Time) -> Option<(Time, Due)> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(timer)| (timer.at, timer.due))
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(timer)| timer.at)
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Timer) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_order_of_time_then_of_asking_and_never_early() {
        let mut timers = Timers::default();
        for (at, member) in [(30, 0), (10, 1), (30, 2), (20, 3)] {
            timers.push(Time(at), Due::Start(0, member));
        }
        assert_eq!(timers.pop(Time(9)), None);
        let order: Vec<_> = std::iter::from_fn(|| timers.pop(Time(30))).map(|(at, due)| (at.0, due)).collect();
        let start = |member| Due::Start(0, member);
        assert_eq!(order, [(10, start(1)), (20, start(3)), (30, start(0)), (30, start(2))]);
    }
}
