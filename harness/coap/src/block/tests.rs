//! What blocks promise.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::codec::{Code, Kind, Message, OptionNumber, Token, Writer};

fn block(text: &str) -> Block {
    text.parse().unwrap()
}

fn size(bytes: usize) -> BlockSize {
    BlockSize::of(bytes).unwrap()
}

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|n| n as u8).collect()
}

const PLAIN: Sort = Sort { content_format: None, etag: None };

#[test]
fn the_examples_of_the_standard_read_as_they_print() {
    for text in ["0/0/16", "0/1/128", "3/1/64", "22/0/1024", "1048575/1/32"] {
        let read = block(text);
        assert_eq!(read.to_string(), text);
        assert_eq!(Block::from_uint(read.to_uint()), Ok(read));
    }
    for wrong in ["", "0/0", "0/0/16/", "0/2/16", "0/0/8", "0/0/2048", "0/0/17", "1048576/0/16", "-1/0/16"] {
        assert!(wrong.parse::<Block>().is_err(), "{wrong}");
    }
}

#[test]
fn the_largest_exponent_is_six() {
    assert_eq!(Block::from_uint(0x06).unwrap().size(), BlockSize::MAX);
    let refusal = Block::from_uint(0x07).unwrap_err();
    assert_eq!((refusal.code, refusal.rule.clause), (Code::BAD_REQUEST, "RFC 7959 §2.2"));
    assert!(Block::from_uint(0xFF_FFF6).is_ok());
    assert!(Block::from_uint(0x100_0006).is_err(), "25 bits");
}

#[test]
fn an_option_of_a_message_is_a_block_or_a_refusal() {
    let of = |value: u32| {
        let mut out = Vec::new();
        Writer::new(&mut out, Kind::Con, Code::PUT, 1, Token::EMPTY).uint(OptionNumber::BLOCK1, value).end().unwrap();
        let options = Message::decode(&out).unwrap().options();
        assert_eq!(Block::of(&options, OptionNumber::BLOCK2), Ok(None));
        Block::of(&options, OptionNumber::BLOCK1)
    };
    assert_eq!(of(0x0A), Ok(Some(block("0/1/64"))));
    assert_eq!(of(0), Ok(Some(block("0/0/16"))));
    assert!(of(0x0F).is_err());
}

#[test]
fn sizes_fit_into_what_there_is() {
    for (bytes, fits) in [(0, 16), (15, 16), (16, 16), (31, 16), (32, 32), (1023, 512), (1024, 1024), (9999, 1024)] {
        assert_eq!(BlockSize::within(bytes).bytes(), fits, "{bytes}");
    }
    assert_eq!([BlockSize::of(8), BlockSize::of(48), BlockSize::of(2048)], [None; 3]);
    assert_eq!((BlockSize::from_szx(6), BlockSize::from_szx(7)), (Some(BlockSize::MAX), None));
}

#[test]
fn a_body_is_cut_where_it_is_asked() {
    let body = body(100);
    let cut = |wanted, most| cut(&body, block(wanted), size(most)).map(|(block, part)| (block.to_string(), part.len()));
    assert_eq!(cut("0/0/64", 1024), Some(("0/1/64".into(), 64)));
    assert_eq!(cut("1/0/64", 1024), Some(("1/0/64".into(), 36)));
    assert_eq!(cut("2/0/64", 1024), None);
    assert_eq!(cut("1048575/1/1024", 1024), None);
    assert_eq!(cut("1/0/64", 16), Some(("4/1/16".into(), 16)), "smaller, at the same place");
    assert_eq!(cut("0/0/1024", 1024), Some(("0/0/1024".into(), 100)));
    assert_eq!(
        super::cut(&[], block("0/0/64"), BlockSize::MAX),
        Some((block("0/0/64"), &[][..])),
        "an empty body has one block"
    );
    assert_eq!(super::cut(&[], block("1/0/64"), BlockSize::MAX), None);
    assert_eq!(super::cut(&body[..64], block("1/0/64"), BlockSize::MAX), None, "the last full block was the last");
}

#[test]
fn blocks_in_order_make_a_body() {
    let whole = body(100);
    let mut assembly = Assembly::new();
    assert_eq!(assembly.push(block("0/1/64"), &whole[..64], PLAIN, Some(100), 100), Ok(Progress::More));
    assert_eq!(assembly.wanted(size(64)), Some(block("1/0/64")));
    assert_eq!(assembly.wanted(size(16)), Some(block("4/0/16")));
    assert_eq!(assembly.push(block("1/0/64"), &whole[64..], PLAIN, None, 100), Ok(Progress::Whole));
    assert_eq!(assembly.take(), whole);
    assert!(!assembly.is_begun() && assembly.body().is_empty());
}

#[track_caller]
fn refuses(assembly: &mut Assembly, text: &str, len: usize, announced: Option<u32>, code: Code, clause: &str) {
    let refusal = assembly.push(block(text), &body(len), PLAIN, announced, 1000).expect_err(text);
    assert_eq!((refusal.code, refusal.rule.clause), (code, clause));
}

#[test]
fn a_block_is_as_long_as_it_says() {
    let mut assembly = Assembly::new();
    refuses(&mut assembly, "0/1/64", 63, None, Code::BAD_REQUEST, "RFC 7959 §2.3");
    refuses(&mut assembly, "0/1/64", 65, None, Code::BAD_REQUEST, "RFC 7959 §2.3");
    refuses(&mut assembly, "0/0/64", 65, None, Code::BAD_REQUEST, "RFC 7959 §2.3");
    assert!(assembly.push(block("0/0/64"), &body(64), PLAIN, None, 1000).is_ok());
}

#[test]
fn a_block_without_its_predecessors_is_incomplete_and_costs_nothing() {
    let mut assembly = Assembly::new();
    for text in ["1/0/64", "1048575/0/1024", "1048575/1/16"] {
        let len = if text.ends_with("1/16") { 16 } else { 9 };
        refuses(&mut assembly, text, len, None, Code::REQUEST_ENTITY_INCOMPLETE, "RFC 7959 §2.5");
        assert_eq!(assembly, Assembly::new());
    }
    assembly.push(block("0/1/16"), &body(16), PLAIN, None, 1000).unwrap();
    refuses(&mut assembly, "2/0/16", 1, None, Code::REQUEST_ENTITY_INCOMPLETE, "RFC 7959 §2.5");
    assert_eq!(assembly.push(block("1/0/16"), &body(1), PLAIN, None, 1000), Ok(Progress::Whole), "a gap can be filled");
}

#[test]
fn what_is_announced_can_refuse_but_not_allocate() {
    let mut assembly = Assembly::new();
    let (code, clause) = (Code::REQUEST_ENTITY_TOO_LARGE, "RFC 7959 §2.9.3");
    refuses(&mut assembly, "0/1/16", 16, Some(u32::MAX), code, clause);
    refuses(&mut assembly, "0/1/16", 16, Some(1001), code, clause);
    assert_eq!(assembly, Assembly::new());
    assert!(assembly.push(block("0/1/16"), &body(16), PLAIN, Some(1000), 1000).is_ok());
    assert!(assembly.held() < 1000, "{} bytes for 16", assembly.held());
}

#[test]
fn a_body_ends_at_the_limit() {
    let mut assembly = Assembly::new();
    assert!(assembly.push(block("0/1/16"), &body(16), PLAIN, None, 20).is_ok());
    let mut other = assembly.clone();
    assert_eq!(assembly.push(block("1/0/16"), &body(4), PLAIN, None, 20), Ok(Progress::Whole));
    assert_eq!(
        other.push(block("1/0/16"), &body(5), PLAIN, None, 20).unwrap_err().code,
        Code::REQUEST_ENTITY_TOO_LARGE
    );
    assert!(!other.is_begun());
    // One more is to follow, so 16 bytes with M cannot end at 16.
    assert!(Assembly::new().push(block("0/1/16"), &body(16), PLAIN, None, 16).is_err());
    assert!(Assembly::new().push(block("0/1/16"), &body(16), PLAIN, None, 17).is_ok());
}

#[test]
fn blocks_of_two_bodies_are_not_joined() {
    let sort = |format, etag: Option<&[u8]>| Sort { content_format: format, etag: etag.and_then(Token::new) };
    let begin = |first| {
        let mut assembly = Assembly::new();
        assembly.push(block("0/1/16"), &body(16), first, None, 1000).unwrap();
        move |second| {
            assembly.push(block("1/0/16"), &body(3), second, None, 1000).map_err(|refusal| refusal.rule.clause)
        }
    };
    assert_eq!(begin(sort(Some(0), None))(sort(Some(40), None)), Err("RFC 7959 §2.3"));
    assert_eq!(begin(sort(Some(0), None))(sort(None, None)), Err("RFC 7959 §2.3"));
    assert_eq!(begin(sort(None, Some(b"1")))(sort(None, Some(b"2"))), Err("RFC 7959 §2.4"));
    assert_eq!(begin(sort(None, Some(b"1")))(sort(None, Some(b"1"))), Ok(Progress::Whole));
    assert_eq!(begin(sort(None, Some(b"1")))(sort(None, None)), Ok(Progress::Whole), "compared where both have one");
}

#[test]
fn block_zero_begins_anew() {
    let mut assembly = Assembly::new();
    assembly.push(block("0/1/16"), &body(16), PLAIN, None, 1000).unwrap();
    assembly.push(block("1/1/16"), &body(16), PLAIN, None, 1000).unwrap();
    assert_eq!(assembly.push(block("0/1/16"), &[7; 16], PLAIN, None, 1000), Ok(Progress::More));
    assert_eq!(assembly.body(), [7; 16]);
}

#[test]
fn a_server_may_ask_for_smaller_blocks() {
    // As in the standard's example: 128 bytes were sent, 32 are wanted, so block 4 comes next.
    let body = body(300);
    let mut upload = Upload::new(size(128));
    assert_eq!(upload.part(&body).unwrap().0, block("0/1/128"));
    assert_eq!(upload.hear(&body, Code::CONTINUE, Some(block("0/1/32"))), UploadStep::Next);
    assert_eq!(upload.part(&body).unwrap().0, block("4/1/32"));
    assert_eq!(
        upload.hear(&body, Code::CONTINUE, Some(block("4/1/1024"))),
        UploadStep::Next,
        "a larger size is no wish"
    );
    assert_eq!(upload.part(&body).unwrap().0, block("5/1/32"));
}

#[test]
fn too_large_with_a_smaller_size_begins_anew() {
    let body = body(300);
    let mut upload = Upload::new(size(128));
    assert_eq!(upload.hear(&body, Code::REQUEST_ENTITY_TOO_LARGE, Some(block("0/0/64"))), UploadStep::Next);
    assert_eq!(upload.part(&body).unwrap().0, block("0/1/64"));
    assert_eq!(upload.hear(&body, Code::REQUEST_ENTITY_TOO_LARGE, Some(block("0/0/64"))), UploadStep::Done);
    assert_eq!(upload.hear(&body, Code::REQUEST_ENTITY_TOO_LARGE, None), UploadStep::Done);
}

#[test]
fn an_answer_that_does_not_fit_ends_the_upload() {
    let body = body(100);
    let mut upload = Upload::new(size(64));
    assert_eq!(upload.hear(&body, Code::CONTINUE, None), UploadStep::Lost);
    assert_eq!(upload.hear(&body, Code::CONTINUE, Some(block("1/1/64"))), UploadStep::Lost);
    assert_eq!(upload.hear(&body, Code::CONTINUE, Some(block("0/1/64"))), UploadStep::Next);
    assert_eq!(
        upload.hear(&body, Code::CONTINUE, Some(block("1/0/64"))),
        UploadStep::Lost,
        "nothing is left to continue with"
    );
    assert_eq!(upload.hear(&body, Code::CHANGED, Some(block("1/0/64"))), UploadStep::Done);
    assert_eq!(upload.hear(&body, Code::REQUEST_ENTITY_INCOMPLETE, None), UploadStep::Done);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_uint_is_a_block_or_a_refusal(value in any::<u32>()) {
        if let Ok(block) = Block::from_uint(value) {
            prop_assert_eq!(block.to_uint(), value);
            prop_assert!(block.offset() < 1 << 30);
        }
    }

    #[test]
    fn what_is_uploaded_is_assembled(len in 0_usize..3000, szx in 0_u8..7, wish in 0_u8..7) {
        let body = vec![len as u8; len];
        let (mut upload, mut assembly) = (Upload::new(BlockSize::from_szx(szx).unwrap()), Assembly::new());
        loop {
            let (block, part) = upload.part(&body).unwrap();
            if assembly.push(block, part, PLAIN, None, 3000).unwrap() == Progress::Whole {
                break;
            }
            let answer = Block::new(block.num(), true, BlockSize::from_szx(wish).unwrap());
            prop_assert_eq!(upload.hear(&body, Code::CONTINUE, answer), UploadStep::Next);
        }
        prop_assert_eq!(assembly.take(), body);
    }

    #[test]
    fn what_is_cut_is_assembled(len in 0_usize..3000, szx in 0_u8..7, most in 0_u8..7) {
        let body = vec![len as u8; len];
        let (wish, most) = (BlockSize::from_szx(szx).unwrap(), BlockSize::from_szx(most).unwrap());
        let (mut assembly, mut wanted) = (Assembly::new(), Block::first(wish));
        loop {
            let (block, part) = cut(&body, wanted, most).unwrap();
            prop_assert!(block.size() <= wish);
            if assembly.push(block, part, PLAIN, None, 3000).unwrap() == Progress::Whole {
                break;
            }
            wanted = assembly.wanted(block.size()).unwrap();
        }
        prop_assert_eq!(assembly.take(), body);
    }
}
