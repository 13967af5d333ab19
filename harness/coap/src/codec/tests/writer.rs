//! What is written is legal, or not written.

use alloc::vec;
use alloc::vec::Vec;

use super::{get, hex};
use crate::codec::{Code, Kind, Message, OptionNumber, Token, Writer, rules};

#[track_caller]
fn refused(rule: &'static crate::codec::Rule, fill: impl FnOnce(Writer<'_>) -> Writer<'_>) {
    let reject = get(fill).expect_err("refused");
    assert!(core::ptr::eq(reject.rule, rule), "{reject}");
}

#[test]
fn options_stand_in_order_however_they_were_said() {
    let forth =
        get(|w| w.uint(OptionNumber::OBSERVE, 0).path("/a/b").query("q").uint(OptionNumber::SIZE1, 300)).unwrap();
    let back =
        get(|w| w.uint(OptionNumber::SIZE1, 300).query("q").path("/a/b").uint(OptionNumber::OBSERVE, 0)).unwrap();
    let mixed =
        get(|w| w.path("/a").uint(OptionNumber::SIZE1, 300).path("/b").uint(OptionNumber::OBSERVE, 0).query("q"));
    assert_eq!(forth, back);
    assert_eq!(mixed.unwrap(), forth);
    assert_eq!(forth, hex("42011234 746b 60 5161 0162 4171 D2 20 012C"));
}

#[test]
fn what_may_not_be_said_is_not() {
    refused(&rules::OPTION_LENGTH, |w| w.option(OptionNumber::ETAG, &[0; 9]));
    refused(&rules::OPTION_LENGTH, |w| w.option(OptionNumber::ETAG, &[]));
    refused(&rules::OPTION_LENGTH, |w| w.option(OptionNumber(252), &vec![0; 65805]));
    refused(&rules::OPTION_REPEATED, |w| w.uint(OptionNumber::ACCEPT, 0).uint(OptionNumber::ACCEPT, 0));
    refused(&rules::OPTION_REPEATED, |w| w.uint(OptionNumber::OBSERVE, 0).path("/a").uint(OptionNumber::OBSERVE, 1));
    refused(&rules::OPTION_MISPLACED, |w| w.uint(OptionNumber::MAX_AGE, 0));
    refused(&rules::OPTION_UNKNOWN, |w| w.option(OptionNumber(9), &[]));
    refused(&rules::PATH_DOTS, |w| w.path("/a/../b"));
    refused(&rules::PATH_DOTS, |w| w.path("."));
    assert!(get(|w| w.path("/a/.../b").query(".").option(OptionNumber::ETAG, &[0; 8])).is_ok());
    assert!(get(|w| w.option(OptionNumber(252), &vec![0; 65804])).is_ok());
}

#[test]
fn a_request_lists_etags_and_a_response_has_one() {
    let etags = |code| {
        let mut out = Vec::new();
        let writer = Writer::new(&mut out, Kind::Con, code, 1, Token::EMPTY);
        writer.option(OptionNumber::ETAG, b"1").option(OptionNumber::ETAG, b"2").end()
    };
    assert!(etags(Code::GET).is_ok());
    assert!(core::ptr::eq(etags(Code::CONTENT).unwrap_err().rule, &rules::OPTION_REPEATED));
}

#[test]
fn types_go_with_codes() {
    let write = |kind, code, token: &[u8], payload: &[u8]| {
        let mut out = vec![7];
        let done = Writer::new(&mut out, kind, code, 1, Token::new(token).unwrap()).payload(payload);
        assert_eq!(done.is_err(), out == [7], "on error nothing is appended");
        done.map_err(|reject| reject.rule)
    };
    assert_eq!(write(Kind::Ack, Code::GET, b"", b""), Err(&rules::ACK_WITH_REQUEST));
    assert_eq!(write(Kind::Ack, Code::CONTENT, b"", b"x"), Ok(()));
    assert_eq!(write(Kind::Rst, Code::CONTENT, b"", b""), Err(&rules::RST_WITH_CODE));
    assert_eq!(write(Kind::Rst, Code::EMPTY, b"", b""), Ok(()));
    assert_eq!(write(Kind::Non, Code::EMPTY, b"", b""), Err(&rules::NON_EMPTY));
    assert_eq!(write(Kind::Con, Code::EMPTY, b"t", b""), Err(&rules::EMPTY_WITH_REST));
    assert_eq!(write(Kind::Con, Code::EMPTY, b"", b"x"), Err(&rules::EMPTY_WITH_REST));
    assert_eq!(write(Kind::Con, Code::new(1, 0), b"", b""), Err(&rules::RESERVED_CLASS));
}

#[test]
fn a_message_is_appended_to_what_stands_there() {
    let mut out = b"before".to_vec();
    Writer::new(&mut out, Kind::Non, Code::POST, 2, Token::EMPTY)
        .path("/a")
        .query("b")
        .path("/c")
        .payload(b"x")
        .unwrap();
    assert_eq!(&out[..6], b"before");
    let message = Message::decode(&out[6..]).unwrap();
    assert!(message.options().path_is("/a/c"));
    assert_eq!(message.payload(), b"x");
}

#[test]
fn extensions_begin_at_13_and_269() {
    for (len, header) in [(12, "BC"), (13, "BD00"), (255, "BDF2")] {
        let value = vec![b'a'; len];
        let bytes = get(|w| w.option(OptionNumber::URI_PATH, &value)).unwrap();
        assert_eq!(bytes[6..6 + header.len() / 2], hex(header), "{len}");
    }
    for (len, header) in [(268, "DDFF16"), (269, "DE160000"), (1034, "DE1602FD")] {
        // Proxy-Uri is 35: delta 13 + 22.
        let value = vec![b'a'; len];
        let bytes = get(|w| w.option(OptionNumber::PROXY_URI, &value)).unwrap();
        let wanted = if len < 269 { hex("DD16FF") } else { hex(header) };
        assert_eq!(bytes[6..6 + wanted.len()], wanted, "{len}");
    }
}
