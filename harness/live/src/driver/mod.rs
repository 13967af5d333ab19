//! One poll loop that drives all fleets over real sockets: the same actors, inputs and effects as in the simulator.
//!
//! `turn` is the loop; `acts` does what actors ask; `traffic` moves bytes; `socket` is one connection; `timers` is what comes later;
//! `datagram` does and moves what is no stream, `held` is what links do to it, `farewell` how it ends, `port` one socket of it;
//! `ready` is the line of those that may have more to read.
//! Only the clock and the sockets differ from the simulator: order between fleets and the end of a trial are [`Board`]'s.
mod acts;
mod datagram;
mod farewell;
mod held;
mod port;
mod ready;
mod slots;
mod socket;
mod timers;
mod traffic;
mod turn;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender};

use mio::net::TcpListener;
use mio::{Interest, Poll, Token, Waker};
use proofhouse_core::actor::{Crowd, Input, Outbox};
use proofhouse_core::admin::Order;
use proofhouse_core::board::{Board, Heard};
use proofhouse_core::budget::Lease;
use proofhouse_core::connection::Close;
use proofhouse_core::ids::Conn;
use proofhouse_core::link::Path;
use proofhouse_core::plan::{FleetPlan, Network, Plan, Recording};
use proofhouse_core::protocol::Transport;
use proofhouse_core::recorder::{LISTEN_OVERFLOWS, Recorder};
use proofhouse_core::registry::Registry;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::{Event, Header, Transcript, Who, WitnessState};

use self::held::Held;
use self::port::{Peer, Port};
use self::ready::Ready;
use self::slots::Slots;
use self::socket::Socket;
use self::timers::Timers;
use crate::accounts::Effect;
use crate::clock::Clock;
use crate::error::RunError;
use crate::guard::{Approvals, socket_addr};
use crate::limits;

/// The waker's token; listeners count down from below it, connections up from 0.
const WAKER: Token = Token(usize::MAX);

/// Everything that a trial needs to know besides its fleets.
#[derive(Clone)]
pub struct TrialContext {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What is known to this build.
    pub registry: Arc<Registry>,
    /// Where the target's endpoints are.
    pub approved: Arc<Approvals>,
    /// The trial's clock.
    pub clock: Clock,
    /// What the record is charged to.
    pub memory: Lease,
}

/// A member asks for a change of the target.
#[derive(Debug)]
pub struct Request {
    /// Which member of which fleet of this driver.
    pub who: (usize, u32),
    /// What it wants.
    pub order: Order,
}

/// What became of it.
#[derive(Debug)]
pub struct Reply {
    /// Who asked.
    pub who: (usize, u32),
    /// What is in effect now, or why nothing is.
    pub result: Result<Vec<Effect>, String>,
}

/// Where a witness on another thread is heard: the channel, and what wakes its reader.
pub type Ear = (Sender<Word>, Arc<Waker>);
/// What a witness found: when, the place of its fleet in the plan, and what.
pub type Word = (Time, u16, WitnessState);

/// What the witnesses' own driver is told while it runs.
pub enum Bid {
    /// A round begins.
    Begin(Round),
    /// The last word of the round is wanted.
    Ask,
    /// The round is over: its record is wanted.
    Record(Sender<Transcript>),
}

/// A round as the witnesses see it.
pub struct Round {
    /// When it began, in their time.
    pub zero: Time,
    /// Where they are heard, in the round's time.
    pub ear: Ear,
    /// Places of their fleets: in their own plan, and in the round's.
    pub places: Vec<(u16, u16)>,
    /// What their record of it is charged to.
    pub memory: Lease,
}

/// Who talks to a driver while it runs.
#[derive(Default)]
pub struct Cues<'a> {
    /// The user wants to stop.
    pub interrupt: Arc<AtomicBool>,
    /// Where orders go and replies come from; without it, orders are refused.
    pub admin: Option<(Sender<Request>, Receiver<Reply>)>,
    /// What the witnesses, on their own thread, have to say.
    pub witness: Option<Receiver<Word>>,
    /// How this driver asks the witnesses for their last word.
    pub ask: Option<(Sender<Bid>, Arc<Waker>)>,
    /// This driver's fleets are the witnesses: it runs until nobody bids any more.
    pub bids: Option<Receiver<Bid>>,
    /// The round that they are heard in.
    pub round: Option<Round>,
    /// Whether the target has ended by itself.
    pub ended: Option<Box<dyn Fn() -> bool + 'a>>,
}

/// Drives some fleets of a plan.
pub struct Driver {
    context: TrialContext,
    poll: Poll,
    waker: Arc<Waker>,
    fleets: Vec<RunningFleet>,
    board: Board,
    recorder: Recorder,
    outbox: Outbox,
    slots: Slots<Socket>,
    /// Sockets of datagrams, by the number of the association that asked for each.
    ports: Slots<Port>,
    /// Associations over them.
    peers: Slots<Peer>,
    held: Held,
    timers: Timers,
    pending: VecDeque<Pending>,
    /// What could not be opened, and whose actor still wants to hear so.
    failing: BTreeSet<Conn>,
    /// Connections that this machine had dropped before we began.
    overflows: Option<u64>,
    heard: Vec<Heard>,
    ready: Ready,
    /// What the datagrams of all associations have cost us.
    heard_datagrams: u64,
    buffer: Vec<u8>,
    /// The largest lateness of a timer.
    slip: Duration,
    /// The witnesses have started.
    begun: bool,
    /// What comes is acknowledged at once: a target that waits for that before it says more is not slow because of us.
    acknowledges_at_once: bool,
    /// Whether a `Conn` may be used again: only where the record does not name each.
    recycles: bool,
}

/// One fleet of this driver.
struct RunningFleet {
    /// Its place in the plan.
    index: u16,
    transport: Transport,
    crowd: Box<dyn Crowd>,
    /// Identity of the member at each position.
    members: Vec<u32>,
    /// The link; `None` where it does nothing that the real network does not.
    path: Option<Path>,
    /// We listen: the target connects to the next member in turn.
    listener: Option<TcpListener>,
    accepted: u32,
    /// Its part in the trial is over: it is handed nothing more.
    frozen: bool,
}

/// An input that waits for the actor at work to return.
enum Pending {
    /// A socket of datagrams stands, at this age of its association.
    Opened(Conn, u32),
    /// What was sent on a connection is written, at this age of it.
    Flushed(Conn, u32),
    Heard(Heard),
    Closed(usize, u32, Conn, Close),
    Order(Request),
    Witness(Word),
}

impl Driver {
    /// Builds the fleets at these places of the plan, and listens where they play the server.
    ///
    /// # Errors
    /// `Build` for a behaviour that this build does not know, `PortInUse` and `Io` for what the system refuses.
    pub fn new(context: TrialContext, places: &[u16]) -> Result<Driver, RunError> {
        let poll = Poll::new().map_err(RunError::io("make a poll"))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(RunError::io("make a waker"))?;
        let (plan, registry) = (Arc::clone(&context.plan), Arc::clone(&context.registry));
        let mut driver = Driver {
            waker: Arc::new(waker),
            fleets: Vec::with_capacity(places.len()),
            board: Board::new(&plan, &registry),
            recorder: charged(Recorder::new(unnamed(&plan), &plan, &registry), &context.memory),
            outbox: Outbox::new(),
            slots: Slots::default(),
            ports: Slots::default(),
            peers: Slots::default(),
            held: Held::default(),
            timers: Timers::default(),
            pending: VecDeque::new(),
            failing: BTreeSet::new(),
            overflows: limits::listen_overflows(),
            heard: Vec::new(),
            ready: Ready::default(),
            heard_datagrams: 0,
            buffer: vec![0; traffic::READ_MAX],
            slip: Duration::ZERO,
            begun: false,
            acknowledges_at_once: false,
            recycles: plan.record == Recording::Edges,
            poll,
            context,
        };
        for place in places {
            let fleet = driver.fleet(&plan.fleets[*place as usize])?;
            driver.fleets.push(fleet);
        }
        Ok(driver)
    }

    /// As [`Driver::new`], for witnesses: everything of theirs is recorded, in rounds, and their connections stay.
    ///
    /// # Errors
    /// As [`Driver::new`].
    pub fn witnesses(context: TrialContext, places: &[u16]) -> Result<Driver, RunError> {
        let mut driver = Driver::new(context, places)?;
        driver.recycles = false;
        driver.recorder.record_all();
        driver.acknowledges_at_once = true;
        Ok(driver)
    }

    /// Wakes the loop from another thread, after something was put into one of its channels.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Records something that is not a fleet's.
    pub fn entry(&mut self, who: Who, event: Event) {
        self.recorder.entry(self.context.clock.now(), who, event);
    }

    /// The largest lateness of a timer so far.
    #[must_use]
    pub fn slip(&self) -> Duration {
        self.slip
    }

    /// The most connections and sockets of datagrams that were open at once so far, counted each for itself.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.slots.peak() + self.ports.peak()
    }

    /// Everything that its trial needs to know besides its fleets.
    #[must_use]
    pub fn context(&self) -> &TrialContext {
        &self.context
    }

    /// The record, under this header. Connections that are still open end with the driver, without an entry.
    #[must_use]
    pub fn finish(mut self, header: Header) -> Transcript {
        self.undelivered_at_the_end();
        self.settle_ports();
        self.count_overflows();
        Transcript { header, ..self.recorder.finish() }
    }

    /// What the kernel dropped of what we began: the target's process never saw it.
    fn count_overflows(&mut self) {
        let dropped = limits::listen_overflows().zip(self.overflows).map(|(now, before)| now.saturating_sub(before));
        if let Some(value) = dropped.filter(|dropped| *dropped > 0) {
            self.entry(Who::Harness, Event::Calibration { name: LISTEN_OVERFLOWS.into(), value });
        }
    }

    fn fleet(&mut self, plan: &FleetPlan) -> Result<RunningFleet, RunError> {
        let behaviour = self.context.registry.behaviour(&plan.protocol, &plan.behaviour);
        let behaviour = behaviour
            .ok_or_else(|| RunError::Build(format!("fleet {:?}: unknown behaviour {:?}", plan.name, plan.behaviour)))?;
        let transport = self.context.registry.protocol(&plan.protocol).map_or(Transport::Stream, |row| row.transport);
        Ok(RunningFleet {
            index: plan.index,
            transport,
            crowd: (behaviour.crowd)(plan, &self.context.plan, self.context.registry.protocol(&plan.protocol)),
            members: plan.members().collect(),
            path: shapes(&plan.network).then(|| Path::new(&plan.network)),
            listener: if plan.plays_server { self.listen(plan, transport)? } else { None },
            accepted: 0,
            frozen: false,
        })
    }

    /// `None` for datagrams, whose sockets all stand in one list.
    fn listen(&mut self, plan: &FleetPlan, transport: Transport) -> Result<Option<TcpListener>, RunError> {
        let addr = self.context.approved.endpoint(plan.endpoint_id).addr();
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => RunError::PortInUse { port: addr.port },
            _ => RunError::Io { doing: format!("listen on {addr}"), error },
        };
        if transport == Transport::Datagram {
            self.listen_port(self.fleets.len(), addr).map_err(refused)?;
            return Ok(None);
        }
        let mut listener = TcpListener::bind(socket_addr(addr)).map_err(refused)?;
        let token = Token(WAKER.0 - 1 - self.fleets.len());
        self.poll.registry().register(&mut listener, token, Interest::READABLE).map_err(refused)?;
        Ok(Some(listener))
    }

    /// Hands one input to one actor, and does what it asks.
    fn deliver(&mut self, fleet: usize, position: u32, input: Input<'_>) {
        if self.fleets[fleet].frozen {
            return;
        }
        let now = self.context.clock.now();
        self.fleets[fleet].crowd.handle(position, now, input, &mut self.outbox);
        if self.outbox.is_empty() {
            return;
        }
        let (acts, bytes) = self.outbox.take();
        for act in &acts {
            self.act(now, fleet, position, act, &bytes);
        }
        self.outbox.restore(acts, bytes);
    }

    /// The plan's place of a fleet and the identity of a member: what records and boards want.
    fn identity(&self, fleet: usize, position: u32) -> (u16, u32) {
        let fleet = &self.fleets[fleet];
        (fleet.index, fleet.members[position as usize])
    }
}

fn charged(mut recorder: Recorder, memory: &Lease) -> Recorder {
    recorder.charge(memory.clone());
    recorder
}

/// The header of a record that has none yet: who finishes it knows the trial.
fn unnamed(plan: &Plan) -> Header {
    Header {
        format: proofhouse_core::transcript::FORMAT,
        scenario: plan.id.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        target: plan.target.clone(),
        clock: String::from("live"),
        arm: String::new(),
    }
}

/// Whether a link does anything that the real network does not do by itself.
fn shapes(network: &Network) -> bool {
    let clean = Network::CLEAN;
    *network != clean
}
