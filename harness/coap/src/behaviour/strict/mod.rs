//! Behaviours against the strict server's side: whatever a legal server answers and a network loses, doubles and delays, a legal client
//! sends nothing that RFC 7252, 7641 and 7959 forbid.
mod audit;

use std::boxed::Box;
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use proofhouse_core::actor::{Act, Crowd, Input, Outbox};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::seed::SplitMix;
use proofhouse_core::testing;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::value::Value;

use audit::{Audit, Read, read};

type Kept = Result<(), String>;
/// A mistake of a client, made on the wire: what it says is altered before the audit hears of it.
type Mistake = fn(&mut Vec<u8>, u64);

fn below(rng: &mut SplitMix, most: u64) -> u64 {
    rng.next() % most.max(1)
}

/// A datagram on its way: which way, on which association, when.
type Way = BTreeMap<(Time, u64), (bool, Conn, Vec<u8>)>;

struct World {
    crowd: Box<dyn Crowd>,
    audits: BTreeMap<Conn, Audit>,
    out: Outbox,
    rng: SplitMix,
    now: Time,
    count: u64,
    wakes: BTreeMap<(Time, u64), TimerId>,
    way: Way,
    mid: u16,
    /// Observations: association, token, number of the last notification.
    observed: Vec<(Conn, Vec<u8>, u32)>,
    mistake: Option<Mistake>,
    log: Vec<String>,
    /// Each new question is the end of the one before.
    gives_up: bool,
    forgetful: bool,
    measures: bool,
}

impl World {
    fn tell(&mut self, input: Input<'_>) -> Kept {
        self.crowd.handle(0, self.now, input, &mut self.out);
        let (acts, bytes) = self.out.take();
        let mut opened = vec![];
        for act in &acts {
            match act {
                Act::Open(conn, ..) => opened.push(*conn),
                Act::Send(conn, from, to) => self.said(*conn, &bytes[*from..*to])?,
                Act::Close(conn, _) => drop(self.audits.remove(conn)),
                Act::Wake(at, id) => {
                    self.count += 1;
                    self.wakes.insert((*at, self.count), *id);
                }
                Act::Reading(..) | Act::Note(_) | Act::Flush(_) => {}
            }
        }
        self.out.restore(acts, bytes);
        self.audits.values().try_for_each(Audit::settled)?;
        opened.into_iter().try_for_each(|conn| {
            self.audits.insert(conn, Audit::new(self.forgetful, self.measures));
            self.tell(Input::Opened(conn))
        })
    }

    fn said(&mut self, conn: Conn, bytes: &[u8]) -> Kept {
        let mut bytes = bytes.to_vec();
        if let Some(mistake) = self.mistake {
            mistake(&mut bytes, self.count);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let (gives_up, now) = (self.gives_up, self.now);
        let audit = self.audits.get_mut(&conn).ok_or("a datagram on an association that was closed")?;
        if gives_up && bytes[1] != 0 {
            audit.give_up(&bytes);
        }
        audit.said(now, &bytes)?;
        self.carry(true, conn, &bytes);
        Ok(())
    }

    /// The network loses a fifth, doubles a fifth, and takes from nothing to five seconds.
    fn carry(&mut self, up: bool, conn: Conn, bytes: &[u8]) {
        let copies = [0, 1, 1, 1, 2][below(&mut self.rng, 5) as usize];
        for _ in 0..copies {
            let most = if below(&mut self.rng, 4) == 0 { 5_000 } else { 50 };
            let at = self.now + Duration::from_millis(below(&mut self.rng, most));
            self.count += 1;
            self.way.insert((at, self.count), (up, conn, bytes.to_vec()));
        }
    }

    /// What happens next: a datagram arrives, or a wake comes.
    fn step(&mut self) -> Kept {
        let datagram = self.way.first_key_value().map(|(at, _)| *at);
        let wake = self.wakes.first_key_value().map(|(at, _)| *at);
        match (datagram, wake) {
            (Some(at), wake) if wake.is_none_or(|wake| at <= wake) => {
                self.now = self.now.max(at.0);
                let (up, conn, bytes) = self.way.remove(&at).expect("it was just seen");
                if up { self.serve(conn, &bytes) } else { self.arrive(conn, &bytes) }
            }
            (_, Some(at)) => {
                self.now = self.now.max(at.0);
                let id = self.wakes.remove(&at).expect("it was just seen");
                self.tell(Input::Timer(id))
            }
            _ => Ok(()),
        }
    }

    fn arrive(&mut self, conn: Conn, bytes: &[u8]) -> Kept {
        let Some(audit) = self.audits.get_mut(&conn) else { return Ok(()) };
        audit.heard(self.now, &read(bytes)?);
        self.tell(Input::Bytes(conn, bytes))
    }

    /// A legal server of many moods.
    fn serve(&mut self, conn: Conn, bytes: &[u8]) -> Kept {
        let asked = read(bytes)?;
        if asked.code == 0 {
            return Ok(());
        }
        match below(&mut self.rng, 8) {
            0 => {} // it is busy, and the client asks again
            1 if asked.kind == 0 => self.carry(false, conn, &empty(3, asked.mid)),
            2 | 3 if asked.kind == 0 => {
                self.carry(false, conn, &empty(2, asked.mid));
                self.separate(conn, &asked);
            }
            4 => self.separate(conn, &asked),
            _ => {
                let (kind, mid) = if asked.kind == 0 { (2, asked.mid) } else { (1, self.fresh()) };
                let response = self.response(&asked, kind, mid);
                self.carry(false, conn, &response);
            }
        }
        if asked.option(6) == Some(0) && self.observed.len() < 4 {
            self.observed.push((conn, asked.token.clone(), 1));
        }
        self.notify();
        Ok(())
    }

    fn separate(&mut self, conn: Conn, asked: &Read) {
        let (kind, mid) = (below(&mut self.rng, 2) as u8, self.fresh());
        let response = self.response(asked, kind, mid);
        for _ in 0..=below(&mut self.rng, 2) {
            self.carry(false, conn, &response);
        }
    }

    fn fresh(&mut self) -> u16 {
        self.mid = self.mid.wrapping_add(1);
        self.mid
    }

    fn response(&mut self, asked: &Read, kind: u8, mid: u16) -> Vec<u8> {
        let code = [0x45, 0x44, 0x84, 0xA3][below(&mut self.rng, 4) as usize];
        let mut bytes = header(kind, code, mid, &asked.token);
        if asked.option(6) == Some(0) && code == 0x45 {
            bytes.extend_from_slice(&[0x61, 1]);
        }
        bytes
    }

    fn notify(&mut self) {
        let Some(at) = self.observed.len().checked_sub(1) else { return };
        let (conn, token, number) = self.observed[at].clone();
        self.observed[at].2 += 1;
        let (kind, mid) = (below(&mut self.rng, 2) as u8, self.fresh());
        let mut bytes = header(kind, 0x45, mid, &token);
        bytes.extend_from_slice(&[0x61, number as u8]);
        self.carry(false, conn, &bytes);
    }
}

fn header(kind: u8, code: u8, mid: u16, token: &[u8]) -> Vec<u8> {
    let [high, low] = mid.to_be_bytes();
    let mut bytes = vec![0x40 | kind << 4 | token.len() as u8, code, high, low];
    bytes.extend_from_slice(token);
    bytes
}

fn empty(kind: u8, mid: u16) -> Vec<u8> {
    header(kind, 0, mid, &[])
}

#[derive(Clone, Copy, Debug, Default)]
struct Tested {
    asked: usize,
    repeated: usize,
    answered: usize,
}

fn play(
    behaviour: &str,
    keys: &[(&str, Value)],
    seed: u64,
    steps: usize,
    mistake: Option<Mistake>,
) -> Result<Tested, String> {
    let fleet = FleetPlan { behaviour: behaviour.into(), ..crate::testing::fleet("lamp", testing::fields(keys)) };
    let mut plan = testing::plan(vec![fleet.clone()]);
    plan.seed = proofhouse_core::seed::Seed(seed);
    let row = super::BEHAVIOURS.iter().find(|row| row.name == behaviour).unwrap();
    let mut world = World {
        crowd: (row.crowd)(&fleet, &plan, None),
        audits: BTreeMap::new(),
        out: Outbox::new(),
        rng: SplitMix(seed),
        now: Time::ZERO,
        count: 0,
        wakes: BTreeMap::new(),
        way: Way::new(),
        mid: 7,
        observed: vec![],
        mistake,
        log: vec![],
        gives_up: matches!(behaviour, "witness" | "observer"),
        forgetful: behaviour == "telemetry",
        measures: behaviour == "witness",
    };
    let played = world.tell(Input::Start).and_then(|()| (0..steps).try_for_each(|_| world.step()));
    let mut tested = Tested::default();
    for audit in world.audits.values() {
        tested.asked += audit.asked;
        tested.repeated += audit.repeated;
        tested.answered += audit.answered;
        world.log.extend(audit.log.iter().rev().take(30).rev().cloned());
    }
    played.map(|()| tested).map_err(|why| format!("{behaviour}: {why}\n{}", world.log.join("\n")))
}

fn kinds() -> [(&'static str, Vec<(&'static str, Value)>); 5] {
    [
        ("telemetry", vec![("every", "1s".into())]),
        ("telemetry", vec![("every", "1ms".into()), ("con", "0%".into())]),
        ("observer", vec![("path", "/time".into())]),
        ("sweep", vec![("paths", Value::List(vec!["/a".into(), "/b".into()])), ("linger", "600s".into())]),
        ("witness", vec![]),
    ]
}

#[test]
fn a_legal_client_breaks_no_rule_whatever_the_network_does() {
    for (behaviour, keys) in kinds() {
        for seed in 0..40 {
            if let Err(why) = play(behaviour, &keys, seed, 1_500, None) {
                panic!("seed {seed}: {why}");
            }
        }
    }
}

#[test]
fn message_ids_are_not_used_again_within_their_lifetime_at_any_pace() {
    let keys = [("every", "1ms".into()), ("con", "0%".into())];
    play("telemetry", &keys, 1, 300_000, None).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn the_play_puts_to_the_test_what_it_is_about() {
    let (mut asked, mut repeated, mut answered) = (0, 0, 0);
    for (behaviour, keys) in kinds() {
        for seed in 0..10 {
            let tested = play(behaviour, &keys, seed, 1_500, None).unwrap();
            asked += tested.asked;
            repeated += tested.repeated;
            answered += tested.answered;
        }
    }
    assert!(asked > 500 && repeated > 100 && answered > 100, "{asked} asked, {repeated} repeated, {answered} answered");
}

#[test]
fn each_mistake_on_the_wire_is_caught() {
    let check = |name: &str, mistake: Mistake| {
        let all = kinds().into_iter().flat_map(|(behaviour, keys)| {
            (0..10).filter_map(move |seed| play(behaviour, &keys, seed, 1_500, Some(mistake)).err())
        });
        assert!(all.count() > 0, "{name} is never caught");
    };
    check("one message id for everything", |said, _| {
        if said[1] != 0 {
            said[3] = 1;
            said[2] = 0;
        }
    });
    check("a copy with another message id", |said, count| {
        if said[1] != 0 {
            said[3] = count as u8;
        }
    });
    check("nothing is acknowledged", |said, _| {
        if said[0] >> 4 & 3 == 2 {
            said.clear();
        }
    });
    check("RST and ACK by turns", |said, count| {
        if said[1] == 0 {
            said[0] = if count % 2 == 0 { 0x60 } else { 0x70 };
        }
    });
    check("a token of nine bytes", |said, _| {
        if said[1] != 0 {
            said[0] = said[0] & 0xF0 | 9;
        }
    });
    check("an answer to nobody", |said, count| {
        if said[1] == 0 && count % 3 == 0 {
            said[2] ^= 0x80;
        }
    });
}
