//! Keys of verbs, behaviours and rules: a name, what may stand there, and a line about it.

/// One key that a verb, a behaviour or an oracle understands.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As files write it.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// One line for `explain` and editors, with the unit.
    pub doc: &'static str,
}

/// What may stand at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text, taken as it is.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number, or a range of them.
    Int,
    /// A duration such as `"250ms"`, or a range of them. In a plan: text in the largest whole unit.
    Duration,
    /// `"99%"`.
    Percent,
    /// A number with a fraction.
    Float,
    /// Hex digits with white space; `{mid}` and `{case.k}` are filled in.
    Hex,
    /// A name of a fleet, or several.
    Fleets,
    /// Any value: taken as it is.
    Any,
}
