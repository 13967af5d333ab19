//! What a server offers: the list of links behind `/.well-known/core` \[RFC 7252 §7.2\].
//!
//! Reading allocates nothing and ends at the first mistake; it never looks at more bytes than there are.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

mod resolve;
pub use resolve::Origin;
use resolve::Resource;

/// Where a server lists its resources.
pub const WELL_KNOWN: &str = "/.well-known/core";
/// The Content-Format of such a list \[RFC 7252 §7.2\].
pub const CONTENT_FORMAT: u16 = 40;

/// One link: `</sensors/temp>;rt="temperature";obs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebLink<'a> {
    /// What stands between the angle brackets.
    pub target: &'a str,
    attributes: &'a str,
}

/// One attribute of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its name: `rt`.
    pub name: &'a str,
    /// Its value, if it has one; a quoted one without its quotes.
    pub value: Option<Value<'a>>,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// As it stands there.
    Bare(&'a str),
    /// What stood between quotes, with its backslashes.
    Quoted(&'a str),
}

/// Where a list of links stops being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Byte from the beginning.
    pub at: usize,
    /// What was wrong there.
    pub what: &'static str,
}

/// The links of a list, in order; an error ends it.
#[must_use]
pub const fn links(text: &str) -> Links<'_> {
    Links { text, at: 0, done: false }
}

/// See [`links`].
#[derive(Clone, Debug)]
pub struct Links<'a> {
    text: &'a str,
    at: usize,
    done: bool,
}

impl<'a> Iterator for Links<'a> {
    type Item = Result<WebLink<'a>, Mistake>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done || self.text[self.at..].trim_start().is_empty() {
            return None;
        }
        let link = self.link();
        self.done |= link.is_err();
        Some(link)
    }
}

impl<'a> Links<'a> {
    fn link(&mut self) -> Result<WebLink<'a>, Mistake> {
        self.skip_space();
        self.take('<').ok_or(self.mistake("a link begins with <"))?;
        let rest = &self.text[self.at..];
        let end = rest.find('>').ok_or(self.mistake("a target ends with >"))?;
        let target = &rest[..end];
        self.at += end + 1;
        let start = self.at;
        self.skip_space();
        while self.take(';').is_some() {
            let (_, len) = attribute(&self.text[self.at..]).map_err(|what| self.mistake(what))?;
            self.at += len;
            self.skip_space();
        }
        let attributes = &self.text[start..self.at];
        match self.take(',') {
            Some(()) if self.text[self.at..].trim_start().is_empty() => Err(self.mistake("a link follows a comma")),
            Some(()) => Ok(WebLink { target, attributes }),
            None if self.at == self.text.len() => Ok(WebLink { target, attributes }),
            None => Err(self.mistake("links are separated by commas")),
        }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        let found = self.text[self.at..].starts_with(wanted);
        self.at += usize::from(found);
        found.then_some(())
    }

    const fn mistake(&self, what: &'static str) -> Mistake {
        Mistake { at: self.at, what }
    }
}

impl<'a> WebLink<'a> {
    /// The path on this server that it leads to, with its query; `None` where it leads to itself, or to another server. Relative links
    /// count from the anchor, or else from the root \[RFC 6690\].
    #[must_use]
    pub fn path(&self, origin: Origin) -> Option<String> {
        let base = self.anchor(origin).unwrap_or(Resource::root());
        let target = base.resolve(self.target, origin);
        target.here.then(|| target.text()).flatten()
    }

    /// The path on this server of what it is a link from, where it says so: but for the root, from which every link goes.
    #[must_use]
    pub fn context(&self, origin: Origin) -> Option<String> {
        self.anchor(origin).filter(|anchor| anchor.here && anchor.path != "/").and_then(Resource::text)
    }

    fn anchor(&self, origin: Origin) -> Option<Resource> {
        let anchor = self.attribute("anchor")?.value?;
        Some(Resource::root().resolve(&anchor.text(), origin))
    }

    /// Its attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let mut rest = self.attributes;
        core::iter::from_fn(move || {
            let (found, len) = attribute(rest.trim_start().strip_prefix(';')?).ok()?;
            let skipped = rest.len() - rest.trim_start().len() + 1;
            rest = &rest[skipped + len..];
            Some(found)
        })
    }

    /// The first attribute of this name; a second one does not count.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Attribute<'a>> {
        self.attributes().find(|attribute| attribute.name == name)
    }

    /// Whether the resource can be observed: `obs`, whatever value someone gave it \[RFC 7641 §6\].
    #[must_use]
    pub fn is_observable(&self) -> bool {
        self.attribute("obs").is_some()
    }
}

/// One attribute after its semicolon, and its bytes with the space around it.
fn attribute(text: &str) -> Result<(Attribute<'_>, usize), &'static str> {
    let start = text.len() - text.trim_start().len();
    let rest = &text[start..];
    let name_len = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
    if name_len == 0 {
        return Err("an attribute has a name");
    }
    let (name, rest) = rest.split_at(name_len);
    let at = start + name_len;
    let Some(rest) = rest.strip_prefix('=') else { return Ok((Attribute { name, value: None }, at)) };
    let Some(quoted) = rest.strip_prefix('"') else {
        let len = rest.find([';', ',', '"', ' ', '\t', '\r', '\n', '<', '>']).unwrap_or(rest.len());
        if len == 0 {
            return Err("a value follows the equals sign");
        }
        return Ok((Attribute { name, value: Some(Value::Bare(&rest[..len])) }, at + 1 + len));
    };
    let len = closing_quote(quoted).ok_or("a quoted value ends with a quote")?;
    Ok((Attribute { name, value: Some(Value::Quoted(&quoted[..len])) }, at + 3 + len))
}

/// A backslash hides the character after it.
fn closing_quote(text: &str) -> Option<usize> {
    let mut hidden = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !hidden;
        hidden = byte == b'\\' && !hidden;
        closes
    })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$&+-.^_`|~*%'".contains(c)
}

impl<'a> Value<'a> {
    /// The text that is meant: without backslashes.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        match *self {
            Self::Quoted(raw) if raw.contains('\\') => Cow::Owned(unescape(raw)),
            Self::Bare(raw) | Self::Quoted(raw) => Cow::Borrowed(raw),
        }
    }
}

fn unescape(raw: &str) -> String {
    let mut hidden = false;
    let meant = |c: &char| {
        hidden = *c == '\\' && !hidden;
        !hidden
    };
    raw.chars().filter(meant).collect()
}

/// Appends one link, with a comma if another stands before it. Values are quoted unless they are a decimal number.
///
/// # Panics
/// If the target holds `>` or a name is none: a list is written by us, not by a peer.
pub fn write(out: &mut String, target: &str, attributes: &[(&str, Option<&str>)]) {
    assert!(!target.contains('>'), "{target:?} cannot stand between angle brackets");
    if !out.is_empty() {
        out.push(',');
    }
    out.push('<');
    out.push_str(target);
    out.push('>');
    for (name, value) in attributes {
        assert!(!name.is_empty() && name.chars().all(is_name), "{name:?} is no name of an attribute");
        out.push(';');
        out.push_str(name);
        if let Some(value) = value {
            out.push('=');
            write_value(out, value);
        }
    }
}

fn write_value(out: &mut String, value: &str) {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        out.push_str(value);
        return;
    }
    out.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.what)
    }
}

impl core::error::Error for Mistake {}

#[cfg(test)]
mod tests;
