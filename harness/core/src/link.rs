//! Network emulation: what a path does to a message, as pure decisions, from a draw that its connection owns. The runner acts on them.
//!
//! Faults act at the transport's own level. On a stream nothing is lost, doubled or reordered: a loss shows as the delay
//! of one retransmission, and what follows waits behind it ([`Path::fate`]). Datagrams suffer all of it, and a late one waits
//! for nobody ([`Path::scatter`]).
use crate::connection::Close;
use crate::plan::Network;
use crate::seed::{Rng, SplitMix};
use crate::spread::Spread;
use crate::time::{Duration, Time};

/// One way over a path without delay: what loopback takes. With 0, two actors that answer each other at once would stop
/// the clock.
pub const WIRE: Duration = Duration::from_micros(20);

/// The least that a stack waits before it sends again (Linux, RFC 6298 says 1 s): what a loss costs on a stream.
pub const RETRANSMIT: Duration = Duration::from_millis(200);

/// How long a datagram is held back so that later ones overtake it: longer than a round trip on loopback, shorter than any
/// retransmission timer.
pub const HELD_BACK: Duration = Duration::from_millis(20);

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// When it arrives: never before what went before it.
    pub arrives: Time,
    /// Why later than the delay says, where that is the path's doing.
    pub fault: Option<Fault>,
}

/// What a path did to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Lost once, and sent again.
    Lost,
    /// Held back by a stall.
    Stalled,
    /// Arrives twice.
    Doubled,
    /// Held back, so that others overtake it.
    Overtaken,
    /// Arrives with one bit flipped.
    Corrupted,
}

impl Fault {
    /// As transcripts write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fault::Lost => "loss",
            Fault::Stalled => "stall",
            Fault::Doubled => "duplicate",
            Fault::Overtaken => "reorder",
            Fault::Corrupted => "corrupt",
        }
    }
}

/// What becomes of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scatter {
    /// When it arrives; `None`: never. With [`Fault::Doubled`] it arrives twice then.
    pub arrives: Option<Time>,
    /// What the path did to it, beside its delay.
    pub fault: Option<Fault>,
    /// With [`Fault::Corrupted`]: the bit that is flipped, to be taken modulo the length in bits.
    pub bit: u64,
}

/// A message that wants to pass.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// When it is sent.
    pub sent: Time,
    /// When the connection opened: cuts and stalls count from there.
    pub opened: Time,
    /// When the message before it, in the same direction, arrives.
    pub before: Time,
    /// Its length in bytes.
    pub len: usize,
}

/// The path of one fleet's connections, in whole nanoseconds.
#[derive(Clone, Debug)]
pub struct Path {
    delay: Spread<Duration>,
    /// A draw of 53 bits below the first is a loss; below the second, a datagram that comes twice; the third, one that is overtaken;
    /// the fourth, one that is damaged.
    shares: [u64; 4],
    stall: Option<(Duration, Duration)>,
    cut: Option<(Duration, Close)>,
    rate: u64,
    split: usize,
    drawn: bool,
}

impl Path {
    /// The path that a plan's network describes.
    #[must_use]
    pub fn new(network: &Network) -> Path {
        let mut upto = 0.0;
        let shares = [network.loss, network.duplicate, network.reorder, network.corrupt].map(|share| {
            upto += share;
            (f64::clamp(upto, 0.0, 1.0) * DRAW_END as f64) as u64
        });
        Path {
            delay: network.delay,
            shares,
            stall: network.stall,
            cut: network.cut,
            rate: network.rate,
            split: if network.split == 0 { usize::MAX } else { network.split as usize },
            drawn: upto > 0.0 || matches!(network.delay, Spread::Each(..)),
        }
    }

    /// Decides on one message. `draws` belongs to the connection's direction and moves on only where something is drawn.
    #[must_use]
    pub fn fate(&self, passage: Passage, draws: &mut SplitMix) -> Fate {
        let (delay, draw, _) = self.draw(draws);
        let lost = draw < self.shares[0];
        let mut arrives = (passage.sent + delay).max(passage.before);
        if lost {
            arrives = arrives + RETRANSMIT;
        }
        if let Some(on_wire) = (passage.len as u64 * 1_000_000_000).checked_div(self.rate) {
            arrives = arrives + Duration::from_nanos(on_wire);
        }
        let stalled = self.stalled_until(passage.opened, arrives);
        Fate {
            arrives: stalled.unwrap_or(arrives),
            fault: stalled.map(|_| Fault::Stalled).or(lost.then_some(Fault::Lost)),
        }
    }

    /// Decides on one datagram. It waits for those before it only where a rate makes them queue.
    #[must_use]
    pub fn scatter(&self, passage: Passage, draws: &mut SplitMix) -> Scatter {
        let (delay, draw, bit) = self.draw(draws);
        let mut arrives = passage.sent + delay;
        if let Some(on_wire) = (passage.len as u64 * 1_000_000_000).checked_div(self.rate) {
            arrives = arrives.max(passage.before) + Duration::from_nanos(on_wire);
        }
        let fault = self.shares.iter().position(|share| draw < *share).map(|at| FAULTS[at]);
        if fault == Some(Fault::Lost) {
            return Scatter { arrives: None, fault, bit };
        }
        if fault == Some(Fault::Overtaken) {
            arrives = arrives + HELD_BACK;
        }
        match self.stalled_until(passage.opened, arrives) {
            Some(end) => Scatter { arrives: Some(end), fault: fault.or(Some(Fault::Stalled)), bit },
            None => Scatter { arrives: Some(arrives), fault, bit },
        }
    }

    /// When and how the path ends a connection that opened at `opened`.
    #[must_use]
    pub fn cut(&self, opened: Time) -> Option<(Time, Close)> {
        self.cut.map(|(after, how)| (opened + after, how))
    }

    /// The pieces in which one write arrives.
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        bytes.chunks(self.split.min(bytes.len()).max(1))
    }

    /// Whether anything depends on a draw or on when a connection opened.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.drawn || self.stall.is_some()
    }

    /// Delay, the draw that decides on a fault, and one for what the fault needs.
    fn draw(&self, draws: &mut SplitMix) -> (Duration, u64, u64) {
        if !self.drawn {
            return (self.delay.most().max(WIRE), DRAW_END, 0);
        }
        let mut rng = Rng::new(draws.next());
        (self.delay.draw(&mut rng).max(WIRE), rng.next() >> 11, rng.next())
    }

    fn stalled_until(&self, opened: Time, arrives: Time) -> Option<Time> {
        let (start, length) = self.stall?;
        let start = opened + start;
        let end = start + length;
        (start <= arrives && arrives < end).then_some(end)
    }
}

/// In the order of [`Path::shares`].
const FAULTS: [Fault; 4] = [Fault::Lost, Fault::Doubled, Fault::Overtaken, Fault::Corrupted];

/// One past the largest draw: 53 bits, as many as a share can tell apart.
const DRAW_END: u64 = 1 << 53;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const CLEAN: Network = Network::CLEAN;

    fn passage(sent_ms: u32, before_ms: u32, len: usize) -> Passage {
        Passage { sent: Time::ZERO + sent_ms * MS, opened: Time::ZERO, before: Time::ZERO + before_ms * MS, len }
    }

    fn check(network: Network, passage: Passage, arrives: Duration, fault: Option<Fault>) {
        let fate = Path::new(&network).fate(passage, &mut SplitMix(1));
        assert_eq!(fate, Fate { arrives: Time::ZERO + arrives, fault });
    }

    #[test]
    fn a_clean_path_takes_20_us() {
        check(CLEAN, passage(1, 0, 9), MS + WIRE, None);
    }

    #[test]
    fn nothing_overtakes_on_a_stream() {
        let slow = Network { delay: Spread::Fixed(5 * MS), ..CLEAN };
        check(slow, passage(1, 0, 9), 6 * MS, None);
        check(slow, passage(1, 7, 9), 7 * MS, None);
    }

    #[test]
    fn a_loss_costs_one_retransmission_of_200_ms() {
        check(Network { loss: 1.0, ..CLEAN }, passage(1, 0, 9), MS + WIRE + 200 * MS, Some(Fault::Lost));
    }

    #[test]
    fn a_share_of_the_messages_is_lost() {
        let path = Path::new(&Network { loss: 0.25, ..CLEAN });
        let mut draws = SplitMix(9);
        let lost = (0..10_000).filter(|_| path.fate(passage(0, 0, 1), &mut draws).fault.is_some()).count();
        // 2,500 expected, standard deviation 43: five of them on either side.
        assert!((2_285..=2_715).contains(&lost), "{lost} of 10,000 were lost at 25 %");
    }

    fn scattered(network: Network, passage: Passage) -> (Option<Time>, Option<Fault>) {
        let scatter = Path::new(&network).scatter(passage, &mut SplitMix(1));
        (scatter.arrives, scatter.fault)
    }

    #[test]
    fn a_datagram_is_lost_for_good() {
        assert_eq!(scattered(Network { loss: 1.0, ..CLEAN }, passage(1, 0, 9)), (None, Some(Fault::Lost)));
    }

    #[test]
    fn a_datagram_waits_for_nobody() {
        let slow = Network { delay: Spread::Fixed(5 * MS), ..CLEAN };
        assert_eq!(scattered(slow, passage(1, 900, 9)), (Some(Time::ZERO + 6 * MS), None));
    }

    #[test]
    fn a_datagram_that_is_overtaken_comes_20_ms_late() {
        let late = Network { delay: Spread::Fixed(MS), reorder: 1.0, ..CLEAN };
        assert_eq!(scattered(late, passage(0, 0, 9)), (Some(Time::ZERO + 21 * MS), Some(Fault::Overtaken)));
    }

    #[test]
    fn each_share_of_the_datagrams_suffers_one_fault() {
        let path = Path::new(&Network { loss: 0.1, duplicate: 0.2, reorder: 0.3, corrupt: 0.1, ..CLEAN });
        let mut draws = SplitMix(9);
        let mut seen = [0_u32; 5];
        for _ in 0..10_000 {
            let fault = path.scatter(passage(0, 0, 1), &mut draws).fault;
            seen[FAULTS.iter().position(|one| fault == Some(*one)).unwrap_or(4)] += 1;
        }
        // Standard deviations are 30 to 46: five of them on either side.
        for (seen, expected) in seen.into_iter().zip([1_000, 2_000, 3_000, 1_000, 3_000_u32]) {
            assert!(seen.abs_diff(expected) < 230, "{seen} of 10,000 where {expected} were expected");
        }
    }

    #[test]
    fn a_stall_holds_what_arrives_in_it_until_it_ends() {
        let stall = Network { delay: Spread::Fixed(MS), stall: Some((10 * MS, 5 * MS)), ..CLEAN };
        check(stall, passage(8, 0, 1), 9 * MS, None);
        check(stall, passage(9, 0, 1), 15 * MS, Some(Fault::Stalled));
        check(stall, passage(13, 0, 1), 15 * MS, Some(Fault::Stalled));
        check(stall, passage(14, 0, 1), 15 * MS, None);
    }

    #[test]
    fn at_1000_bytes_a_second_500_bytes_take_half_a_second() {
        let slow = Network { rate: 1_000, ..CLEAN };
        check(slow, passage(0, 0, 500), 500 * MS + WIRE, None);
        check(slow, passage(0, 700, 500), 1_200 * MS, None);
    }

    #[test]
    fn a_spread_is_drawn_within_its_range_and_the_same_again() {
        let path = Path::new(&Network { delay: Spread::Each(5 * MS, 80 * MS), ..CLEAN });
        let run = |seed| {
            let mut draws = SplitMix(seed);
            let all: [Time; 50] = core::array::from_fn(|_| path.fate(passage(0, 0, 1), &mut draws).arrives);
            all
        };
        let drawn = run(4);
        assert!(drawn.iter().all(|at| (5 * MS..=80 * MS).contains(&at.since(Time::ZERO))), "{drawn:?}");
        assert_eq!(drawn, run(4));
        assert_ne!(drawn, run(5));
    }

    #[test]
    fn a_write_is_cut_into_pieces_that_add_up() {
        let lens = |split, len: usize| -> alloc::vec::Vec<usize> {
            Path::new(&Network { split, ..CLEAN }).pieces(&alloc::vec![0; len]).map(<[u8]>::len).collect()
        };
        assert_eq!(lens(0, 10), [10]);
        assert_eq!(lens(4, 10), [4, 4, 2]);
        assert_eq!(lens(1, 3), [1, 1, 1]);
        assert_eq!(lens(4, 4), [4]);
    }
}
