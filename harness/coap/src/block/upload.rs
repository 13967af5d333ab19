//! Sending a request body, block by block.

use super::{Block, BlockSize, NUM_MAX};
use crate::codec::Code;

/// Where a client is in a body that it sends with Block1. It holds no bytes: the body is an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    offset: u32,
    size: BlockSize,
}

/// What an answer calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadStep {
    /// Send [`Upload::part`] next.
    Next,
    /// The server has answered for the whole body, or refused it.
    Done,
    /// The answer does not fit what was sent: a Continue after the last block, or for another block.
    Lost,
}

impl Upload {
    /// Begins with blocks of this size.
    #[must_use]
    pub const fn new(size: BlockSize) -> Self {
        Self { offset: 0, size }
    }

    /// The block to send now, and its bytes. `None` where the body is too large for numbers of 20 bits, or another than before.
    #[must_use]
    pub fn part<'b>(&self, body: &'b [u8]) -> Option<(Block, &'b [u8])> {
        if body.len().div_ceil(self.size.bytes()) > NUM_MAX as usize + 1 {
            return None;
        }
        let rest = body.get(self.offset as usize..)?;
        let part = &rest[..rest.len().min(self.size.bytes())];
        Some((Block::at(self.offset, part.len() < rest.len(), self.size)?, part))
    }

    /// Hears the answer to the block that was sent, with its Block1 option.
    ///
    /// A smaller size in it holds from the next block on \[RFC 7959 §2.3\]; with a 4.13 to the first block it asks to begin anew in that
    /// size \[RFC 7959 §3.2\].
    pub fn hear(&mut self, body: &[u8], code: Code, answer: Option<Block>) -> UploadStep {
        let Some((sent, part)) = self.part(body) else { return UploadStep::Lost };
        if code == Code::REQUEST_ENTITY_TOO_LARGE && self.offset == 0 {
            return match answer {
                Some(answer) if answer.size() < self.size => {
                    self.size = answer.size();
                    UploadStep::Next
                }
                _ => UploadStep::Done,
            };
        }
        if code != Code::CONTINUE {
            return UploadStep::Done;
        }
        match answer {
            Some(answer) if sent.more() && answer.num() == sent.num() => {
                self.offset += part.len() as u32;
                self.size = self.size.min(answer.size());
                UploadStep::Next
            }
            _ => UploadStep::Lost,
        }
    }

    /// The size of the next block.
    #[must_use]
    pub const fn size(&self) -> BlockSize {
        self.size
    }
}
