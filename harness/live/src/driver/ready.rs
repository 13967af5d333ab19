//! Who may have more to read: polling is edge-triggered, and reads are bounded so that others have their turn.
use std::collections::VecDeque;

use proofhouse_core::ids::Conn;

/// A line in which each stands once, however often the system rings: else one that is flooded would soon have all turns.
#[derive(Default)]
pub(super) struct Ready {
    line: VecDeque<Conn>,
    waits: Vec<bool>,
}

impl Ready {
    pub(super) fn push(&mut self, conn: Conn) {
        let at = conn.0 as usize;
        if self.waits.len() <= at {
            self.waits.resize(at + 1, false);
        }
        if !std::mem::replace(&mut self.waits[at], true) {
            self.line.push_back(conn);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Conn> {
        let conn = self.line.pop_front()?;
        self.waits[conn.0 as usize] = false;
        Some(conn)
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_once_and_may_come_again_after_its_turn() {
        let mut ready = Ready::default();
        for n in [3, 1, 3, 3] {
            ready.push(Conn(n));
        }
        assert_eq!(ready.len(), 2);
        assert_eq!(ready.pop(), Some(Conn(3)));
        ready.push(Conn(3));
        let rest: Vec<Conn> = std::iter::from_fn(|| ready.pop()).collect();
        assert_eq!(rest, [Conn(1), Conn(3)]);
    }
}
