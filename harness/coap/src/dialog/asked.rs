//! Which step a datagram of the peer answers: acknowledgements and resets by message id, responses by token \[RFC 7252 §4.4, §5.3.2\].
//! What a step said is read off its bytes, legal or not, as far as there is a message id and a token in them.
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use proofhouse_core::protocol::Answers;

use crate::codec::{Frame, Kind};

/// Messages that are remembered: more than a script says within the time in which a copy may still be answered.
const ASKED_MAX: usize = 1024;
const OBSERVE: u64 = 6;

/// What was said on one association.
#[derive(Default)]
pub(super) struct Asked {
    messages: VecDeque<Message>,
}

/// One datagram that a step said.
struct Message {
    nth: u32,
    mid: u16,
    token: Vec<u8>,
    /// It asks to be told of changes: more than one response belongs to it.
    observes: bool,
    /// An acknowledgement or reset of it was heard.
    confirmed: bool,
}

impl Asked {
    /// The step of this number has said this datagram. What is shorter than a header has no message id.
    pub(super) fn step(&mut self, nth: u32, datagram: &[u8]) {
        if datagram.len() < HEADER {
            return;
        }
        if self.messages.len() == ASKED_MAX {
            self.messages.pop_front();
        }
        let frame = Frame::read(datagram);
        let observes =
            frame.numbered().any(|(number, option)| number == OBSERVE && option.value.iter().all(|b| *b == 0));
        self.messages.push_back(Message { nth, mid: frame.mid, token: frame.token, observes, confirmed: false });
    }

    /// What a datagram of the peer answers, and whether it is a copy: a second acknowledgement of one message answers a repetition
    /// of it. A later message with the same identifiers takes the place of the earlier one.
    pub(super) fn heard(&mut self, datagram: &[u8]) -> (Answers, bool) {
        if datagram.len() < HEADER {
            return (Answers::Unknown, false);
        }
        let frame = Frame::read(datagram);
        let confirms = matches!(frame.kind(), Kind::Ack | Kind::Rst);
        match self.find(&frame, confirms) {
            // A notification answers no question any more: it is news.
            Some(message) if message.observes && !confirms => (Answers::Message, false),
            Some(message) => {
                // A request that goes on with the next block, or with an Echo, keeps its token under a new message id.
                let same = confirms && message.mid == frame.mid;
                let before = message.confirmed;
                message.confirmed |= same;
                (Answers::Step(message.nth), before && same)
            }
            None => (Answers::Unknown, false),
        }
    }

    fn find(&mut self, frame: &Frame, confirms: bool) -> Option<&mut Message> {
        let by_mid = |message: &Message| confirms && message.mid == frame.mid;
        let by_token = |message: &Message| frame.code().is_response() && message.token == frame.token;
        let latest = |fits: &dyn Fn(&Message) -> bool| self.messages.iter().rposition(fits);
        let at = latest(&|message| by_mid(message) && by_token(message)).or_else(|| latest(&by_token));
        let at = at.or_else(|| latest(&by_mid))?;
        self.messages.get_mut(at)
    }
}

/// Bytes of a header.
const HEADER: usize = 4;
