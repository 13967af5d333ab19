//! What a request is answered with, before it is known how much of it may be said.
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_coap::block::{Block, BlockSize, Refusal, cut};
use proofhouse_coap::codec::{Code, Kind, OptionNumber, Reject, Token, Writer};

/// The option by which a client shows that it reads what is sent to its address \[RFC 9175 §2.2\].
pub(super) const ECHO: OptionNumber = OptionNumber(252);

/// Content-Formats that the server speaks.
pub(super) const TEXT: u16 = 0;
pub(super) const LINKS: u16 = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    pub(super) etag: Option<[u8; 4]>,
    pub(super) observe: Option<u32>,
    pub(super) format: Option<u16>,
    pub(super) max_age: Option<u32>,
    pub(super) block1: Option<Block>,
    pub(super) block2: Option<Block>,
    pub(super) size1: Option<u32>,
    pub(super) echo: Option<u64>,
    pub(super) body: Cow<'static, [u8]>,
}

impl Answer {
    pub(super) const fn of(code: Code) -> Answer {
        Answer {
            code,
            etag: None,
            observe: None,
            format: None,
            max_age: None,
            block1: None,
            block2: None,
            size1: None,
            echo: None,
            body: Cow::Borrowed(&[]),
        }
    }

    pub(super) fn content(body: impl Into<Cow<'static, [u8]>>) -> Answer {
        Answer { format: Some(TEXT), body: body.into(), ..Answer::of(Code::CONTENT) }
    }

    pub(super) fn text(text: String) -> Answer {
        Answer::content(text.into_bytes())
    }

    /// A diagnostic message, for people: it has no format \[RFC 7252 §5.5.2\].
    pub(super) fn because(code: Code, why: String) -> Answer {
        Answer { body: why.into_bytes().into(), ..Answer::of(code) }
    }

    pub(super) fn refused(refusal: Refusal) -> Answer {
        Answer::because(refusal.code, refusal.rule.what.into())
    }

    /// Leaves of the body what one block says; 4.00 where it ends before that \[RFC 7959 §2.4\].
    pub(super) fn page(mut self, wanted: Option<Block>) -> Answer {
        let fits = self.body.len() <= BlockSize::MAX.bytes();
        if self.code != Code::CONTENT || wanted.is_none() && fits {
            return self;
        }
        let Some((block, part)) = cut(&self.body, wanted.unwrap_or(Block::first(BlockSize::MAX)), BlockSize::MAX)
        else {
            return Answer::because(Code::BAD_REQUEST, "no such block".into());
        };
        let part = Cow::Owned(Vec::from(part));
        (self.block2, self.body) = (Some(block), part);
        self
    }

    /// Writes the message.
    pub(super) fn write(&self, out: &mut Vec<u8>, kind: Kind, mid: u16, token: Token) -> Result<(), Reject> {
        let mut to = Writer::new(out, kind, self.code, mid, token);
        let block = |block: Option<Block>| block.map(Block::to_uint);
        if let Some(etag) = self.etag {
            to = to.option(OptionNumber::ETAG, &etag);
        }
        for (number, value) in [
            (OptionNumber::OBSERVE, self.observe),
            (OptionNumber::CONTENT_FORMAT, self.format.map(u32::from)),
            (OptionNumber::MAX_AGE, self.max_age),
            (OptionNumber::BLOCK2, block(self.block2)),
            (OptionNumber::BLOCK1, block(self.block1)),
            (OptionNumber::SIZE1, self.size1),
        ] {
            if let Some(value) = value {
                to = to.uint(number, value);
            }
        }
        if let Some(echo) = self.echo {
            to = to.option(ECHO, &echo.to_be_bytes());
        }
        to.payload(&self.body)
    }
}
