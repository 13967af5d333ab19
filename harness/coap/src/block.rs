//! Bodies larger than a datagram: the Block options of RFC 7959.
//!
//! [`Block`] is the value of both options. [`cut`] serves a block of a body, [`Upload`] sends a request body block by block, and
//! [`Assembly`] puts a body together on either side. What a peer announces never allocates anything: a body only grows by bytes that
//! have come, in order, up to a limit.

mod assembly;
#[cfg(test)]
mod tests;
mod upload;
mod value;

pub use assembly::{Assembly, Progress, Sort};
pub use upload::{Upload, UploadStep};
pub use value::{Block, BlockSize, NUM_MAX};

use crate::codec::{Code, Rule};

/// Why a block is refused, and with what code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What a server answers with. A client that assembles a response gives up instead.
    pub code: Code,
    /// What is broken.
    pub rule: &'static Rule,
}

/// The part of `body` that `wanted` asks for, and the Block2 value to send with it; M of a request does not count
/// \[RFC 7959 §2.4\]. `None` where the body ends before that block. `size_max` makes blocks smaller than asked for, at the same place.
#[must_use]
pub fn cut(body: &[u8], wanted: Block, size_max: BlockSize) -> Option<(Block, &[u8])> {
    let size = wanted.size().min(size_max);
    let start = wanted.offset() as usize;
    if start >= body.len() && start > 0 {
        return None;
    }
    let rest = body.get(start..)?;
    let part = &rest[..rest.len().min(size.bytes())];
    let block = Block::at(wanted.offset(), part.len() < rest.len(), size)?;
    Some((block, part))
}

/// SZX 7 \[RFC 7959 §2.2\].
pub static SIZE_RESERVED: Rule = Rule { clause: "RFC 7959 §2.2", what: "a block size exponent of 7" };
/// A block with M that is not full, or a last one that is more than full.
pub static PAYLOAD_SIZE: Rule =
    Rule { clause: "RFC 7959 §2.3", what: "a payload that is not as long as the block says" };
/// A block that does not follow what has come.
pub static OUT_OF_ORDER: Rule = Rule { clause: "RFC 7959 §2.5", what: "a block whose predecessors are missing" };
/// Blocks of one request body with another Content-Format.
pub static FORMAT_CHANGED: Rule = Rule { clause: "RFC 7959 §2.3", what: "blocks whose Content-Format differs" };
/// Blocks of two versions of a representation.
pub static ETAG_CHANGED: Rule = Rule { clause: "RFC 7959 §2.4", what: "blocks whose ETag differs" };
/// More than the receiver takes.
pub static TOO_LARGE: Rule = Rule { clause: "RFC 7959 §2.9.3", what: "a body larger than is accepted" };
