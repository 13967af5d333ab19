//! A transcript with its connections and steps gathered: what oracles ask again and again.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::index::Index;
use super::lateness::{Lateness, tolerance};
use super::pace;
use super::window::Window;
use crate::admin::Order;
use crate::connection::Close;
use crate::grammar::Grammar;
use crate::ids::EntryId;
use crate::part::Part;
use crate::plan::{Plan, StepPlan};
use crate::recorder::ROUNDS_BEFORE;
use crate::recorder::{LISTEN_OVERFLOWS, MEMORY_LIMIT, RECEIVED_LIMIT, RECORD_LIMIT};
use crate::time::{Duration, Time};
use crate::transcript::{By, Entry, Event, Life, Packet, StepState, Transcript, Who, WitnessState};

/// An entry and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// Which entry.
    pub id: EntryId,
}

/// Life of one connection of a member.
#[derive(Clone, Debug)]
pub struct Connection<'a> {
    /// Name of the fleet.
    pub fleet: &'a str,
    /// The member.
    pub member: u32,
    /// What is known of the packets on it.
    pub grammar: &'static Grammar,
    /// Name in the script.
    pub label: &'a str,
    /// When it stood; `None`: it never did.
    pub opened: Option<Moment>,
    /// When it ended, by whom and how.
    pub closed: Option<(Moment, By, Close)>,
}

/// What became of one step of one member.
#[derive(Clone, Debug)]
pub struct StepRun<'a> {
    /// Name of the fleet.
    pub fleet: &'a str,
    /// The member.
    pub member: u32,
    /// Index in the fleet's script.
    pub index: u16,
    /// The verb.
    pub verb: &'a str,
    /// What it is for, where the script says so.
    pub part: Option<Part>,
    /// The connection that it worked on.
    pub conn: Option<u32>,
    /// When it began.
    pub started: Option<Moment>,
    /// When it ended and how: met, unmet, unsaid or beyond a limit.
    pub ended: Option<(Moment, StepState)>,
    /// What matched, or what came instead.
    pub detail: &'a str,
    /// How long the target has for the answer that it asks for; `None`: it asks for none, or for silence.
    pub patience: Option<Duration>,
    /// Silence may meet it: how long it took measures no response time.
    pub may_be_silent: bool,
}

impl StepRun<'_> {
    /// The last that was seen of it.
    #[must_use]
    pub fn last(&self) -> Option<Moment> {
        self.ended.map(|(moment, _)| moment).or(self.started)
    }

    /// It was handed to the connection, whatever was answered.
    #[must_use]
    pub fn was_said(&self) -> bool {
        match self.ended {
            Some((_, StepState::Unsaid | StepState::Beyond | StepState::Barred)) => false,
            Some(_) => true,
            None => self.started.is_some(),
        }
    }

    /// Nothing decided it but the end of the time that the step gives: no wrong answer came, and the connection stood.
    #[must_use]
    pub fn ran_out(&self) -> bool {
        let took = self.started.zip(self.ended).map(|(from, (until, _))| until.at.since(from.at));
        took.zip(self.patience).is_some_and(|(took, patience)| took >= patience)
    }

    /// As messages name it: `foe[3] step 2 (send)`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}[{}] step {} ({})", self.fleet, self.member, self.index, self.verb)
    }
}

/// The gathered transcript.
pub struct Record<'a> {
    /// What it was gathered from.
    pub transcript: &'a Transcript,
    /// Every connection by number.
    pub connections: BTreeMap<u32, Connection<'a>>,
    /// Every step that was begun or could not be, by fleet, member and index.
    pub steps: BTreeMap<(&'a str, u32, u16), StepRun<'a>>,
    /// Until when we looked: time of the last entry of ours. A target that is kept, or is slow to stop, logs on after that.
    pub end: Time,
    /// When the attack was on the wire.
    pub window: Option<Window>,
    /// When we, or the machine, were late.
    pub lateness: Lateness,
    /// The usual response time: what legal clients waited for an answer before the attack (median).
    pub pace: Duration,
    index: Index<'a>,
    /// The connections of each member, by number.
    conns: BTreeMap<(&'a str, u32), Vec<u32>>,
    /// The steps that worked on each connection, in the order of `steps`.
    said_on: BTreeMap<u32, Vec<(&'a str, u32, u16)>>,
}

impl<'a> Record<'a> {
    /// Gathers what this plan's trial has recorded.
    #[must_use]
    pub fn new(plan: &Plan, transcript: &'a Transcript) -> Record<'a> {
        let mut record = Record {
            transcript,
            connections: BTreeMap::new(),
            steps: BTreeMap::new(),
            end: Time::ZERO,
            window: None,
            lateness: Lateness::of(transcript),
            pace: Duration::ZERO,
            index: Index::new(transcript),
            conns: BTreeMap::new(),
            said_on: BTreeMap::new(),
        };
        for (id, entry) in transcript.iter() {
            if entry.who != Who::Target {
                record.end = record.end.max(entry.at);
            }
            record.take(plan, id, entry);
        }
        for (conn, connection) in &record.connections {
            record.conns.entry((connection.fleet, connection.member)).or_default().push(*conn);
        }
        for (key, step) in &record.steps {
            if let Some(conn) = step.conn {
                record.said_on.entry(conn).or_default().push(*key);
            }
        }
        record.window = Window::of(plan, &record);
        record.pace = pace::before_the_attack(&record);
        record
    }

    fn take(&mut self, plan: &Plan, id: EntryId, entry: &'a Entry) {
        let Who::Member(fleet, member) = &entry.who else { return };
        let moment = Moment { at: entry.at, id };
        let new = || Connection {
            fleet,
            member: *member,
            grammar: plan.grammar(fleet),
            label: "",
            opened: None,
            closed: None,
        };
        match &entry.event {
            Event::Opened { conn, label, .. } => {
                self.connections.insert(*conn, Connection { label, opened: Some(moment), ..new() });
            }
            Event::Closed { conn, by, how } => {
                let connection = self.connections.entry(*conn).or_insert_with(new);
                connection.closed = Some((moment, *by, *how));
            }
            Event::Step { index, verb, conn, state, part, detail } => {
                let step = self.steps.entry((fleet, *member, *index)).or_insert_with(|| {
                    let of = plan.fleet(fleet);
                    let planned = of.and_then(|of| of.steps.iter().find(|step| step.index == *index));
                    StepRun {
                        fleet,
                        member: *member,
                        index: *index,
                        verb,
                        part: *part,
                        conn: None,
                        started: None,
                        ended: None,
                        detail: "",
                        patience: planned.and_then(patience),
                        may_be_silent: planned.is_some_and(may_be_silent),
                    }
                });
                step.conn = conn.or(step.conn);
                match state {
                    StepState::Started => step.started = step.started.or(Some(moment)),
                    ended => {
                        step.ended = Some((moment, *ended));
                        step.detail = detail;
                    }
                }
            }
            _ => {}
        }
    }

    /// Steps of the attack.
    pub fn stimuli(&self) -> impl Iterator<Item = &StepRun<'a>> {
        self.steps.values().filter(|step| step.part == Some(Part::Stimulus))
    }

    /// The first and the last moment of the window of attack; `None` where there was none.
    #[must_use]
    pub fn attack(&self) -> Option<(Moment, Moment)> {
        self.window.map(|window| (window.first, window.last))
    }

    /// The steps that worked on a connection.
    pub fn steps_of(&self, conn: u32) -> impl Iterator<Item = &StepRun<'a>> {
        self.said_on.get(&conn).into_iter().flatten().map(|key| &self.steps[key])
    }

    /// The connections of a member, by number.
    pub fn connections_of<'s>(
        &'s self,
        fleet: &'s str,
        member: u32,
    ) -> impl Iterator<Item = (u32, &'s Connection<'a>)> + 's {
        let conns: &BTreeMap<(&'s str, u32), Vec<u32>> = &self.conns;
        conns.get(&(fleet, member)).into_iter().flatten().map(|conn| (*conn, &self.connections[conn]))
    }

    /// The packets that a member sent or received, on whichever connection, in order.
    #[must_use]
    pub fn packets_by(&self, fleet: &str, member: u32) -> Vec<Crossing<'a>> {
        let conns = self.connections_of(fleet, member);
        let mut all: Vec<Crossing<'a>> = conns.flat_map(|(conn, _)| self.packets_of(conn)).collect();
        all.sort_by_key(|crossing| crossing.moment.id); // stable: packets of one entry keep their order
        all
    }

    /// The witnesses that had something to say, in the order of their names.
    pub fn witnesses(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.index.witnesses()
    }

    /// The first moment from which the target was not itself any more: it ended, or was told to start anew.
    #[must_use]
    pub fn target_ended(&self) -> Moment {
        let over = |event: &Event| match event {
            Event::Life(Life::Exited { .. } | Life::Signalled { .. } | Life::Stopped) => true,
            Event::Ordered { order } => *order == Order::Restart,
            _ => false,
        };
        let first = self.transcript.iter().find(|(_, entry)| over(&entry.event));
        first.map_or(Moment { at: Time::NEVER, id: EntryId(u32::MAX) }, |(id, entry)| Moment { at: entry.at, id })
    }

    /// Whether somebody may have spoken to the target before this trial: it was played in, or ran already. It may still be telling those who
    /// were there, and a port of theirs may be ours now.
    #[must_use]
    pub fn is_used(&self) -> bool {
        let has = |wanted: fn(&Event) -> bool| self.transcript.entries.iter().any(|entry| wanted(&entry.event));
        let started = has(|event| matches!(event, Event::Life(Life::Started { .. })));
        let ran_already = self.transcript.header.clock == "live" && !started;
        ran_already || has(|event| matches!(event, Event::Gauge { name, .. } if name == ROUNDS_BEFORE))
    }

    /// The first moment from which the record is not whole, or the target was not itself any more. Where a limit of ours cut the record,
    /// nothing that is missing afterwards says anything.
    #[must_use]
    pub fn whole_until(&self) -> Moment {
        const LIMITS: [&str; 3] = [RECORD_LIMIT, MEMORY_LIMIT, RECEIVED_LIMIT];
        let cut = |event: &Event| matches!(event, Event::Calibration { name, .. } if LIMITS.contains(&name.as_str()));
        let ended = self.target_ended();
        let first = self.transcript.iter().find(|(id, entry)| *id < ended.id && cut(&entry.event));
        first.map_or(ended, |(id, entry)| Moment { at: entry.at, id })
    }

    /// Round trips of one witness, in order.
    pub fn witness(&self, name: &str) -> impl Iterator<Item = (Moment, WitnessState)> + '_ {
        self.index.rounds(name).iter().copied()
    }

    /// The newcomers beside one witness: each knocks, and then what became of it.
    #[must_use]
    pub fn newcomers(&self, name: &str) -> &[(Moment, WitnessState)] {
        self.index.newcomers(name)
    }

    /// When every witness had been served a whole round trip that began at or after `since`.
    #[must_use]
    pub fn served_after(&self, since: Time) -> Option<Moment> {
        let each = self.witnesses().map(|witness| self.witness_served_after(witness, since));
        each.reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))).flatten()
    }

    /// The first whole round trip of this witness that began at or after `since`.
    #[must_use]
    pub fn witness_served_after(&self, witness: &str, since: Time) -> Option<Moment> {
        self.witness(witness).find_map(|(moment, state)| match state {
            WitnessState::Served { rtt, .. } if moment.at.0.saturating_sub(rtt) >= since.0 => Some(moment),
            _ => None,
        })
    }

    /// Every packet that a member sent (`true`) or received, with its entry and connection, in order.
    pub fn packets(&self) -> impl Iterator<Item = Crossing<'a>> {
        self.transcript.iter().flat_map(|(id, entry)| crossings(id, entry))
    }

    /// The packets of one connection, in order.
    pub fn packets_of(&self, conn: u32) -> impl DoubleEndedIterator<Item = Crossing<'a>> {
        let entries = self.index.bytes(conn).iter();
        entries.flat_map(|id| crossings(*id, &self.transcript.entries[id.0 as usize]))
    }

    /// The entries in which bytes of one connection were sent or received, in order.
    #[must_use]
    pub fn bytes_of(&self, conn: u32) -> &[EntryId] {
        self.index.bytes(conn)
    }

    /// Where a connection stood at a moment, in the target's own terms: `say/loud/after-welcome` is the packet that was sent
    /// then (or last before), and the first one that the target had answered with. Never a number that differs from seed to seed:
    /// it is part of a finding's signature.
    #[must_use]
    pub fn place(&self, conn: u32, at: Time) -> String {
        let grammar = self.connections.get(&conn).map_or(&Grammar::NONE, |connection| connection.grammar);
        let mut first_answer = None;
        let mut said: Option<(&Packet, Option<&str>)> = None;
        for crossing in self.packets_of(conn) {
            if crossing.sent {
                said = Some((crossing.packet, first_answer));
                if crossing.moment.at >= at {
                    break;
                }
            } else if first_answer.is_none() {
                first_answer = Some(crossing.packet.kind.as_str());
            }
        }
        match said {
            None => String::from("open/no-packet"),
            Some((packet, before)) => format!("{}/after-{}", (grammar.kind)(packet), before.unwrap_or("nothing")),
        }
    }

    /// Whether a limit of our own machine ended this connection: what became of it then says nothing about the target.
    #[must_use]
    pub fn is_limited(&self, conn: u32) -> bool {
        self.connections.get(&conn).is_some_and(|c| matches!(c.closed, Some((_, By::Limit, _))))
    }

    /// Whether the target itself refused this connection, or ended it.
    #[must_use]
    pub fn is_ended_by_target(&self, conn: u32) -> bool {
        self.connections.get(&conn).is_some_and(|c| matches!(c.closed, Some((_, By::Peer, _))))
    }

    /// Whether the target refused or ended the connection of a step, and nothing of the attack had been said on it: a legal client
    /// was thrown out.
    #[must_use]
    pub fn was_thrown_out(&self, run: &StepRun<'_>) -> bool {
        let own = (run.fleet, run.member, 0)..=(run.fleet, run.member, u16::MAX);
        let attacked =
            |step: &StepRun<'_>| step.conn == run.conn && step.part == Some(Part::Stimulus) && step.was_said();
        run.conn.is_some_and(|conn| self.is_ended_by_target(conn))
            && !self.steps.range(own).any(|(_, step)| attacked(step))
    }

    /// The longest that the target took to answer a control of this trial: what it says now may have been under way for as long.
    #[must_use]
    pub fn slowest_control(&self) -> Option<Duration> {
        self.steps.values().filter_map(pace::answered_control).map(|(_, took)| took).max()
    }

    /// Why a silence of this length shows nothing: the target took as long to answer a control of the same trial.
    #[must_use]
    pub fn hides_an_answer(&self, silence: Duration) -> Option<String> {
        let slowest = self.slowest_control()?;
        (silence <= slowest + tolerance(slowest)).then(|| {
            let [silence, slowest] = [silence, slowest].map(|long| long.as_millis());
            format!("{silence} ms of silence show nothing where a control took {slowest} ms")
        })
    }

    /// How long this step's connection was listened to from when the step began: until the last later step on it was met.
    #[must_use]
    pub fn listened(&self, run: &StepRun<'_>) -> Option<Duration> {
        let met = |step: &StepRun<'_>| step.ended.filter(|(_, state)| *state == StepState::Met);
        let later = self.steps_of(run.conn?).filter(|step| step.index >= run.index && step.member == run.member);
        let until = later.filter_map(met).map(|(moment, _)| moment.at).max()?;
        Some(until.since(run.started?.at))
    }

    /// Whether the target refused this step for want of time or quota: that says nothing about what was asked.
    #[must_use]
    pub fn was_turned_away(&self, run: &StepRun<'_>) -> bool {
        let (Some(conn), Some((ended, state))) = (run.conn, run.ended) else { return false };
        let Some(connection) = self.connections.get(&conn) else { return false };
        let busy = |c: &Crossing<'_>| (connection.grammar.busy)(c.packet);
        let mut heard = self.packets_of(conn).filter(|c| !c.sent && c.moment <= ended);
        match (state, run.started) {
            // A step that could not be said any more was refused with the last that came before it.
            (StepState::Barred, _) | (_, None) => heard.next_back().is_some_and(|last| busy(&last)),
            (_, Some(from)) => heard.any(|c| c.moment >= from && busy(&c)),
        }
    }

    /// Connections that stand for us, and that the target's process was never given: its queue was full. Not more than this many.
    #[must_use]
    pub fn never_handed_over(&self) -> usize {
        let overflows = self.transcript.entries.iter().filter_map(|entry| match &entry.event {
            Event::Calibration { name, value } if name == LISTEN_OVERFLOWS => Some(*value),
            _ => None,
        });
        // Each of our loops has counted for itself, and all of them the whole machine.
        overflows.max().map_or(0, |most| usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// Whether any bytes left a member on this connection at or after `since`.
    #[must_use]
    pub fn sent_since(&self, conn: u32, since: Time) -> Option<Moment> {
        self.index.sent_since(conn, since)
    }
}

/// What a step of the script gives the target for its answer.
fn patience(step: &StepPlan) -> Option<Duration> {
    (!step.any.is_empty() && !may_be_silent(step)).then_some(step.within)
}

fn may_be_silent(step: &StepPlan) -> bool {
    step.any.iter().any(|alternative| alternative.silence.is_some())
}

/// The packets that an entry completed.
fn crossings(id: EntryId, entry: &Entry) -> impl DoubleEndedIterator<Item = Crossing<'_>> {
    let (sent, bytes) = match &entry.event {
        Event::Sent(bytes) => (true, Some(bytes)),
        Event::Received(bytes) => (false, Some(bytes)),
        _ => (false, None),
    };
    let moment = Moment { at: entry.at, id };
    bytes.into_iter().flat_map(move |bytes| {
        bytes.packets.iter().map(move |packet| Crossing { moment, conn: bytes.conn, sent, packet })
    })
}

/// One packet on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// The entry that completed it.
    pub moment: Moment,
    /// The connection.
    pub conn: u32,
    /// By the member; otherwise by the target.
    pub sent: bool,
    /// The packet.
    pub packet: &'a Packet,
}

/// Whether a step of this verb puts bytes on the wire: some verbs of the engine do not, every verb of a protocol does.
pub fn writes(verb: &str) -> bool {
    !matches!(verb, "open" | "wait" | "expect" | "shutdown" | "reset" | "stop-reading")
}

/// The entries of some moments, in order and each once.
#[must_use]
pub fn ids(moments: impl IntoIterator<Item = Moment>) -> Vec<EntryId> {
    let mut ids: Vec<EntryId> = moments.into_iter().map(|moment| moment.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
