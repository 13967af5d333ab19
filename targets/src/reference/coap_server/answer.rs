//! What a request is answered with, before it is known how much of it may be said.
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_coap::block::{Block, BlockSize, Refusal, cut};
use proofhouse_coap::codec::{Code, Kind, OptionNumber, Reject, Token, Writer};

/// The option by which a client shows that it reads what is sent to its address \[RFC 9175\].
pub(in crate::reference) const ECHO: OptionNumber = OptionNumber(252);

/// Content-Formats that the server speaks.
pub(in crate::reference) const TEXT: u16 = 0;
pub(in crate::reference) const LINKS: u16 = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reference) struct Answer {
    pub(in crate::reference) code: Code,
    pub(in crate::reference) etag: Option<[u8; 4]>,
    pub(in crate::reference) observe: Option<u32>,
    pub(in crate::reference) format: Option<u16>,
    pub(in crate::reference) max_age: Option<u32>,
    pub(in crate::reference) block1: Option<Block>,
    pub(in crate::reference) block2: Option<Block>,
    pub(in crate::reference) size1: Option<u32>,
    pub(in crate::reference) echo: Option<u64>,
    pub(in crate::reference) body: Cow<'static, [u8]>,
}

impl Answer {
    pub(in crate::reference) const fn of(code: Code) -> Answer {
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

    pub(in crate::reference) fn content(body: impl Into<Cow<'static, [u8]>>) -> Answer {
        Answer { format: Some(TEXT), body: body.into(), ..Answer::of(Code::CONTENT) }
    }

    pub(in crate::reference) fn text(text: String) -> Answer {
        Answer::content(text.into_bytes())
    }

    /// A diagnostic message, for people: it has no format \[RFC 7252 §5.5.2\].
    pub(in crate::reference) fn because(code: Code, why: String) -> Answer {
        Answer { body: why.into_bytes().into(), ..Answer::of(code) }
    }

    pub(in crate::reference) fn refused(refusal: Refusal) -> Answer {
        Answer::because(refusal.code, refusal.rule.what.into())
    }

    /// Leaves of the body what one block says; 4.00 where it ends before that \[RFC 7959 §2.4\].
    pub(in crate::reference) fn page(mut self, wanted: Option<Block>) -> Answer {
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
    pub(in crate::reference) fn write(
        &self,
        out: &mut Vec<u8>,
        kind: Kind,
        mid: u16,
        token: Token,
    ) -> Result<(), Reject> {
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
