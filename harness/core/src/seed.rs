//! One number from which every choice of the harness follows, through labelled streams.
//!
//! The generator is our own so that a stored seed keeps its meaning for ever: a label is hashed with SipHash-2-4 keyed
//! by the seed, SplitMix64 expands the hash, xoshiro256++ draws. The tests hold the published vectors of all three.
use core::fmt;

use serde::{Deserialize, Serialize};

/// The number from which every choice of a trial follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream of draws that belongs to one member of a named group: `seed.stream("device", 17)`.
    #[must_use]
    pub fn stream(self, label: &str, index: u64) -> Rng {
        Rng::new(self.hash(label, index))
    }

    /// A seed of its own for one part of the trial, so that parts do not disturb each other's draws.
    #[must_use]
    pub fn child(self, label: &str, index: u64) -> Seed {
        Seed(self.hash(label, index))
    }

    fn hash(self, label: &str, index: u64) -> u64 {
        let mut sip = Sip::new(self.0, SECOND_KEY);
        for chunk in label.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            sip.word(u64::from_le_bytes(word));
        }
        sip.word(index);
        sip.finish(label.len() as u64)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Second half of the SipHash key; the seed is the first. Any fixed number does: it spells "proofhou".
const SECOND_KEY: u64 = 0x756f_6866_6f6f_7270;

/// SipHash-2-4 over whole words.
struct Sip {
    v: [u64; 4],
}

impl Sip {
    fn new(k0: u64, k1: u64) -> Sip {
        Sip {
            v: [
                k0 ^ 0x736f_6d65_7073_6575,
                k1 ^ 0x646f_7261_6e64_6f6d,
                k0 ^ 0x6c79_6765_6e65_7261,
                k1 ^ 0x7465_6462_7974_6573,
            ],
        }
    }

    fn word(&mut self, m: u64) {
        self.v[3] ^= m;
        self.round();
        self.round();
        self.v[0] ^= m;
    }

    /// `last` is the final word as SipHash builds it: for whole words, the length in its top byte.
    fn finish(mut self, last: u64) -> u64 {
        self.word(last);
        self.v[2] ^= 0xff;
        for _ in 0..4 {
            self.round();
        }
        self.v[0] ^ self.v[1] ^ self.v[2] ^ self.v[3]
    }

    fn round(&mut self) {
        let v = &mut self.v;
        v[0] = v[0].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[2] = v[2].rotate_left(32);
    }
}

/// SplitMix64: 8 bytes of state. Expands a seed, and draws for devices where 32 bytes each would be too many.
#[derive(Clone, Copy, Debug)]
pub struct SplitMix(pub u64);

impl SplitMix {
    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "a generator never ends: it is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// xoshiro256++: the generator of every labelled stream. 32 bytes of state.
#[derive(Clone, Debug)]
pub struct Rng {
    s: [u64; 4],
}

impl Rng {
    /// A generator whose state is expanded from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        let mut mix = SplitMix(seed);
        Rng { s: [mix.next(), mix.next(), mix.next(), mix.next()] }
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "a generator never ends: it is no iterator")]
    pub fn next(&mut self) -> u64 {
        let s = &mut self.s;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A uniform number below `n` (Lemire's method, without bias). `n` must not be 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "below(0): there is no number below zero");
        let threshold = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.next()) * u128::from(n);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A uniform number in `lo..=hi`.
    pub fn between(&mut self, lo: u64, hi: u64) -> u64 {
        assert!(lo <= hi, "between({lo}, {hi}): the range is empty");
        match (hi - lo).checked_add(1) {
            Some(n) => lo + self.below(n),
            None => self.next(),
        }
    }

    /// A uniform number in `0.0..1.0`, with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siphash_answers_its_published_vector() {
        // Appendix A of the SipHash paper: key 00..0f, message 00..0e. The last word carries the 7 odd bytes and length 15.
        let mut sip = Sip::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        sip.word(0x0706_0504_0302_0100);
        assert_eq!(sip.finish(0x0f0e_0d0c_0b0a_0908), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn splitmix_answers_its_published_vector() {
        let mut mix = SplitMix(1_234_567);
        let drawn = [mix.next(), mix.next(), mix.next()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn xoshiro_answers_its_published_vector() {
        let mut rng = Rng { s: [1, 2, 3, 4] };
        let drawn = [rng.next(), rng.next(), rng.next()];
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn streams_differ_by_label_by_index_and_by_seed() {
        let first = |seed: u64, label, index| Seed(seed).stream(label, index).next();
        let all = [first(1, "a", 0), first(1, "b", 0), first(1, "a", 1), first(2, "a", 0), first(1, "a\0", 0)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b), "two streams of {all:?} begin alike");
        }
    }

    #[test]
    fn an_old_seed_keeps_its_meaning() {
        let mut rng = Seed(42).stream("device", 17);
        assert_eq!([rng.next(), rng.below(100), rng.between(5, 7)], GOLDEN, "stored seeds would lose their meaning");
    }
    const GOLDEN: [u64; 3] = [10_328_440_863_322_514_069, 40, 5];

    #[test]
    fn draws_stay_inside_their_range() {
        let mut rng = Seed(7).stream("range", 0);
        for _ in 0..10_000 {
            assert!(rng.below(3) < 3);
            assert!((5..=9).contains(&rng.between(5, 9)));
            assert!((0.0..1.0).contains(&rng.unit()));
        }
        assert_eq!(rng.between(4, 4), 4);
    }
}
