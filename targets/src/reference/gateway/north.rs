//! The side that speaks MQTT: one session, which is kept up.
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::Outbox;
use proofhouse_core::connection::{Addr, CloseHow};
use proofhouse_core::ids::{Conn, EndpointId, TimerId};
use proofhouse_core::seed::SplitMix;
use proofhouse_core::time::{Duration, Time};
use proofhouse_mqtt::codec::{QoS, Version};
use proofhouse_mqtt::session::{Backoff, Event, Message, Profile, Session, Tick};

/// The second endpoint of the target file.
const ENDPOINT: EndpointId = EndpointId(1);
const TIMER: TimerId = TimerId(0);
/// How long a connection may take to stand.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// Readings that wait for the connection or for an acknowledgement; a session of its own would keep four times as many.
const UNFINISHED_MAX: usize = 256;
/// What a reading takes at most beside its payload.
const READING: usize = 1024 + 256;

pub(super) struct North {
    session: Session,
    conn: Option<Conn>,
    stands: bool,
    backoff: Backoff,
    rng: SplitMix,
    failures: u32,
    /// When the attempt under way is given up, or the next begins.
    moment: Time,
    /// The wake for keep-alive that was asked for and has not come.
    armed: Time,
}

impl North {
    pub(super) fn new(seed: u64) -> North {
        let profile = Profile {
            backoff: Backoff { most: Duration::from_secs(10), ..Backoff::DEVICE },
            ..Profile::new(Version::V5)
        };
        North {
            backoff: profile.backoff,
            session: Session::new(Arc::new(profile), "gateway".to_string()),
            conn: None,
            stands: false,
            rng: SplitMix(seed),
            failures: 0,
            moment: Time::NEVER,
            armed: Time::NEVER,
        }
    }

    /// Whether this is our connection to the server.
    pub(super) fn is(&self, conn: Conn) -> bool {
        self.conn == Some(conn)
    }

    pub(super) fn open(&mut self, now: Time, out: &mut Outbox) {
        self.conn = Some(out.open(ENDPOINT, Addr::new([127, 0, 0, 1], 0)));
        self.moment = now + OPEN_MAX;
        out.wake(self.moment, TIMER);
    }

    pub(super) fn opened(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        if self.is(conn) {
            (self.stands, self.moment) = (true, Time::NEVER);
            let session = &mut self.session;
            out.send(conn, |bytes| session.connect(now, bytes));
            self.keep(now, out);
        }
    }

    pub(super) fn hear(&mut self, bytes: &[u8], now: Time, out: &mut Outbox) {
        let Some(conn) = self.conn else { return };
        let (session, mut over, mut accepted) = (&mut self.session, false, false);
        let mut on = |event: Event<'_>| {
            over |= matches!(event, Event::Refused(_) | Event::Ended(_));
            accepted |= matches!(event, Event::Connected { .. });
        };
        let mut broken = false;
        out.send(conn, |answer| broken = session.hear(now, bytes, answer, &mut on).is_err());
        if accepted {
            self.failures = 0;
        }
        if over || broken {
            out.close(conn, CloseHow::Fin);
            return self.lost(now, out);
        }
        self.keep(now, out);
    }

    /// The connection is over, or never stood: another one after a while.
    pub(super) fn lost(&mut self, now: Time, out: &mut Outbox) {
        self.session.lost();
        (self.conn, self.stands) = (None, false);
        self.failures = self.failures.saturating_add(1);
        self.moment = now + self.backoff.wait(self.failures, &mut self.rng);
        out.wake(self.moment, TIMER);
    }

    pub(super) fn timer(&mut self, now: Time, out: &mut Outbox) {
        match self.conn {
            _ if self.stands => self.keep(now, out),
            _ if now < self.moment => {}
            None => self.open(now, out),
            Some(conn) => {
                out.close(conn, CloseHow::Reset);
                self.lost(now, out);
            }
        }
    }

    fn keep(&mut self, now: Time, out: &mut Outbox) {
        let Some(conn) = self.conn.filter(|_| self.stands) else { return };
        if self.armed <= now {
            self.armed = Time::NEVER;
        }
        let (session, mut tick) = (&mut self.session, Tick::Idle);
        out.send(conn, |bytes| tick = session.tick(now, bytes));
        match tick {
            Tick::Next(at) if at < self.armed => {
                self.armed = at;
                out.wake(at, TIMER);
            }
            Tick::Next(_) | Tick::Idle => {}
            Tick::Dead => {
                out.close(conn, CloseHow::Reset);
                self.lost(now, out);
            }
        }
    }

    /// Passes a reading on, now or once there is a connection; `false` where too much waits already.
    pub(super) fn publish(&mut self, topic: String, payload: &[u8], now: Time, out: &mut Outbox) -> bool {
        if self.session.unfinished() >= UNFINISHED_MAX {
            return false;
        }
        let message = Message { topic, payload: payload.to_vec(), qos: QoS::AtLeastOnce, retain: false };
        let session = &mut self.session;
        match self.conn.filter(|_| self.stands) {
            Some(conn) => {
                let mut taken = false;
                out.send(conn, |bytes| taken = session.publish(now, message, bytes).is_ok());
                taken
            }
            None => session.publish(now, message, &mut Vec::new()).is_ok(),
        }
    }

    /// An upper bound: the session does not say more than how many wait.
    pub(super) fn bytes(&self) -> usize {
        self.session.unfinished() * READING
    }
}
