//! What is cut, largest first.
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Cutter;
use super::ddmin::ddmin;
use super::mend::{conn, fleet, fleet_mut, fleets, keep_fleets, keep_pairs, members, steps_mut};
use crate::document::{Located, Node};
use crate::spread::{duration, duration_text};
use crate::time::Duration;
use crate::value::{Value, hex, unhex};
use crate::witness::{WITNESS, is_witness};

/// Every pass, in order.
pub(super) const ALL: &[fn(&mut Cutter<'_>)] =
    &[whole_fleets, whole_members, whole_connections, single_steps, frames, bytes, waits, leftovers];

/// The witness is never cut: it shows whether anybody is still served.
fn whole_fleets(cutter: &mut Cutter<'_>) {
    let (witnesses, names): (Vec<String>, Vec<String>) =
        fleets(&cutter.best).into_iter().partition(|name| is_witness(name));
    ddmin(&names, &mut |kept| {
        let kept: Vec<String> = kept.iter().chain(&witnesses).cloned().collect();
        cutter.tries(|tree| keep_fleets(tree, &kept))
    });
}

fn whole_members(cutter: &mut Cutter<'_>) {
    for name in fleets(&cutter.best) {
        let all = fleet(&cutter.best, &name).map_or_else(Vec::new, members);
        if is_witness(&name) || all.len() < 2 {
            continue;
        }
        ddmin(&all, &mut |kept| {
            let only = Value::List(kept.iter().copied().map(Value::Int).collect());
            !kept.is_empty()
                && cutter.tries(|tree| fleet_mut(tree, &name).into_iter().for_each(|f| f.set("only", &only)))
        });
    }
}

fn whole_connections(cutter: &mut Cutter<'_>) {
    for name in fleets(&cutter.best) {
        let conns: BTreeSet<String> = steps(cutter, &name).iter().map(conn).collect();
        let conns: Vec<String> = conns.into_iter().collect();
        if conns.len() < 2 {
            continue;
        }
        ddmin(&conns, &mut |kept| {
            !kept.is_empty()
                && cutter.tries(|tree| {
                    let stays = |step: &Located| kept.contains(&conn(step));
                    steps_mut(tree, &name).into_iter().for_each(|steps| steps.retain(stays));
                })
        });
    }
}

fn single_steps(cutter: &mut Cutter<'_>) {
    for name in fleets(&cutter.best) {
        let all = steps(cutter, &name).to_vec();
        ddmin(&all, &mut |kept| {
            let kept = kept.to_vec();
            cutter.tries(|tree| {
                if let Some(steps) = steps_mut(tree, &name) {
                    *steps = kept;
                }
            })
        });
    }
}

/// Frames of one write, and properties of one frame.
fn frames(cutter: &mut Cutter<'_>) {
    for_each_step(cutter, |cutter, name, at| {
        let list = |step: &Located| step.find("frame").map(|frame| frame.items().to_vec()).unwrap_or_default();
        let all = steps(cutter, name).get(at).map(list).unwrap_or_default();
        ddmin(&all, &mut |kept| {
            let kept = kept.to_vec();
            !kept.is_empty() && change(cutter, name, at, |step| set_list(step.find_mut("frame"), kept))
        });
        let list = |step: &Located| step.find("frame").and_then(|f| f.find("properties")).map(|p| p.items().to_vec());
        let all = steps(cutter, name).get(at).and_then(list).unwrap_or_default();
        ddmin(&all, &mut |kept| {
            let kept = kept.to_vec();
            change(cutter, name, at, |step| {
                set_list(step.find_mut("frame").and_then(|f| f.find_mut("properties")), kept);
            })
        });
    });
}

/// Raw bytes, and payloads.
fn bytes(cutter: &mut Cutter<'_>) {
    for_each_step(cutter, |cutter, name, at| {
        let text = |cutter: &Cutter<'_>, key: &str| {
            steps(cutter, name).get(at).and_then(|step| step.find(key)?.text().map(ToString::to_string))
        };
        if let Some(raw) = text(cutter, "hex").and_then(|digits| unhex(&digits).ok()) {
            ddmin(&raw, &mut |kept| {
                let digits = Value::Text(hex(kept));
                !kept.is_empty() && change(cutter, name, at, |step| step.set("hex", &digits))
            });
        }
        if let Some(payload) = text(cutter, "payload").filter(|payload| !payload.starts_with('$')) {
            let chars: Vec<char> = payload.chars().collect();
            ddmin(&chars, &mut |kept| {
                let shorter = Value::Text(kept.iter().collect());
                change(cutter, name, at, |step| step.set("payload", &shorter))
            });
        }
    });
}

/// Every fixed wait: not at all, else half of it as often as that still fails.
fn waits(cutter: &mut Cutter<'_>) {
    for_each_step(cutter, |cutter, name, at| {
        for key in ["for", "at"] {
            shorten(cutter, |tree| steps_mut(tree, name)?.get_mut(at)?.find_mut(key));
        }
    });
    for name in fleets(&cutter.best) {
        shorten(cutter, |tree| fleet_mut(tree, &name)?.find_mut("ramp"));
    }
    shorten(cutter, |tree| tree.find_mut("network")?.find_mut("delay"));
}

fn shorten(cutter: &mut Cutter<'_>, place: impl Fn(&mut Located) -> Option<&mut Located>) {
    while cutter.left > 0 {
        let mut copy = cutter.best.clone();
        let now = place(&mut copy).and_then(|value| duration(value.text()?).ok());
        let Some(now) = now.filter(|now| *now > SHORTEST) else { return };
        let half = duration_text(Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX) / 2));
        let shorter = |text: &str, tree: &mut Located| {
            if let Some(value) = place(tree) {
                value.node = Node::Text(text.to_string());
            }
        };
        if !cutter.tries(|tree| shorter("1ms", tree)) && !cutter.tries(|tree| shorter(&half, tree)) {
            return;
        }
    }
}

/// A wait that is as good as none.
const SHORTEST: Duration = Duration::from_millis(1);

/// Link faults, and parties that nobody plays.
fn leftovers(cutter: &mut Cutter<'_>) {
    if cutter.best.find("network").is_some() {
        cutter.tries(|tree| {
            tree.remove("network");
        });
    }
    let parties: Vec<String> = cutter.best.find("party").map_or_else(Vec::new, |parties| {
        parties.pairs().iter().map(|pair| pair.key.clone()).filter(|name| name != WITNESS).collect()
    });
    for party in parties {
        cutter.tries(|tree| keep_pairs(tree.find_mut("party"), |pair| pair.key != party));
    }
}

fn steps<'c>(cutter: &'c Cutter<'_>, name: &str) -> &'c [Located] {
    fleet(&cutter.best, name).and_then(|fleet| fleet.find("step")).map_or(&[], Located::items)
}

fn for_each_step(cutter: &mut Cutter<'_>, mut work: impl FnMut(&mut Cutter<'_>, &str, usize)) {
    for name in fleets(&cutter.best) {
        for at in 0..steps(cutter, &name).len() {
            if cutter.left == 0 {
                return;
            }
            work(cutter, &name, at);
        }
    }
}

fn change(cutter: &mut Cutter<'_>, name: &str, at: usize, change: impl FnOnce(&mut Located)) -> bool {
    cutter.tries(|tree| {
        if let Some(step) = steps_mut(tree, name).and_then(|steps| steps.get_mut(at)) {
            change(step);
        }
    })
}

fn set_list(place: Option<&mut Located>, items: Vec<Located>) {
    if let Some(place) = place {
        place.node = Node::List(items);
    }
}
