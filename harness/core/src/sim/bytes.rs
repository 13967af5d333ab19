//! Bytes in flight: a slab in three sizes whose places are used again.
use alloc::vec::Vec;

use super::happening::Message;

/// Most messages of devices, a page of a log, a large read. What is larger gets a buffer of its own.
const SIZES: [usize; 3] = [64, 512, 4096];
/// The upper two bits of a message say its size.
const PLACE_BITS: u32 = 30;
/// A slab that is empty keeps at most this: the memory of a storm is given back.
const CALM_MAX: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Slab {
    sizes: [Places; 3],
    large: Vec<Vec<u8>>,
    large_free: Vec<u32>,
}

#[derive(Default)]
struct Places {
    bytes: Vec<u8>,
    lens: Vec<u16>,
    free: Vec<u32>,
}

impl Slab {
    pub(super) fn put(&mut self, bytes: &[u8]) -> Message {
        match SIZES.iter().position(|size| bytes.len() <= *size) {
            Some(size) => Message((size as u32) << PLACE_BITS | self.sizes[size].put(bytes, SIZES[size])),
            None => Message(3 << PLACE_BITS | self.put_large(bytes)),
        }
    }

    pub(super) fn bytes(&self, message: Message) -> &[u8] {
        let (size, place) = split(message);
        match self.sizes.get(size) {
            Some(places) => {
                let start = place * SIZES[size];
                &places.bytes[start..start + usize::from(places.lens[place])]
            }
            None => &self.large[place],
        }
    }

    pub(super) fn free(&mut self, message: Message) {
        let (size, place) = split(message);
        match self.sizes.get_mut(size) {
            Some(places) => places.free(place as u32),
            None => {
                self.large[place] = Vec::new();
                self.large_free.push(place as u32);
            }
        }
    }

    fn put_large(&mut self, bytes: &[u8]) -> u32 {
        match self.large_free.pop() {
            Some(place) => {
                self.large[place as usize] = bytes.to_vec();
                place
            }
            None => {
                self.large.push(bytes.to_vec());
                place_of(self.large.len() - 1)
            }
        }
    }
}

impl Places {
    fn put(&mut self, bytes: &[u8], size: usize) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.lens.push(0);
            self.bytes.resize(self.lens.len() * size, 0);
            place_of(self.lens.len() - 1)
        });
        let start = place as usize * size;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.lens[place as usize] = bytes.len() as u16;
        place
    }

    fn free(&mut self, place: u32) {
        self.free.push(place);
        if self.free.len() == self.lens.len() && self.bytes.len() > CALM_MAX {
            *self = Places::default();
        }
    }
}

fn split(message: Message) -> (usize, usize) {
    ((message.0 >> PLACE_BITS) as usize, (message.0 & ((1 << PLACE_BITS) - 1)) as usize)
}

fn place_of(place: usize) -> u32 {
    assert!(place < 1 << PLACE_BITS, "{place} messages in flight: the simulator numbers them with {PLACE_BITS} bits");
    place as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_message_keeps_its_bytes_until_it_is_freed(lens in proptest::collection::vec((0..6000usize, any::<bool>()), 1..60)) {
            let mut slab = Slab::default();
            let mut alive: Vec<(Message, Vec<u8>)> = Vec::new();
            for (n, (len, free_one)) in lens.into_iter().enumerate() {
                let bytes = vec![n as u8; len];
                alive.push((slab.put(&bytes), bytes));
                if free_one {
                    let (message, _) = alive.remove(n % alive.len());
                    slab.free(message);
                }
                for (message, bytes) in &alive {
                    prop_assert_eq!(slab.bytes(*message), &bytes[..]);
                }
            }
        }
    }

    #[test]
    fn a_place_is_used_again() {
        let mut slab = Slab::default();
        for size in [1, 64, 65, 512, 513, 4096, 4097] {
            let first = slab.put(&vec![1; size]);
            slab.free(first);
            assert_eq!(slab.put(&vec![2; size]), first, "{size} bytes");
            slab.free(first);
        }
    }

    #[test]
    fn the_memory_of_a_storm_is_given_back() {
        let mut slab = Slab::default();
        let storm: Vec<Message> = (0..100_000).map(|_| slab.put(&[7; 40])).collect();
        assert_eq!(slab.sizes[0].bytes.len(), 6_400_000);
        storm.into_iter().for_each(|message| slab.free(message));
        assert_eq!(slab.sizes[0].bytes.capacity(), 0);
    }
}
