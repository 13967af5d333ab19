//! The event queue, a calendar queue: what happens next. Items come out by time; those of one moment in the order in which they went in.
//!
//! Three levels of append-only lists, none of them linked item by item: *beyond* (later than about 4.6 minutes from the
//! start of the running epoch), *far* (256 slots of about a second), *near* (the running slot, cut into buckets whose
//! width follows from how many items the slot holds). Only the bucket that is reached is sorted, in cache. A binary heap
//! costs 17 times more per item at a million devices than at ten thousand, this 2 to 3 times. The order does not depend
//! on any width, so the tests hold it against a heap.
use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::time::Time;

mod chunks;
use chunks::{Chunks, List};

/// One thing to come: ids only, bytes live elsewhere. 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// When.
    pub at: Time,
    /// What, in the user's own packing.
    pub what: u64,
}

/// A slot is 2^30 ns, 1.07 s: long enough that a second's timers are spread in one pass.
const SLOT_BITS: u32 = 30;
/// 256 slots make an epoch of 4.6 minutes: most keep-alives and reporting periods fall within.
const FAR_BITS: u32 = 8;
const FAR: u64 = 1 << FAR_BITS;
/// 48 items are 768 bytes: a bucket is sorted within the first-level cache.
const PER_BUCKET: usize = 48;
/// 65,536 buckets of 16 us: more would not fit the cache themselves.
const NEAR_BITS_MAX: u32 = 16;

/// Items in order of time.
pub struct Queue {
    /// The bucket that was reached, sorted; consumed from `next`.
    current: Vec<Item>,
    next: usize,
    /// Items that went in after their bucket was reached: few, they lie just ahead.
    late: BinaryHeap<Reverse<(Time, u64, u64)>>,
    late_count: u64,
    near: Vec<List>,
    near_next: usize,
    near_bits: u32,
    far: Vec<List>,
    /// The first slot that was not opened yet.
    slot_next: u64,
    /// The epoch whose slots are in `far`.
    epoch: u64,
    /// Later epochs, unsorted, and the earliest time among them.
    beyond: List,
    beyond_first: Time,
    chunks: Chunks,
    len: usize,
    /// Items taken out of the running slot: how busy the next one is likely to be.
    taken: usize,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::new()
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Queue {
        Queue {
            current: Vec::new(),
            next: 0,
            late: BinaryHeap::new(),
            late_count: 0,
            near: Vec::new(),
            near_next: 0,
            near_bits: 0,
            far: vec![List::EMPTY; FAR as usize],
            slot_next: 0,
            epoch: 0,
            beyond: List::EMPTY,
            beyond_first: Time::NEVER,
            chunks: Chunks::default(),
            len: 0,
            taken: 0,
        }
    }

    /// Puts `what` in. A time that has passed already comes next.
    pub fn push(&mut self, at: Time, what: u64) {
        self.len += 1;
        let slot = at.0 >> SLOT_BITS;
        if slot >= self.slot_next {
            return self.push_far(Item { at, what });
        }
        let bucket = self.bucket(at);
        if slot + 1 == self.slot_next && bucket >= self.near_next {
            self.chunks.push(&mut self.near[bucket], Item { at, what });
        } else {
            self.late.push(Reverse((at, self.late_count, what)));
            self.late_count += 1;
        }
    }

    /// Takes the next item out.
    pub fn pop(&mut self) -> Option<Item> {
        loop {
            let reached = self.current.get(self.next).copied();
            // On a tie the bucket goes first: its items went in before it was reached, the late ones after.
            let late = self.late.peek().map(|Reverse(late)| *late);
            let item = match (reached, late) {
                (Some(item), Some((at, ..))) if item.at <= at => self.take(item),
                (_, Some((at, _, what))) => {
                    self.late.pop();
                    self.len -= 1;
                    self.taken += 1;
                    Item { at, what }
                }
                (Some(item), None) => self.take(item),
                (None, None) => {
                    if !self.advance() {
                        return None;
                    }
                    continue;
                }
            };
            return Some(item);
        }
    }

    /// What comes next of the bucket that was reached, in order: for touching ahead. Late items are not in it.
    #[must_use]
    pub fn reached(&self) -> &[Item] {
        &self.current[self.next..]
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn take(&mut self, item: Item) -> Item {
        self.next += 1;
        self.len -= 1;
        self.taken += 1;
        item
    }

    fn bucket(&self, at: Time) -> usize {
        let within = at.0 & ((1 << SLOT_BITS) - 1);
        (within >> (SLOT_BITS - self.near_bits)) as usize
    }

    /// Reaches the next bucket that holds something. `false`: nothing waits at all.
    fn advance(&mut self) -> bool {
        if self.len == 0 {
            return false;
        }
        loop {
            while self.near_next < self.near.len() {
                let list = &mut self.near[self.near_next];
                self.near_next += 1;
                if !list.is_empty() {
                    let list = core::mem::take(list);
                    self.reach(list);
                    return true;
                }
            }
            self.open_slot();
        }
    }

    fn reach(&mut self, mut list: List) {
        self.current.clear();
        self.next = 0;
        if self.current.capacity() > list.len().max(64 * PER_BUCKET) * 4 {
            self.current.shrink_to(0); // a storm has passed
        }
        while let Some(chunk) = self.chunks.first(&mut list) {
            self.current.extend_from_slice(&chunk);
            self.chunks.recycle(chunk);
        }
        self.current.sort_by_key(|item| item.at); // stable: ties keep the order in which they went in
    }

    /// Opens the next slot that holds something. Only called while something waits.
    fn open_slot(&mut self) {
        loop {
            let end = (self.epoch + 1) << FAR_BITS;
            match (self.slot_next..end).find(|slot| !self.far[(slot % FAR) as usize].is_empty()) {
                Some(slot) => return self.spread(slot),
                None => self.open_epoch(),
            }
        }
    }

    /// Spreads a slot over as many buckets as keep each within the first-level cache.
    fn spread(&mut self, slot: u64) {
        let mut list = core::mem::take(&mut self.far[(slot % FAR) as usize]);
        let expected = list.len().max(core::mem::take(&mut self.taken));
        self.near_bits = (expected / PER_BUCKET + 1).ilog2().min(NEAR_BITS_MAX);
        self.near.clear();
        self.near.resize(1 << self.near_bits, List::EMPTY);
        self.near_next = 0;
        self.slot_next = slot + 1;
        while let Some(chunk) = self.chunks.first(&mut list) {
            for &item in &chunk {
                let bucket = self.bucket(item.at);
                self.chunks.push(&mut self.near[bucket], item);
            }
            self.chunks.recycle(chunk);
        }
    }

    /// Moves the next epoch that holds something from beyond to far, in order.
    fn open_epoch(&mut self) {
        assert!(!self.beyond.is_empty(), "{} items wait, and no list holds them", self.len);
        self.epoch = epoch_of(core::mem::replace(&mut self.beyond_first, Time::NEVER));
        self.slot_next = self.epoch << FAR_BITS;
        let mut list = core::mem::take(&mut self.beyond);
        while let Some(chunk) = self.chunks.first(&mut list) {
            for &item in &chunk {
                self.push_far(item);
            }
            self.chunks.recycle(chunk);
        }
    }

    fn push_far(&mut self, item: Item) {
        if epoch_of(item.at) == self.epoch {
            let slot = item.at.0 >> SLOT_BITS;
            self.chunks.push(&mut self.far[(slot % FAR) as usize], item);
        } else {
            self.beyond_first = self.beyond_first.min(item.at);
            self.chunks.push(&mut self.beyond, item);
        }
    }
}

fn epoch_of(at: Time) -> u64 {
    at.0 >> SLOT_BITS >> FAR_BITS
}

#[cfg(test)]
mod tests;
