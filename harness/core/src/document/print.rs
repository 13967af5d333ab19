//! From tree to text: TOML 1.0 that a person can read, with one line for each step.
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::{Located, Node, Pair};

/// Prints a tree as TOML 1.0 that reads back as the same tree.
///
/// Tables of the first two levels get headers and root lists of tables `[[headers]]`, as far as no plain key follows them
/// (it would fall under their header); everything else is inline. Lists of tables have one line for each.
#[must_use]
pub fn to_toml(tree: &Located) -> String {
    let mut out = String::new();
    block(tree.pairs(), &mut Vec::new(), &mut out);
    out
}

/// Headers go this deep: `[fleet.meters]`.
const HEADER_DEPTH: usize = 2;

fn block(pairs: &[Pair], path: &mut Vec<String>, out: &mut String) {
    let headed = pairs.iter().rposition(|pair| !has_header(pair, path.len())).map_or(0, |last| last + 1);
    let (plain, headed) = pairs.split_at(headed);
    if !path.is_empty() && (headed.is_empty() || !plain.is_empty()) {
        header(path, "[", "]", out);
    }
    let width = plain.iter().map(|pair| key(&pair.key).len()).max().unwrap_or_default();
    for pair in plain {
        let _ = write!(out, "{:width$} = ", key(&pair.key));
        value(&pair.value, true, out);
        out.push('\n');
    }
    for pair in headed {
        path.push(key(&pair.key));
        match &pair.value.node {
            Node::List(tables) => tables.iter().for_each(|table| element(table, path, out)),
            _ => block(pair.value.pairs(), path, out),
        }
        path.pop();
    }
}

fn has_header(pair: &Pair, depth: usize) -> bool {
    match &pair.value.node {
        Node::Table(_) => depth < HEADER_DEPTH,
        Node::List(all) => depth == 0 && !all.is_empty() && all.iter().all(|one| matches!(one.node, Node::Table(_))),
        _ => false,
    }
}

fn element(table: &Located, path: &[String], out: &mut String) {
    header(path, "[[", "]]", out);
    let width = table.pairs().iter().map(|pair| key(&pair.key).len()).max().unwrap_or_default();
    for pair in table.pairs() {
        let _ = write!(out, "{:width$} = ", key(&pair.key));
        value(&pair.value, true, out);
        out.push('\n');
    }
}

fn header(path: &[String], open: &str, close: &str, out: &mut String) {
    let gap = if out.is_empty() { "" } else { "\n" };
    let _ = writeln!(out, "{gap}{open}{}{close}", path.join("."));
}

/// `wide`: a list of tables may take a line for each; not inside braces.
fn value(located: &Located, wide: bool, out: &mut String) {
    match &located.node {
        Node::Bool(b) => drop(write!(out, "{b}")),
        Node::Int(n) => drop(write!(out, "{n}")),
        Node::Float(x) => float(*x, out),
        Node::Text(text) => quoted(text, out),
        Node::List(all) if wide && all.iter().any(|one| matches!(one.node, Node::Table(_))) => lines(all, out),
        Node::List(all) => {
            out.push('[');
            for (n, one) in all.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { ", " });
                value(one, false, out);
            }
            out.push(']');
        }
        Node::Table(pairs) if pairs.is_empty() => out.push_str("{}"),
        Node::Table(pairs) => {
            for (n, pair) in pairs.iter().enumerate() {
                let _ = write!(out, "{}{} = ", if n == 0 { "{ " } else { ", " }, key(&pair.key));
                value(&pair.value, false, out);
            }
            out.push_str(" }");
        }
    }
}

fn lines(all: &[Located], out: &mut String) {
    out.push_str("[\n");
    for one in all {
        out.push_str("  ");
        value(one, false, out);
        out.push_str(",\n");
    }
    out.push(']');
}

fn float(x: f64, out: &mut String) {
    let _ = if x.is_nan() { write!(out, "nan") } else { write!(out, "{x:?}") };
}

fn key(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(bare) {
        return String::from(text);
    }
    let mut out = String::new();
    quoted(text, &mut out);
    out
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        let _ = match c {
            '"' => write!(out, "\\\""),
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            '\r' => write!(out, "\\r"),
            c if c.is_control() => write!(out, "\\u{:04x}", c as u32),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::{Span, parse};
    use super::*;
    use crate::value::{Fields, Value};
    use proptest::prelude::*;

    #[test]
    fn a_scenario_prints_as_people_write_it() {
        let text = "format = 1
title  = \"x\"

[fleet.a]
count = 3
step  = [
  { do = \"connect\", expect = { type = \"connack\", reason = [0, 1] } },
  { do = \"wait\", for = \"1s\" },
]

[[expect]]
oracle = \"y\"
";
        assert_eq!(to_toml(&parse("f", text).expect("legal")), text);
    }

    #[test]
    fn a_table_before_a_plain_key_is_printed_inline() {
        let text = "a = { b = 1 }\nc = 2\n";
        assert_eq!(to_toml(&parse("f", text).expect("legal")), text);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("nan is not itself", |x| !x.is_nan()).prop_map(Value::Float),
            any::<String>().prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List), tables(inner)]
        })
    }

    fn tables(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        proptest::collection::btree_map("[a-z\"\\\\ .é\n]{0,3}", inner, 0..4)
            .prop_map(|map| Value::Table(Fields(map.into_iter().collect())))
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_the_same(value in tables(values())) {
            let tree = Located::at(Span::default(), &value);
            let text = to_toml(&tree);
            let again = parse("f", &text).map_err(|error| TestCaseError::fail(alloc::format!("{error}\n{text}")))?;
            prop_assert_eq!(again.plain(), value, "{}", text);
        }

        #[test]
        fn any_text_parses_or_is_refused(text in ".{0,200}") {
            let _ = parse("f", &text);
        }

        #[test]
        fn text_that_looks_like_toml_parses_or_is_refused(
            parts in proptest::collection::vec(proptest::sample::select(alloc::vec![
                "a", "b", " = ", "[", "]", "{", "}", ",", "\n", "\"", "'", ".", "1", "é", "\\", "x", "\"\"\"", "#", "0x", "-", "[[", "]]", "\r", "\u{feff}",
            ]), 0..40)
        ) {
            if let Ok(tree) = parse("f", &parts.concat()) {
                prop_assert_eq!(parse("f", &to_toml(&tree)).expect("printed text reads back").plain(), tree.plain());
            }
        }
    }
}
