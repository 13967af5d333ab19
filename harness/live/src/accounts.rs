//! Parties become accounts of the target: before it starts, and while it runs when an administrator asks for a change.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proofhouse_core::admin::Order;
use proofhouse_core::plan::{Party, Plan};
use proofhouse_core::seed::Seed;
use proofhouse_core::target::{AccountSpec, Change, Given, Reload};
use regex_lite::Regex;
use rustix::process::Signal;

use crate::error::RunError;
use crate::options::LiveOptions;
use crate::process::workplace::write;
use crate::process::{Ended, Process, Workplace, run_command};
use crate::supervisor::Supervisor;

/// How long one account command may take.
const COMMAND: Duration = Duration::from_secs(10);

/// A right that took effect (`allow`) or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Name of the party.
    pub party: String,
    /// The right: `subscribe cmd/#`.
    pub grant: String,
    /// Given, or taken away.
    pub allow: bool,
}

/// The accounts of one target.
pub struct Accounts {
    spec: Option<AccountSpec>,
    place: Arc<Workplace>,
    parties: Vec<Party>,
    /// Rights in effect: party, right.
    held: BTreeSet<(String, String)>,
    seed: Seed,
    rekeys: u64,
}

impl Accounts {
    /// The accounts that this plan's parties become. Nothing is made yet.
    #[must_use]
    pub fn new(plan: &Plan, spec: Option<&AccountSpec>, place: Arc<Workplace>) -> Accounts {
        Accounts {
            spec: spec.cloned(),
            place,
            parties: plan.parties.clone(),
            held: BTreeSet::new(),
            seed: plan.seed,
            rekeys: 0,
        }
    }

    /// Makes an account for every party, with its rights, before the target starts.
    ///
    /// # Errors
    /// `TargetMissing` for an account tool that is not there, `Account` for one that fails.
    pub fn prepare(&mut self, options: &LiveOptions) -> Result<(), RunError> {
        let Some(spec) = self.spec.clone() else { return Ok(()) };
        let by = &*options.supervisor()?;
        for party in self.parties.clone() {
            let failed = |doing: String| move |reason: String| RunError::Account { doing, reason };
            if let Some(add) = &spec.add {
                self.make(by, add, &party, "").map_err(failed(format!("add account {:?}", party.user)))?;
            }
            for (verb, filter) in &party.may {
                if let Some(grant) = grant_of(&spec, verb) {
                    let doing = format!("let {:?} {verb} {filter}", party.user);
                    self.make(by, grant, &party, filter).map_err(failed(doing))?;
                }
                self.held.insert((party.name.clone(), format!("{verb} {filter}")));
            }
        }
        Ok(())
    }

    /// Turns the accounts of the round before into those of another plan while the target runs: the old ones go with their rights, the
    /// new ones are made, and the target reads its files again.
    ///
    /// # Errors
    /// `Account` where the target file cannot take back what it gave: such a target needs a fresh start for every plan.
    pub fn replace(&mut self, plan: &Plan, process: &Process, options: &LiveOptions) -> Result<(), RunError> {
        let authenticated = plan.fleets.iter().any(|fleet| fleet.authenticated);
        let Some(spec) = self.spec.clone().filter(|_| authenticated && self.parties != plan.parties) else {
            return Ok(());
        };
        let by = &*options.supervisor()?;
        let failed = |reason| RunError::Account { doing: "take back the accounts of the round before".into(), reason };
        for (party, right) in std::mem::take(&mut self.held) {
            let (change, filter, who) = self.right(&spec, &party, &right).map_err(failed)?;
            if is_file(change) {
                self.unmake(change, &who, filter).map_err(failed)?;
            }
        }
        for old in self.parties.clone() {
            self.remove(by, &spec, &old).map_err(failed)?;
        }
        self.parties.clone_from(&plan.parties);
        self.seed = plan.seed;
        self.prepare(options)?;
        let reread = |reason| RunError::Account { doing: "make the target read its accounts".into(), reason };
        spec.reload.as_ref().map_or(Ok(()), |how| reload(by, how, process)).map_err(reread)
    }

    /// Does what an administrator orders on the running target, and waits until it is in effect.
    ///
    /// # Errors
    /// Says why it did not take effect, for the step of the administrator.
    pub fn apply(&mut self, order: &Order, process: &Process, options: &LiveOptions) -> Result<Vec<Effect>, String> {
        if *order == Order::Restart {
            return process.restart(options).map(|()| Vec::new()).map_err(|error| error.to_string());
        }
        let spec = self.spec.clone().ok_or("the target file has no [account]")?;
        let by = &*options.supervisor().map_err(|error| error.to_string())?;
        let (effects, file) = self.change(by, order, &spec)?;
        match &spec.reload {
            Some(how) => reload(by, how, process)?,
            None if file => return Err("the target has no reload: a changed file says nothing to it".into()),
            None => {}
        }
        for effect in &effects {
            let right = (effect.party.clone(), effect.grant.clone());
            let _ = if effect.allow { self.held.insert(right) } else { self.held.remove(&right) };
        }
        Ok(effects)
    }

    /// Changes accounts; says what that will mean, and whether a file was changed.
    fn change(&mut self, by: &Supervisor, order: &Order, spec: &AccountSpec) -> Result<(Vec<Effect>, bool), String> {
        match order {
            Order::Grant { party, grant } => {
                let (change, filter, who) = self.right(spec, party, grant)?;
                self.make(by, change, &who, filter)?;
                Ok((vec![effect(party, grant, true)], is_file(change)))
            }
            Order::Revoke { party, grant } => {
                let (change, filter, who) = self.right(spec, party, grant)?;
                self.unmake(change, &who, filter)?;
                Ok((vec![effect(party, grant, false)], is_file(change)))
            }
            Order::Remove { party } => {
                let who = self.party(party)?;
                let file = self.remove(by, spec, &who)?;
                let lost = self.held.iter().filter(|(name, _)| name == party);
                Ok((lost.map(|(_, grant)| effect(party, grant, false)).collect(), file))
            }
            Order::Rekey { party } => {
                let old = self.party(party)?;
                let add = spec.add.as_ref().ok_or("the target file has no account.add")?;
                if is_file(add) {
                    self.unmake(add, &old, "")?;
                }
                let new = Party { password: self.password(), ..old };
                self.make(by, add, &new, "")?;
                let place = self.parties.iter_mut().find(|p| p.name == *party);
                *place.expect("it was found above") = new;
                Ok((Vec::new(), is_file(add)))
            }
            Order::Restart => unreachable!("a restart changes no account"),
        }
    }

    fn remove(&self, by: &Supervisor, spec: &AccountSpec, who: &Party) -> Result<bool, String> {
        match (&spec.remove, &spec.add) {
            (Some(remove), _) => self.make(by, remove, who, "").map(|()| is_file(remove)),
            (None, Some(add)) if is_file(add) => self.unmake(add, who, "").map(|()| true),
            _ => Err("the target file has no account.remove".into()),
        }
    }

    fn right<'s, 'g>(
        &self,
        spec: &'s AccountSpec,
        party: &str,
        grant: &'g str,
    ) -> Result<(&'s Change, &'g str, Party), String> {
        let (verb, filter) =
            grant.split_once(' ').ok_or_else(|| format!("a right reads \"RIGHT FILTER\", not {grant:?}"))?;
        let change = grant_of(spec, verb).ok_or_else(|| format!("the target file has no account.grant.{verb}"))?;
        Ok((change, filter, self.party(party)?))
    }

    fn party(&self, name: &str) -> Result<Party, String> {
        self.parties.iter().find(|p| p.name == name).cloned().ok_or_else(|| format!("there is no party {name:?}"))
    }

    /// Made up, like all passwords, so no secret: the trial's seed gives it again.
    fn password(&mut self) -> String {
        self.rekeys += 1;
        format!("{:016x}", self.seed.stream("rekey", self.rekeys).next())
    }

    fn make(&self, by: &Supervisor, change: &Change, who: &Party, filter: &str) -> Result<(), String> {
        let fill = |text: &str| self.fill(text, who, filter);
        match change {
            Change::Run(words) => {
                let words: Vec<String> = words.iter().map(|word| fill(word)).collect();
                command(by, &words, self.place.dir())
            }
            Change::Append { text, to } => edit(Path::new(&fill(to)), |old| Some(old + &fill(text))),
        }
    }

    /// Cuts the block of an `append` once.
    fn unmake(&self, change: &Change, who: &Party, filter: &str) -> Result<(), String> {
        match change {
            Change::Run(_) => Err("what a command has given cannot be taken back: only append can".into()),
            Change::Append { text, to } => {
                let block = self.fill(text, who, filter);
                edit(Path::new(&self.fill(to, who, filter)), |old| cut_once(&old, &block))
            }
        }
    }

    fn fill(&self, text: &str, who: &Party, filter: &str) -> String {
        let words = [("name", who.user.as_str()), ("password", who.password.as_str()), ("filter", filter)];
        self.place.fill_with(text, &words)
    }
}

fn effect(party: &str, grant: &str, allow: bool) -> Effect {
    Effect { party: party.into(), grant: grant.into(), allow }
}

fn is_file(change: &Change) -> bool {
    matches!(change, Change::Append { .. })
}

fn grant_of<'a>(spec: &'a AccountSpec, right: &str) -> Option<&'a Change> {
    spec.grants.get(right)?.as_ref()
}

fn command(by: &Supervisor, words: &[String], dir: &Path) -> Result<(), String> {
    let name = words.first().map_or("", String::as_str);
    let printed = run_command(by, words, dir, COMMAND).map_err(|error| format!("{name}: {error}"))?;
    if printed.ended == Ended::Code(0) {
        return Ok(());
    }
    Err(format!("{name} ended with {}: {}", printed.ended, printed.text.trim()))
}

/// Rewrites a file in place, so that its owner and mode stay.
fn edit(path: &Path, change: impl FnOnce(String) -> Option<String>) -> Result<(), String> {
    let name = path.display();
    let old = fs::read_to_string(path).map_err(|error| format!("read {name}: {error}"))?;
    let new = change(old).ok_or_else(|| format!("{name} does not hold what is to be taken out"))?;
    write(path, &new).map_err(|error| format!("write {name}: {error}"))
}

fn cut_once(text: &str, block: &str) -> Option<String> {
    let at = text.find(block)?;
    Some(format!("{}{}", &text[..at], &text[at + block.len()..]))
}

/// Makes the target read its files, and waits until it says so.
fn reload(by: &Supervisor, how: &Reload, process: &Process) -> Result<(), String> {
    let done = how.done.as_deref().map(Regex::new).transpose().map_err(|error| format!("reload done: {error}"))?;
    let from = process.log().lines();
    if let Some(name) = &how.signal {
        process.signal(signal(name)?).map_err(|error| format!("signal {name}: {error}"))?;
    }
    if let Some(words) = &how.run {
        let words: Vec<String> = words.iter().map(|word| process.place().fill(word)).collect();
        command(by, &words, process.place().dir())?;
    }
    let Some(done) = done else { return Ok(()) };
    if process.log().wait_for(&done, from, how.within, || process.ended().is_some()) {
        return Ok(());
    }
    Err(format!("the target's log did not show {:?} within {:?}", done.as_str(), how.within))
}

fn signal(name: &str) -> Result<Signal, String> {
    match name {
        "HUP" => Ok(Signal::HUP),
        "INT" => Ok(Signal::INT),
        "TERM" => Ok(Signal::TERM),
        "USR1" => Ok(Signal::USR1),
        "USR2" => Ok(Signal::USR2),
        _ => Err(format!("unknown signal {name:?}; use HUP, INT, TERM, USR1 or USR2")),
    }
}

/// Every password that a target file names and somebody has set: a target may tell them all, whichever a plan uses.
#[must_use]
pub fn secrets(given: &[Given]) -> Vec<String> {
    given.iter().filter_map(|account| secret(&account.password_env).ok()).collect()
}

/// Shortest password that is hidden: a shorter one is found by chance in what is none.
const MASKED_MIN: usize = 4;

/// Every password can be hidden wherever it is seen, and hides nothing else then: neither a user name nor a word that a scenario says
/// itself (`words`). Masked, those would no longer be what rules look for. An empty password counts as none.
///
/// # Errors
/// `Unmaskable`, for the first that cannot.
pub fn maskable(given: &[Given], words: &str) -> Result<(), RunError> {
    for account in given {
        let Ok(password) = secret(&account.password_env) else { continue }; // whoever needs it says so
        let why = unmaskable(&password, given, words);
        if let Some(why) = why {
            return Err(RunError::Unmaskable { variable: account.password_env.clone(), why: why.to_string() });
        }
    }
    Ok(())
}

fn unmaskable(password: &str, given: &[Given], words: &str) -> Option<&'static str> {
    if password.len() < MASKED_MIN {
        return Some("has fewer than four characters, and many other words hold it");
    }
    if given.iter().any(|account| account.name.contains(password)) {
        return Some("stands in a user name of the target file");
    }
    words.contains(password).then_some("is a word that this scenario says itself")
}

/// Gives parties the accounts that a remote target has: by name, else the first one left that may do the same.
///
/// # Errors
/// `Accounts` when there are too few, `Secret` when a password's variable is not set.
pub fn assign(plan: &mut Plan, given: &[Given]) -> Result<(), RunError> {
    maskable(given, &plan.to_toml())?;
    let needed = parties_in_use(plan);
    let mut left: Vec<&Given> = given.iter().collect();
    // Those that are called by name first, or an earlier party could take a later one's account.
    let (named, others): (Vec<usize>, Vec<usize>) =
        needed.iter().partition(|n| given.iter().any(|g| g.name == plan.parties[**n].name));
    for (filled, n) in named.into_iter().chain(others).enumerate() {
        let party = &mut plan.parties[n];
        let fits = |g: &&Given| g.name == party.name || party.may.iter().all(|right| g.may.contains(right));
        let at = left.iter().position(|g| g.name == party.name).or_else(|| left.iter().position(fits));
        let Some(at) = at else {
            return Err(RunError::Accounts {
                needs: needed.len(),
                gives: filled + left.iter().filter(|g| fits(g)).count(),
            });
        };
        let account = left.remove(at);
        party.user.clone_from(&account.name);
        party.password = secret(&account.password_env)?;
    }
    Ok(())
}

/// Parties whose credentials some fleet or step sends.
fn parties_in_use(plan: &Plan) -> Vec<usize> {
    let asked = plan.fleets.iter().filter(|fleet| fleet.authenticated);
    let parties = asked.flat_map(|fleet| {
        let steps = fleet.steps.iter().filter_map(|step| step.speaks_as.flatten());
        fleet.party.into_iter().chain(steps)
    });
    parties.map(usize::from).collect::<BTreeSet<_>>().into_iter().collect()
}

#[expect(clippy::disallowed_methods, reason = "a secret must not stand in a file: the target file names a variable")]
fn secret(variable: &str) -> Result<String, RunError> {
    let unset = || RunError::Secret { variable: variable.to_string() };
    std::env::var(variable).ok().filter(|secret| !secret.is_empty()).ok_or_else(unset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_hides_something_else_is_refused() {
        let given = [Given { name: "tester".into(), password_env: String::new(), may: vec![] }];
        let refused = |password: &str| unmaskable(password, &given, "topic = \"cmd/latest\"").is_some();
        assert!(refused("tester"), "the user name itself");
        assert!(refused("test"), "part of the name, and of a topic");
        assert!(refused("latest"), "a word of the scenario");
        assert!(refused("abc") && refused("\u{e9}a"), "three bytes are found anywhere");
        assert!(!refused("tester1") && !refused("hunter2") && !refused("abcd"), "what holds a name is not in it");
    }

    #[test]
    fn a_block_is_cut_once() {
        assert_eq!(cut_once("a\nb\na\n", "a\n").as_deref(), Some("b\na\n"));
        assert_eq!(cut_once("b\n", "a\n"), None);
    }

    #[test]
    fn an_unknown_signal_is_refused_by_name() {
        assert!(signal("KILL").unwrap_err().contains("HUP"));
        assert_eq!(signal("HUP"), Ok(Signal::HUP));
    }
}
