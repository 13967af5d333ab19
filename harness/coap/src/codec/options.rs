//! The options of a message, still as they stand in the datagram.

use core::fmt;

use super::OptionNumber;
use super::reader::{Header, header};

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opt<'a> {
    /// Its number.
    pub number: OptionNumber,
    /// Its value, as it stands there.
    pub value: &'a [u8],
}

impl<'a> Opt<'a> {
    /// The value as a number; leading zero bytes do not count \[RFC 7252 §3.2\].
    #[must_use]
    pub fn uint(&self) -> u32 {
        uint_value(self.value)
    }

    /// The value as text, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        core::str::from_utf8(self.value).ok()
    }
}

/// Options whose headers have been checked, in the order of their numbers.
///
/// Iterating yields all of them, also those that a receiver must ignore. The getters know the registry: an elective option whose
/// length is out of range, or a second one of what may occur once, is not there for them \[RFC 7252 §5.4.3, RFC 7252 §5.4.5\].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Options<'a> {
    wire: &'a [u8],
}

impl<'a> Options<'a> {
    /// None at all.
    pub const NONE: Options<'static> = Options { wire: &[] };

    /// `wire` has been read to its end before.
    pub(super) const fn checked(wire: &'a [u8]) -> Self {
        Self { wire }
    }

    /// As they stand in the datagram.
    #[must_use]
    pub const fn wire(&self) -> &'a [u8] {
        self.wire
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }

    /// All of them.
    #[inline]
    #[must_use]
    pub const fn iter(&self) -> Iter<'a> {
        Iter { rest: self.wire, number: 0 }
    }

    /// The value of the first option of this number, if its length is in range.
    #[must_use]
    pub fn get(&self, number: OptionNumber) -> Option<&'a [u8]> {
        let first = self.iter().take_while(|opt| opt.number <= number).find(|opt| opt.number == number)?;
        in_range(&first).then_some(first.value)
    }

    /// The number that the first option of this number says.
    #[must_use]
    pub fn uint(&self, number: OptionNumber) -> Option<u32> {
        self.get(number).map(uint_value)
    }

    /// The text of the first option of this number, if it is UTF-8.
    #[must_use]
    pub fn text(&self, number: OptionNumber) -> Option<&'a str> {
        core::str::from_utf8(self.get(number)?).ok()
    }

    /// Whether an option of this number stands there, in range.
    #[must_use]
    pub fn has(&self, number: OptionNumber) -> bool {
        self.get(number).is_some()
    }

    /// The values of all options of this number, if their length is in range.
    pub fn all(&self, number: OptionNumber) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let these = self.iter().skip_while(move |opt| opt.number < number).take_while(move |opt| opt.number == number);
        these.filter(in_range).map(|opt| opt.value)
    }

    /// The segments of the path that is asked for.
    pub fn path(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.all(OptionNumber::URI_PATH)
    }

    /// Whether the path that is asked for is this one: `/a/b`, or `/` for the root.
    #[must_use]
    pub fn path_is(&self, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut wanted = path.split('/').map(str::as_bytes).filter(|_| !path.is_empty());
        let mut said = self.path();
        loop {
            match (wanted.next(), said.next()) {
                (None, None) => return true,
                (a, b) if a == b => {}
                _ => return false,
            }
        }
    }
}

#[inline]
fn in_range(opt: &Opt<'_>) -> bool {
    opt.number.definition().is_none_or(|row| row.takes(opt.value.len()))
}

impl<'a> IntoIterator for Options<'a> {
    type Item = Opt<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Walks options from the first to the last.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Opt<'a>;

    #[inline]
    fn next(&mut self) -> Option<Opt<'a>> {
        let Ok(Header { delta, len, size }) = header(self.rest) else { return None };
        let value = self.rest.get(size..size + len)?;
        self.rest = &self.rest[size + len..];
        self.number = self.number.wrapping_add(delta as u16);
        Some(Opt { number: OptionNumber(self.number), value })
    }
}

/// The number that a uint value says; leading zero bytes do not count \[RFC 7252 §3.2\]. Saturates beyond 32 bits.
#[must_use]
pub fn uint_value(bytes: &[u8]) -> u32 {
    let value = bytes.iter().fold(0_u64, |value, byte| (value << 8 | u64::from(*byte)).min(u64::from(u32::MAX) + 1));
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The bytes of a uint value: as few as it takes, none for 0 \[RFC 7252 §3.2\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UintBytes {
    bytes: [u8; 4],
    skip: u8,
}

impl UintBytes {
    /// The bytes of this number.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self { bytes: value.to_be_bytes(), skip: (value.leading_zeros() / 8) as u8 }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.skip)..]
    }
}
