//! Reads one table key by key, remembers what was asked for, and refuses the rest.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::{Located, Mistake, Node, Pair, Span, nearest};
use crate::key::{Key, Kind};
use crate::seed::{Rng, Seed};
use crate::spread::{self, Spread, Written};
use crate::time::Duration;
use crate::value::{Value, unhex};

/// A reader of one table. Every getter remembers its key; [`Keys::finish`] refuses keys that nobody asked for.
///
/// With a seed ([`Keys::drawn`]), a range `a..b` is drawn from the stream `plan/<path of the key>` and its point is written
/// back into the tree. Without, a range is a mistake.
pub struct Keys<'t> {
    pairs: &'t mut Vec<Pair>,
    span: Span,
    path: String,
    seed: Option<Seed>,
    asked: Vec<String>,
}

impl<'t> Keys<'t> {
    /// Reads the table `value`; `what` names it in the message where it is none: `a fleet`.
    ///
    /// # Errors
    /// `expected a table, found 5`.
    pub fn of(value: &'t mut Located, what: &str) -> Result<Keys<'t>, Mistake> {
        let span = value.span;
        Ok(Keys { pairs: value.table_mut(what)?, span, path: String::new(), seed: None, asked: Vec::new() })
    }

    /// Draws ranges: `path` is this table's place in the file, `fleet.meters`.
    #[must_use]
    pub fn drawn(mut self, path: &str, seed: Seed) -> Keys<'t> {
        self.path = path.to_string();
        self.seed = Some(seed);
        self
    }

    /// Where the table stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Where the value of `key` stands; the table, where it is not set.
    #[must_use]
    pub fn span_of(&self, key: &str) -> Span {
        self.pairs.iter().find(|pair| pair.key == key).map_or(self.span, |pair| pair.value.span)
    }

    /// The keys that nobody has asked for yet, in file order.
    #[must_use]
    pub fn rest(&self) -> Vec<String> {
        let unasked = |pair: &&Pair| !self.asked.contains(&pair.key);
        self.pairs.iter().filter(unasked).map(|pair| pair.key.clone()).collect()
    }

    /// The value as it stands.
    pub fn value(&mut self, key: &str) -> Option<&mut Located> {
        if !self.asked.iter().any(|asked| asked == key) {
            self.asked.push(key.to_string());
        }
        self.pairs.iter_mut().find(|pair| pair.key == key).map(|pair| &mut pair.value)
    }

    /// `found` must be there. Where a key stands that looks like a slip of `key`, that is the mistake.
    ///
    /// # Errors
    /// `missing key "title"`.
    pub fn need<T>(&self, key: &str, found: Option<T>) -> Result<T, Mistake> {
        found.ok_or_else(|| {
            let wanted = [key.to_string()];
            let slip = self.pairs.iter().find(|p| !self.asked.contains(&p.key) && nearest(&p.key, &wanted).is_some());
            match slip {
                Some(pair) => Mistake::unknown(pair.key_span, "key", &pair.key, wanted),
                None => Mistake::new(self.span, format!("missing key {key:?}")),
            }
        })
    }

    /// The text at `key`.
    ///
    /// # Errors
    /// The value is no text.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, Mistake> {
        self.value(key).map(|value| text_of(key, value)).transpose()
    }

    /// The truth at `key`.
    ///
    /// # Errors
    /// The value is neither `true` nor `false`.
    pub fn truth(&mut self, key: &str) -> Result<Option<bool>, Mistake> {
        let truth = |value: &mut Located| match value.node {
            Node::Bool(b) => Ok(b),
            _ => Err(wrong(key, "true or false", value)),
        };
        self.value(key).map(truth).transpose()
    }

    /// One text or a list of texts at `key`, each with its place. Nothing where it is not set.
    ///
    /// # Errors
    /// Something is no text.
    pub fn texts(&mut self, key: &str) -> Result<Vec<(String, Span)>, Mistake> {
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(value) => match &value.node {
                Node::List(all) => all.iter().map(|one| Ok((text_of(key, one)?, one.span))).collect(),
                _ => Ok(alloc::vec![(text_of(key, value)?, value.span)]),
            },
        }
    }

    /// One of a few words at `key`.
    ///
    /// # Errors
    /// `unknown level "mist"`, with what is known.
    pub fn word<T: Copy>(&mut self, key: &str, known: &[(&str, T)]) -> Result<Option<T>, Mistake> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match known.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(Mistake::unknown(self.span_of(key), key, &text, known.iter().map(|(word, _)| *word))),
        }
    }

    /// A whole number within `range` at `key`, drawn where it is a range.
    ///
    /// # Errors
    /// The value is none, or outside.
    pub fn int(&mut self, key: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Mistake> {
        let Some(Value::Int(n)) = self.kind(key, Kind::Int, false)? else { return Ok(None) };
        if range.contains(&n) {
            return Ok(Some(n));
        }
        let (lo, hi) = (range.start(), range.end());
        Err(Mistake::new(self.span_of(key), format!("{key}: {n} is outside {lo} to {hi}")))
    }

    /// A duration at `key`, drawn where it is a range.
    ///
    /// # Errors
    /// The value is none.
    pub fn duration(&mut self, key: &str) -> Result<Option<Duration>, Mistake> {
        Ok(self
            .kind(key, Kind::Duration, false)?
            .as_ref()
            .and_then(Value::as_text)
            .and_then(|text| spread::duration(text).ok()))
    }

    /// A duration at `key` that may be drawn at every use.
    ///
    /// # Errors
    /// The value is none.
    pub fn durations(&mut self, key: &str) -> Result<Option<Spread<Duration>>, Mistake> {
        Ok(self
            .kind(key, Kind::Duration, true)?
            .as_ref()
            .and_then(Value::as_text)
            .and_then(|text| spread::durations(text).ok()))
    }

    /// A share at `key`, as 0.0 to 1.0.
    ///
    /// # Errors
    /// The value is none.
    pub fn share(&mut self, key: &str) -> Result<Option<f64>, Mistake> {
        let text = self.kind(key, Kind::Percent, false)?;
        Ok(text
            .as_ref()
            .and_then(Value::as_text)
            .and_then(|text| spread::percent(text).ok())
            .map(|percent| percent / 100.0))
    }

    /// The table at `key`, to be read in turn.
    ///
    /// # Errors
    /// The value is no table.
    pub fn table(&mut self, key: &str) -> Result<Option<Keys<'_>>, Mistake> {
        let (path, seed) = (self.path_of(key), self.seed);
        let keys = self.value(key).map(|value| Keys::of(value, key)).transpose()?;
        Ok(keys.map(|keys| Keys { path, seed, ..keys }))
    }

    /// The values of the list at `key`; nothing where it is not set.
    ///
    /// # Errors
    /// The value is no list.
    pub fn list(&mut self, key: &str) -> Result<&mut [Located], Mistake> {
        match self.value(key) {
            None => Ok(&mut []),
            Some(value) => {
                let mistake = wrong(key, "a list", value);
                if let Node::List(all) = &mut value.node { Ok(all) } else { Err(mistake) }
            }
        }
    }

    /// The value at a key that some row declares, checked and drawn. `each`: a range `a~b` may stay.
    /// Durations come in the largest whole unit; hex stays text, `{mid}` and `{canary}` in it stay too.
    ///
    /// # Errors
    /// The value is not of the key's kind.
    pub fn row(&mut self, key: &Key, each: bool) -> Result<Option<Value>, Mistake> {
        self.kind(key.name, key.kind, each)
    }

    /// Refuses keys that nobody asked for.
    ///
    /// # Errors
    /// `unknown key "behavior"`, with what is known here.
    pub fn finish(self) -> Result<(), Mistake> {
        let unknown = self.pairs.iter().find(|pair| !self.asked.contains(&pair.key));
        unknown.map_or(Ok(()), |pair| Err(Mistake::unknown(pair.key_span, "key", &pair.key, &self.asked)))
    }

    /// The place of `key` in the file: `fleet.meters.count`. Names the stream that its range is drawn from.
    #[must_use]
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    fn kind(&mut self, key: &str, kind: Kind, each: bool) -> Result<Option<Value>, Mistake> {
        let path = self.path_of(key);
        let rng = self.seed.map(|seed| seed.stream(&format!("plan/{path}"), 0));
        self.value(key).map(|value| Read { key, each, rng }.kind(kind, value)).transpose()
    }
}

/// One value that is being read by its kind.
struct Read<'k> {
    key: &'k str,
    each: bool,
    rng: Option<Rng>,
}

impl Read<'_> {
    fn kind(mut self, kind: Kind, value: &mut Located) -> Result<Value, Mistake> {
        match kind {
            Kind::Text => text_of(self.key, value).map(Value::Text),
            Kind::Bool => match value.node {
                Node::Bool(b) => Ok(Value::Bool(b)),
                _ => Err(wrong(self.key, "true or false", value)),
            },
            Kind::Int => self.int(value),
            Kind::Float => self.float(value),
            Kind::Duration => self.duration(value),
            Kind::Percent => self.percent(value),
            Kind::Hex => self.hex(value),
            Kind::Fleets => {
                let all: Vec<Value> = value.texts().map(|(text, _)| Value::from(text)).collect();
                let said = value.items().len() + usize::from(value.text().is_some());
                if all.is_empty() || all.len() < said {
                    return Err(wrong(self.key, "a name of a fleet, or a list of them", value));
                }
                Ok(Value::List(all))
            }
            Kind::Any => Ok(value.plain()),
        }
    }

    fn int(&mut self, value: &mut Located) -> Result<Value, Mistake> {
        let text = match &value.node {
            Node::Int(n) => return Ok(Value::Int(*n)),
            Node::Text(text) => text.clone(),
            _ => return Err(wrong(self.key, "a whole number", value)),
        };
        let end = |end: &str| end.parse::<i64>().map_err(|_| spread::not_whole(end));
        match self.written(value.span, &text, end)? {
            Written::Point(_) => Err(wrong(self.key, "a whole number", value)),
            Written::Each(..) => Ok(Value::Text(text)),
            Written::Plan(lo, hi) => {
                let n = spread::draw_int(lo, hi, self.rng(value.span)?);
                value.node = Node::Int(n);
                Ok(Value::Int(n))
            }
        }
    }

    fn float(&mut self, value: &mut Located) -> Result<Value, Mistake> {
        let text = match &value.node {
            Node::Int(n) => return Ok(Value::Float(*n as f64)),
            Node::Float(x) => return Ok(Value::Float(*x)),
            Node::Text(text) => text.clone(),
            _ => return Err(wrong(self.key, "a number", value)),
        };
        let end =
            |end: &str| end.parse::<f64>().map_err(|_| format!("expected a number or a range \"a..b\", found {end:?}"));
        match self.written(value.span, &text, end)? {
            Written::Point(_) => Err(wrong(self.key, "a number", value)),
            Written::Each(..) => Ok(Value::Text(text)),
            Written::Plan(lo, hi) => {
                let x = spread::draw_float(lo, hi, self.rng(value.span)?);
                value.node = Node::Float(x);
                Ok(Value::Float(x))
            }
        }
    }

    fn duration(&mut self, value: &mut Located) -> Result<Value, Mistake> {
        let Some(text) = value.text().map(ToString::to_string) else {
            return Err(wrong(self.key, "a duration such as \"250ms\"", value));
        };
        match self.written(value.span, &text, spread::duration)? {
            Written::Point(point) => Ok(Value::Text(spread::duration_text(point))),
            Written::Each(..) => Ok(Value::Text(text)),
            Written::Plan(lo, hi) => {
                let drawn = spread::duration_text(spread::draw_duration(&text, lo, hi, self.rng(value.span)?));
                value.node = Node::Text(drawn.clone());
                Ok(Value::Text(drawn))
            }
        }
    }

    fn percent(&mut self, value: &mut Located) -> Result<Value, Mistake> {
        let Some(text) = value.text().map(ToString::to_string) else {
            return Err(wrong(self.key, "a share such as \"99%\"", value));
        };
        match self.written(value.span, &text, spread::percent)? {
            Written::Point(_) | Written::Each(..) => Ok(Value::Text(text)),
            Written::Plan(lo, hi) => {
                let drawn = format!("{}%", spread::draw_float(lo, hi, self.rng(value.span)?));
                value.node = Node::Text(drawn.clone());
                Ok(Value::Text(drawn))
            }
        }
    }

    fn hex(&mut self, value: &Located) -> Result<Value, Mistake> {
        let text = text_of(self.key, value)?;
        match unhex(&text.replace("{mid}", "0000").replace("{canary}", "")) {
            Ok(_) => Ok(Value::Text(text)),
            Err(why) => Err(self.said(value.span, &why)),
        }
    }

    fn written<T: PartialOrd + Copy>(
        &self,
        span: Span,
        text: &str,
        end: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Written<T>, Mistake> {
        match spread::written(text, end) {
            Ok(Written::Each(..)) if !self.each => {
                Err(self.said(span, "nothing is drawn at every use here; write a..b, drawn once"))
            }
            Ok(written) => Ok(written),
            Err(why) => Err(self.said(span, &why)),
        }
    }

    fn rng(&mut self, span: Span) -> Result<&mut Rng, Mistake> {
        let mistake = self.said(span, "a range has no place here");
        self.rng.as_mut().ok_or(mistake)
    }

    fn said(&self, span: Span, why: &str) -> Mistake {
        Mistake::new(span, format!("{}: {why}", self.key))
    }
}

fn text_of(key: &str, value: &Located) -> Result<String, Mistake> {
    value.text().map(ToString::to_string).ok_or_else(|| wrong(key, "text", value))
}

fn wrong(key: &str, expected: &str, value: &Located) -> Mistake {
    Mistake::new(value.span, format!("{key}: expected {expected}, found {}", value.what()))
}
