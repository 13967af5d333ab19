//! The witness (health check under attack): a legal client that shows that the target still serves everyone else.
//!
//! Rounds, lateness, patience and the last word are the same for every protocol; what a round trip is, and how one becomes a client of
//! the target, a protocol says in a [`Service`].
use crate::actor::{Actor, Input, Outbox};
use crate::ids::TimerId;
use crate::note::Note;
use crate::time::{Duration, Time, nanos};
use crate::transcript::WitnessState;

/// From the beginning of one round trip to that of the next.
const EVERY: Duration = Duration::from_millis(200);
/// A round trip takes longer than this only on a target that hangs; a datagram that was lost is repeated several times within it. The last
/// word has the same time from the moment at which it begins, joining the target again included.
const DEADLINE: Duration = Duration::from_secs(5);
/// From the end of the attack to the last word: what the attack has done to a target may show only once it has answered, closed and
/// come to its next timer.
pub(crate) const SETTLES: Duration = Duration::from_millis(250);

// A service counts its own timers from 0.
const NEXT: TimerId = TimerId(u32::MAX);
const PATIENCE: TimerId = TimerId(u32::MAX - 1);
const NEWCOMER: TimerId = TimerId(u32::MAX - 2);
const LAST_WORD: TimerId = TimerId(u32::MAX - 3);

/// What a protocol adds to a witness.
pub trait Service: Send {
    /// Takes an input. From [`Input::Start`] on it becomes a client of the target, and does so again by itself after every loss.
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) -> Heard;
    /// Begins a round trip, and forgets the one before; `false`: the target takes no such request.
    fn ask(&mut self, now: Time, out: &mut Outbox) -> bool;
    /// Gives up its connection, or its attempt to get one, and comes back after a while.
    fn leave(&mut self, now: Time, out: &mut Outbox);
    /// Comes back at once where it was waiting for that.
    fn join(&mut self, now: Time, out: &mut Outbox);
    /// Sends a newcomer: a client of its own, of which the target has never heard. One before it is given up.
    fn knock(&mut self, now: Time, out: &mut Outbox);
    /// Gives the newcomer up.
    fn dismiss(&mut self, now: Time, out: &mut Outbox);
}

/// What an input brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that matters.
    Nothing,
    /// It is a client now: rounds can begin.
    Joined,
    /// The round trip is complete.
    Served,
    /// The connection was lost, refused, or could not be opened.
    Lost,
    /// What became of the newcomer.
    Newcomer(Welcome),
}

/// What became of a newcomer that did not wait in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It was served, and has left again.
    Served,
    /// It was told that it is not served, or its connection was ended.
    TurnedAway,
    /// Nobody listened.
    Unheard,
}

/// One witness.
pub struct Witness<S> {
    service: S,
    stage: Phase,
    /// The attack is over, and its last word comes soon: no round begins before that, which the board might take for it.
    settling: bool,
    /// It owes the last word, since then.
    asked: Option<Time>,
    /// A newcomer waits to be served, since then.
    knocked: Option<Time>,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To become a client, since then.
    Away(Time),
    /// To begin the next round trip.
    Resting(Time),
    /// For the answer; planned to begin at, begun at.
    Asking(Time, Time),
}

impl<S: Service> Witness<S> {
    /// A witness that has not started.
    #[must_use]
    pub const fn new(service: S) -> Witness<S> {
        Witness { service, stage: Phase::Away(Time::ZERO), settling: false, asked: None, knocked: None }
    }

    /// The attack has settled: a round begins now, whatever an older question waits for. Who is away has the same time to come back and be
    /// served. Beside it comes a newcomer: who was let in before the attack does not show that anybody is let in after it.
    fn last_word(&mut self, now: Time, out: &mut Outbox) {
        self.settling = false;
        self.knock(now, out);
        self.asked = Some(now);
        out.wake(now + DEADLINE, PATIENCE);
        match self.stage {
            Phase::Away(_) => self.service.join(now, out),
            Phase::Resting(_) | Phase::Asking(..) => self.ask(now, now, out),
        }
    }

    fn knock(&mut self, now: Time, out: &mut Outbox) {
        self.knocked = Some(now);
        out.note(Note::Witness(WitnessState::Knocks));
        out.wake(now + DEADLINE, NEWCOMER);
        self.service.knock(now, out);
    }

    fn newcomer(&mut self, now: Time, welcome: Welcome, out: &mut Outbox) {
        let Some(since) = self.knocked.take() else { return };
        out.note(Note::Witness(match welcome {
            Welcome::Served => WitnessState::Welcomed { took: nanos(now - since) },
            Welcome::TurnedAway => WitnessState::TurnedAway,
            Welcome::Unheard => WitnessState::Unheard,
        }));
    }

    /// The newcomer's deadline may have passed. Woken late, we may have slept through its answer.
    fn newcomers_patience(&mut self, now: Time, out: &mut Outbox) {
        let Some(since) = self.knocked.take_if(|since| now >= *since + DEADLINE) else { return };
        let late = nanos(now.since(since + DEADLINE));
        out.note(Note::Witness(WitnessState::Ignored { waited: nanos(now - since), late }));
        self.service.dismiss(now, out);
    }

    fn away(&mut self, now: Time, out: &mut Outbox) {
        self.stage = Phase::Away(now);
        out.wake(now + DEADLINE, PATIENCE);
    }

    fn lost(&mut self, now: Time, out: &mut Outbox) {
        out.note(Note::Witness(WitnessState::Lost));
        self.away(now, out);
    }

    fn next(&mut self, now: Time, out: &mut Outbox) {
        if let Phase::Resting(planned) = self.stage
            && now >= planned
            && !self.settling
        {
            self.ask(planned, now, out);
        }
    }

    fn ask(&mut self, planned: Time, now: Time, out: &mut Outbox) {
        if !self.service.ask(now, out) {
            self.service.leave(now, out);
            return self.lost(now, out);
        }
        self.stage = Phase::Asking(planned, now);
        out.wake(now + DEADLINE, PATIENCE);
    }

    /// Every round that is under way once the last word was asked for began after that.
    fn served(&mut self, now: Time, out: &mut Outbox) {
        let Phase::Asking(planned, began) = self.stage else { return };
        self.asked = None;
        let (rtt, late) = (nanos(now - began), nanos(began - planned));
        out.note(Note::Witness(WitnessState::Served { rtt, late }));
        let next = (began + EVERY).max(now);
        self.stage = Phase::Resting(next);
        out.wake(next, NEXT);
    }

    /// A deadline may have passed.
    fn patience(&mut self, now: Time, out: &mut Outbox) {
        let (since, late) = match (self.asked, self.stage) {
            (Some(asked), Phase::Asking(planned, began)) => (asked, nanos(began - planned)),
            (Some(asked), _) => (asked, 0),
            (None, Phase::Asking(planned, began)) => (began, nanos(began - planned)),
            (None, Phase::Away(since)) => (since, 0),
            (None, Phase::Resting(_)) => return,
        };
        if now < since + DEADLINE {
            return;
        }
        // Woken late, we may have slept through the answer: that is our lateness too.
        let late = late.max(nanos(now.since(since + DEADLINE)));
        self.asked = None;
        out.note(Note::Witness(WitnessState::Missed { waited: nanos(now - since), late }));
        match self.stage {
            Phase::Away(_) => {
                self.service.leave(now, out);
                self.away(now, out);
            }
            Phase::Resting(_) | Phase::Asking(..) => self.ask(now, now, out),
        }
    }
}

impl<S: Service> Actor for Witness<S> {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => self.away(now, out),
            Input::Ask => {
                self.settling = true;
                return out.wake(now + SETTLES, LAST_WORD);
            }
            Input::Timer(LAST_WORD) => return self.last_word(now, out),
            Input::Timer(NEXT) => return self.next(now, out),
            Input::Timer(PATIENCE) => return self.patience(now, out),
            Input::Timer(NEWCOMER) => return self.newcomers_patience(now, out),
            _ => {}
        }
        match self.service.handle(now, input, out) {
            Heard::Nothing => {}
            Heard::Joined => self.ask(now, now, out),
            Heard::Served => self.served(now, out),
            Heard::Lost => self.lost(now, out),
            Heard::Newcomer(welcome) => self.newcomer(now, welcome, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::actor::Act;
    use crate::ids::Conn;

    /// A protocol in which a byte is an answer: `j` joined, `s` served, `n` the newcomer too.
    #[derive(Default)]
    struct Toy {
        joins: u32,
        leaves: u32,
        asks: u32,
        refuses: bool,
        knocks: u32,
        dismissed: u32,
    }

    impl Service for Toy {
        fn handle(&mut self, _: Time, input: Input<'_>, _: &mut Outbox) -> Heard {
            match input {
                Input::Bytes(_, b"j") => Heard::Joined,
                Input::Bytes(_, b"s") => Heard::Served,
                Input::Bytes(_, b"n") => Heard::Newcomer(Welcome::Served),
                Input::Closed(..) => Heard::Lost,
                _ => Heard::Nothing,
            }
        }
        fn ask(&mut self, _: Time, _: &mut Outbox) -> bool {
            self.asks += 1;
            !self.refuses
        }
        fn leave(&mut self, _: Time, _: &mut Outbox) {
            self.leaves += 1;
        }
        fn join(&mut self, _: Time, _: &mut Outbox) {
            self.joins += 1;
        }
        fn knock(&mut self, _: Time, _: &mut Outbox) {
            self.knocks += 1;
        }
        fn dismiss(&mut self, _: Time, _: &mut Outbox) {
            self.dismissed += 1;
        }
    }

    struct Stand {
        witness: Witness<Toy>,
        now: Time,
        wakes: Vec<(Time, TimerId)>,
        words: Vec<WitnessState>,
        newcomers: Vec<WitnessState>,
    }

    const MS: u64 = 1_000_000;

    fn at(ms: u64) -> Time {
        Time(ms * MS)
    }

    impl Stand {
        fn new() -> Stand {
            let witness = Witness::new(Toy::default());
            let mut stand = Stand { witness, now: Time::ZERO, wakes: vec![], words: vec![], newcomers: vec![] };
            stand.input(0, Input::Start);
            stand
        }

        /// Timers first, each at its moment; then the input.
        fn input(&mut self, ms: u64, input: Input<'_>) {
            self.until(ms);
            self.tell(at(ms), input);
        }

        fn until(&mut self, ms: u64) {
            loop {
                self.wakes.sort_unstable_by_key(|(when, _)| *when);
                if self.wakes.first().is_none_or(|(when, _)| *when > at(ms)) {
                    return;
                }
                let (when, id) = self.wakes.remove(0);
                self.tell(when.max(self.now), Input::Timer(id));
            }
        }

        fn tell(&mut self, now: Time, input: Input<'_>) {
            self.now = now;
            let mut out = Outbox::new();
            self.witness.handle(now, input, &mut out);
            let (acts, _) = out.take();
            for act in acts {
                match act {
                    Act::Wake(when, id) => self.wakes.push((when, id)),
                    Act::Note(Note::Witness(state)) if state.is_of_newcomer() => self.newcomers.push(state),
                    Act::Note(Note::Witness(state)) => self.words.push(state),
                    other => panic!("{other:?}"),
                }
            }
        }

        /// The attack was over so early that the last word begins now.
        fn last_word(&mut self, ms: u64) {
            self.input(ms - 250, Input::Ask);
            self.until(ms);
        }

        fn bytes(&mut self, ms: u64, bytes: &[u8]) {
            self.input(ms, Input::Bytes(Conn(0), bytes));
        }
    }

    fn served(rtt: u64, late: u64) -> WitnessState {
        WitnessState::Served { rtt: rtt * MS, late: late * MS }
    }

    fn missed(waited: u64, late: u64) -> WitnessState {
        WitnessState::Missed { waited: waited * MS, late: late * MS }
    }

    #[test]
    fn a_round_begins_200_ms_after_the_one_before() {
        let mut stand = Stand::new();
        stand.bytes(10, b"j");
        stand.bytes(13, b"s");
        stand.until(209);
        assert_eq!(stand.witness.service.asks, 1);
        stand.bytes(212, b"s");
        assert_eq!(stand.words, [served(3, 0), served(2, 0)]);
    }

    #[test]
    fn no_answer_within_five_seconds_is_a_miss_and_the_next_question() {
        let mut stand = Stand::new();
        stand.bytes(10, b"j");
        stand.until(5_009);
        assert_eq!(stand.words, []);
        stand.until(5_010);
        assert_eq!((&stand.words[..], stand.witness.service.asks), (&[missed(5_000, 0)][..], 2));
    }

    #[test]
    fn who_is_away_for_five_seconds_misses_too_and_tries_anew() {
        let mut stand = Stand::new();
        stand.until(5_000);
        assert_eq!((&stand.words[..], stand.witness.service.leaves), (&[missed(5_000, 0)][..], 1));
    }

    #[test]
    fn the_last_word_is_a_round_that_begins_once_the_attack_has_settled() {
        let mut resting = Stand::new();
        resting.bytes(0, b"j");
        resting.bytes(2, b"s");
        resting.input(50, Input::Ask);
        resting.until(299);
        assert_eq!(
            (resting.witness.service.asks, resting.newcomers.len()),
            (1, 0),
            "no round that might be taken for it"
        );
        resting.bytes(303, b"s");
        assert_eq!(resting.words, [served(2, 0), served(3, 0)]);
        assert_eq!(resting.newcomers, [WitnessState::Knocks]);
    }

    #[test]
    fn with_the_last_word_comes_a_newcomer_who_has_five_seconds() {
        let mut stand = Stand::new();
        stand.bytes(0, b"j");
        stand.bytes(2, b"s");
        assert_eq!(stand.witness.service.knocks, 0);
        stand.last_word(300);
        stand.bytes(303, b"s");
        stand.bytes(310, b"n");
        assert_eq!(stand.newcomers, [WitnessState::Knocks, WitnessState::Welcomed { took: 10 * MS }]);
        stand.until(6_000);
        assert_eq!((stand.newcomers.len(), stand.witness.service.dismissed), (2, 0));
        stand.last_word(7_000);
        stand.until(11_999);
        assert_eq!(stand.newcomers.len(), 3);
        stand.until(12_000);
        assert_eq!(stand.newcomers[3], WitnessState::Ignored { waited: 5_000 * MS, late: 0 });
        assert_eq!(stand.witness.service.dismissed, 1);
        stand.bytes(12_001, b"n");
        assert_eq!(stand.newcomers.len(), 4, "too late");
    }

    #[test]
    fn an_older_question_is_not_the_last_word() {
        let mut asking = Stand::new();
        asking.bytes(0, b"j");
        asking.last_word(4_000);
        assert_eq!(asking.witness.service.asks, 2);
        asking.until(8_999);
        assert_eq!(asking.words, [], "the older one has its end too, but says nothing more");
        asking.until(9_000);
        assert_eq!(asking.words, [missed(5_000, 0)]);
    }

    #[test]
    fn who_is_away_joins_at_once_and_is_served_within_the_same_five_seconds() {
        let mut stand = Stand::new();
        stand.input(1_000, Input::Closed(Conn(0), crate::connection::Close::Refused));
        stand.last_word(1_300);
        assert_eq!(stand.witness.service.joins, 1);
        stand.bytes(3_000, b"j");
        stand.bytes(3_004, b"s");
        assert_eq!(stand.words, [WitnessState::Lost, served(4, 0)]);
    }

    #[test]
    fn the_last_word_has_five_seconds_in_all() {
        let mut stand = Stand::new();
        stand.last_word(1_000);
        stand.bytes(5_900, b"j");
        stand.until(5_999);
        assert_eq!(stand.words, []);
        stand.until(6_000);
        assert_eq!(stand.words, [missed(5_000, 0)], "it was due at 1 s, and joined at 5.9 s");
        let mut lost = Stand::new();
        lost.bytes(0, b"j");
        lost.last_word(1_000);
        lost.input(2_000, Input::Closed(Conn(0), crate::connection::Close::Reset));
        lost.until(6_000);
        assert_eq!(lost.words, [WitnessState::Lost, missed(5_000, 0)]);
    }

    #[test]
    fn our_own_lateness_is_told_with_the_word() {
        let mut stand = Stand::new();
        stand.bytes(0, b"j");
        stand.bytes(2, b"s");
        stand.tell(at(900), Input::Timer(NEXT));
        stand.tell(at(903), Input::Bytes(Conn(0), b"s"));
        assert_eq!(stand.words[1], served(3, 700), "planned for 200 ms");
        stand.tell(at(1_200), Input::Timer(NEXT));
        stand.tell(at(7_200), Input::Timer(PATIENCE));
        assert_eq!(stand.words[2], missed(6_000, 1_000));
    }

    #[test]
    fn a_target_that_takes_no_question_has_thrown_the_witness_out() {
        let mut stand = Stand::new();
        stand.witness.service.refuses = true;
        stand.bytes(10, b"j");
        assert_eq!((&stand.words[..], stand.witness.service.leaves), (&[WitnessState::Lost][..], 1));
    }
}
