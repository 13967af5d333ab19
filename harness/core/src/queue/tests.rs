use super::*;
use crate::seed::Seed;
use proptest::prelude::*;

/// The reference: a binary heap over (time, order of insertion).
#[derive(Default)]
struct Heap {
    heap: BinaryHeap<Reverse<(Time, u64, u64)>>,
    count: u64,
}

impl Heap {
    fn push(&mut self, at: Time, what: u64) {
        self.heap.push(Reverse((at, self.count, what)));
        self.count += 1;
    }

    fn pop(&mut self) -> Option<Item> {
        self.heap.pop().map(|Reverse((at, _, what))| Item { at, what })
    }
}

/// Ahead by nothing, by a tick, within a bucket, a slot, an epoch, beyond it, for ever.
fn ahead() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        0..10u64,
        0..1_000_000u64,
        0..1_500_000_000u64,
        0..90_000_000_000u64,
        0..2_000_000_000_000u64,
        Just(u64::MAX),
    ]
}

proptest! {
    #[test]
    fn items_come_out_as_from_a_heap(schedule in proptest::collection::vec((ahead(), 0..4u8), 1..600)) {
        let (mut queue, mut heap) = (Queue::new(), Heap::default());
        let mut now = 0u64;
        for (n, (ahead, pops)) in schedule.into_iter().enumerate() {
            let at = Time(now.saturating_add(ahead));
            queue.push(at, n as u64);
            heap.push(at, n as u64);
            for _ in 0..pops / 2 {
                let (item, expected) = (queue.pop(), heap.pop());
                prop_assert_eq!(item, expected);
                now = item.map_or(now, |item| item.at.0.min(u64::MAX / 2));
            }
            prop_assert_eq!(queue.len(), heap.heap.len());
        }
        while let Some(expected) = heap.pop() {
            prop_assert_eq!(queue.pop(), Some(expected));
        }
        prop_assert_eq!(queue.pop(), None);
    }

    #[test]
    fn a_time_that_has_passed_comes_next(first in 1..5_000_000_000u64, back in 1..5_000_000_000u64) {
        let mut queue = Queue::new();
        queue.push(Time(first), 0);
        queue.push(Time(first), 1);
        queue.pop();
        queue.push(Time(first.saturating_sub(back)), 2);
        prop_assert_eq!(queue.pop().map(|item| item.what), Some(2));
        prop_assert_eq!(queue.pop().map(|item| item.what), Some(1));
    }
}

#[test]
fn a_busy_fleet_comes_out_as_from_a_heap() {
    let (mut queue, mut heap) = (Queue::new(), Heap::default());
    let mut rng = Seed(3).stream("queue", 0);
    for device in 0..20_000 {
        let at = Time(rng.below(30_000_000_000));
        queue.push(at, device);
        heap.push(at, device);
    }
    for _ in 0..400_000 {
        let item = queue.pop().expect("every device has an item waiting");
        assert_eq!(Some(item), heap.pop());
        let again = item.at + core::time::Duration::from_nanos(rng.between(20_000, 30_000_000_000));
        queue.push(again, item.what);
        heap.push(again, item.what);
    }
    assert_eq!(queue.len(), 20_000);
}

#[test]
fn after_a_storm_the_buffers_are_given_back() {
    let mut queue = Queue::new();
    for what in 0..1_000_000 {
        queue.push(Time(5), what);
    }
    let storm = queue.chunks.held();
    assert!(storm >= 1_000_000 / 64, "a million items lie in {storm} chunks of 64");
    for _ in 0..1_000_000 {
        queue.pop();
    }
    for round in 1..100u64 {
        queue.push(Time(round * 2_000_000_000), 0);
        queue.pop();
    }
    let calm = queue.chunks.held();
    assert!(calm <= 200, "one item at a time holds {calm} chunks");
    assert!(queue.current.capacity() <= 4 * 64 * PER_BUCKET, "{} items of room", queue.current.capacity());
}

#[test]
fn an_item_has_16_bytes() {
    assert_eq!(size_of::<Item>(), 16);
}
