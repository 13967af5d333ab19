//! Rust, Go, C and C++: panics, failed assertions, sanitizer reports. Whatever is printed here with its place, nobody has caught.
use alloc::format;
use alloc::string::String;

use super::frame::{Stack, last_location, location, type_name};
use super::{LINES_MAX, Line, Read};
use crate::transcript::is_assertion;

/// How far below a panic its stack may begin; its message stands between.
const MESSAGE_LINES: usize = 12;

pub(super) fn read(lines: &[Line<'_>], at: usize) -> Option<Read> {
    rust(lines, at)
        .or_else(|| sanitizer(lines, at))
        .or_else(|| undefined(lines[at].1, at))
        .or_else(|| assertion(lines[at].1, at))
        .or_else(|| go(lines, at))
}

/// `thread 'main' panicked at src/a.rs:12:5:`, before 1.73 `panicked at 'message', src/a.rs:12:5`. A stack is asked only where the panic
/// is a library's.
fn rust(lines: &[Line<'_>], at: usize) -> Option<Read> {
    let (_, place) = lines[at].1.split_once("panicked at ")?;
    let quoted = place.starts_with('\'');
    let mut stack = Stack::default();
    if let Some((path, line)) = if quoted { last_location(place) } else { location(place) } {
        stack.inner(path, Some(line), "");
    }
    let next = backtrace(lines, at + 1, &mut stack);
    if stack.is_empty() {
        return None; // words of a log, not a report: a panic says where it was
    }
    // One of the main thread that nobody catches is the end of the process, which tells of itself.
    let uncaught = !lines[at].1.contains("thread 'main'");
    Some(Read { kind: "panic".into(), frame: stack.into_frame(), uncaught, next })
}

/// `  5: app::handle` and `        at ./src/a.rs:12:5` below it.
fn backtrace(lines: &[Line<'_>], from: usize, stack: &mut Stack) -> usize {
    let near = from..lines.len().min(from + MESSAGE_LINES);
    let Some(begin) = near.clone().find(|at| lines[*at].1.contains("stack backtrace:")) else { return from };
    let mut function = "";
    for (at, (_, line)) in lines.iter().enumerate().take(begin + LINES_MAX).skip(begin + 1) {
        let line = line.trim_start();
        if let Some((path, number)) = line.strip_prefix("at ").and_then(location) {
            stack.outer(path, Some(number), function);
        } else if let Some((_, name)) = line.split_once(": ").filter(|(n, _)| n.parse::<u32>().is_ok()) {
            function = name;
        } else {
            return at;
        }
    }
    lines.len().min(begin + LINES_MAX)
}

/// `panic: message` or `fatal error: message`, then `goroutine 7 [running]:`, then a function and its place on two lines.
fn go(lines: &[Line<'_>], at: usize) -> Option<Read> {
    let kind =
        ["http: panic serving", "panic: ", "fatal error: "].into_iter().find(|sign| lines[at].1.contains(sign))?;
    let kind = if kind.contains("panic") { "panic" } else { "fatal error" };
    let near = at..lines.len().min(at + MESSAGE_LINES);
    let begin = near.clone().find(|at| lines[*at].1.starts_with("goroutine "))?;
    let mut stack = Stack::default();
    let mut function = "";
    let mut next = begin + 1;
    while next < lines.len().min(begin + LINES_MAX) && !lines[next].1.trim().is_empty() {
        let line = lines[next].1;
        match location(line).filter(|_| line.starts_with(['\t', ' '])) {
            Some((path, number)) => stack.outer(path, Some(number), function),
            None => function = line.rsplit_once('(').map_or(line, |(name, _)| name),
        }
        next += 1;
    }
    // A panic that nobody recovers from is the end of the process, which tells of itself.
    Some(Read { kind: kind.into(), frame: stack.into_frame(), uncaught: kind != "panic", next })
}

/// `==1==ERROR: AddressSanitizer: heap-use-after-free on address ..`, then `#0 0x.. in f /src/a.c:12:3` from the innermost out.
fn sanitizer(lines: &[Line<'_>], at: usize) -> Option<Read> {
    let (before, what) = lines[at].1.split_once("Sanitizer: ")?;
    if before.contains("SUMMARY") {
        return None;
    }
    let name = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let word = what.split([' ', '(']).next().unwrap_or_default();
    let mut stack = Stack::default();
    let mut next = at + 1;
    while next < lines.len().min(at + LINES_MAX) && !lines[next].1.contains("SUMMARY: ") {
        let line = lines[next].1.trim_start();
        let of_stack = is_numbered(line);
        if let Some((_, rest)) = line.split_once(" in ").filter(|_| of_stack) {
            let (function, path) = rest.rsplit_once(' ').unwrap_or((rest, ""));
            let (path, number) = location(path).map_or(("", None), |(path, number)| (path, Some(number)));
            stack.outer(path, number, function.split('(').next().unwrap_or(function));
        } else if !of_stack && !stack.is_empty() {
            break; // the first stack is where it happened; others tell where memory was freed or allocated
        }
        next += 1;
    }
    let uncaught = !stack.is_empty();
    let kind = type_name(word).map_or_else(|| word.chars().take(40).collect(), |_| String::from(word));
    Some(Read { kind: format!("{name}Sanitizer {kind}"), frame: stack.into_frame(), uncaught, next })
}

/// `#12 0x..`: a sign and the number of a frame.
fn is_numbered(line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default();
    word.get(1..).is_some_and(|number| number.parse::<u32>().is_ok())
}

/// `/src/a.c:12:3: runtime error: signed integer overflow: ..`.
fn undefined(line: &str, at: usize) -> Option<Read> {
    let (place, _) = line.split_once(": runtime error: ")?;
    let mut stack = Stack::default();
    let (path, number) = location(place)?;
    stack.outer(path, Some(number), "");
    Some(Read { kind: "undefined behaviour".into(), frame: stack.into_frame(), uncaught: true, next: at + 1 })
}

/// glibc: `broker: a.c:12: f: Assertion `x' failed.`
fn assertion(line: &str, at: usize) -> Option<Read> {
    if !is_assertion(line) {
        return None;
    }
    let mut stack = Stack::default();
    if let Some((path, number)) = location(line) {
        let function = line.split(": ").nth(2).filter(|name| !name.contains(' ')).unwrap_or_default();
        stack.outer(path, Some(number), function);
    }
    Some(Read { kind: "assertion".into(), frame: stack.into_frame(), uncaught: true, next: at + 1 })
}
