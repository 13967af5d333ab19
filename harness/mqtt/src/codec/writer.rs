//! Appending fields to a buffer. Lengths were checked by the types that hold them.

use alloc::vec::Vec;

/// Appends a fixed header. Most packets are short: their header is appended in one step.
#[inline]
pub(crate) fn header(out: &mut Vec<u8>, first: u8, len: u32) {
    if len <= 0x7F {
        out.extend_from_slice(&[first, len as u8]);
    } else {
        out.push(first);
        varint(out, len);
    }
}

/// Appends a value below 2^28 as a variable byte integer in its shortest form.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x7F {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn two_bytes(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(crate) fn four_bytes(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Two bytes of length, then the bytes; whoever calls this has seen to it that there are at most 65,535.
#[inline]
pub(crate) fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= usize::from(u16::MAX), "a field of {} bytes", bytes.len());
    two_bytes(out, bytes.len() as u16);
    out.extend_from_slice(bytes);
}
