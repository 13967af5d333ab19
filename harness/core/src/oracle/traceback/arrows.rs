//! JavaScript, the JVM and .NET: a line with the type, then `at` frames from the innermost out.
use alloc::string::{String, ToString};

use super::frame::{Stack, location, type_name};
use super::{LINES_MAX, Line, Read, is_uncaught};

/// How a type ends where programs follow the custom.
const TYPES: [&str; 4] = ["Exception", "Error", "Throwable", "Failure"];

/// Where a frame lies that no file has: in the runtime itself.
const BUILT_IN: [&str; 4] = ["node:", "native", "Native", "<anonymous>"];

pub(super) fn read(lines: &[Line<'_>], at: usize) -> Option<Read> {
    frame(lines.get(at + 1)?.1)?;
    if frame(lines[at].1).is_some() {
        return None;
    }
    let uncaught = is_uncaught(lines, at);
    let mut kind = named(lines[at].1);
    let mut stack = Stack::default();
    let end = lines.len().min(at + LINES_MAX);
    let mut next = at + 1;
    while next < end {
        let line = lines[next].1;
        if let Some((path, number, function)) = frame(line) {
            stack.outer(path, number, function);
        } else if let Some(cause) = line.trim_start().strip_prefix("Caused by: ") {
            // What lies at the bottom is what failed.
            kind = named(cause);
            stack = Stack::default();
        } else if !line.trim_start().starts_with("... ") {
            break;
        }
        next += 1;
    }
    Some(Read { kind, frame: stack.into_frame(), uncaught, next })
}

/// The first word that ends like a type; a logger's words before it are passed over.
fn named(line: &str) -> String {
    let words = line.split_whitespace().filter_map(type_name);
    let is_type = |word: &String| TYPES.iter().any(|end| word.ends_with(end));
    words.into_iter().find(is_type).unwrap_or_else(|| "exception".to_string())
}

/// `at Foo.bar(Foo.java:12)`, `at on (/opt/app.js:12:9)`, `at /opt/app.js:5:3`, `at Ns.Foo.Bar(Int32 n) in /src/Foo.cs:line 12`.
fn frame(line: &str) -> Option<(&str, Option<u32>, &str)> {
    let indented = line.starts_with([' ', '\t']);
    let text = line.trim().strip_prefix("at ").filter(|_| indented)?;
    let text = text.strip_prefix("async ").unwrap_or(text);
    if let Some((function, place)) = text.split_once(") in ") {
        let (path, number) = place.split_once(":line ").unwrap_or((place, ""));
        return Some((path, number.trim().parse().ok(), bare(function)));
    }
    let Some((function, place)) = text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) else {
        let (path, number) = location(text)?;
        return Some((path, Some(number), ""));
    };
    let place = place.strip_prefix("file://").unwrap_or(place);
    match location(place) {
        Some((path, number)) => Some((path, Some(number), function.trim())),
        None if BUILT_IN.iter().any(|word| place.contains(word)) => Some(("node:", None, bare(function))),
        None => Some(("", None, bare(function))),
    }
}

fn bare(function: &str) -> &str {
    function.split('(').next().unwrap_or(function).trim()
}
