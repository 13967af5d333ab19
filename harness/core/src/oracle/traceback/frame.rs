//! A frame of a stack: file name, line and function; never a path, an address or an argument.
use alloc::string::{String, ToString};
use core::fmt;

/// Longest name that is kept, in characters.
const NAME_MAX: usize = 120;

/// Where the source of others lies: standard libraries and what package managers bring.
const LIBRARIES: [&str; 19] = [
    "/lib/python",
    "<frozen",
    "site-packages",
    "dist-packages",
    "/rustc/",
    "/.cargo/registry/",
    "/usr/local/go/src/",
    "/usr/lib/go",
    "/pkg/mod/",
    "node_modules/",
    "node:",
    "internal/",
    "/usr/include/",
    "/usr/lib/",
    "../sysdeps/",
    "libsanitizer",
    "compiler-rt",
    "lib/erlang/",
    "/usr/src/",
];
/// Package managers' folders: a target that is installed by one has its own code there.
const PACKAGES: [&str; 6] =
    ["site-packages", "dist-packages", "/.cargo/registry/", "/pkg/mod/", "node_modules/", "/usr/src/"];
/// Functions of runtimes and standard libraries, where the path does not say so.
const RUNTIMES: [&str; 20] = [
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "System.",
    "Microsoft.",
    "runtime.",
    "panic",
    "std::",
    "core::",
    "__interceptor_",
    "__asan",
    "__sanitizer",
    "__libc",
    "operator",
    "elixir ",
];

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    file: String,
    line: Option<u32>,
    function: String,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.function.as_str()) {
            (None, function) if self.file.is_empty() => f.write_str(function),
            (None, "") => f.write_str(&self.file),
            (None, function) => write!(f, "{} ({function})", self.file),
            (Some(line), "") => write!(f, "{}:{line}", self.file),
            (Some(line), function) => write!(f, "{}:{line} ({function})", self.file),
        }
    }
}

/// Frames of one stack, of which the innermost own one is kept.
#[derive(Default)]
pub(super) struct Stack {
    best: Option<(Rank, Frame)>,
}

/// Whose code a frame is; the greater is the better sign of where a failure comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Library,
    /// The script's outermost line: whatever fails, fails below it.
    Entry,
    Package,
    Own,
}

impl Stack {
    /// A frame that was printed after those that called it, as in Python.
    pub fn inner(&mut self, path: &str, line: Option<u32>, function: &str) {
        let rank = rank(path, function);
        if self.best.as_ref().is_none_or(|(best, _)| rank >= *best) {
            self.best = Some((rank, frame(path, line, function)));
        }
    }

    /// A frame that was printed before those that called it, as nearly everywhere.
    pub fn outer(&mut self, path: &str, line: Option<u32>, function: &str) {
        let rank = rank(path, function);
        if self.best.as_ref().is_none_or(|(best, _)| rank > *best) {
            self.best = Some((rank, frame(path, line, function)));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.best.is_none()
    }

    pub fn into_frame(self) -> Option<Frame> {
        self.best.map(|(_, frame)| frame)
    }
}

fn rank(path: &str, function: &str) -> Rank {
    if PACKAGES.iter().any(|mark| path.contains(mark)) {
        Rank::Package
    } else if LIBRARIES.iter().any(|mark| path.contains(mark)) || RUNTIMES.iter().any(|mark| function.starts_with(mark))
    {
        Rank::Library
    } else if function == "<module>" {
        Rank::Entry
    } else {
        Rank::Own
    }
}

fn frame(path: &str, line: Option<u32>, function: &str) -> Frame {
    let file = path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path);
    // Generated classes and hashes of symbols are numbered anew in every process or build.
    let function = function.split("$$Lambda").next().unwrap_or(function);
    let function = function.rsplit_once("::h").filter(|(_, hash)| is_hash(hash)).map_or(function, |(name, _)| name);
    let short = |text: &str| text.chars().take(NAME_MAX).collect::<String>();
    Frame { file: short(file), line, function: short(function.trim()) }
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The first `path:12` in a text: path and line.
pub(super) fn location(text: &str) -> Option<(&str, u32)> {
    text.match_indices(':').find_map(|(at, _)| located(text, at))
}

/// The last `path:12` in a text; of `path:12:5` the line, not the column.
pub(super) fn last_location(text: &str) -> Option<(&str, u32)> {
    text.split([' ', '\'', '"', ',', '(', ')']).rev().find_map(location)
}

fn located(text: &str, colon: usize) -> Option<(&str, u32)> {
    let before = text[..colon].rsplit([' ', '\t', '\'', '"', '(', ',', '[']).next()?;
    let digits = text[colon + 1..].split(|c: char| !c.is_ascii_digit()).next()?;
    let named = before.chars().any(char::is_alphabetic) && before.contains('.');
    named.then_some(before).zip(digits.parse().ok())
}

/// A type as programs name it: a dotted identifier at the start of a text, such as `asyncio.TimeoutError` or `std::bad_alloc`.
pub(super) fn type_name(text: &str) -> Option<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | ':'))).unwrap_or(text.len());
    let name = text[..end].trim_end_matches([':', '.']);
    let begins = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    (begins && name.chars().count() <= NAME_MAX).then(|| name.to_string())
}
