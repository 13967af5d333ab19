//! Connections, sockets of datagrams and associations, each by its number.
use proofhouse_core::ids::Conn;

/// The open ones. A slot's age tells a timer of an earlier one from one of the present.
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    open: u64,
    peak: u64,
}

struct Slot<T> {
    age: u32,
    held: Option<Box<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { slots: Vec::new(), open: 0, peak: 0 }
    }
}

impl<T> Slots<T> {
    pub(super) fn put(&mut self, conn: Conn, held: T) {
        let at = conn.0 as usize;
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || Slot { age: 0, held: None });
        }
        self.slots[at].held = Some(Box::new(held));
        self.open += 1;
        self.peak = self.peak.max(self.open);
    }

    pub(super) fn get(&mut self, conn: Conn) -> Option<&mut T> {
        self.slots.get_mut(conn.0 as usize)?.held.as_deref_mut()
    }

    /// Takes one out; dropping it closes it.
    pub(super) fn take(&mut self, conn: Conn) -> Option<Box<T>> {
        let slot = self.slots.get_mut(conn.0 as usize)?;
        let held = slot.held.take()?;
        slot.age += 1;
        self.open -= 1;
        Some(held)
    }

    pub(super) fn age(&self, conn: Conn) -> u32 {
        self.slots.get(conn.0 as usize).map_or(0, |slot| slot.age)
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    /// All that are open.
    pub(super) fn open(&self) -> Vec<Conn> {
        let open = self.slots.iter().enumerate().filter(|(_, slot)| slot.held.is_some());
        open.map(|(n, _)| Conn(n as u32)).collect()
    }
}
