//! The system under test, as its target file describes it.
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::document::{self, LoadError};
use crate::finding::Signature;
use crate::protocol::Ping;
use crate::registry::Registry;
use crate::time::Duration;
use crate::value::{Fields, Value};

mod read;
mod url;

#[cfg(test)]
mod tests;

/// A target file.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Name: the file's stem.
    pub name: String,
    /// What it is.
    pub kind: TargetKind,
    /// Where it speaks; at least one.
    pub endpoints: Vec<Endpoint>,
    /// How parties become accounts; `None`: they do not.
    pub account: Option<AccountSpec>,
    /// Accepted findings.
    pub known: Vec<Known>,
    /// SHA-256 of the file's text, hex: identity for probes and findings.
    pub digest: String,
    /// Note of the owner that allows traffic off loopback.
    pub owner: Option<String>,
}

/// What a target is.
#[derive(Clone, Debug)]
pub enum TargetKind {
    /// Built in this process, for the simulator.
    InProcess {
        /// Name of the build: `broker`.
        build: String,
        /// Planted flaws.
        flaws: Vec<String>,
    },
    /// A program that we start, one fresh process per trial.
    Process(ProcessSpec),
    /// Something that runs elsewhere.
    Remote,
}

/// How a program is started and known to be ready.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Program; `{self}` is Proofhouse itself.
    pub program: String,
    /// Arguments, with templates.
    pub args: Vec<String>,
    /// Environment, name and value with templates, beside a minimal one.
    pub env: Vec<(String, String)>,
    /// Files written into a fresh folder before every start: name and text, with templates.
    pub files: Vec<(String, String)>,
    /// How it shows that it is ready.
    pub ready: Ready,
    /// How long that may take. Default 5 s.
    pub ready_within: Duration,
    /// Command that prints the version, and the pattern whose first group is it.
    pub version: Option<(Vec<String>, String)>,
    /// What a user types to install it.
    pub install: Option<String>,
    /// Rounds that one start may play: 1 for a fresh process in every trial, more with `reuse = "campaign"`.
    pub rounds: u32,
}

/// How a target shows that it is ready.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    /// It listens on this address (template), and the socket belongs to its process group.
    Tcp(String),
    /// A socket of datagrams of its process group is bound to this address (template), and stays so.
    Udp(String),
    /// This much time has passed.
    After(Duration),
    /// Its log matches this pattern.
    Log(String),
    /// It answers this at this address (template).
    Ping(Ping, String),
}

impl Ready {
    /// Where it is seen; `None` for time and log lines.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Ready::Tcp(address) | Ready::Udp(address) | Ready::Ping(_, address) => Some(address),
            Ready::After(_) | Ready::Log(_) => None,
        }
    }
}

/// One place where a target speaks.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name in its file.
    pub name: String,
    /// `mqtt`.
    pub protocol: String,
    /// Versions; empty where the protocol has only one.
    pub versions: Vec<String>,
    /// `true`: a device, we listen.
    pub client: bool,
    /// `127.0.0.1:{port}`.
    pub address: String,
    /// Declared present.
    pub claims: Vec<String>,
    /// Declared absent, with the reason.
    pub lacks: Vec<(String, String)>,
    /// Names of things that scenarios need: `readable = "/time"`.
    pub resources: Fields,
}

/// How parties become accounts.
#[derive(Clone, Debug)]
pub struct AccountSpec {
    /// Adds an account.
    pub add: Option<Change>,
    /// Deletes one.
    pub remove: Option<Change>,
    /// How each right is given: every right of the protocols that the target speaks, and what else its file gives. `None`: it does not say.
    pub grants: BTreeMap<String, Option<Change>>,
    /// Makes a running target read the changes.
    pub reload: Option<Reload>,
    /// Accounts that a remote target gives.
    pub given: Vec<Given>,
}

/// One change to a target's accounts, with templates `{name}`, `{password}`, `{filter}` and the files' paths.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Run a command.
    Run(Vec<String>),
    /// Append a block to a file; taken back by cutting that block once.
    Append {
        /// The block.
        text: String,
        /// The file: `{acl}`.
        to: String,
    },
}

/// How a running target is made to read its files again, and how it says that it has.
#[derive(Clone, Debug)]
pub struct Reload {
    /// Signal name without SIG, or `None` with a command.
    pub signal: Option<String>,
    /// Command instead.
    pub run: Option<Vec<String>>,
    /// Log pattern that says it is done.
    pub done: Option<String>,
    /// How long that may take.
    pub within: Duration,
}

/// An account that exists already.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// User name.
    pub name: String,
    /// Environment variable that holds the password: a secret.
    pub password_env: String,
    /// Rights: (right, filter).
    pub may: Vec<(String, String)>,
}

/// An accepted finding: never silent, always with a reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Signature of the finding.
    pub signature: Signature,
    /// Why it is accepted.
    pub reason: String,
    /// Last day, as `2027-03-01`.
    pub until: Option<String>,
}

impl TargetSpec {
    /// Reads a target file.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn load(name: &str, file: &str, text: &str, registry: &Registry) -> Result<TargetSpec, LoadError> {
        let mut tree = document::parse(file, text)?;
        read::spec(name, text, &mut tree, registry).map_err(|mistake| mistake.locate(file, text))
    }

    /// The target that `mqtt://127.0.0.1:1883` names: remote, one endpoint, all versions of its protocol, nothing claimed.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn from_url(url: &str, registry: &Registry) -> Result<TargetSpec, String> {
        url::spec(url, registry)
    }

    /// Whether the target can do this by its own account: an endpoint claims it, or it follows from what the file says and
    /// no endpoint denies it (`mqtt.server` from the endpoints, `resource.x` from their resources, `admin.revoke` from
    /// `[account]`, `admin.restart` from being a process of ours).
    #[must_use]
    pub fn claims(&self, capability: &str) -> bool {
        let follows = || self.endpoints.iter().any(|endpoint| endpoint.is(capability)) || self.administers(capability);
        self.says(capability) || (self.denies(capability).is_none() && follows())
    }

    /// The reason why the target cannot do this, where its file says so and no endpoint claims the contrary.
    #[must_use]
    pub fn lacks(&self, capability: &str) -> Option<&str> {
        if self.says(capability) { None } else { self.denies(capability) }
    }

    fn says(&self, capability: &str) -> bool {
        self.endpoints.iter().flat_map(|endpoint| &endpoint.claims).any(|claim| claim == capability)
    }

    fn denies(&self, capability: &str) -> Option<&str> {
        let mut lacks = self.endpoints.iter().flat_map(|endpoint| &endpoint.lacks);
        lacks.find(|(name, _)| name == capability).map(|(_, reason)| reason.as_str())
    }

    /// Whether a trial meets what others have left: the target runs elsewhere, or one start of it plays several rounds.
    #[must_use]
    pub fn outlives_trials(&self) -> bool {
        match &self.kind {
            TargetKind::Remote => true,
            TargetKind::Process(spec) => spec.rounds > 1,
            TargetKind::InProcess { .. } => false,
        }
    }

    /// What `{resource.name}` stands for at the first endpoint that has it.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&Value> {
        self.endpoints.iter().find_map(|endpoint| endpoint.resources.find(name))
    }

    /// What an administrator can change here while the target runs. A changed file says nothing to a target that never reads
    /// it again; a command speaks for itself.
    fn administers(&self, capability: &str) -> bool {
        if capability == "admin.restart" {
            return matches!(self.kind, TargetKind::Process(_));
        }
        let Some(account) = &self.account else { return false };
        let works = |change: &Option<Change>| match change {
            Some(Change::Run(_)) => true,
            Some(Change::Append { .. }) => account.reload.is_some(),
            None => false,
        };
        match capability {
            "admin.grant" | "admin.revoke" => !account.grants.is_empty() && account.grants.values().all(works),
            "admin.rekey" => works(&account.add) && works(&account.remove),
            "admin.remove" => works(&account.remove),
            _ => false,
        }
    }
}

impl AccountSpec {
    /// Whether it says how accounts are changed, and not only which there are.
    #[must_use]
    pub fn changes(&self) -> bool {
        let mut changes = [&self.add, &self.remove].into_iter().chain(self.grants.values());
        changes.any(Option::is_some) || self.reload.is_some()
    }
}

impl Endpoint {
    /// Whether this version of its protocol is spoken here. An endpoint without versions speaks all.
    #[must_use]
    pub fn speaks(&self, version: &str) -> bool {
        self.versions.is_empty() || self.versions.iter().any(|known| known == version)
    }

    /// Whether a capability follows from what the endpoint is.
    fn is(&self, capability: &str) -> bool {
        match capability.split_once('.') {
            Some(("resource", name)) => self.resources.find(name).is_some(),
            Some((protocol, side)) => {
                protocol == self.protocol && side == if self.client { "client" } else { "server" }
            }
            None => false,
        }
    }
}
