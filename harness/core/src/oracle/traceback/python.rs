//! Python: `Traceback (most recent call last)`, frames from the outermost in, and a line with the type.
use super::frame::{Stack, type_name};
use super::{LINES_MAX, Line, Read, is_uncaught};

const BEGINS: &str = "Traceback (most recent call last)";
/// Between two tracebacks of one failure: the second is what came out.
const CHAINED: [&str; 2] =
    ["During handling of the above exception", "The above exception was the direct cause of the following"];
/// Groups of exceptions are drawn with these.
const BARS: &str = " |+-";
/// Blank lines around the sentence that chains two.
const CHAIN_LINES: usize = 5;

pub(super) fn read(lines: &[Line<'_>], at: usize) -> Option<Read> {
    if !lines[at].1.contains(BEGINS) {
        return None;
    }
    let uncaught = is_uncaught(lines, at);
    let mut read = one(lines, at);
    while let Some(next) = chained(lines, read.next) {
        read = one(lines, next);
    }
    Some(Read { uncaught, ..read })
}

fn one(lines: &[Line<'_>], at: usize) -> Read {
    let mut stack = Stack::default();
    let end = lines.len().min(at + LINES_MAX);
    let mut next = at + 1;
    while next < end && !lines[next].1.contains(BEGINS) {
        let line = lines[next].1;
        next += 1;
        if let Some((path, line, function)) = frame(line.trim_start_matches(|c| BARS.contains(c))) {
            stack.inner(path, line, function);
        } else if let Some(kind) = raised(line.strip_prefix("  | ").unwrap_or(line)).filter(|_| !stack.is_empty()) {
            return Read { kind, frame: stack.into_frame(), uncaught: false, next };
        }
    }
    Read { kind: "exception".into(), frame: stack.into_frame(), uncaught: false, next }
}

/// `File "/opt/app/handler.py", line 12, in on_connect`.
fn frame(line: &str) -> Option<(&str, Option<u32>, &str)> {
    let (path, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let (number, function) = rest.split_once(", in ").unwrap_or((rest, ""));
    Some((path, number.trim().parse().ok(), function))
}

/// `KeyError: 'x'`, not indented: the lines of the source are, and so are the marks below them.
fn raised(line: &str) -> Option<alloc::string::String> {
    let kind = type_name(line)?;
    let rest = &line[kind.len()..];
    let last = kind.rsplit('.').next().unwrap_or(&kind);
    let named = last.starts_with(|c: char| c.is_uppercase() || c == '_');
    (named && (rest.is_empty() || rest.starts_with(':'))).then_some(kind)
}

fn chained(lines: &[Line<'_>], from: usize) -> Option<usize> {
    let near = from..lines.len().min(from + CHAIN_LINES);
    let said = near.clone().find(|at| CHAINED.iter().any(|words| lines[*at].1.contains(words)))?;
    (said..lines.len().min(said + CHAIN_LINES)).find(|at| lines[*at].1.contains(BEGINS))
}
