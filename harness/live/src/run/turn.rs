//! One trial at a time where trials share a target: two of them would meet each other's sessions, topics and resources, and blame the
//! target for it.
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex};

use proofhouse_core::connection::Addr;
use proofhouse_core::target::{TargetKind, TargetSpec};

use crate::process::observed::lock;

/// Who is being spoken to. Two target files may name one server, so it is known by its addresses.
#[derive(Default)]
pub(super) struct Turns {
    taken: Mutex<BTreeSet<Addr>>,
    given_back: Condvar,
}

/// These addresses are ours alone until this is dropped.
pub(super) struct Turn<'a> {
    of: &'a Turns,
    addrs: BTreeSet<Addr>,
}

impl Turns {
    /// Waits until nobody speaks to any of these addresses.
    pub(super) fn take(&self, addrs: BTreeSet<Addr>) -> Turn<'_> {
        let busy = |taken: &mut BTreeSet<Addr>| !taken.is_disjoint(&addrs);
        let mut taken =
            self.given_back.wait_while(lock(&self.taken), busy).expect("nobody panics while he takes a turn");
        taken.extend(&addrs);
        drop(taken);
        Turn { of: self, addrs }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.of.taken).retain(|addr| !self.addrs.contains(addr));
        self.of.given_back.notify_all();
    }
}

/// Sorts work into lanes, each done in order by one worker: what shares a target stands in one, so that nobody else waits for his
/// turn; everything else has a lane of its own. The shared lanes come first, since they last longest.
pub(super) fn lanes<'t, T>(items: Vec<T>, target: impl Fn(&T) -> &'t TargetSpec) -> Vec<Vec<T>> {
    let mut shared: Vec<Vec<T>> = Vec::new();
    let mut alone = Vec::new();
    for item in items {
        if !is_shared(target(&item)) {
            alone.push(vec![item]);
            continue;
        }
        match shared.iter_mut().find(|lane| target(&lane[0]).digest == target(&item).digest) {
            Some(lane) => lane.push(item),
            None => shared.push(vec![item]),
        }
    }
    shared.into_iter().chain(alone).collect()
}

/// Whether trials meet what others have left: the target runs elsewhere and has no fresh start for each.
pub(super) fn is_shared(target: &TargetSpec) -> bool {
    matches!(target.kind, TargetKind::Remote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread::{scope, yield_now};

    fn addrs(ports: &[u16]) -> BTreeSet<Addr> {
        ports.iter().map(|port| Addr { ip: 0x7f00_0001, port: *port }).collect()
    }

    #[test]
    fn two_targets_that_have_one_address_in_common_are_never_spoken_to_at_once() {
        let (turns, inside) = (&Turns::default(), &AtomicU32::new(0));
        scope(|scope| {
            for ports in [[1, 2], [2, 3], [2, 4], [5, 2]] {
                scope.spawn(move || {
                    for _ in 0..200 {
                        let _turn = turns.take(addrs(&ports));
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else has port 2");
                        yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }

    #[test]
    fn targets_that_share_nothing_do_not_wait_for_each_other() {
        let turns = Turns::default();
        let _first = turns.take(addrs(&[1]));
        let _second = turns.take(addrs(&[2])); // would hang here
    }
}
