//! From text to tree. The parser underneath reads TOML 1.1; what 1.0 does not know is refused here, because other tools refuse it.
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{LoadError, Located, Mistake, Node, Pair, Span};

/// Reads TOML 1.0. `file` is used in messages only. Dates are refused: no file of ours holds one.
///
/// # Errors
/// The first syntax mistake, with its place.
pub fn parse(file: &str, text: &str) -> Result<Located, LoadError> {
    read(text).map_err(|mistake| mistake.locate(file, text))
}

fn read(text: &str) -> Result<Located, Mistake> {
    let table = DeTable::parse(text)
        .map_err(|error| Mistake::new(span(error.span().unwrap_or_default()), error.message().trim()))?;
    Ok(Located { span: Span::default(), node: Reader { text }.table(table.get_ref())? })
}

fn span(range: Range<usize>) -> Span {
    Span { start: range.start, end: range.end }
}

struct Reader<'t> {
    text: &'t str,
}

impl Reader<'_> {
    fn table(&self, table: &DeTable<'_>) -> Result<Node, Mistake> {
        let mut pairs = Vec::with_capacity(table.len());
        for (key, value) in table.iter() {
            self.escapes(span(key.span()))?;
            pairs.push(Pair { key: key.get_ref().to_string(), key_span: span(key.span()), value: self.value(value)? });
        }
        pairs.sort_by_key(|pair| (pair.key_span.start, pair.value.span.start));
        Ok(Node::Table(pairs))
    }

    fn list(&self, list: &DeArray<'_>) -> Result<Node, Mistake> {
        list.iter().map(|item| self.value(item)).collect::<Result<_, _>>().map(Node::List)
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Result<Located, Mistake> {
        let at = span(value.span());
        let node = match value.get_ref() {
            DeValue::Boolean(b) => Node::Bool(*b),
            DeValue::Integer(n) => Node::Int(
                i64::from_str_radix(n.as_str(), n.radix())
                    .map_err(|_| Mistake::new(at, "a number outside -2^63 to 2^63 - 1"))?,
            ),
            DeValue::Float(x) => {
                Node::Float(x.as_str().parse().map_err(|_| Mistake::new(at, "not a number with a fraction"))?)
            }
            DeValue::String(text) => {
                self.escapes(at)?;
                Node::Text(text.to_string())
            }
            DeValue::Datetime(_) => return Err(Mistake::new(at, "a date is written as text: \"2027-03-01\"")),
            DeValue::Array(list) => self.list(list)?,
            DeValue::Table(table) => {
                self.one_line(at, table)?;
                self.table(table)?
            }
        };
        Ok(Located { span: at, node })
    }

    fn source(&self, at: Span) -> &str {
        self.text.get(at.start..at.end).unwrap_or_default()
    }

    /// TOML 1.0 knows neither `\e` nor `\x1b`.
    fn escapes(&self, at: Span) -> Result<(), Mistake> {
        let source = self.source(at);
        if !source.starts_with('"') {
            return Ok(());
        }
        let mut escaped = false;
        for (n, byte) in source.bytes().enumerate() {
            if escaped && matches!(byte, b'e' | b'x') {
                let start = at.start + n - 1;
                return Err(Mistake::new(Span { start, end: start + 2 }, "TOML 1.0 has no such escape; write \\u001b"));
            }
            escaped = byte == b'\\' && !escaped;
        }
        Ok(())
    }

    /// TOML 1.0 has neither line breaks nor a trailing comma between the braces of an inline table.
    fn one_line(&self, at: Span, table: &DeTable<'_>) -> Result<(), Mistake> {
        if !self.source(at).starts_with('{') {
            return Ok(());
        }
        let mut values = Vec::new();
        self.values(table, &mut values);
        values.sort_by_key(|value| value.start);
        let mut start = at.start;
        for value in values.iter().chain([&Span { start: at.end, end: at.end }]) {
            if let Some(n) = self.source(Span { start, end: value.start }).find('\n') {
                let start = start + n;
                return Err(Mistake::new(
                    Span { start, end: start },
                    "a line break inside { } is TOML 1.1; keep it on one line",
                ));
            }
            if value.start == at.end
                && let Some(n) = self.source(Span { start, end: at.end }).find(',')
            {
                let start = start + n;
                return Err(Mistake::new(Span { start, end: start + 1 }, "a comma before } is TOML 1.1; leave it out"));
            }
            start = value.end;
        }
        Ok(())
    }

    /// The places of the values that stand between the braces; dotted keys hide tables that have no braces of their own.
    fn values(&self, table: &DeTable<'_>, places: &mut Vec<Span>) {
        for value in table.values() {
            let at = span(value.span());
            match value.get_ref() {
                DeValue::Table(dotted) if !self.source(at).starts_with('{') => self.values(dotted, places),
                _ => places.push(at),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn refuses(text: &str, line: usize, column: usize, word: &str) {
        let error = parse("f.toml", text).expect_err(text);
        assert_eq!((error.line, error.column), (line, column), "{error}");
        assert!(error.message.contains(word), "{error}");
    }

    #[test]
    fn keys_keep_the_order_of_the_file() {
        let tree = parse("f", "z = 1\na = 2\n[t]\ny = { d = 1, c = 2 }\nb = [3]\n").expect("legal");
        let names = |tree: &Located| tree.pairs().iter().map(|pair| pair.key.clone()).collect::<Vec<String>>();
        assert_eq!(names(&tree), ["z", "a", "t"]);
        let table = tree.find("t").expect("t");
        assert_eq!(names(table), ["y", "b"]);
        assert_eq!(names(table.find("y").expect("y")), ["d", "c"]);
    }

    #[test]
    fn every_value_knows_its_place_at_every_depth() {
        let text = "a = [{ b = { c = [1, \"x\"] } }]";
        let tree = parse("f", text).expect("legal");
        let inner = &tree.find("a").expect("a").items()[0];
        let deep = &inner.find("b").expect("b").find("c").expect("c").items()[1];
        assert_eq!(&text[deep.span.start..deep.span.end], "\"x\"");
    }

    #[test]
    fn a_syntax_mistake_has_its_place() {
        refuses("a = 1\nb = = 2\n", 2, 5, "");
        refuses("a = 1\na = 2\n", 2, 1, "duplicate");
    }

    #[test]
    fn inline_tables_stand_on_one_line_as_toml_1_0_wants() {
        refuses("a = { b = 1,\n c = 2 }", 1, 13, "line break");
        refuses("a = { b = 1, }", 1, 12, "comma");
        refuses("a = { b.c = 1, }", 1, 14, "comma");
        refuses("a = [{ b = 1 # x\n}]", 1, 17, "line break");
        assert!(parse("f", "a = { b = [\n1,\n2,\n], c.d = 'x,', e = {} }").is_ok(), "a list may span lines");
    }

    #[test]
    fn escapes_of_toml_1_1_are_refused() {
        refuses("a = \"x\\e\"", 1, 7, "escape");
        refuses("a = \"\\x41\"", 1, 6, "escape");
        assert!(parse("f", "a = \"\\\\e\\u001b\"\nb = '\\e'").is_ok());
    }

    #[test]
    fn dates_are_text_here() {
        refuses("until = 2027-03-01", 1, 9, "text");
    }

    #[test]
    fn deep_nesting_ends_in_a_message_not_in_a_full_stack() {
        let deep = |n: usize| alloc::format!("a = {}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse("f", &deep(40)).is_ok());
        assert!(parse("f", &deep(100_000)).is_err());
        let dotted = alloc::format!("{}a = 1", "a.".repeat(100_000));
        assert!(parse("f", &dotted).is_err());
        assert!(parse("f", &alloc::format!("a = {}", "{ a = ".repeat(100_000))).is_err());
    }
}
