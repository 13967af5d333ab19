//! Connections by their number.
use proofhouse_core::actor::Conn;

use super::socket::Socket;

/// The open connections. A slot's age tells a timer of an earlier connection from one of the present.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    open: u64,
    peak: u64,
}

#[derive(Default)]
struct Slot {
    age: u32,
    socket: Option<Box<Socket>>,
}

impl Slots {
    pub(super) fn put(&mut self, conn: Conn, socket: Socket) {
        let at = conn.0 as usize;
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, Slot::default);
        }
        self.slots[at].socket = Some(Box::new(socket));
        self.open += 1;
        self.peak = self.peak.max(self.open);
    }

    pub(super) fn get(&mut self, conn: Conn) -> Option<&mut Socket> {
        self.slots.get_mut(conn.0 as usize)?.socket.as_deref_mut()
    }

    /// Takes the connection out; dropping it closes it.
    pub(super) fn take(&mut self, conn: Conn) -> Option<Box<Socket>> {
        let slot = self.slots.get_mut(conn.0 as usize)?;
        let socket = slot.socket.take()?;
        slot.age += 1;
        self.open -= 1;
        Some(socket)
    }

    pub(super) fn age(&self, conn: Conn) -> u32 {
        self.slots.get(conn.0 as usize).map_or(0, |slot| slot.age)
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    /// All that are open.
    pub(super) fn open(&self) -> Vec<Conn> {
        let open = self.slots.iter().enumerate().filter(|(_, slot)| slot.socket.is_some());
        open.map(|(n, _)| Conn(n as u32)).collect()
    }
}
