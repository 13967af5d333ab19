//! A session with its connection: opens, keeps alive, finds out that nobody answers, and comes back.
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Input, Outbox};
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::{Conn, EndpointId, TimerId};
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::seed::SplitMix;
use proofhouse_core::time::{Duration, Time};

use super::{Backoff, Event, Message, Profile, Refused, Session, Tick, Ticket};
use crate::codec::{QoS, Reason};

/// The next attempt to connect.
const RETRY: TimerId = TimerId(0);
/// Keep-alive.
const KEEP: TimerId = TimerId(1);
/// How long a connection may take to stand.
const OPEN_MAX: Duration = Duration::from_secs(10);

/// The first timer that a behaviour may use beside its client's own.
pub(crate) const FIRST_FREE_TIMER: u32 = 2;

/// A device on the network.
pub struct Client {
    /// The protocol.
    pub session: Session,
    fleet: Arc<FleetPlan>,
    identity: u32,
    backoff: Backoff,
    rng: SplitMix,
    conn: Option<Conn>,
    stands: bool,
    /// When the attempt that is under way is given up, or when the next begins.
    moment: Time,
    /// The wake that is under way for keep-alive.
    wake: Time,
    failures: u32,
    opened: u32,
    stopped: bool,
}

impl Client {
    /// Member `identity` of a fleet; `seed` is the first draw of its own stream.
    #[must_use]
    pub fn new(profile: Arc<Profile>, fleet: Arc<FleetPlan>, identity: u32, seed: u64) -> Client {
        let client_id = crate::unique::client_id(&fleet, identity);
        Client {
            backoff: profile.backoff,
            session: Session::new(profile, client_id),
            fleet,
            identity,
            rng: SplitMix(seed),
            conn: None,
            stands: false,
            moment: Time::ZERO,
            wake: Time::NEVER,
            failures: 0,
            opened: 0,
            stopped: false,
        }
    }

    /// Takes an input; what happened goes to `on`. `true`: the connection was lost with this input, or could not be opened.
    pub fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox, on: &mut dyn FnMut(Event<'_>)) -> bool {
        match input {
            Input::Start => self.open(now, out),
            Input::Opened(conn) if self.conn == Some(conn) => {
                self.stands = true;
                let session = &mut self.session;
                out.send(conn, |bytes| session.connect(now, bytes));
                return self.keep(now, out);
            }
            Input::Bytes(conn, bytes) if self.conn == Some(conn) => return self.hear(now, conn, bytes, out, on),
            Input::Closed(conn, _) if self.conn == Some(conn) => {
                self.conn = None;
                self.failed(now, out);
                return true;
            }
            Input::Timer(RETRY) if now >= self.moment && !self.stands => match self.conn {
                None => self.open(now, out),
                Some(_) => {
                    self.abandon(now, out);
                    return true;
                }
            },
            Input::Timer(KEEP) => return self.keep(now, out),
            _ => {}
        }
        false
    }

    /// Sends a message, now or later; see [`Session::publish`].
    ///
    /// # Errors
    /// As [`Session::publish`].
    pub fn publish(&mut self, now: Time, message: Message, out: &mut Outbox) -> Result<Ticket, Refused> {
        self.say(out, |session, bytes| session.publish(now, message, bytes))
    }

    /// Asks for messages; see [`Session::subscribe`].
    ///
    /// # Errors
    /// As [`Session::subscribe`].
    pub fn subscribe(&mut self, now: Time, filters: &[(&str, QoS)], out: &mut Outbox) -> Result<(), Reason> {
        self.say(out, |session, bytes| session.subscribe(now, filters, bytes))
    }

    /// Asks for no more messages; see [`Session::unsubscribe`].
    ///
    /// # Errors
    /// As [`Session::unsubscribe`].
    pub fn unsubscribe(&mut self, now: Time, filters: &[&str], out: &mut Outbox) -> Result<(), Reason> {
        self.say(out, |session, bytes| session.unsubscribe(now, filters, bytes))
    }

    /// What the session says goes to its connection; without one it says nothing.
    fn say<T>(&mut self, out: &mut Outbox, say: impl FnOnce(&mut Session, &mut Vec<u8>) -> T) -> T {
        let Some(conn) = self.standing() else { return say(&mut self.session, &mut Vec::new()) };
        let (session, mut answer) = (&mut self.session, None);
        out.send(conn, |bytes| answer = Some(say(session, bytes)));
        answer.expect("the outbox has asked for the bytes")
    }

    /// Ends the connection without a word and comes back after a while.
    pub fn abandon(&mut self, now: Time, out: &mut Outbox) {
        if let Some(conn) = self.conn.take() {
            out.close(conn, CloseHow::Reset);
        }
        self.failed(now, out);
    }

    /// Comes back at once where it was waiting for that.
    pub fn hurry(&mut self, now: Time, out: &mut Outbox) {
        self.open(now, out);
    }

    /// Says goodbye and does not come back.
    pub fn stop(&mut self, now: Time, out: &mut Outbox) {
        self.stopped = true;
        if let Some(conn) = self.conn.take() {
            let (session, stands) = (&mut self.session, self.stands);
            out.send(conn, |bytes| {
                if stands {
                    session.disconnect(now, bytes);
                }
            });
            out.close(conn, CloseHow::Fin);
        }
        self.stands = false;
    }

    /// Whether this is the connection that it has, or tries to get.
    #[must_use]
    pub fn is(&self, conn: Conn) -> bool {
        self.conn == Some(conn)
    }

    fn standing(&self) -> Option<Conn> {
        self.conn.filter(|_| self.stands)
    }

    fn open(&mut self, now: Time, out: &mut Outbox) {
        if self.stopped || self.conn.is_some() {
            return;
        }
        let endpoint: EndpointId = self.fleet.endpoint_id;
        self.conn = Some(out.open(endpoint, self.fleet.source(self.identity, self.opened)));
        self.opened += 1;
        self.moment = now + OPEN_MAX;
        out.wake(self.moment, RETRY);
    }

    fn hear(&mut self, now: Time, conn: Conn, bytes: &[u8], out: &mut Outbox, on: &mut dyn FnMut(Event<'_>)) -> bool {
        let (session, mut ended, mut accepted) = (&mut self.session, false, false);
        let mut watch = |event: Event<'_>| {
            ended |= matches!(event, Event::Refused(_) | Event::Ended(_));
            accepted |= matches!(event, Event::Connected { .. });
            on(event);
        };
        let mut broken = false;
        out.send(conn, |answer| broken = session.hear(now, bytes, answer, &mut watch).is_err());
        if accepted {
            self.failures = 0;
        }
        if ended || broken {
            self.conn = None;
            out.close(conn, CloseHow::Fin);
            self.failed(now, out);
            return true;
        }
        self.keep(now, out)
    }

    /// Keep-alive; `true` if the server turned out to be gone.
    fn keep(&mut self, now: Time, out: &mut Outbox) -> bool {
        let Some(conn) = self.standing() else { return false };
        if self.wake <= now {
            self.wake = Time::NEVER;
        }
        let (session, mut tick) = (&mut self.session, Tick::Idle);
        out.send(conn, |bytes| tick = session.tick(now, bytes));
        match tick {
            Tick::Next(at) if at < self.wake => {
                self.wake = at;
                out.wake(at, KEEP);
            }
            Tick::Next(_) | Tick::Idle => {}
            Tick::Dead => {
                self.abandon(now, out);
                return true;
            }
        }
        false
    }

    fn failed(&mut self, now: Time, out: &mut Outbox) {
        self.session.lost();
        self.stands = false;
        if self.stopped {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.moment = now + self.backoff.wait(self.failures, &mut self.rng);
        out.wake(self.moment, RETRY);
    }
}
