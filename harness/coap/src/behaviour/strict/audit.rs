//! What a CoAP client may send at this moment, read and judged without the codec.
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use proofhouse_core::time::{Duration, Time};

/// EXCHANGE_LIFETIME and NON_LIFETIME \[RFC 7252 §4.8.2\].
const LIFETIME: [Duration; 2] = [Duration::from_secs(247), Duration::from_secs(145)];
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// Less is for those who measure round trips, once they have had one \[RFC 7252 §4.8.1\].
const MEASURED_MIN: Duration = Duration::from_millis(200);
/// The first timeout is drawn up to half again as long, and doubled four times.
const TIMEOUT_MAX: Duration = Duration::from_secs(3);
const REPEATED_MAX: usize = 4;

type Kept = Result<(), String>;

/// A datagram, read from the standard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) mid: u16,
    pub(super) token: Vec<u8>,
    pub(super) options: Vec<(u16, Vec<u8>)>,
    pub(super) payload: Vec<u8>,
}

impl Read {
    pub(super) fn option(&self, number: u16) -> Option<u32> {
        let value = self.options.iter().find(|(one, _)| *one == number).map(|(_, value)| value)?;
        Some(value.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
    }
}

/// Reads a datagram.
pub(super) fn read(bytes: &[u8]) -> Result<Read, String> {
    let [first, code, high, low, rest @ ..] = bytes else { return Err("shorter than a header".into()) };
    let (version, kind, length) = (first >> 6, first >> 4 & 3, usize::from(first & 15));
    need(version == 1 && length <= 8, "version and token length")?;
    let (token, mut rest) = rest.split_at_checked(length).ok_or("half a token")?;
    need(*code != 0 || length == 0 && rest.is_empty(), "an Empty message is empty")?;
    let (mut options, mut number) = (vec![], 0_u16);
    while let [head, more @ ..] = rest {
        if *head == 0xFF {
            need(!more.is_empty(), "a marker without a payload")?;
            let payload = more.to_vec();
            return Ok(Read {
                kind,
                code: *code,
                mid: u16::from_be_bytes([*high, *low]),
                token: token.into(),
                options,
                payload,
            });
        }
        rest = more;
        let delta = extended(head >> 4, &mut rest)?;
        let size = extended(head & 15, &mut rest)?;
        let (value, more) = rest.split_at_checked(size.into()).ok_or("half an option")?;
        number = number.checked_add(delta).ok_or("an option number above 65535")?;
        options.push((number, value.to_vec()));
        rest = more;
    }
    Ok(Read {
        kind,
        code: *code,
        mid: u16::from_be_bytes([*high, *low]),
        token: token.into(),
        options,
        payload: vec![],
    })
}

fn extended(nibble: u8, rest: &mut &[u8]) -> Result<u16, String> {
    let (value, used) = match (nibble, *rest) {
        (0..=12, _) => (u16::from(nibble), 0),
        (13, [one, ..]) => (u16::from(*one) + 13, 1),
        (14, [one, two, ..]) => (u16::from_be_bytes([*one, *two]).checked_add(269).ok_or("too large")?, 2),
        _ => return Err("a reserved nibble, or half an option".into()),
    };
    *rest = &rest[used..];
    Ok(value)
}

/// A message that the client has sent.
struct Sent {
    first: Time,
    last: Time,
    gap: Duration,
    times: usize,
    bytes: Vec<u8>,
    /// It may not be sent any more.
    settled: bool,
}

/// The auditor of one association.
#[derive(Default)]
pub(super) struct Audit {
    sent: BTreeMap<u16, Sent>,
    /// Requests without a response, by token: their message id.
    open: BTreeMap<Vec<u8>, u16>,
    /// What the client owes to each message id of the server: `None` nothing yet.
    heard: BTreeMap<u16, Option<u8>>,
    owes: Vec<u16>,
    /// CONs that wait for their acknowledgement.
    waiting: Vec<u16>,
    /// The message of the server that was answered last.
    last: Option<u16>,
    /// It remembers no more than that one.
    forgetful: bool,
    /// It measures round trips, and has had one.
    measures: bool,
    measured: bool,
    /// How far a body has gone up, by its size of block.
    up: Option<(u32, u32)>,
    pub(super) log: Vec<String>,
    pub(super) asked: usize,
    pub(super) repeated: usize,
    pub(super) answered: usize,
}

impl Audit {
    pub(super) fn new(forgetful: bool, measures: bool) -> Audit {
        Audit { forgetful, measures, ..Audit::default() }
    }

    /// A datagram of the client.
    pub(super) fn said(&mut self, now: Time, bytes: &[u8]) -> Kept {
        let said = read(bytes)?;
        self.log.push(format!("{now} -> {said:?}"));
        crate::codec::Message::decode(bytes).map_err(|reject| format!("the codec refuses it: {reject:?}"))?;
        match (said.kind, said.code) {
            (0 | 1, _) => self.message(now, &said, bytes),
            (kind, 0) => self.reply(kind, said.mid),
            _ => Err("a client answers with nothing but Empty messages".into()),
        }
    }

    /// A CON or NON.
    fn message(&mut self, now: Time, said: &Read, bytes: &[u8]) -> Kept {
        need((1..32).contains(&said.code), "a client sends requests")?;
        if let Some(sent) = self.sent.get_mut(&said.mid)
            && sent.bytes == bytes
            && now.since(sent.first) < LIFETIME[usize::from(said.kind)]
        {
            self.repeated += 1;
            let over = sent.times == REPEATED_MAX;
            sent.again(now, said.kind, if self.measured { MEASURED_MIN } else { ACK_TIMEOUT })?;
            self.waiting.retain(|mid| !over || *mid != said.mid);
            return Ok(());
        }
        let lifetime = |sent: &Sent| LIFETIME[usize::from(sent.bytes[0] >> 4 & 1)];
        let used = self.sent.get(&said.mid).is_some_and(|sent| now.since(sent.first) < lifetime(sent));
        need(!used, "a message id within its EXCHANGE_LIFETIME [RFC 7252 §4.4]")?;
        need(said.kind == 1 || self.waiting.is_empty(), "more than NSTART requests under way [RFC 7252 §4.7]")?;
        if said.kind == 0 {
            self.waiting.push(said.mid);
        }
        self.block(said)?;
        self.asked += 1;
        self.open.insert(said.token.clone(), said.mid);
        let sent = Sent { first: now, last: now, gap: Duration::ZERO, times: 1, bytes: bytes.into(), settled: false };
        self.sent.insert(said.mid, sent);
        Ok(())
    }

    /// Block1: the first block, or the one behind the one before \[RFC 7959 §2.3\].
    fn block(&mut self, said: &Read) -> Kept {
        let Some(block) = said.option(27) else { return Ok(()) };
        let (num, more, size) = (block >> 4, block & 8 != 0, 16 << (block & 7));
        need(block & 7 < 7, "a reserved size of block")?;
        need(!more || said.payload.len() == size as usize, "a block that is not full, and more to come")?;
        let begins = num * size;
        let expected = self.up.map_or(0, |(next, _)| next);
        need(begins == expected || num == 0, "a block that is not the next")?;
        self.up = more.then_some((begins + size, size));
        Ok(())
    }

    /// An ACK or a RST.
    fn reply(&mut self, kind: u8, mid: u16) -> Kept {
        let before = self.heard.get_mut(&mid).ok_or("an answer to a message that was never heard")?;
        let known = !self.forgetful || self.last == Some(mid);
        let alike = before.is_none_or(|before| before == kind);
        need(alike || !known, "a copy answered otherwise than the first [RFC 7252 §4.5]")?;
        self.last = Some(mid);
        *before = Some(kind);
        self.answered += 1;
        self.owes.retain(|owed| *owed != mid);
        Ok(())
    }

    /// A datagram has reached the client.
    pub(super) fn heard(&mut self, now: Time, heard: &Read) {
        self.log.push(format!("{now} <- {heard:?}"));
        match heard.kind {
            0 => {
                self.heard.entry(heard.mid).or_default();
                self.owes.push(heard.mid);
            }
            1 => drop(self.heard.entry(heard.mid).or_default()),
            _ => self.settle(heard.mid),
        }
        if heard.code >= 64
            && let Some(mid) = self.open.get(&heard.token).copied()
            && (heard.kind != 2 || mid == heard.mid)
        {
            self.open.remove(&heard.token);
            self.measured = self.measures;
            self.settle(mid);
        }
    }

    fn settle(&mut self, mid: u16) {
        self.waiting.retain(|waits| *waits != mid);
        if let Some(sent) = self.sent.get_mut(&mid) {
            sent.settled = true;
        }
    }

    /// Everything that was heard has its answer.
    pub(super) fn settled(&self) -> Kept {
        need(self.owes.is_empty(), "a CON of the server is not answered [RFC 7252 §4.2]")
    }

    /// The client moves on with a new message: what waits is given up, and may not be repeated.
    pub(super) fn give_up(&mut self, bytes: &[u8]) {
        if self.sent.values().any(|sent| sent.bytes == bytes) {
            return;
        }
        self.sent.values_mut().for_each(|sent| sent.settled = true);
        self.waiting.clear();
        self.open.clear();
    }
}

impl Sent {
    fn again(&mut self, now: Time, kind: u8, ack_timeout: Duration) -> Kept {
        let gap = now.since(self.last);
        need(kind == 0, "a NON is not repeated by a client")?;
        need(!self.settled, "repeated although it was acknowledged, reset or answered")?;
        need(self.times <= REPEATED_MAX, "repeated more often than MAX_RETRANSMIT")?;
        need(gap >= ack_timeout && (self.gap > Duration::ZERO || gap <= TIMEOUT_MAX), "the first pause is 2 s to 3 s")?;
        need(gap >= 2 * self.gap, "a pause that is not twice the one before")?;
        (self.last, self.gap, self.times) = (now, gap, self.times + 1);
        Ok(())
    }
}

fn need(holds: bool, what: &str) -> Kept {
    if holds { Ok(()) } else { Err(what.into()) }
}
