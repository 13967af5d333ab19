//! What the fields of an answer have to hold, and whether a packet does: one reading for scripts, rules and control arms.
//!
//! A field is one of its values, of a group that its protocol names (`refused`), or within bounds (`{ at_least = 1, at_most = 30 }`,
//! `{ not = "$first.mid" }`). In a list, one code for each filter, each item is.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::document::{Keys, Located, Mistake, Node};
use crate::transcript::Packet;
use crate::value::{Fields, Value};

/// Least that the value of a field is.
const AT_LEAST: &str = "at_least";
/// Most that it is.
const AT_MOST: &str = "at_most";
/// What it is not: a value, or a list of them.
const NOT: &str = "not";

/// Whether a value is of the group that a word names for a field of a packet; `None` where the word names none.
pub(crate) type Class<'a> = &'a dyn Fn(&Packet, &str, &str) -> Option<bool>;

/// Whether a packet has every field as it is wanted.
pub(crate) fn fits(fields: &[(String, Vec<Value>)], packet: &Packet, class: Class<'_>) -> bool {
    fields.iter().all(|field| has(packet, field, class))
}

/// Whether a packet has one field as it is wanted.
pub(crate) fn has(packet: &Packet, (name, values): &(String, Vec<Value>), class: Class<'_>) -> bool {
    let of_group = |value: &Value| value.as_text().and_then(|word| class(packet, name, word)).unwrap_or(false);
    match name.as_str() {
        "type" => is_type(packet, values),
        name => values.iter().any(of_group) || same(packet.fields.find(name), values),
    }
}

/// What a packet is: its kind, or what its protocol calls its type beside that.
pub(crate) fn is_type(packet: &Packet, values: &[Value]) -> bool {
    values.iter().filter_map(Value::as_text).any(|value| packet.is_a(value))
}

/// One of the values stands there; in a list each of its items is one of them.
fn same(found: Option<&Value>, values: &[Value]) -> bool {
    match found {
        None => values.contains(&Value::Bool(false)),
        Some(Value::List(items)) => {
            values.iter().any(|value| matches!(value, Value::List(all) if all == items))
                || !items.is_empty() && items.iter().all(|item| values.iter().any(|value| equal(item, value)))
        }
        Some(item) => values.iter().any(|value| equal(item, value)),
    }
}

fn equal(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (_, Value::Table(bounds)) => within(found, bounds),
        (Value::Bool(a), Value::Bool(b)) => a == b,
        // A truth about a field that is none: whether it is there.
        (_, Value::Bool(present)) => *present,
        (Value::Text(_) | Value::Bytes(_), Value::Text(_) | Value::Bytes(_)) => found.as_bytes() == wanted.as_bytes(),
        _ => found == wanted,
    }
}

fn within(found: &Value, bounds: &Fields) -> bool {
    bounds.iter().all(|(key, bound)| match (key, found, bound) {
        (NOT, _, Value::List(all)) => !all.iter().any(|one| equal(found, one)),
        (NOT, ..) => !equal(found, bound),
        (AT_LEAST, Value::Int(found), Value::Int(bound)) => found >= bound,
        (AT_MOST, Value::Int(found), Value::Int(bound)) => found <= bound,
        _ => false,
    })
}

/// Reads what a field may hold: one value, or one of a list, each of which may itself be a list, or bounds.
///
/// # Errors
/// At what no packet can ever be, or always is.
pub(crate) fn read(key: &str, value: &mut Located) -> Result<Vec<Value>, Mistake> {
    let span = value.span;
    match &mut value.node {
        Node::List(all) if all.is_empty() => Err(Mistake::new(span, format!("{key}: an empty list is never met"))),
        Node::List(all) => all.iter_mut().map(|one| read_one(key, one)).collect(),
        _ => Ok(alloc::vec![read_one(key, value)?]),
    }
}

fn read_one(key: &str, value: &mut Located) -> Result<Value, Mistake> {
    match &value.node {
        Node::Table(pairs) if pairs.is_empty() => {
            return Err(Mistake::new(value.span, format!("{key}: empty bounds are met by anything")));
        }
        Node::Table(_) => bounds(key, value)?,
        _ => {}
    }
    Ok(value.plain())
}

fn bounds(key: &str, value: &mut Located) -> Result<(), Mistake> {
    let mut keys = Keys::of(value, key)?;
    let mut number = |name: &str| match keys.value(name).map(|value| (value.span, value.plain())) {
        None => Ok(None),
        Some((_, Value::Int(n))) => Ok(Some(n)),
        // Bound while the script plays.
        Some((_, Value::Text(text))) if text.starts_with('$') => Ok(None),
        Some((span, other)) => Err(Mistake::new(span, format!("{name}: expected a whole number, found {other}"))),
    };
    let (least, most) = (number(AT_LEAST)?, number(AT_MOST)?);
    let _ = keys.value(NOT);
    if let Some((least, most)) = least.zip(most).filter(|(least, most)| least > most) {
        return Err(Mistake::new(keys.span(), format!("{key}: no number is at least {least} and at most {most}")));
    }
    keys.finish()
}

/// The values that a wanted one is made of, each with whether only a number can be there.
pub(crate) fn parts(value: &Value) -> Vec<(&Value, bool)> {
    match value {
        Value::Table(bounds) => bounds
            .iter()
            .flat_map(|(key, bound)| match (key, bound) {
                (NOT, Value::List(all)) => all.iter().map(|one| (one, false)).collect(),
                (NOT, one) => alloc::vec![(one, false)],
                (_, bound) => alloc::vec![(bound, true)],
            })
            .collect(),
        one => alloc::vec![(one, false)],
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::document::parse;

    fn packet(fields: &[(&str, Value)]) -> Packet {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        Packet { kind: "publish".into(), fields: Fields(fields), malformed: String::new() }
    }

    /// Whether a packet is what `{ .. }` wants.
    fn is(wanted: &str, found: &[(&str, Value)]) -> bool {
        let mut tree = parse("x.toml", &alloc::format!("want = {wanted}")).expect("a document");
        let Some(Located { node: Node::Table(pairs), .. }) = tree.find_mut("want") else { panic!("{wanted}") };
        let read =
            |pair: &mut crate::document::Pair| (pair.key.clone(), read(&pair.key, &mut pair.value).expect("reads"));
        let fields: Vec<(String, Vec<Value>)> = pairs.iter_mut().map(read).collect();
        fits(&fields, &packet(found), &|_, _, _| None)
    }

    fn refused(value: &str) -> String {
        let mut tree = parse("x.toml", &alloc::format!("want = {value}")).expect("a document");
        read("want", tree.find_mut("want").expect("it is there")).expect_err("refused").message
    }

    #[test]
    fn bounds_hold_up_to_their_ends_and_no_further() {
        let expiry = |seconds: i64| [("message_expiry", Value::Int(seconds))];
        let between = |seconds| is("{ message_expiry = { at_least = 3, at_most = 5 } }", &expiry(seconds));
        assert_eq!([2, 3, 5, 6].map(between), [false, true, true, false]);
        assert!(!is("{ message_expiry = { at_most = 5 } }", &[]), "what is not there is not at most 5");
        assert!(!is("{ topic = { at_most = 5 } }", &[("topic", Value::from("1"))]), "text is no number");
    }

    #[test]
    fn another_value_than_this_is_one_that_is_there_and_differs() {
        let mid = |id: i64| [("packet_id", Value::Int(id))];
        assert!(is("{ packet_id = { not = 7 } }", &mid(8)) && !is("{ packet_id = { not = 7 } }", &mid(7)));
        assert!(!is("{ packet_id = { not = [7, 8] } }", &mid(8)) && is("{ packet_id = { not = [7, 8] } }", &mid(9)));
        assert!(!is("{ packet_id = { not = 7 } }", &[]));
        assert!(is("{ packet_id = { not = 7, at_most = 8 } }", &mid(8)));
    }

    #[test]
    fn in_a_list_each_item_is_within_bounds_and_a_list_may_be_wanted_whole() {
        let codes = |codes: &[i64]| [("codes", Value::List(codes.iter().map(|code| Value::Int(*code)).collect()))];
        assert!(
            is("{ codes = { at_most = 2 } }", &codes(&[0, 2])) && !is("{ codes = { at_most = 2 } }", &codes(&[0, 3]))
        );
        let pair = |a: &str, b: &str| Value::List(vec![Value::from(a), Value::from(b)]);
        let found = [("user_properties", Value::List(vec![pair("k", "v"), pair("k", "w")]))];
        assert!(is("{ user_properties = [[['k', 'v'], ['k', 'w']]] }", &found), "in this order");
        assert!(!is("{ user_properties = [[['k', 'w'], ['k', 'v']]] }", &found), "in another");
        assert!(!is("{ user_properties = [[['k', 'v']]] }", &found), "one is missing");
    }

    #[test]
    fn bounds_that_nothing_or_anything_meets_are_refused() {
        assert!(refused("{}").contains("met by anything"), "{}", refused("{}"));
        assert!(refused("{ at_least = 3, at_most = 2 }").contains("at least 3 and at most 2"));
        assert!(refused("{ at_least = 'x' }").contains("whole number"));
        assert!(refused("{ atleast = 3 }").contains("unknown key \"atleast\""), "{}", refused("{ atleast = 3 }"));
        assert!(refused("[]").contains("never met"));
    }
}
