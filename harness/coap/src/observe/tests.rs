//! What observing promises.

use core::time::Duration;

use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;

use super::*;
use crate::codec::Token;

const HALF: u32 = 1 << 23;
const LAST: u32 = (1 << 24) - 1;

fn token(byte: u8) -> Token {
    Token::new(&[byte]).unwrap()
}

#[track_caller]
fn ordered(old: u32, new: u32, expect: bool) {
    assert_eq!(newer(old, Time::ZERO, new, Time::ZERO), expect, "{new} after {old}");
}

#[test]
fn the_next_number_is_newer_across_the_wrap() {
    ordered(1, 2, true);
    ordered(2, 1, false);
    ordered(2, 2, false);
    ordered(LAST, 0, true);
    ordered(0, LAST, false);
    ordered(LAST, 5, true);
}

#[test]
fn half_of_the_numbers_lie_ahead() {
    ordered(0, HALF - 1, true);
    ordered(0, HALF, false);
    ordered(HALF + 1, 0, true);
    ordered(HALF, 0, false);
}

#[test]
fn after_128_seconds_any_number_is_newer() {
    let then = Time::ZERO + Duration::from_secs(7);
    assert!(!newer(9, then, 3, then + Duration::from_secs(128)));
    assert!(newer(9, then, 3, then + Duration::from_nanos(128_000_000_001)));
}

#[test]
fn only_24_bits_count() {
    assert!(newer(0xFF00_0001, Time::ZERO, 2, Time::ZERO));
}

#[test]
fn a_sequence_is_always_newer_than_itself_was() {
    let mut sequence = Sequence::new(LAST - 2);
    for _ in 0..5 {
        let old = sequence.current();
        ordered(old, sequence.next(), true);
    }
    assert_eq!(sequence.current(), 2);
}

#[test]
fn the_same_token_replaces_its_entry() {
    let mut list = Observers::new(2);
    assert_eq!(list.register(Conn(1), token(1), 7, Time::ZERO), Registered::New);
    list.sent(Conn(1), token(1), 55);
    assert_eq!(list.register(Conn(1), token(1), 8, Time::ZERO), Registered::Renewed);
    assert_eq!((list.len(), list.of(7).count(), list.of(8).count()), (1, 0, 1));
    assert_eq!(list.get(Conn(1), token(1)).unwrap().mid, None, "a new registration knows no notification");
}

#[test]
fn a_full_list_refuses_and_renews() {
    let mut list = Observers::new(2);
    list.register(Conn(1), token(1), 7, Time::ZERO);
    list.register(Conn(1), token(2), 7, Time::ZERO);
    assert_eq!(list.register(Conn(2), token(1), 7, Time::ZERO), Registered::Full);
    assert_eq!(list.register(Conn(1), token(2), 7, Time::ZERO), Registered::Renewed);
    list.remove(Conn(1), token(1)).unwrap();
    assert_eq!(list.register(Conn(2), token(1), 7, Time::ZERO), Registered::New);
}

#[test]
fn a_reset_removes_whom_it_answers() {
    let mut list = Observers::new(9);
    for (conn, byte) in [(1, 1), (1, 2), (2, 1)] {
        list.register(Conn(conn), token(byte), 7, Time::ZERO);
        list.sent(Conn(conn), token(byte), u16::from(byte));
    }
    assert_eq!(list.reset(Conn(1), 9), None);
    assert_eq!(list.reset(Conn(3), 1), None, "the id of another peer means nothing");
    assert_eq!(list.reset(Conn(1), 1).map(|(token, _)| token), Some(token(1)));
    assert_eq!(list.len(), 2);
    assert!(list.get(Conn(2), token(1)).is_some());
}

#[test]
fn who_confirms_is_still_there() {
    let mut list = Observers::new(9);
    list.register(Conn(1), Token::LARGEST, 7, Time::ZERO);
    list.sent(Conn(1), Token::LARGEST, 1);
    list.sent(Conn(1), Token::LARGEST, 2);
    let unconfirmed = |list: &Observers| list.get(Conn(1), Token::LARGEST).unwrap().unconfirmed;
    assert_eq!(unconfirmed(&list), 2);
    assert!(!list.confirmed(Conn(1), 1, Time(5)), "an ACK of an older notification");
    assert!(list.confirmed(Conn(1), 2, Time(5)));
    assert_eq!((unconfirmed(&list), list.get(Conn(1), Token::LARGEST).unwrap().confirmed), (0, Time(5)));
}

#[test]
fn who_is_gone_follows_nothing() {
    let mut list = Observers::new(9);
    for (conn, byte) in [(1, 1), (2, 1), (2, 2), (3, 1)] {
        list.register(Conn(conn), token(byte), byte.into(), Time::ZERO);
    }
    assert_eq!((list.remove_all(Conn(2)), list.remove_all(Conn(2))), (2, 0));
    let left: alloc::vec::Vec<Conn> = list.of(1).map(|(conn, _, _)| conn).collect();
    assert_eq!(left, [Conn(1), Conn(3)]);
}
