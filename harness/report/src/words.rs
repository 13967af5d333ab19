//! Words of documents: text from outside made visible, counts, durations.
use proofhouse_core::verdict::Verdict;

/// Text of a peer on one line: control characters as `\u{..}`, and so are those that hide or turn what stands around them
/// (bidirectional controls, zero-width ones), which no escaping for HTML, XML or Markdown touches.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_unseen(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// At most `max` characters; what is cut is counted.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}… ({} more)", &text[..at], text[at..].chars().count()),
        None => text.to_owned(),
    }
}

/// As people write it: `not applicable`.
#[must_use]
pub fn verdict(verdict: Verdict) -> String {
    verdict.name().replace('_', " ")
}

/// `3 findings`, `1 finding`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// `20,000`.
#[must_use]
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Milliseconds for people: `820 ms`, `12.3 s`, `4 min 12 s`, `2 h 5 min`.
#[must_use]
pub fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// RFC 3986: whatever is not unreserved, or a slash, is percent-encoded.
#[must_use]
pub fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            byte => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_peer_hides_or_turns_what_stands_around_it() {
        assert_eq!(visible("a\u{202e}b\u{200b}\n\u{1b}[2J"), "a\\u{202e}b\\u{200b}\\n\\u{1b}[2J");
        assert_eq!(visible("größer <b> 漢字"), "größer <b> 漢字");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 20_000, 1_234_567].map(thousands), ["0", "999", "1,000", "20,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1_000, 59_999, 60_000, 3_600_000].map(span),
            ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 0 s", "1 h 0 min"]
        );
        assert_eq!((count(1, "trial"), count(2, "trial")), ("1 trial".into(), "2 trials".into()));
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".into(), "abc… (1 more)".into()));
    }
}
