//! Memory that trials side by side share: a budget in bytes, and leases, which give back what they took once nobody holds them.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// What a trial may hold in any case: a small one must not suffer because a big one runs beside it.
pub const SPARED: u64 = 2 << 20;

/// So many bytes for all.
#[derive(Debug)]
pub struct Budget {
    most: u64,
    taken: AtomicU64,
}

impl Budget {
    /// A budget of `most` bytes.
    #[must_use]
    pub fn of(most: u64) -> Arc<Budget> {
        Arc::new(Budget { most, taken: AtomicU64::new(0) })
    }

    /// The bytes of all leases.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The bytes that there are.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.most
    }

    /// A lease that has taken nothing yet.
    #[must_use]
    pub fn lease(self: &Arc<Budget>) -> Lease {
        Lease(Some(Arc::new(Share { budget: Arc::clone(self), taken: AtomicU64::new(0) })))
    }
}

/// What one trial has taken; its clones share it. The default one knows no budget: a simulated trial is bounded by its record alone.
#[derive(Clone, Debug, Default)]
pub struct Lease(Option<Arc<Share>>);

#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    taken: AtomicU64,
}

impl Lease {
    /// Of what a trial may hold in any case, and no more.
    #[must_use]
    pub fn spared() -> Lease {
        Budget::of(0).lease()
    }

    /// Takes so many bytes; `false` where they are not to be had. They are not taken then.
    #[must_use]
    pub fn take(&self, bytes: u64) -> bool {
        let Some(share) = &self.0 else { return true };
        let own = share.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let all = share.budget.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all <= share.budget.most || own <= SPARED {
            return true;
        }
        self.give(bytes);
        false
    }

    /// Gives back so many of them.
    pub fn give(&self, bytes: u64) {
        if let Some(share) = &self.0 {
            share.taken.fetch_sub(bytes, Ordering::Relaxed);
            share.budget.taken.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(*self.taken.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_is_taken_is_given_back_by_the_last_who_holds_it() {
        let budget = Budget::of(10 * MIB);
        let lease = budget.lease();
        assert!(lease.take(4 * MIB));
        let kept = lease.clone();
        drop(lease);
        assert_eq!(budget.taken(), 4 * MIB, "a trial that is judged still holds its record");
        kept.give(MIB);
        assert_eq!(budget.taken(), 3 * MIB);
        drop(kept);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn a_big_trial_is_refused_and_a_small_one_beside_it_is_not() {
        let budget = Budget::of(10 * MIB);
        let (big, small) = (budget.lease(), budget.lease());
        assert!(big.take(10 * MIB));
        assert!(!big.take(1));
        assert!(small.take(SPARED));
        assert!(!small.take(1));
        assert_eq!(budget.taken(), 10 * MIB + SPARED, "what was refused is not taken");
        assert!(Lease::default().take(u64::MAX), "no budget, no limit");
        let spared = Lease::spared();
        assert!(spared.take(SPARED) && !spared.take(1));
    }
}
