//! Laws of what a transcript says of a datagram.
use super::*;
use alloc::string::String;
use proptest::prelude::*;

fn line(hex: &str) -> String {
    let told = tell(&proofhouse_core::value::unhex(hex).unwrap());
    let malformed =
        if told.malformed.is_empty() { String::new() } else { alloc::format!(" MALFORMED {}", told.malformed) };
    alloc::format!("{} {}{malformed}", told.kind, told.fields)
}

#[test]
fn a_request_tells_its_method_path_and_query() {
    let said = "request message=con code=0.01 method=get mid=258 token=aabb path=/a/b query=x=1&y=2";
    assert_eq!(line("42 01 0102 aabb b1 61 01 62 43 783d31 03 793d32"), said);
    assert_eq!(line("40 01 0102"), "request message=con code=0.01 method=get mid=258 token= path=/");
}

#[test]
fn a_response_tells_its_options_by_name_and_the_others_by_number() {
    let said = "response message=ack code=2.05 mid=1 token=aa etag=beef observe=5 content_format=40 max_age=0 block2=1/1/64 options=[65000] payload=hi";
    // ETag 4, Observe 6, Content-Format 12, Max-Age 14, Block2 23, 65000.
    assert_eq!(line("61 45 0001 aa 42beef 2105 6128 20 911a e0 fcc4 ff 6869"), said);
}

#[test]
fn empty_messages_have_their_roles_and_no_token() {
    assert_eq!(line("40 00 0007"), "ping message=con mid=7");
    assert_eq!(line("60 00 0007"), "ack message=ack mid=7");
    assert_eq!(line("70 00 0007"), "rst message=rst mid=7");
    assert!(line("50 00 0007").starts_with("empty message=non mid=7 MALFORMED"));
}

#[test]
fn what_cannot_be_read_says_why_and_what_could() {
    for (hex, kind, why) in [
        ("", "datagram", "shorter than the header"),
        ("40 01 00", "datagram", "shorter than the header"),
        (
            "80 01 0001",
            "request message=con code=0.01 method=get mid=1 token= version=2 path=/",
            "a version other than 1",
        ),
        ("49 01 0001 00112233445566778899", "request", "a token length above 8"),
        (
            "44 01 0001 aa",
            "request message=con code=0.01 method=get mid=1 token=aa tkl=4",
            "shorter than its length says",
        ),
        ("40 01 0001 f0", "request", "an option delta of 15"),
        (
            "40 01 0001 b5 61",
            "request message=con code=0.01 method=get mid=1 token= path=/a option_cut=true",
            "an option value",
        ),
        ("40 21 0001", "reserved", "a code of a reserved class"),
        ("40 01 0001 ff", "request", "a payload marker without a payload"),
    ] {
        let told = line(hex);
        assert!(told.starts_with(kind) && told.contains("MALFORMED") && told.contains(why), "{hex}: {told}");
    }
}

#[test]
fn a_critical_option_that_nobody_knows_is_told_and_refused() {
    let told = line("40 01 0001 e0 fefc");
    assert!(told.contains("options=[65545]") && told.contains("MALFORMED"), "{told}");
    let told = line("40 01 0001 e0 fcbd");
    assert!(told.contains("options=[64970]") && !told.contains("MALFORMED"), "an elective one is legal: {told}");
}

#[test]
fn an_answer_that_repeats_what_it_refuses_is_still_that_answer() {
    // 4.02 with the unknown critical option 253; the same option in a request is refused.
    assert_eq!(line("60 82 0001 d0 f0"), "response message=ack code=4.02 mid=1 token= options=[253]");
    assert!(line("40 01 0001 d0 f0").contains("MALFORMED"));
    // A format error is one in an answer too.
    assert!(line("60 82 0001 ff").contains("MALFORMED"));
}

#[test]
fn no_packet_has_a_field_that_its_stored_form_has_another_word_for() {
    for name in ["type", "malformed"] {
        assert!(names::option(name).is_none() && Told::MESSAGE != name, "{name}");
    }
}

proptest! {
    #[test]
    fn any_datagram_is_one_packet_and_a_legal_one_reads_as_legal(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut packets = Vec::new();
        describe("", From::Server).bytes(&bytes, &mut packets);
        prop_assert_eq!(packets.len(), 1);
        let readable = Message::decode(&bytes).err().is_none_or(|reject| !is_unreadable(&reject));
        prop_assert_eq!(packets[0].malformed.is_empty(), readable);
    }
}
