//! Each reason to refuse has a datagram, and a neighbour that passes.

use alloc::format;
use alloc::string::ToString;

use super::{decode, hex};
use crate::codec::rules::*;
use crate::codec::{Code, Duty, Kind, Message, OptionNumber, Rule, Token};

/// `bad` is refused by this rule with this duty; `good` differs in little and passes.
#[track_caller]
fn check(rule: &'static Rule, duty: Duty, bad: &str, good: &str) {
    let reject = decode(bad).expect_err(bad);
    assert!(core::ptr::eq(reject.rule, rule), "{bad}: {reject}");
    assert_eq!(reject.duty, duty, "{bad}: {reject}");
    assert!(decode(good).is_ok(), "{good}: {:?}", decode(good));
}

#[test]
fn a_datagram_has_four_bytes() {
    check(&TOO_SHORT, Duty::Ignore, "400000", "40000000");
    check(&TOO_SHORT, Duty::Ignore, "", "40000000");
}

#[test]
fn there_is_one_version() {
    for bad in ["00011234", "80011234", "C0011234"] {
        check(&VERSION, Duty::Ignore, bad, "40011234");
    }
}

#[test]
fn a_token_has_eight_bytes_at_most() {
    check(&TOKEN_LENGTH, Duty::Reset, "49011234 010203040506070809", "48011234 0102030405060708");
    check(&TOKEN_LENGTH, Duty::ResetOrIgnore, "5F011234 0102030405060708090A0B0C0D0E0F", "58011234 0102030405060708");
    for tkl in 9..=15_u8 {
        let reject = decode(&format!("{:02X}011234 {}", 0x40 | tkl, "00".repeat(20))).unwrap_err();
        assert!(core::ptr::eq(reject.rule, &TOKEN_LENGTH));
    }
}

#[test]
fn a_token_is_as_long_as_it_says() {
    check(&TOKEN_CUT, Duty::Reset, "44011234 010203", "44011234 01020304");
}

#[test]
fn an_empty_message_is_empty() {
    check(&EMPTY_WITH_REST, Duty::Reset, "40001234 00", "40001234");
    check(&EMPTY_WITH_REST, Duty::Reset, "41001234 AA", "40001234");
    check(&EMPTY_WITH_REST, Duty::Reset, "41001234", "40001234");
    check(&EMPTY_WITH_REST, Duty::Reset, "40001234 FF00", "40001234");
    check(&EMPTY_WITH_REST, Duty::Ignore, "60001234 B161", "60001234");
    check(&EMPTY_WITH_REST, Duty::Ignore, "70001234 B161", "70001234");
}

#[test]
fn reserved_classes_are_no_codes() {
    for (bad, good) in
        [("40201234", "40411234"), ("403F1234", "40011234"), ("40C01234", "40BF1234"), ("40FF1234", "40A01234")]
    {
        check(&RESERVED_CLASS, Duty::Reset, bad, good);
    }
    check(&RESERVED_CLASS, Duty::ResetOrIgnore, "50E11234", "50451234");
    check(&RESERVED_CLASS, Duty::Ignore, "60E11234", "60451234");
}

#[test]
fn an_ack_answers() {
    check(&ACK_WITH_REQUEST, Duty::Ignore, "60011234", "60451234");
    check(&ACK_WITH_REQUEST, Duty::Ignore, "601F1234", "60001234");
}

#[test]
fn a_reset_is_empty() {
    check(&RST_WITH_CODE, Duty::Ignore, "70451234", "70001234");
    check(&RST_WITH_CODE, Duty::Ignore, "70011234", "70001234");
}

#[test]
fn a_non_is_never_empty() {
    check(&NON_EMPTY, Duty::ResetOrIgnore, "50001234", "50011234");
}

#[test]
fn a_marker_announces_a_payload() {
    check(&MARKER_ALONE, Duty::Reset, "40021234 FF", "40021234 FF00");
    check(&MARKER_ALONE, Duty::ResetOrIgnore, "50021234 B161 FF", "50021234 B161 FFFF");
}

#[test]
fn fifteen_means_nothing_in_an_option() {
    check(&DELTA_RESERVED, Duty::Reset, "40011234 F0", "40011234 B0");
    check(&LENGTH_RESERVED, Duty::Reset, "40011234 BF", "40011234 B0");
    check(&DELTA_RESERVED, Duty::ResetOrIgnore, "50011234 FE 0000", "50011234 FF 0000");
}

#[test]
fn an_option_header_is_whole() {
    check(&EXTENSION_CUT, Duty::Reset, "40011234 D0", "40011234 D0 01");
    check(&EXTENSION_CUT, Duty::Reset, "40011234 E0 01", "40011234 E0 0001");
    check(&EXTENSION_CUT, Duty::Reset, "40011234 BD", "40011234 BD 00 61616161616161616161616161");
    check(&EXTENSION_CUT, Duty::Reset, "40011234 DD 00", "40011234 DD 01 00 61616161616161616161616161");
}

#[test]
fn an_option_value_is_whole() {
    check(&VALUE_CUT, Duty::Reset, "40011234 B461 6263", "40011234 B461 626364");
    check(&VALUE_CUT, Duty::Reset, "40011234 BE FFFF 00", "40011234 B1 00");
}

#[test]
fn an_option_number_has_sixteen_bits() {
    // 269 + 65266 is 65535, a critical number: no format error. One more is.
    let edge = decode("40011234 E0 FEF2").unwrap_err();
    assert_eq!((edge.option, edge.duty), (Some(OptionNumber(65535)), Duty::BadOption));
    check(&NUMBER_TOO_LARGE, Duty::Reset, "40011234 E0 FEF3", "40011234 E0 FEF1");
    check(&NUMBER_TOO_LARGE, Duty::Reset, "40011234 E0 FEF1 20", "40011234 E0 FEF1 00");
}

#[test]
fn a_critical_option_that_no_one_knows_is_not_passed_over() {
    // 9 is critical, 10 is not.
    check(&OPTION_UNKNOWN, Duty::BadOption, "40011234 90", "40011234 A0");
    check(&OPTION_UNKNOWN, Duty::ResetOrIgnore, "50011234 90", "50011234 A0");
    check(&OPTION_UNKNOWN, Duty::Reset, "40451234 90", "40451234 A0");
    check(&OPTION_UNKNOWN, Duty::Ignore, "60451234 90", "60451234 A0");
    check(&OPTION_UNKNOWN, Duty::BadOption, "40011234 D034", "40011234 D033");
}

#[test]
fn a_critical_option_stands_once() {
    // Uri-Port twice, Uri-Path twice; Max-Age twice is passed over.
    check(&OPTION_REPEATED, Duty::BadOption, "40011234 7150 0150", "40011234 B150 0150");
    check(&OPTION_REPEATED, Duty::BadOption, "40011234 50 00", "40011234 50 60");
    assert!(decode("40451234 D101 3C 013C").is_ok());
}

#[test]
fn a_critical_option_is_as_long_as_it_may_be() {
    check(&OPTION_LENGTH, Duty::BadOption, "40011234 73 000050", "40011234 72 0050");
    check(&OPTION_LENGTH, Duty::BadOption, "40011234 30", "40011234 31 61");
    check(&OPTION_LENGTH, Duty::ResetOrIgnore, "50011234 51 00", "50011234 50");
}

#[test]
fn a_path_means_nothing_in_a_response() {
    check(&OPTION_MISPLACED, Duty::Ignore, "60451234 B161", "60451234 8161");
    check(&OPTION_MISPLACED, Duty::Reset, "40451234 B161", "40011234 B161");
}

#[test]
fn a_broken_datagram_comes_before_an_option_that_is_not_understood() {
    let reject = decode("40011234 90 FF").unwrap_err();
    assert!(core::ptr::eq(reject.rule, &MARKER_ALONE), "{reject}");
    assert!(reject.is_format_error());
}

#[test]
fn the_first_option_that_is_not_understood_is_named() {
    let reject = decode("42011234 AABB 90 20").unwrap_err();
    assert_eq!(reject.option, Some(OptionNumber(9)));
    assert_eq!((reject.mid, reject.token), (0x1234, Token::new(&[0xAA, 0xBB]).unwrap()), "a 4.02 needs both");
    assert_eq!(reject.to_string(), "a critical option that is not understood: OSCORE [RFC 7252 §5.4.1]");
}

#[test]
fn elective_options_out_of_range_are_there_to_look_at_but_not_to_use() {
    // Content-Format of three bytes; then a legal Max-Age.
    let bytes = hex("40451234 C3000000 21 3C");
    let message = Message::decode(&bytes).unwrap();
    assert_eq!(message.options().iter().count(), 2);
    assert_eq!(message.options().uint(OptionNumber::CONTENT_FORMAT), None);
    assert_eq!(message.options().uint(OptionNumber::MAX_AGE), Some(60));
}

#[test]
fn unknown_methods_and_codes_are_messages() {
    for code in ["08", "1F", "60", "5F", "9F", "BF"] {
        assert!(decode(&format!("40{code}1234")).is_ok(), "{code}");
    }
}

#[test]
fn the_parts_are_what_they_say() {
    let bytes = hex("44017d34 01020304 b474656d70 0561 62636465 ff 22");
    let message = Message::decode(&bytes).unwrap();
    assert_eq!((message.kind(), message.code(), message.mid()), (Kind::Con, Code::GET, 0x7d34));
    assert_eq!(message.token().as_bytes(), [1, 2, 3, 4]);
    assert!(message.options().path_is("/temp/abcde"));
    assert_eq!(message.payload(), b"\x22");
}

#[test]
fn the_empty_ones_pass() {
    for (message, wire) in
        [(Message::ping(0x1234), "40001234"), (Message::ack(0x1234), "60001234"), (Message::rst(0x1234), "70001234")]
    {
        let mut out = alloc::vec::Vec::new();
        message.encode(&mut out);
        assert_eq!(out, hex(wire));
        assert_eq!(Message::decode(&out), Ok(message));
    }
}
