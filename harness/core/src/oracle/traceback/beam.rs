//! Erlang and Elixir: crash reports of processes, with places as `{file,"a.erl"},{line,12}`, `(a.erl, line 12)` or `a.ex:12: f/1`.
use alloc::string::{String, ToString};

use super::frame::{Stack, location, type_name};
use super::{Line, Read};

const BEGINS: [&str; 4] =
    ["CRASH REPORT", "** Reason for termination", "** Reason for terminating", "Error in process"];
/// How long a report may be.
const REPORT_LINES: usize = 40;
/// Modules of the standard library, by the beginning of their names.
const LIBRARY: [&str; 6] = ["gen_", "proc_lib", "supervisor", "sys.erl", "erl_eval", "erlang.erl"];

pub(super) fn read(lines: &[Line<'_>], at: usize) -> Option<Read> {
    let begins = BEGINS.iter().any(|sign| lines[at].1.contains(sign)) || elixir(lines, at);
    if !begins {
        return None;
    }
    let end = lines.len().min(at + REPORT_LINES);
    let end = (at + 1..end).find(|next| lines[*next].1.trim().is_empty()).unwrap_or(end);
    let mut stack = Stack::default();
    let mut kind = None;
    for (_, line) in &lines[at..end] {
        kind = kind.or_else(|| thrown(line));
        places(line, &mut stack);
    }
    let kind = kind.unwrap_or_else(|| "crash report".to_string());
    Some(Read { kind, frame: stack.into_frame(), uncaught: true, next: end })
}

/// `** (KeyError) key :x not found`, and a frame below it.
fn elixir(lines: &[Line<'_>], at: usize) -> bool {
    let frame = |line: &str| line.starts_with(' ') && (line.contains(".ex:") || line.contains(".erl:"));
    thrown(lines[at].1).is_some() && lines.get(at + 1).is_some_and(|(_, line)| frame(line))
}

fn thrown(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("** (")?;
    type_name(rest).filter(|name| rest[name.len()..].starts_with(')'))
}

/// Every place in a line, the innermost first.
fn places(line: &str, stack: &mut Stack) {
    let mut rest = line;
    while let Some((_, after)) = rest.split_once("{file,\"") {
        let Some((path, tail)) = after.split_once("\"},{line,") else { break };
        outer(path, tail, stack);
        rest = tail;
    }
    if let Some((path, tail)) =
        line.split_once(", line ").and_then(|(head, tail)| Some((head.rsplit_once('(')?.1, tail)))
    {
        outer(path, tail, stack);
    }
    if let Some((path, number)) = location(line).filter(|(path, _)| path.ends_with(".ex") || path.ends_with(".erl")) {
        outer(path, &number.to_string(), stack);
    }
}

fn outer(path: &str, number: &str, stack: &mut Stack) {
    let file = path.rsplit('/').next().unwrap_or(path);
    if !LIBRARY.iter().any(|name| file.starts_with(name)) {
        let digits = number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        stack.outer(path, digits.parse().ok(), "");
    }
}
