//! The value of Block1 and Block2.

use core::fmt;
use core::str::FromStr;

use super::{Refusal, SIZE_RESERVED};
use crate::codec::{Code, OptionNumber, Options, uint_value};

/// The largest number of a block: 20 bits \[RFC 7959 §2.2\].
pub const NUM_MAX: u32 = 0xF_FFFF;

/// A block size: 16 to 1024 bytes, each twice the one before \[RFC 7959 §2.2\].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSize(u8);

impl BlockSize {
    /// 16 bytes.
    pub const MIN: Self = Self(0);
    /// 1024 bytes.
    pub const MAX: Self = Self(6);

    /// From the exponent on the wire; `None` for 7 and above.
    #[must_use]
    pub const fn from_szx(szx: u8) -> Option<Self> {
        if szx <= Self::MAX.0 { Some(Self(szx)) } else { None }
    }

    /// The size of exactly so many bytes.
    #[must_use]
    pub const fn of(bytes: usize) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= 16 { Self::from_szx(bytes.trailing_zeros() as u8 - 4) } else { None }
    }

    /// The largest size of at most so many bytes; 16 below 16.
    #[must_use]
    pub fn within(bytes: usize) -> Self {
        let all = (0..=Self::MAX.0).rev().map(Self);
        all.into_iter().find(|size| size.bytes() <= bytes).unwrap_or(Self::MIN)
    }

    /// The exponent on the wire.
    #[must_use]
    pub const fn szx(self) -> u8 {
        self.0
    }

    /// Bytes of a full block.
    #[must_use]
    pub const fn bytes(self) -> usize {
        16 << self.0
    }
}

/// Which block of a body: its number, whether more follow, and the size that numbers count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    num: u32,
    more: bool,
    size: BlockSize,
}

impl Block {
    /// Block `num`; `None` above [`NUM_MAX`].
    #[must_use]
    pub const fn new(num: u32, more: bool, size: BlockSize) -> Option<Self> {
        if num <= NUM_MAX { Some(Self { num, more, size }) } else { None }
    }

    /// The first block, by which a client says what size it wants \[RFC 7959 §2.4\].
    #[must_use]
    pub const fn first(size: BlockSize) -> Self {
        Self { num: 0, more: false, size }
    }

    /// The block that begins at this byte; `None` where none of this size does.
    #[must_use]
    pub const fn at(offset: u32, more: bool, size: BlockSize) -> Option<Self> {
        let bytes = size.bytes() as u32;
        if offset.is_multiple_of(bytes) { Self::new(offset / bytes, more, size) } else { None }
    }

    /// From the number that the option says.
    ///
    /// # Errors
    /// SZX 7, and more than 24 bits.
    pub const fn from_uint(value: u32) -> Result<Self, Refusal> {
        let refusal = Refusal { code: Code::BAD_REQUEST, rule: &SIZE_RESERVED };
        let Some(size) = BlockSize::from_szx(value as u8 & 0b111) else { return Err(refusal) };
        match Self::new(value >> 4, value & 0b1000 != 0, size) {
            Some(block) => Ok(block),
            None => Err(refusal),
        }
    }

    /// The number that the option says.
    #[must_use]
    pub const fn to_uint(self) -> u32 {
        self.num << 4 | (self.more as u32) << 3 | self.size.szx() as u32
    }

    /// Block1 or Block2 of a message, if it stands there.
    ///
    /// # Errors
    /// SZX 7.
    pub fn of(options: &Options<'_>, number: OptionNumber) -> Result<Option<Self>, Refusal> {
        options.get(number).map(|value| Self::from_uint(uint_value(value))).transpose()
    }

    /// Its number, from 0.
    #[must_use]
    pub const fn num(self) -> u32 {
        self.num
    }

    /// M: whether more follow.
    #[must_use]
    pub const fn more(self) -> bool {
        self.more
    }

    /// The size of full blocks.
    #[must_use]
    pub const fn size(self) -> BlockSize {
        self.size
    }

    /// The place of its first byte in the body: below 1 GiB.
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.num * self.size.bytes() as u32
    }

    /// The next block of this size, if there is a number for it.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        Self::new(self.num + 1, self.more, self.size)
    }
}

impl fmt::Display for Block {
    /// `num/more/size`, as the standard writes it: `3/1/64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.num, u8::from(self.more), self.size.bytes())
    }
}

impl FromStr for Block {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        let (Some(num), Some(more), Some(size), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err("a block reads num/more/size: 3/1/64");
        };
        let size =
            size.parse().ok().and_then(BlockSize::of).ok_or("a block size is 16, 32, 64, 128, 256, 512 or 1024")?;
        let more = match more {
            "0" => false,
            "1" => true,
            _ => return Err("whether more blocks follow is 0 or 1"),
        };
        num.parse().ok().and_then(|num| Self::new(num, more, size)).ok_or("a block number ends at 1048575")
    }
}
