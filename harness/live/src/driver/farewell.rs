//! How associations end, which no datagram says: nobody is there, we have heard enough, or the actor has.
use proofhouse_core::actor::Input;
use proofhouse_core::connection::{Addr, Close, CloseHow};
use proofhouse_core::ids::Conn;
use proofhouse_core::recorder::{DROPPED, RECEIVED_LIMIT, UNHEARD};
use proofhouse_core::time::Time;
use proofhouse_core::transcript::{By, Event, Who};

use super::Driver;
use super::port::{Begun, Peer, Port, Waiting};

impl Driver {
    /// One datagram of ours has reached nobody.
    pub(super) fn unreachable(&mut self, number: Conn) {
        let Some(port) = self.ports.get(number) else { return };
        let Some((to, Some(how))) = port.unreachable() else { return };
        if let Some(Some(conn)) = port.known.get(&to).copied() {
            self.peer_over(conn, By::Peer, how);
        }
    }

    /// One entry for all who come after those that we tell apart: the record is not whole, and says so.
    pub(super) fn too_many(&mut self, number: Conn, from: Addr) {
        let now = self.context.clock.now();
        let Some(port) = self.ports.get(number) else { return };
        let (fleet, position, to) = (port.fleet, port.position.unwrap_or(0), port.from);
        let conn = self.outbox.new_conn();
        let (index, member) = self.identity(fleet, position);
        self.recorder.opening(conn);
        self.recorder.opened(now, index, member, conn, "", from, to);
        self.recorder.closed(now, index, member, conn, By::Limit, Close::LocalLimit);
    }

    /// One of whom everything is recorded has said more than we keep.
    pub(super) fn too_much_from(&mut self, conn: Conn) {
        let Some(peer) = self.peers.get(conn) else { return };
        let (number, addr, value) = (peer.port, peer.addr, peer.received);
        self.stand(conn);
        self.peer_over(conn, By::Limit, Close::LocalLimit);
        self.entry(Who::Harness, Event::Calibration { name: RECEIVED_LIMIT.into(), value });
        if let Some(port) = self.ports.get(number) {
            port.known.insert(addr, None);
        }
    }

    /// An association is over by somebody else's doing, and with it the socket where the actor had asked for it.
    fn peer_over(&mut self, conn: Conn, by: By, how: Close) {
        let now = self.context.clock.now();
        let Some((index, member)) = self.identity_of_peer(conn) else { return };
        let Some(peer) = self.forget(conn) else { return };
        self.recorder.closed(now, index, member, conn, by, how);
        if peer.begun == Begun::Stands {
            self.deliver(peer.fleet, peer.position, Input::Closed(conn, how));
        }
        self.recycle(conn);
    }

    /// The actor ends an association. Nobody hears of it; no direction of it can end alone.
    pub(super) fn close_peer(&mut self, conn: Conn, how: CloseHow) {
        if self.peers.get(conn).is_none() {
            // Over already, and its end is on the way to the actor, who no longer wants to hear of it.
            self.failing.remove(&conn);
            return;
        }
        let how = match how {
            CloseHow::Half => return,
            CloseHow::Fin => Close::Fin,
            CloseHow::Reset => Close::Reset,
        };
        let Some((index, member)) = self.identity_of_peer(conn) else { return };
        self.stand(conn);
        let now = self.context.clock.now();
        self.recorder.closed(now, index, member, conn, By::Us, how);
        let _ = self.forget(conn);
        self.recycle(conn);
    }

    /// Takes an association out, and with the one that the actor had asked for the socket and all others on it.
    fn forget(&mut self, conn: Conn) -> Option<Box<Peer>> {
        let peer = self.peers.take(conn)?;
        if let Some(port) = self.ports.get(peer.port) {
            port.known.remove(&peer.addr);
        }
        if peer.port == conn
            && let Some(mut port) = self.ports.take(conn)
        {
            let now = self.context.clock.now();
            self.given_up(now, (port.fleet, peer.position), port.take_waiting());
            self.own_limits(now, &port);
            for stranger in port.known.into_values().flatten() {
                if let Some(gone) = self.peers.take(stranger) {
                    let (index, member) = self.identity(gone.fleet, gone.position);
                    if gone.begun == Begun::Stands {
                        self.recorder.closed(now, index, member, stranger, By::Us, Close::Fin);
                    }
                    self.recycle(stranger);
                }
            }
        }
        Some(peer)
    }

    fn given_up(&mut self, now: Time, who: (usize, u32), waiting: impl IntoIterator<Item = Waiting>) {
        let (index, member) = self.identity(who.0, who.1);
        for one in waiting {
            self.recorder.undelivered(now, index, member, one.conn, one.len());
        }
    }

    fn own_limits(&mut self, now: Time, port: &Port) {
        for (name, value) in [(UNHEARD, port.unheard), (DROPPED, port.dropped())] {
            if value > 0 {
                let name = name.to_string();
                self.recorder.entry(now, Who::Harness, Event::Calibration { name, value });
            }
        }
    }

    /// At the end of the trial: what never left, and what was never heard.
    pub(super) fn settle_ports(&mut self) {
        let now = self.context.clock.now();
        for number in self.ports.open() {
            let Some(mut port) = self.ports.take(number) else { continue };
            self.given_up(now, (port.fleet, port.position.unwrap_or(0)), port.take_waiting());
            self.own_limits(now, &port);
        }
    }
}
