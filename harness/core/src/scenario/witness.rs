//! The witness: a legal client that shows that the target still serves everyone else. In every plan, and in every print of one.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::document::{Located, Node};
use crate::protocol::Right;
use crate::registry::Registry;
use crate::value::{Fields, Value};

/// Name of its party, its behaviour and, where one protocol is spoken, its fleet.
pub(super) const NAME: &str = "witness";

/// Adds a party and, for each protocol in which the scenario speaks to the target, a fleet. What stands there already stays.
pub(super) fn add(tree: &mut Located, registry: &Registry) {
    let missing: Vec<Spoken> = spoken(tree).into_iter().filter(|one| one.needs_witness(registry)).collect();
    let alone = missing.len() == 1 && tree.find("fleet").is_none_or(|fleets| fleets.find(NAME).is_none());
    for one in &missing {
        let name = if alone { NAME.to_string() } else { format!("{NAME}-{}", one.protocol) };
        insert(tree, "fleet", &name, one.fleet());
    }
    if !missing.is_empty() && tree.find("party").and_then(|parties| parties.find(NAME)).is_none() {
        let own = |right: &Right| (right.name.to_string(), Value::List(alloc::vec![Value::from(right.witness)]));
        let may = Fields(registry.rights().into_iter().map(own).collect());
        insert(tree, "party", NAME, Fields(alloc::vec![("may".to_string(), may.into())]));
    }
}

/// One protocol that fleets of a scenario speak to the target.
struct Spoken {
    protocol: String,
    /// Keys of the first fleet that speaks it, which the witness shares; and whether they must be said.
    shared: Vec<(&'static str, Value)>,
    witnessed: bool,
}

impl Spoken {
    fn needs_witness(&self, registry: &Registry) -> bool {
        !self.witnessed && registry.behaviour(&self.protocol, NAME).is_some()
    }

    fn fleet(&self) -> Fields {
        let mut keys = Fields::default();
        keys.set("as", NAME);
        for (key, value) in &self.shared {
            keys.set(key, value.clone());
        }
        keys.set("behaviour", NAME);
        keys
    }
}

fn spoken(tree: &Located) -> Vec<Spoken> {
    let default = tree.find("protocol").and_then(Located::text);
    let mut all: Vec<Spoken> = Vec::new();
    for pair in tree.find("fleet").map_or(&[][..], Located::pairs) {
        let says = |key| pair.value.find(key).and_then(Located::text);
        let Some(protocol) = says("protocol").or(default) else { continue };
        if says("behaviour") == Some("admin") || says("plays") == Some("server") {
            continue;
        }
        let witnessed = says("behaviour") == Some(NAME);
        match all.iter_mut().find(|one| one.protocol == protocol) {
            Some(one) => one.witnessed |= witnessed,
            None => {
                let said = |key| says(key).map(|text| (key, Value::from(text)));
                let shared = ["protocol", "version", "endpoint"].into_iter().filter_map(said).collect();
                all.push(Spoken { protocol: protocol.to_string(), shared, witnessed });
            }
        }
    }
    all
}

/// Adds `name` to the table at `key`, which is made where it is missing.
fn insert(tree: &mut Located, key: &str, name: &str, value: Fields) {
    if tree.find(key).is_none() {
        tree.set(key, &Value::Table(Fields::default()));
    }
    if let Some(table) = tree.find_mut(key)
        && matches!(table.node, Node::Table(_))
    {
        table.set(name, &Value::Table(value));
    }
}
