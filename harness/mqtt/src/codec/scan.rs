//! Looking for single bytes in short strings, eight at a time.
//!
//! Topics and client identifiers have 5 to 60 bytes: too short for a library that first asks what the processor can do.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Whether U+0000 is in it.
#[inline]
pub(crate) fn has_nul(bytes: &[u8]) -> bool {
    any(bytes, zero)
}

/// Whether U+0000 or a wildcard is in it.
#[inline]
pub(crate) fn has_nul_or_wildcard(bytes: &[u8]) -> bool {
    any(bytes, |word| zero(word) | zero(word ^ (LOW * b'+' as u64)) | zero(word ^ (LOW * b'#' as u64)))
}

/// Not 0 if one of the eight bytes is 0; which one it does not say.
#[inline]
const fn zero(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

#[inline]
fn any(bytes: &[u8], found: impl Fn(u64) -> u64) -> bool {
    let (words, rest) = bytes.as_chunks();
    let seen = words.iter().fold(0, |seen, word| seen | found(u64::from_ne_bytes(*word)));
    let last = if rest.is_empty() {
        0
    } else if let Some(last) = bytes.last_chunk() {
        // Some of these bytes were looked at before; that is cheaper than one at a time.
        found(u64::from_ne_bytes(*last))
    } else {
        rest.iter().fold(0, |seen, &byte| seen | found(LOW * u64::from(byte)))
    };
    seen | last != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_stands_and_only_then() {
        for len in 0..40 {
            let mut bytes = std::vec![b'x'; len];
            assert!(!has_nul(&bytes) && !has_nul_or_wildcard(&bytes), "{len} bytes");
            for at in 0..len {
                for byte in 0..=255 {
                    bytes[at] = byte;
                    assert_eq!(has_nul(&bytes), byte == 0, "{byte:02X} at {at} of {len}");
                    assert_eq!(
                        has_nul_or_wildcard(&bytes),
                        matches!(byte, 0 | b'+' | b'#'),
                        "{byte:02X} at {at} of {len}"
                    );
                }
                bytes[at] = b'x';
            }
        }
    }
}
