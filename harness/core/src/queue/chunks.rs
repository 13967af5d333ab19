//! Lists of items in chunks of 1 KiB from a common pool: appending costs one index, and nothing is lost to doubling.
use alloc::vec::Vec;

use super::Item;

/// 64 items of 16 bytes.
const CHUNK: usize = 64;
const NONE: u32 = u32::MAX;

/// A list of items, in the order in which they went in.
#[derive(Clone, Copy)]
pub(super) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl List {
    pub(super) const EMPTY: List = List { head: NONE, tail: NONE, len: 0 };

    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }
}

impl Default for List {
    fn default() -> List {
        List::EMPTY
    }
}

struct Chunk {
    items: Vec<Item>,
    next: u32,
}

/// The pool.
#[derive(Default)]
pub(super) struct Chunks {
    all: Vec<Chunk>,
    /// Places in `all` without a buffer.
    free: Vec<u32>,
    /// Buffers without a place.
    spare: Vec<Vec<Item>>,
}

impl Chunks {
    pub(super) fn push(&mut self, list: &mut List, item: Item) {
        list.len += 1;
        if let Some(chunk) = self.all.get_mut(list.tail as usize)
            && chunk.items.len() < CHUNK
        {
            return chunk.items.push(item);
        }
        let fresh = self.fresh(item);
        match list.tail {
            NONE => list.head = fresh,
            tail => self.all[tail as usize].next = fresh,
        }
        list.tail = fresh;
    }

    /// Takes the first chunk off `list`. Give it back with [`Chunks::recycle`].
    pub(super) fn first(&mut self, list: &mut List) -> Option<Vec<Item>> {
        let chunk = self.all.get_mut(list.head as usize)?;
        let items = core::mem::take(&mut chunk.items);
        self.free.push(list.head);
        list.len -= items.len() as u32;
        list.head = chunk.next;
        if list.head == NONE {
            list.tail = NONE;
        }
        Some(items)
    }

    /// Keeps the buffer for later, unless a storm has left more of them than are in use.
    pub(super) fn recycle(&mut self, mut items: Vec<Item>) {
        let used = self.all.len() - self.free.len();
        if self.spare.len() <= used + 64 {
            items.clear();
            self.spare.push(items);
        } else if self.spare.len() > 2 * used + 128 {
            self.spare.truncate(used + 64);
            self.spare.shrink_to_fit();
        }
    }

    fn fresh(&mut self, item: Item) -> u32 {
        let mut items = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
        items.push(item);
        let chunk = Chunk { items, next: NONE };
        match self.free.pop() {
            Some(place) => {
                self.all[place as usize] = chunk;
                place
            }
            None => {
                self.all.push(chunk);
                u32::try_from(self.all.len() - 1).expect("2^32 chunks are 4 TiB")
            }
        }
    }

    /// Buffers that are held, in use or spare.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.all.iter().filter(|chunk| chunk.items.capacity() > 0).count() + self.spare.len()
    }
}
