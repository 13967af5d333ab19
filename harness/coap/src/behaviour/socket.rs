//! A client with its association: opened from the fleet's next source, and woken when something is due.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::Outbox;
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::seed::Seed;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::Packet as Told;
use proofhouse_core::value::Fields;

use crate::client::{Client, Manners};

/// One association of a member.
pub(super) struct Socket {
    pub(super) client: Client,
    pub(super) conn: Option<Conn>,
    fleet: Arc<FleetPlan>,
    identity: u32,
    /// Wakes are asked for under this name.
    timer: TimerId,
    wake: Time,
}

impl Socket {
    /// The `nth` association of a member.
    pub(super) fn new(fleet: &Arc<FleetPlan>, seed: Seed, identity: u32, nth: u32, timer: TimerId) -> Socket {
        let child = seed.child(&format!("coap/{}/{identity}", fleet.name), 0);
        let mut rng = child.stream("association", u64::from(nth));
        let mid = rng.below(0x1_0000) as u16;
        let client = Client::new(rng, mid);
        Socket { client, conn: None, fleet: fleet.clone(), identity, timer, wake: Time::NEVER }
    }

    /// Binds it to the member's `nth` source.
    pub(super) fn open(&mut self, nth: u32, out: &mut Outbox) {
        self.conn = Some(out.open(self.fleet.endpoint_id, self.fleet.source(self.identity, nth)));
    }

    pub(super) fn is(&self, conn: Conn) -> bool {
        self.conn == Some(conn)
    }

    /// Ends it; nothing is said.
    pub(super) fn close(&mut self, out: &mut Outbox) {
        if let Some(conn) = self.conn.take() {
            out.close(conn, CloseHow::Fin);
        }
    }

    /// Says a request and yields its token in hex digits. The loader has checked the frame.
    pub(super) fn ask(&mut self, now: Time, frame: Fields, manners: Manners, out: &mut Outbox) -> String {
        let (Some(conn), client) = (self.conn, &mut self.client) else { return String::new() };
        let mut token = String::new();
        out.send(conn, |bytes| {
            if let Ok(said) = client.ask(now, frame, manners, bytes) {
                token = said.text("token").unwrap_or_default().to_string();
            }
        });
        self.tick(now, out);
        token
    }

    /// Takes a datagram and does what it calls for.
    pub(super) fn hear(&mut self, now: Time, datagram: &[u8], out: &mut Outbox) -> Vec<Told> {
        let (Some(conn), client) = (self.conn, &mut self.client) else { return Vec::new() };
        let mut packets = Vec::new();
        out.send(conn, |reply| client.hear(now, datagram, &mut packets, reply));
        self.tick(now, out);
        packets
    }

    /// Says everything that is due, and asks to be woken for what will be.
    pub(super) fn tick(&mut self, now: Time, out: &mut Outbox) {
        let (Some(conn), client) = (self.conn, &mut self.client) else { return };
        if self.wake <= now {
            self.wake = Time::NEVER;
        }
        let (mut next, mut wrote) = (None, true);
        while wrote {
            out.send(conn, |bytes| {
                let before = bytes.len();
                next = client.tick(now, bytes);
                wrote = bytes.len() > before;
            });
        }
        if let Some(next) = next
            && next < self.wake
        {
            self.wake = next.max(now + Duration::from_nanos(1));
            out.wake(self.wake, self.timer);
        }
    }
}

/// A GET of a path.
pub(super) fn get(path: &str) -> Fields {
    let mut frame = Fields::default();
    frame.set("code", "get");
    frame.set("path", path);
    frame
}

/// The response to the request with this token.
pub(super) fn answer<'a>(packets: &'a [Told], token: &str) -> Option<&'a Told> {
    packets
        .iter()
        .find(|told| told.kind == "response" && told.malformed.is_empty() && told.fields.text("token") == Some(token))
}
