//! What flaws of ordinary use make of answers and notifications. The clean server passes through here unchanged.
use alloc::borrow::Cow;
use core::time::Duration;

use proofhouse_coap::block::{Block, BlockSize};
use proofhouse_coap::codec::{Code, Frame, Message, OptionNumber, Options, RawOption};
use proofhouse_coap::exchange::Params;

use super::answer::Answer;
use super::site::Resource;
use super::{CoapServer, PARAMS};
use crate::flaw::Flaw;

impl CoapServer {
    /// An elective option that nobody knows, where a flaw refuses it.
    pub(super) fn refused_elective(&self, options: &Options<'_>) -> Option<OptionNumber> {
        let unknown = |number: &OptionNumber| number.0 >= 65_000 && !number.is_critical();
        let odd = options.iter().map(|option| option.number).find(unknown);
        odd.filter(|_| self.flaws.has(Flaw::ElectiveRefused))
    }

    /// Another block than the one that was asked for.
    pub(super) fn bent_block(&self, wanted: Block) -> Block {
        let (size, more) = (wanted.size().bytes(), wanted.more());
        let bent = if self.flaws.has(Flaw::BlockLargerThanAsked) {
            BlockSize::of(size * 2).and_then(|size| Block::at(wanted.offset(), more, size))
        } else if self.flaws.has(Flaw::BlockSizesChange) && wanted.num() > 1 {
            BlockSize::of(size / 2).and_then(|size| Block::at(wanted.offset(), more, size))
        } else if self.flaws.has(Flaw::BlockElsewhere) {
            Block::new(wanted.num() + 1, more, wanted.size())
        } else {
            None
        };
        bent.unwrap_or(wanted)
    }

    /// What is said in place of an answer.
    pub(super) fn bent(&self, message: &Message<'_>, answer: Answer) -> Answer {
        if !self.flaws.any() {
            return answer;
        }
        let (has, options) = (|flaw| self.flaws.has(flaw), message.options());
        let observes = options.has(OptionNumber::OBSERVE);
        let mut bent = answer;
        bent.code = match (message.code(), bent.code) {
            (Code::GET, Code::CONTENT) if !observes && has(Flaw::GetAnswersChanged) => Code::CHANGED,
            (Code::POST, Code::CHANGED) if has(Flaw::PostAnswersContent) => Code::CONTENT,
            (Code::PUT, Code::CHANGED) if has(Flaw::PutAnswersContent) => Code::CONTENT,
            (method, Code::METHOD_NOT_ALLOWED) if method.method().is_none() && has(Flaw::UnknownMethodIsBadRequest) => {
                Code::BAD_REQUEST
            }
            (_, code) => code,
        };
        if bent.code == Code::VALID && has(Flaw::ValidWithoutEtag) {
            bent.etag = None;
        }
        if bent.code == Code::VALID && has(Flaw::AnyEtagIsValid) {
            bent.etag = options.get(OptionNumber::ETAG).and_then(|etag| etag.try_into().ok());
        }
        if bent.code.is_success() && message.code() == Code::GET && !observes && has(Flaw::ObservesUnasked) {
            bent.observe = Some(1);
        }
        if bent.code == Code::CONTINUE && has(Flaw::ContinueHasBlock2) {
            bent.block2 = Some(Block::first(BlockSize::MAX));
        }
        if has(Flaw::Block1IsOff) {
            bent.block1 = bent.block1.and_then(|block| Block::new(block.num() + 1, block.more(), block.size()));
        }
        if bent.block2.is_some() && has(Flaw::BlockWithoutEtag) {
            bent.etag = None;
        }
        if bent.block2.is_some_and(|block| block.num() > 1) && has(Flaw::BlockRepeats) {
            let len = bent.body.len();
            bent.body = Cow::Owned(core::iter::repeat_n(b'a', len).collect());
        }
        if bent.block2.is_some_and(Block::more) && has(Flaw::BlockShort) {
            bent.body.to_mut().pop();
        }
        bent
    }

    /// What observers are told in place of the state.
    pub(super) fn bent_notice(&self, of: Resource, state: Answer) -> Answer {
        if !self.flaws.any() {
            return state;
        }
        let has = |flaw| self.flaws.has(flaw);
        let mut bent = state;
        if !bent.code.is_success() {
            bent.observe = has(Flaw::ErrorHasObserve).then(|| self.sequence.current());
            return bent;
        }
        if has(Flaw::NoticeWithoutNumber) {
            bent.observe = None;
        }
        if has(Flaw::NoticeNumberFalls) {
            bent.observe = bent.observe.map(|number| number.wrapping_neg() & 0x00FF_FFFF);
        }
        if has(Flaw::NoticeFormatChanges) {
            bent.format = Some(50);
        }
        if has(Flaw::NoticeIsChanged) {
            bent.code = Code::CHANGED;
        }
        if has(Flaw::NoticeIsOld)
            && of == Resource::Store
            && let Some(before) = self.site.before()
        {
            bent.body = Cow::Owned(before.to_vec());
        }
        if has(Flaw::NoticeIsGarbled) && of == Resource::Store && self.sequence.current() % 2 == 1 {
            bent.body = Cow::Borrowed(b"garbage");
        }
        bent
    }

    /// What becomes of the bytes of an answer.
    pub(super) fn bend_wire(&mut self, answer: &Answer) {
        let (accept, twice) = (self.flaws.has(Flaw::EchoesAccept), self.flaws.has(Flaw::MaxAgeTwice));
        let token = self.flaws.has(Flaw::TokenChanged);
        if !(accept || twice || token) || answer.echo.is_some() {
            return;
        }
        let mut frame = Frame::read(&self.wire);
        let changed = answer.code == Code::CHANGED;
        if let Some(last) = frame.token.last_mut().filter(|_| token && changed) {
            *last ^= 1;
        }
        let mut options: alloc::vec::Vec<(u16, alloc::vec::Vec<u8>)> = frame
            .numbered()
            .filter_map(|(number, option)| Some((u16::try_from(number).ok()?, option.value.clone())))
            .collect();
        if accept {
            options.push((OptionNumber::ACCEPT.0, alloc::vec![0]));
        }
        if twice {
            options.extend([1, 2].map(|value| (OptionNumber::MAX_AGE.0, alloc::vec![value])));
        }
        options.sort_by_key(|(number, _)| *number);
        frame.options = options.iter().map(|(number, value)| RawOption::new(*number, value)).collect();
        self.wire.clear();
        frame.encode(&mut self.wire);
    }

    /// When a CON of ours is sent again.
    pub(super) fn params(&self) -> Params {
        let ack_timeout = Duration::from_millis(250);
        if self.flaws.has(Flaw::SendsAgainAtOnce) { Params { ack_timeout, ..PARAMS } } else { PARAMS }
    }
}
