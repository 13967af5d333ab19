//! Named lists of cases.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::protocol::{CaseList, CaseRow};
use proofhouse_core::value::{Fields, Value, hex};

/// Every list of cases.
pub const CASES: &[CaseList] = &[CaseList { name: "coap.truncations", rows: truncations }];

/// A confirmable GET of a path that no server has, with one argument and a token of four letters, cut after each of its bytes, down to
/// nothing at all. `hex` is the datagram, `any` what may follow, `class` the kind of error, `attack` the whole in words.
fn truncations(_: &str) -> Vec<CaseRow> {
    (0..whole().len()).map(truncation).collect()
}

/// Header, with an id that is filled in later.
const HEADER: &str = "44 01 {mid} ";
const HEADER_LEN: usize = 4;
const TOKEN: &[u8] = b"cut0";
const SEGMENT: &[u8] = b"proofhouse-nowhere";
const ARGUMENT: &[u8] = b"x";
/// The lengths after which a whole message ends.
const BOUNDARIES: [usize; 2] = [HEADER_LEN + TOKEN.len(), HEADER_LEN + TOKEN.len() + 2 + SEGMENT.len()];

/// The datagram, with 0 for its message id.
fn whole() -> Vec<u8> {
    // Uri-Path 11 of 18 bytes: nibbles 11 and 13, extension 18 - 13. Uri-Query 15 of one byte: four further.
    let header: &[u8] = &[0x44, 0x01, 0, 0];
    [header, TOKEN, &[0xbd, SEGMENT.len() as u8 - 13], SEGMENT, &[0x41], ARGUMENT].concat()
}

fn truncation(len: usize) -> CaseRow {
    let (class, place) = match len {
        0 => ("header", "before its first byte"),
        1..HEADER_LEN => ("header", "inside its header"),
        _ if BOUNDARIES.contains(&len) => ("boundary", "where a message may end"),
        _ if len < BOUNDARIES[0] => ("token", "inside its token"),
        9 => ("option", "inside an option header"),
        _ => ("option", "inside an option value"),
    };
    let bytes = &whole()[..len];
    let text = match bytes.get(HEADER_LEN..) {
        Some(rest) => format!("{HEADER}{}", hex(rest)),
        None => hex(bytes),
    };
    let mut fields = Fields::default();
    fields.set("hex", text);
    fields.set("any", Value::List(outcomes(class)));
    fields.set("class", class);
    fields.set("attack", format!("GET that ends {place}, after {len} of {} bytes", whole().len()));
    CaseRow { name: format!("{class}/{len:02}"), fields }
}

/// What a server may do \[RFC 7252 §3, RFC 7252 §4.2\].
fn outcomes(class: &str) -> Vec<Value> {
    let one = |key: &str, value: &str| Value::Table(Fields([(String::from(key), Value::from(value))].into()));
    let (silence, reset) = (one("silence", "1s"), one("type", "rst"));
    match class {
        // No id can be read, so nothing can be answered.
        "header" => [silence].into(),
        "boundary" => [one("type", "response"), reset, silence].into(),
        _ => [reset, silence, one("code", "4.00"), one("code", "4.02")].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Message;
    use alloc::collections::BTreeSet;
    use proofhouse_core::value::unhex;

    fn datagram(row: &CaseRow) -> Vec<u8> {
        unhex(&row.fields.text("hex").unwrap().replace("{mid}", "0102")).unwrap()
    }

    #[test]
    fn every_length_below_the_whole_is_one_case() {
        let rows = truncations("");
        let names: BTreeSet<&String> = rows.iter().map(|row| &row.name).collect();
        assert_eq!((names.len(), rows.len()), (whole().len(), whole().len()));
        for (len, row) in rows.iter().enumerate() {
            assert_eq!(datagram(row).len(), len, "{}", row.name);
        }
    }

    #[test]
    fn a_cut_falls_where_its_class_says() {
        use crate::codec::Frame;
        for row in truncations("") {
            let bytes = datagram(&row);
            let frame = Frame::read(&bytes);
            let class = row.name.split('/').next().unwrap_or_default();
            let found = match () {
                () if bytes.len() < 4 => "header",
                () if frame.tkl.is_some() => "token",
                () if !frame.tail.is_empty() => "option",
                () if frame.options.iter().any(|option| option.length != crate::codec::Length::Actual) => "option",
                () => "boundary",
            };
            assert_eq!(found, class, "{}", row.name);
        }
    }

    #[test]
    fn the_whole_is_legal_and_so_is_what_ends_at_a_boundary_and_nothing_else() {
        assert!(Message::decode(&whole()).is_ok_and(|message| message.options().path_is("/proofhouse-nowhere")));
        for row in truncations("") {
            let legal = Message::decode(&datagram(&row)).is_ok();
            assert_eq!(legal, row.name.starts_with("boundary/"), "{}", row.name);
        }
    }
}
