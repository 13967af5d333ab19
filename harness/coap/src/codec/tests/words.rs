//! Names and numbers of types, codes and tokens.

use alloc::string::ToString;

use crate::codec::{Code, Kind, Token};

#[test]
fn every_code_reads_back_from_what_it_prints() {
    for byte in 0..=255 {
        let code = Code(byte);
        assert_eq!(code.to_string().parse(), Ok(code));
        assert_eq!(Code::new(code.class(), code.detail()), code);
        let roles = [code.is_empty(), code.is_request(), code.is_response(), code.is_reserved()];
        assert_eq!(roles.into_iter().filter(|role| *role).count(), 1, "{code} is exactly one of four");
    }
    for wrong in ["", "2", "2.5", "2.32", "8.00", "2.050", "2,05", "-.05"] {
        assert!(wrong.parse::<Code>().is_err(), "{wrong}");
    }
}

#[test]
fn methods_have_names() {
    for (name, code) in [("get", Code::GET), ("delete", Code::DELETE), ("ipatch", Code::IPATCH)] {
        assert_eq!((code.method(), Code::from_method(name)), (Some(name), Some(code)));
    }
    for code in [Code::EMPTY, Code(8), Code::CONTENT] {
        assert_eq!(code.method(), None, "{code}");
    }
    assert_eq!(Code::from_method("GET"), None);
}

#[test]
fn types_have_names_and_bits() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_bits(kind.bits()), kind);
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(Kind::from_name("CON"), None);
}

#[test]
fn a_token_is_at_most_eight_bytes() {
    assert_eq!(Token::new(&[1; 8]).unwrap().len(), 8);
    assert_eq!(Token::new(&[1; 9]), None);
    assert_eq!(Token::drawn(0x0102_0304_0506_0708, 3).to_string(), "010203");
    assert_eq!(Token::drawn(u64::MAX, 99).as_bytes(), [0xFF; 8]);
    assert_eq!(Token::drawn(7, 0), Token::EMPTY);
    assert_eq!(Token::letters(1 << 35 | 31, 8).as_bytes(), b"7aaaaaab");
    assert_eq!(Token::letters(u64::MAX, 99).as_bytes(), b"77777777");
    assert_eq!(Token::letters(7, 0), Token::EMPTY);
    assert!(
        Token::new(&[1]).unwrap() < Token::new(&[1, 0]).unwrap() && Token::LARGEST > Token::new(&[0xFF; 7]).unwrap()
    );
}
