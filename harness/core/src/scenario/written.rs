//! Fleets that are written out as scripts when a plan is made: what is random in them is drawn once, printed, and can be cut down.
use alloc::string::ToString;
use alloc::vec::Vec;

use super::context::Trial;
use crate::document::{Located, Mistake, Node, Pair};
use crate::protocol::WrittenOut;
use crate::value::Value;

/// Puts scripts in the place of every fleet whose behaviour is written out. Done again on the result, it changes nothing.
///
/// # Errors
/// At a key of the fleet that its behaviour cannot follow.
pub(super) fn out(tree: &mut Located, trial: Trial<'_>) -> Result<(), Mistake> {
    let text = |tree: &Located, key: &str| tree.find(key).and_then(Located::text).unwrap_or("").to_string();
    let (protocol, version) = (text(tree, "protocol"), text(tree, "version"));
    let Some(Located { node: Node::Table(pairs), .. }) = tree.find_mut("fleet") else { return Ok(()) };
    let mut written: Vec<Pair> = Vec::new();
    for pair in pairs.drain(..) {
        let own = pair.value.find("protocol").and_then(Located::text).unwrap_or(&protocol);
        let behaviour = pair.value.find("behaviour").and_then(Located::text).unwrap_or("");
        let row = trial.registry.behaviour(own, behaviour).and_then(|row| row.written_out);
        let (Some(write), Value::Table(keys)) = (row, pair.value.plain()) else {
            written.push(pair);
            continue;
        };
        let seed = trial.seed.child(&pair.key, 0);
        let span_of = |key: &str| pair.value.find(key).map_or(pair.value.span, |value| value.span);
        let scripts =
            write(&WrittenOut { name: &pair.key, keys: &keys, version: &version, seed, target: trial.target })
                .map_err(|(key, what)| Mistake::new(span_of(&key), what))?;
        written.extend(scripts.into_iter().map(|(name, keys)| Pair::at(pair.value.span, &name, &Value::Table(keys))));
    }
    *pairs = written;
    Ok(())
}
