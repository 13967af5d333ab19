//! Who may log in, and what they may publish and read.
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::plan::Party;
use proofhouse_mqtt::codec::topic::matches;

use crate::flaw::{Flaw, Flaws};

/// Place of an account, or one of the two identities below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct User(u32);

impl User {
    /// Whoever connects to a broker without accounts.
    pub(crate) const ANYBODY: User = User(u32::MAX);
    /// Has every right: what a flaw makes of a client that it should have refused.
    pub(crate) const TRUSTED: User = User(u32::MAX - 1);
}

/// Why a log-in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No user name, or no password.
    Missing,
    /// No such user.
    Unknown,
    /// Another password.
    Wrong,
}

/// One account. The same place for ever, even when it is removed: sessions name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Account {
    /// Name in the scenario; the user name where accounts come from a file.
    party: String,
    user: String,
    password: Vec<u8>,
    publish: Vec<String>,
    subscribe: Vec<String>,
    removed: bool,
}

/// All accounts, and whether anybody asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    all: Vec<Account>,
    /// Log-in is asked for.
    log_in: bool,
    /// Rights are asked for.
    rights: bool,
}

impl Accounts {
    /// No accounts: everybody is let in and may do everything.
    #[must_use]
    pub fn open() -> Accounts {
        Accounts::default()
    }

    /// The parties of a plan. `rights`: what they may do is enforced.
    #[must_use]
    pub fn of_parties(parties: &[Party], rights: bool) -> Accounts {
        let mut accounts = Accounts { log_in: true, rights, all: Vec::new() };
        for party in parties {
            accounts.all.push(Account {
                party: party.name.clone(),
                user: party.user.clone(),
                password: party.password.clone().into_bytes(),
                ..Account::default()
            });
            for (action, filter) in &party.may {
                accounts.change(&party.name, &format!("{action} {filter}"), true);
            }
        }
        accounts
    }

    /// Reads an accounts file: lines `user NAME PASSWORD`, `publish NAME FILTER`, `subscribe NAME FILTER`, `remove NAME`;
    /// later lines win. The password, and the filter, is everything behind the second blank.
    ///
    /// # Errors
    /// Says which line is none of these.
    pub fn read(text: &str) -> Result<Accounts, String> {
        let mut accounts = Accounts { log_in: true, rights: true, all: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            if !line.trim().is_empty() && !line.starts_with('#') {
                accounts.line(line).ok_or_else(|| {
                    format!(
                        "line {}: expected `user NAME PASSWORD`, `publish|subscribe NAME FILTER` or `remove NAME`",
                        index + 1
                    )
                })?;
            }
        }
        Ok(accounts)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let mut words = line.splitn(3, ' ');
        let (verb, name, rest) = (words.next()?, words.next()?, words.next());
        match (verb, rest) {
            ("user", Some(password)) => {
                let at = self.place(name);
                self.all[at].password = password.as_bytes().to_vec();
                self.all[at].removed = false;
            }
            ("publish" | "subscribe", Some(filter)) => {
                self.place(name);
                self.change(name, &format!("{verb} {filter}"), true);
            }
            ("remove", None) => {
                self.remove(name);
            }
            _ => return None,
        }
        Some(())
    }

    /// The account of this name, made where there is none; one without a password line cannot log in.
    fn place(&mut self, name: &str) -> usize {
        self.all.iter().position(|account| account.party == name).unwrap_or_else(|| {
            let account =
                Account { party: name.to_owned(), user: name.to_owned(), removed: true, ..Account::default() };
            self.all.push(account);
            self.all.len() - 1
        })
    }

    /// Takes over a newer state of the same accounts, so that places stay; yields those whose password is void.
    pub(crate) fn replace(&mut self, newer: &Accounts) -> Vec<User> {
        let mut void = Vec::new();
        for at in 0..self.all.len() {
            let old = &mut self.all[at];
            let new = newer.all.iter().find(|account| account.party == old.party);
            let stays = new.is_some_and(|new| !new.removed && new.password == old.password);
            if !old.removed && !stays {
                void.push(User(at as u32));
            }
            *old = new.cloned().unwrap_or(Account { removed: true, ..core::mem::take(old) });
        }
        for new in &newer.all {
            if !self.all.iter().any(|old| old.party == new.party) {
                self.all.push(new.clone());
            }
        }
        (self.log_in, self.rights) = (newer.log_in, newer.rights);
        void
    }

    /// Gives (`allow`) or takes a right such as `publish site/#`; whether there is such a party.
    pub(crate) fn change(&mut self, party: &str, grant: &str, allow: bool) -> bool {
        let Some(account) = self.all.iter_mut().find(|account| account.party == party) else { return false };
        let (action, filter) = grant.split_once(' ').unwrap_or(("", grant));
        let rights = if action == "publish" { &mut account.publish } else { &mut account.subscribe };
        rights.retain(|have| have != filter);
        if allow {
            rights.push(filter.to_owned());
        }
        true
    }

    /// Deletes an account; its rights, as they were.
    pub(crate) fn remove(&mut self, party: &str) -> Option<Vec<String>> {
        let account = self.all.iter_mut().find(|account| account.party == party && !account.removed)?;
        account.removed = true;
        let publish = account.publish.drain(..).map(|filter| format!("publish {filter}"));
        let subscribe = account.subscribe.drain(..).map(|filter| format!("subscribe {filter}"));
        Some(publish.chain(subscribe).collect())
    }

    /// Makes the password of a party void; nobody knows the new one.
    pub(crate) fn rekey(&mut self, party: &str) -> bool {
        let Some(account) = self.all.iter_mut().find(|account| account.party == party) else { return false };
        account.password.extend_from_slice(b"\0void");
        true
    }

    /// The party's identity.
    pub(crate) fn user(&self, party: &str) -> Option<User> {
        self.all.iter().position(|account| account.party == party).map(|at| User(at as u32))
    }

    /// Who these credentials belong to.
    pub(crate) fn log_in(&self, user: Option<&str>, password: Option<&[u8]>, flaws: Flaws) -> Result<User, Refusal> {
        if !self.log_in {
            return Ok(User::ANYBODY);
        }
        let (Some(user), Some(password)) = (user, password) else {
            return if flaws.has(Flaw::AcceptsAnonymous) { Ok(User::TRUSTED) } else { Err(Refusal::Missing) };
        };
        if user.is_empty() && (flaws.has(Flaw::AcceptsEmptyUser) || flaws.has(Flaw::AcceptsPasswordAlone)) {
            return Ok(User::TRUSTED);
        }
        let at = self.all.iter().position(|a| a.user == user && !a.removed).ok_or(Refusal::Unknown)?;
        if same(&self.all[at].password, password, flaws) { Ok(User(at as u32)) } else { Err(Refusal::Wrong) }
    }

    /// Whether this user may publish to this topic. Topics that begin with `$` belong to the server: without a right that names
    /// them nobody may \[MQTT5 §4.7.2\].
    pub(crate) fn may_publish(&self, user: User, topic: &str, flaws: Flaws) -> bool {
        match self.account(user) {
            Ok(account) => account.publish.iter().any(|filter| covers_name(filter, topic, flaws)),
            Err(all) => all && (user == User::TRUSTED || !topic.starts_with('$')),
        }
    }

    /// Whether this user may read this topic.
    pub(crate) fn may_read(&self, user: User, topic: &str, flaws: Flaws) -> bool {
        match self.account(user) {
            Ok(account) => account.subscribe.iter().any(|filter| covers_name(filter, topic, flaws)),
            Err(all) => all,
        }
    }

    /// Whether this user may read everything that this filter can match.
    pub(crate) fn may_subscribe(&self, user: User, filter: &str) -> bool {
        match self.account(user) {
            Ok(account) => account.subscribe.iter().any(|right| covers(right, filter)),
            Err(all) => all,
        }
    }

    /// The account whose rights count, or whether everything is allowed without one.
    fn account(&self, user: User) -> Result<&Account, bool> {
        if !self.rights || user == User::TRUSTED {
            return Err(true);
        }
        self.all.get(user.0 as usize).ok_or(false)
    }
}

fn same(stored: &[u8], offered: &[u8], flaws: Flaws) -> bool {
    /// What bcrypt looks at.
    const BCRYPT: usize = 72;
    let to_nul = |bytes: &[u8]| bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    stored == offered
        || flaws.has(Flaw::AcceptsEmptyPassword) && offered.is_empty()
        || flaws.has(Flaw::ComparesToNul) && stored == &offered[..to_nul(offered)]
        || flaws.has(Flaw::TruncatesPassword) && stored.len() >= BCRYPT && offered.get(..BCRYPT) == stored.get(..BCRYPT)
}

fn covers_name(filter: &str, topic: &str, flaws: Flaws) -> bool {
    matches(filter, topic)
        || flaws.has(Flaw::AclIgnoresCase) && matches(&filter.to_ascii_lowercase(), &topic.to_ascii_lowercase())
}

/// Whether every topic that `filter` matches is matched by `right` too.
fn covers(right: &str, filter: &str) -> bool {
    if filter.starts_with('$') && right.starts_with(['+', '#']) {
        return false;
    }
    let (mut have, mut want) = (right.split('/'), filter.split('/'));
    loop {
        match (have.next(), want.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(level), Some(same)) if level == same => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_covers_what_it_matches_entirely_and_nothing_wider() {
        for (right, filter, covered) in [
            ("#", "#", true),
            ("#", "a/+", true),
            ("#", "$SYS/#", false),
            ("a/#", "a", true),
            ("a/#", "a/b/#", true),
            ("a/#", "#", false),
            ("a/#", "+/b", false),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "a", false),
            ("a/b", "a/+", false),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b", "A/b", false),
        ] {
            assert_eq!(covers(right, filter), covered, "{right} covers {filter}");
        }
    }

    const FILE: &str = "# devices\nuser a secret word\npublish a site/#\nsubscribe a cmd/a b/#\n\nuser b x\nremove b\n";

    #[test]
    fn a_file_names_users_rights_and_removals_in_order() {
        let accounts = Accounts::read(FILE).unwrap();
        let a = accounts.log_in(Some("a"), Some(b"secret word"), Flaws::NONE).unwrap();
        assert!(accounts.may_publish(a, "site/1", Flaws::NONE) && !accounts.may_publish(a, "other", Flaws::NONE));
        assert!(accounts.may_subscribe(a, "cmd/a b/+") && !accounts.may_subscribe(a, "cmd/#"));
        assert_eq!(accounts.log_in(Some("b"), Some(b"x"), Flaws::NONE), Err(Refusal::Unknown));
        assert_eq!(accounts.log_in(Some("a"), Some(b"secret"), Flaws::NONE), Err(Refusal::Wrong));
        assert_eq!(accounts.log_in(Some("a"), None, Flaws::NONE), Err(Refusal::Missing));
    }

    #[test]
    fn a_line_that_says_nothing_is_refused_with_its_number() {
        for line in ["user a", "grant a b", "publish a", "remove a b"] {
            let refused = Accounts::read(&format!("user x y\n{line}\n")).unwrap_err();
            assert!(refused.starts_with("line 2: "), "{line}: {refused}");
        }
    }

    #[test]
    fn a_newer_file_keeps_places_and_names_the_void_passwords() {
        let mut accounts = Accounts::read("user a 1\nuser b 2\nuser c 3\n").unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| accounts.user(name).unwrap());
        let void = accounts.replace(&Accounts::read("user d 4\nuser c 3\nuser a other\n").unwrap());
        assert_eq!(void, [a, b]);
        assert_eq!(accounts.log_in(Some("c"), Some(b"3"), Flaws::NONE), Ok(c));
        assert_eq!(accounts.log_in(Some("a"), Some(b"other"), Flaws::NONE), Ok(a));
        assert!(accounts.log_in(Some("b"), Some(b"2"), Flaws::NONE).is_err());
        assert!(accounts.log_in(Some("d"), Some(b"4"), Flaws::NONE).is_ok());
    }

    #[test]
    fn without_accounts_everybody_may_do_everything_but_speak_for_the_server() {
        let open = Accounts::open();
        let anybody = open.log_in(None, None, Flaws::NONE).unwrap();
        assert!(open.may_publish(anybody, "a", Flaws::NONE) && open.may_subscribe(anybody, "#"));
        assert!(!open.may_publish(anybody, "$SYS/x", Flaws::NONE));
    }
}
