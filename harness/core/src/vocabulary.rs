//! Every key that scenario and target files may hold, with one line about it: what `explain` prints and what `schema` is made of.
//!
//! The reader does not use these tables. Laws beside them hold both to the same keys and the same words, so that neither knows
//! one that the other does not. Keys of verbs, behaviours and oracles stand with their rows, see [`crate::registry`].
use alloc::vec::Vec;

use crate::key::Kind;
use crate::registry::Registry;

mod scenario;
mod target;
#[cfg(test)]
mod tests;

pub use scenario::SCENARIO;
pub use target::TARGET;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// As files write it.
    pub name: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// A file without it does not load.
    pub required: bool,
    /// One line, with the default.
    pub doc: &'static str,
}

/// What may stand at a key.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A value of this kind.
    One(Kind),
    /// One of these words.
    Words(&'static [&'static str]),
    /// One text, or a list of them.
    Texts,
    /// A list of whole numbers.
    Ints,
    /// One name of this sort.
    Name(Sort),
    /// One name of this sort, or a list of them.
    Names(Sort),
    /// A table.
    Table(&'static Table),
    /// A list of tables.
    List(&'static Table),
    /// A table whose keys are names that the file gives, each with a table.
    Named(&'static Table),
    /// A table of texts whose keys are names that the file gives.
    NamedTexts,
    /// `flaw = "oracle"`, or several oracles.
    Twins,
}

/// Names that a [`Registry`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Protocols.
    Protocol,
    /// Their versions.
    Version,
    /// What targets may be able to do.
    Capability,
    /// Lists of cases.
    CaseList,
    /// Steps.
    Verb,
    /// What fleets do.
    Behaviour,
    /// Rules.
    Oracle,
    /// In-process targets.
    Build,
    /// Planted flaws.
    Flaw,
}

/// A table of a file.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// As people name it: `a fleet`.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Word],
    /// Which other keys it may hold.
    pub more: More,
}

/// Which keys a table may hold beside its own.
#[derive(Clone, Copy, Debug)]
pub enum More {
    /// None.
    Nothing,
    /// Any: fields of a packet, values of a case.
    Anything,
    /// Those of the verb, behaviour or oracle that the key of this name names.
    Of(&'static str, Sort),
    /// Names of rows.
    Rows(fn(&Registry) -> Vec<Word>),
}

impl Table {
    /// Its keys, with those that are names of rows.
    #[must_use]
    pub fn words(&self, registry: &Registry) -> Vec<Word> {
        let rows = if let More::Rows(rows) = self.more { rows(registry) } else { Vec::new() };
        self.keys.iter().copied().chain(rows).collect()
    }
}

/// Tables that stand in scenario files, outermost first, each once.
#[must_use]
pub fn scenario_tables() -> Vec<&'static Table> {
    below(&SCENARIO)
}

/// Tables that stand in target files, outermost first, each once.
#[must_use]
pub fn target_tables() -> Vec<&'static Table> {
    below(&TARGET)
}

fn below(top: &'static Table) -> Vec<&'static Table> {
    let mut all = alloc::vec![top];
    let mut at = 0;
    while let Some(table) = all.get(at).copied() {
        for word in table.keys {
            if let Shape::Table(inner) | Shape::List(inner) | Shape::Named(inner) = word.shape
                && !all.iter().any(|known| known.what == inner.what)
            {
                all.push(inner);
            }
        }
        at += 1;
    }
    all
}

/// A key that may be left out.
const fn may(name: &'static str, shape: Shape, doc: &'static str) -> Word {
    Word { name, shape, required: false, doc }
}

/// A key that must be there.
const fn must(name: &'static str, shape: Shape, doc: &'static str) -> Word {
    Word { name, shape, required: true, doc }
}

const TEXT: Shape = Shape::One(Kind::Text);
const INT: Shape = Shape::One(Kind::Int);
const BOOL: Shape = Shape::One(Kind::Bool);
const DURATION: Shape = Shape::One(Kind::Duration);
const PERCENT: Shape = Shape::One(Kind::Percent);
const ANY: Shape = Shape::One(Kind::Any);

/// Rights of a party.
static MAY: Table = Table { what: "rights", keys: &[], more: More::Rows(|registry| rights(registry, Shape::Texts)) };

/// A key for each right that a protocol knows.
fn rights(registry: &Registry, shape: Shape) -> Vec<Word> {
    registry.rights().into_iter().map(|right| may(right.name, shape, right.doc)).collect()
}
