//! Putting a body together, on either side.

use alloc::vec::Vec;

use super::{Block, BlockSize, ETAG_CHANGED, FORMAT_CHANGED, OUT_OF_ORDER, PAYLOAD_SIZE, Refusal, TOO_LARGE};
use crate::codec::{Code, OptionNumber, Options, Rule, Token};

/// What blocks of one body have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// Content-Format, if it was said.
    pub content_format: Option<u16>,
    /// ETag: up to eight bytes. In requests it means something else and is left out.
    pub etag: Option<Token>,
}

impl Sort {
    /// Of a request with Block1.
    #[must_use]
    pub fn of_request(options: &Options<'_>) -> Self {
        Self { content_format: options.uint(OptionNumber::CONTENT_FORMAT).map(|format| format as u16), etag: None }
    }

    /// Of a response with Block2.
    #[must_use]
    pub fn of_response(options: &Options<'_>) -> Self {
        Self { etag: options.get(OptionNumber::ETAG).and_then(Token::new), ..Self::of_request(options) }
    }

    /// ETags are compared where both have one \[RFC 7959 §2.4\], formats always \[RFC 7959 §2.3\].
    fn goes_with(&self, other: &Self) -> Result<(), &'static Rule> {
        if self.etag.is_some() && other.etag.is_some() && self.etag != other.etag {
            return Err(&ETAG_CHANGED);
        }
        if self.content_format == other.content_format { Ok(()) } else { Err(&FORMAT_CHANGED) }
    }
}

/// A body that is being put together. Blocks come in order; block 0 begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembly {
    body: Vec<u8>,
    sort: Sort,
    begun: bool,
}

/// How far an assembly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A server answers 2.31 with the same Block1; a client asks for [`Assembly::wanted`].
    More,
    /// The body is whole: [`Assembly::take`] it.
    Whole,
}

impl Assembly {
    /// Nothing has come.
    #[must_use]
    pub const fn new() -> Self {
        Self { body: Vec::new(), sort: Sort { content_format: None, etag: None }, begun: false }
    }

    /// Takes one block. `announced` is Size1 or Size2, if it was said: it can only refuse, never allocate.
    ///
    /// # Errors
    /// 4.00 for a payload that is not as long as the block says, 4.08 for a block that does not follow or does not belong, 4.13 beyond
    /// `limit` bytes. After 4.13, and where blocks do not belong together, what had come is dropped.
    pub fn push(
        &mut self,
        block: Block,
        payload: &[u8],
        sort: Sort,
        announced: Option<u32>,
        limit: usize,
    ) -> Result<Progress, Refusal> {
        let full = block.size().bytes();
        if payload.len() > full || block.more() && payload.len() < full {
            return Err(Refusal { code: Code::BAD_REQUEST, rule: &PAYLOAD_SIZE });
        }
        if block.num() == 0 {
            self.clear();
            (self.begun, self.sort) = (true, sort);
        } else if !self.begun || block.offset() as usize != self.body.len() {
            return Err(Refusal { code: Code::REQUEST_ENTITY_INCOMPLETE, rule: &OUT_OF_ORDER });
        } else if let Err(rule) = self.sort.goes_with(&sort) {
            self.clear();
            return Err(Refusal { code: Code::REQUEST_ENTITY_INCOMPLETE, rule });
        }
        let least = self.body.len() + payload.len() + usize::from(block.more());
        if least > limit || announced.is_some_and(|size| size as usize > limit) {
            self.clear();
            return Err(Refusal { code: Code::REQUEST_ENTITY_TOO_LARGE, rule: &TOO_LARGE });
        }
        self.body.extend_from_slice(payload);
        Ok(if block.more() { Progress::More } else { Progress::Whole })
    }

    /// The block that a client asks for next, in blocks of the size that the server used \[RFC 7959 §2.4\]; `None` where a body of this
    /// size has no such block.
    #[must_use]
    pub fn wanted(&self, size: BlockSize) -> Option<Block> {
        Block::at(u32::try_from(self.body.len()).ok()?, false, size)
    }

    /// What has come.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Bytes of memory that it holds.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.body.capacity()
    }

    /// Whether a body has begun that is not taken or dropped.
    #[must_use]
    pub const fn is_begun(&self) -> bool {
        self.begun
    }

    /// The body; nothing is left here.
    pub fn take(&mut self) -> Vec<u8> {
        self.begun = false;
        core::mem::take(&mut self.body)
    }

    /// Drops what has come, and its memory.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}
