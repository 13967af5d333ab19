//! Parties: rights, and the account that each becomes on this target.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::context::{Context, Stop};
use super::names::NOBODY;
use crate::document::{Keys, Located, Mistake, Pair, Span};
use crate::plan::{FleetPlan, Party};
use crate::registry::Registry;
use crate::target::Given;
use crate::value::hex;

/// Every party that plays, in the order of their names: declared ones, and those that fleets bring.
pub(super) fn read(table: Option<&mut Located>, cx: &Context<'_>) -> Result<Vec<Party>, Mistake> {
    let mut parties: Vec<Party> = cx.names.parties.iter().map(|name| party(name, cx)).collect();
    let Some(table) = table else { return Ok(parties) };
    for Pair { key, key_span, value } in table.table_mut("party")? {
        check_name(key, *key_span)?;
        if key == NOBODY {
            return Err(Mistake::new(*key_span, "nobody has no rights: as = \"nobody\" sends no credentials"));
        }
        let may = rights(Keys::of(value, "a party")?, cx.trial.registry)?;
        if let Some(party) = parties.iter_mut().find(|party| party.name == *key) {
            party.may = may;
        }
    }
    Ok(parties)
}

/// Names stand in marks (`fleet.mark`) and places (`fleet:filter`), so they hold neither a dot nor a colon.
pub(super) fn check_name(name: &str, span: Span) -> Result<(), Mistake> {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    Err(Mistake::new(span, format!("{name:?} is no name: letters, digits, - and _ make one")))
}

/// An account made up from the seed: no secret.
fn party(name: &str, cx: &Context<'_>) -> Party {
    let mut password = [0; 16];
    cx.trial.seed.stream(&format!("password/{name}"), 0).fill(&mut password);
    Party { name: name.to_string(), may: Vec::new(), user: name.to_string(), password: hex(&password) }
}

fn rights(mut keys: Keys<'_>, registry: &Registry) -> Result<Vec<(String, String)>, Mistake> {
    let may = keys.table("may")?.map(|keys| may(keys, registry)).transpose()?.unwrap_or_default();
    keys.finish()?;
    Ok(may)
}

/// `{ publish = ["site/#"], subscribe = ["cmd/#"] }`, with the rights that protocols know.
pub(crate) fn may(mut keys: Keys<'_>, registry: &Registry) -> Result<Vec<(String, String)>, Mistake> {
    let mut all = Vec::new();
    for right in registry.rights() {
        all.extend(keys.texts(right.name)?.into_iter().map(|(filter, _)| (right.name.to_string(), filter)));
    }
    keys.finish()?;
    Ok(all)
}

/// A remote target gives its accounts: a party takes the one of its name, else the next that is free.
/// Passwords of given accounts stay empty here: the runner has them from outside.
pub(super) fn assign(parties: &mut [Party], fleets: &[FleetPlan], cx: &Context<'_>) -> Result<(), Stop> {
    let given = cx.trial.target.and_then(|target| target.account.as_ref()).map_or(&[][..], |account| &account.given);
    if given.is_empty() {
        return Ok(());
    }
    let logs_in = |at: u16| {
        let speaks = |fleet: &&FleetPlan| {
            fleet.party == Some(at) || fleet.steps.iter().any(|step| step.speaks_as == Some(Some(at)))
        };
        fleets.iter().filter(|fleet| fleet.authenticated).any(|fleet| speaks(&fleet))
    };
    let all: Vec<u16> = (0..parties.len() as u16).filter(|at| logs_in(*at)).collect();
    if all.len() > given.len() {
        return Err(Stop::Unmet(format!("needs {} accounts, target gives {}", all.len(), given.len())));
    }
    let taken = |account: &&Given| all.iter().any(|at| parties[usize::from(*at)].name == account.name);
    let (named, mut free): (Vec<&Given>, Vec<&Given>) = given.iter().partition(taken);
    for at in all {
        let party = &mut parties[usize::from(at)];
        let account = match named.iter().find(|account| account.name == party.name) {
            Some(account) => *account,
            // There are at least as many accounts as parties, and each name takes one.
            None => free.remove(0),
        };
        party.user.clone_from(&account.name);
        party.password.clear();
    }
    Ok(())
}
