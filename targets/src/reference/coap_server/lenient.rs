//! What flaws make of datagrams that must be refused: they are rewritten until the codec takes them. Never called without a flaw.
use alloc::vec::Vec;

use proofhouse_coap::codec::{
    Delta, Format, Frame, Kind, Message, OptionNumber, RawOption, Reject, TOKEN_MAX, VERSION, rules,
};

use crate::flaw::{Flaw, Flaws};

/// What becomes of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// It is read as it stands.
    AsIs,
    /// This is read in its place, and answered with this token, if one is given.
    Instead(Vec<u8>, Option<Vec<u8>>),
    /// The process ends.
    Exit(&'static str),
}

/// An array for the options of a message, as small servers have it.
const OPTIONS_MAX: usize = 50;
/// Rewriting ends: each turn takes away one offence, and a datagram has at most as many options as bytes.
const TURNS: usize = 1 << 12;

pub(super) fn repair(flaws: Flaws, datagram: &[u8]) -> Repair {
    if flaws.has(Flaw::OptionsArrayOverflows) && Frame::read(datagram).options.len() > OPTIONS_MAX {
        return Repair::Exit("stack smashing detected");
    }
    if flaws.has(Flaw::TextNotUtf8Crash)
        && Frame::read(datagram).numbered().any(|(number, option)| is_no_text(number, option))
    {
        return Repair::Exit("unhandled exception: invalid start byte");
    }
    let (mut bytes, mut token, mut changed) = (datagram.to_vec(), None, false);
    for _ in 0..TURNS {
        let Err(reject) = Message::decode(&bytes) else { break };
        if let Some(why) = crash(flaws, &reject) {
            return Repair::Exit(why);
        }
        let Some(rewritten) = rewrite(flaws, &reject, &bytes, &mut token) else { break };
        (bytes, changed) = (rewritten, true);
    }
    if changed { Repair::Instead(bytes, token) } else { Repair::AsIs }
}

fn crash(flaws: Flaws, reject: &Reject) -> Option<&'static str> {
    let is = |rule| reject.rule == rule;
    if flaws.has(Flaw::ShortDatagramCrash) && (is(&rules::TOO_SHORT) || is(&rules::TOKEN_CUT)) {
        return Some("read beyond the end of a datagram");
    }
    (flaws.has(Flaw::OptionExtensionOverread) && (is(&rules::EXTENSION_CUT) || is(&rules::VALUE_CUT)))
        .then_some("segmentation fault in the parser of options")
}

/// The datagram without this one offence; `None` where no flaw overlooks it.
fn rewrite(flaws: Flaws, reject: &Reject, bytes: &[u8], token: &mut Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut frame = Frame::read(bytes);
    let is = |rule| reject.rule == rule;
    let overlooks = |flaw, rule| flaws.has(flaw) && is(rule);
    let number = reject.option.map(|option| option.0);
    if overlooks(Flaw::VersionIgnored, &rules::VERSION) {
        frame.version = VERSION;
    } else if overlooks(Flaw::LongTokenAccepted, &rules::TOKEN_LENGTH) && frame.tkl.is_none() {
        *token = Some(core::mem::take(&mut frame.token));
        frame.token = token.as_ref()?.get(..TOKEN_MAX)?.to_vec();
    } else if flaws.has(Flaw::OptionNibble15Accepted) && (is(&rules::DELTA_RESERVED) || is(&rules::LENGTH_RESERVED)) {
        frame.tail.clear();
    } else if overlooks(Flaw::OptionNumberWraps, &rules::NUMBER_TOO_LARGE) {
        wrap(&mut frame);
    } else if overlooks(Flaw::MarkerWithoutPayloadAccepted, &rules::MARKER_ALONE) {
        frame.marker = None;
    } else if overlooks(Flaw::CriticalIgnored, &rules::OPTION_UNKNOWN) {
        keep(&mut frame, |at, _| u16::try_from(at).ok() != number);
    } else if overlooks(Flaw::RepeatedCriticalLastWins, &rules::OPTION_REPEATED) {
        let mut left = frame.numbered().filter(|(at, _)| u16::try_from(*at).ok() == number).count();
        keep(&mut frame, |at, _| {
            let this = u16::try_from(at).ok() == number;
            left -= usize::from(this);
            !this || left == 0
        });
    } else if overlooks(Flaw::OptionLengthUnchecked, &rules::OPTION_LENGTH) {
        keep(&mut frame, |at, _| u16::try_from(at).ok() != number);
    } else if overlooks(Flaw::EmptyWithTokenProcessed, &rules::EMPTY_WITH_REST) {
        frame.code = 1;
    } else if flaws.has(Flaw::RequestInAckProcessed)
        && (is(&rules::ACK_WITH_REQUEST) || is(&rules::RST_WITH_CODE) && reject.code.is_request())
    {
        frame.kind = Kind::Non.bits();
    } else if overlooks(Flaw::ReservedClassProcessed, &rules::RESERVED_CLASS) {
        frame.code = (frame.code & 0x1F).max(1);
    } else {
        return None;
    }
    let mut rewritten = Vec::with_capacity(bytes.len());
    frame.encode(&mut rewritten);
    Some(rewritten)
}

/// A text option whose value is not UTF-8.
fn is_no_text(number: u64, option: &RawOption) -> bool {
    let definition = u16::try_from(number).ok().and_then(|number| OptionNumber(number).definition());
    definition.is_some_and(|row| row.format == Format::Text) && core::str::from_utf8(&option.value).is_err()
}

/// Counts the numbers of options in 16 bits.
fn wrap(frame: &mut Frame) {
    let mut options: Vec<(u16, RawOption)> =
        frame.numbered().map(|(number, option)| (number as u16, option.clone())).collect();
    options.sort_by_key(|(number, _)| *number);
    frame.options =
        options.into_iter().map(|(number, option)| RawOption { delta: Delta::Number(number), ..option }).collect();
}

/// Leaves out options; those that stay keep their numbers.
fn keep(frame: &mut Frame, mut stays: impl FnMut(u64, &RawOption) -> bool) {
    let kept = frame.numbered().filter(|(number, option)| stays(*number, option));
    let numbered =
        |(number, option): (u64, &RawOption)| RawOption { delta: Delta::Number(number as u16), ..option.clone() };
    frame.options = kept.map(numbered).collect();
}
