//! Reading the header of one option: the only place where deltas and lengths are taken apart.

use super::{PAYLOAD_MARKER, Rule, rules};

/// Where 8-bit extensions begin, and what 16-bit extensions are counted from \[RFC 7252 §3.1\].
pub(super) const BYTE_BASE: u32 = 13;
pub(super) const WORD_BASE: u32 = 269;

/// The first bytes of an option.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// Distance to the number before: at most 65804.
    pub delta: u32,
    /// Bytes of the value, which may not all be there.
    pub len: usize,
    /// Bytes of the header itself.
    pub size: usize,
}

/// Why no option begins here.
pub(super) enum Stop {
    /// There is nothing more.
    End,
    /// The payload marker.
    Marker,
    /// Nonsense.
    Broken(&'static Rule),
}

/// The header of the option that `bytes` begins with.
#[inline(always)]
pub(super) fn header(bytes: &[u8]) -> Result<Header, Stop> {
    let Some(&first) = bytes.first() else { return Err(Stop::End) };
    let (delta, len) = (u32::from(first >> 4), u32::from(first & 0x0F));
    if delta < BYTE_BASE && len < BYTE_BASE {
        return Ok(Header { delta, len: len as usize, size: 1 });
    }
    extended(bytes, first)
}

fn extended(bytes: &[u8], first: u8) -> Result<Header, Stop> {
    if first == PAYLOAD_MARKER {
        return Err(Stop::Marker);
    }
    let mut size = 1;
    let delta = extend(bytes, first >> 4, &mut size, &rules::DELTA_RESERVED)?;
    let len = extend(bytes, first & 0x0F, &mut size, &rules::LENGTH_RESERVED)?;
    Ok(Header { delta, len: len as usize, size })
}

#[inline]
fn extend(bytes: &[u8], nibble: u8, at: &mut usize, reserved: &'static Rule) -> Result<u32, Stop> {
    let cut = Stop::Broken(&rules::EXTENSION_CUT);
    match nibble {
        13 => {
            let byte = *bytes.get(*at).ok_or(cut)?;
            *at += 1;
            Ok(u32::from(byte) + BYTE_BASE)
        }
        14 => {
            let word = bytes.get(*at..*at + 2).ok_or(cut)?;
            *at += 2;
            Ok(u32::from(u16::from_be_bytes([word[0], word[1]])) + WORD_BASE)
        }
        15 => Err(Stop::Broken(reserved)),
        small => Ok(u32::from(small)),
    }
}
