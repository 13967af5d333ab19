//! What the codec promises.

mod frame;
mod message;
mod options;
mod round_trip;
mod words;
mod writer;

use alloc::vec::Vec;

use super::{Code, Kind, Message, Reject, Token, Writer};

/// Bytes from hex; white space does not count.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn decode(text: &str) -> Result<(), Reject> {
    Message::decode(&hex(text)).map(|_| ())
}

/// A GET with what `fill` adds.
fn get(fill: impl FnOnce(Writer<'_>) -> Writer<'_>) -> Result<Vec<u8>, Reject> {
    let mut out = Vec::new();
    fill(Writer::new(&mut out, Kind::Con, Code::GET, 0x1234, Token::new(b"tk").unwrap())).end()?;
    Ok(out)
}
