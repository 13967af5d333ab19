//! What the broker holds for others, counted where it is held: a container enters its bytes and strikes them out when it goes.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The sum of all entries. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<AtomicUsize>);

impl Meter {
    /// Bytes entered and not struck out.
    pub(crate) fn total(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// An entry of this many bytes.
    pub(crate) fn enter(&self, bytes: usize) -> Tally {
        self.0.fetch_add(bytes, Relaxed);
        Tally { meter: self.clone(), bytes }
    }
}

/// One entry. Dropping it strikes it out.
#[derive(Debug)]
pub(crate) struct Tally {
    meter: Meter,
    bytes: usize,
}

impl Tally {
    /// Corrects the entry.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.meter.0.fetch_add(bytes.wrapping_sub(self.bytes), Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.meter.0.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_what_stands_in_the_books() {
        let meter = Meter::default();
        let mut a = meter.enter(10);
        let b = meter.enter(5);
        a.set(7);
        assert_eq!(meter.total(), 12);
        drop(b);
        a.set(100);
        assert_eq!(meter.total(), 100);
        drop(a);
        assert_eq!(meter.total(), 0);
    }
}
