//! Strings, binary data, topic names.

use super::*;
use crate::codec::{Binary, Filter, Share, Text, TopicName};

fn clause<T>(result: Result<T, Reason>) -> Result<(), &'static str> {
    result.map(|_| ()).map_err(|reason| reason.clause)
}

#[test]
fn a_field_has_at_most_65535_bytes() {
    let long = "x".repeat(65_536);
    let fits = &long[1..];
    for (result, legal) in [
        (clause(Text::new(&long)), clause(Text::new(fits))),
        (clause(TopicName::new(&long)), clause(TopicName::new(fits))),
        (clause(Filter::new(V5, &long)), clause(Filter::new(V5, fits))),
        (clause(Binary::new(long.as_bytes())), clause(Binary::new(fits.as_bytes()))),
    ] {
        assert_eq!((result, legal), (Err("MQTT5 4.7.3-3"), Ok(())));
    }
    assert_eq!(clause(Filter::new(V3, &long)), Err("MQTT3 4.7.3-3"));
}

#[test]
fn u0000_is_refused_wherever_it_stands() {
    for text in ["\0", "a\0", "\0a", "0123456789abcdef0123456789abcdef\0"] {
        assert_eq!(clause(Text::new(text)), Err("MQTT5 1.5.4-2"), "{text:?}");
        assert_eq!(clause(TopicName::new(text)), Err("MQTT5 1.5.4-2"), "{text:?}");
        assert_eq!(clause(Filter::new(V5, text)), Err("MQTT5 1.5.4-2"), "{text:?}");
    }
}

#[test]
fn control_characters_and_byte_order_marks_are_kept() {
    for text in ["\u{1}", "\u{7F}", "\u{FEFF}x", "\u{FFFF}", "\u{10FFFF}"] {
        assert_eq!(Text::new(text).map(Text::as_str), Ok(text));
    }
}

#[test]
fn a_topic_name_is_not_empty_and_has_no_wildcard() {
    assert_eq!(clause(TopicName::new("")), Err("MQTT5 4.7.3-1"));
    for name in ["#", "+", "a/+", "a#b", "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/#"] {
        assert_eq!(clause(TopicName::new(name)), Err("MQTT5 4.7.0-1"), "{name}");
    }
    for name in ["/", "//", " ", "a/ b", "$SYS/x", "*"] {
        assert_eq!(clause(TopicName::new(name)), Ok(()), "{name}");
    }
}

#[test]
fn a_shared_filter_falls_into_two_parts() {
    let shared = Filter::new(V5, "$share/meters/site/+/x").expect("legal");
    assert_eq!(shared.share(), Some(Share { group: "meters", filter: "site/+/x" }));
    assert_eq!(shared.for_matching(V5), "site/+/x");
    assert_eq!(shared.for_matching(V3), "$share/meters/site/+/x", "3.1.1 knows no shares");
    assert_eq!(Filter::new(V5, "$shared/x").map(Filter::share), Ok(None));
    let nested = Filter::new(V5, "$share/g//").expect("the filter is \"/\"");
    assert_eq!(nested.for_matching(V5), "/");
}
