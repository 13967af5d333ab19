//! The system under test, as its target file describes it.
use alloc::string::String;
use alloc::vec::Vec;

use crate::time::Duration;
use crate::value::Fields;

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
    /// One process serves a whole campaign (slow starters).
    pub reuse: bool,
}

/// How a target shows that it is ready.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    /// It listens on this address (template), and the socket belongs to its process group.
    Tcp(String),
    /// This much time has passed.
    After(Duration),
    /// Its log matches this pattern.
    Log(String),
    /// It answers a CoAP ping at this address (template).
    Coap(String),
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
    /// Gives the right to publish.
    pub grant_publish: Option<Change>,
    /// Gives the right to subscribe.
    pub grant_subscribe: Option<Change>,
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
    /// Rights: (`publish` or `subscribe`, filter).
    pub may: Vec<(String, String)>,
}

/// An accepted finding: never silent, always with a reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Signature of the finding.
    pub signature: String,
    /// Why it is accepted.
    pub reason: String,
    /// Last day, as `2027-03-01`.
    pub until: Option<String>,
}

impl Endpoint {
    /// Whether this version of its protocol is spoken here. An endpoint without versions speaks all.
    #[must_use]
    pub fn speaks(&self, version: &str) -> bool {
        self.versions.is_empty() || self.versions.iter().any(|known| known == version)
    }
}

impl TargetSpec {
    /// Reads a target file.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn load(
        name: &str,
        file: &str,
        text: &str,
        registry: &crate::registry::Registry,
    ) -> Result<TargetSpec, crate::document::LoadError> {
        let _ = (name, file, text, registry);
        todo!()
    }

    /// The target that `mqtt://127.0.0.1:1883` names: remote, one endpoint, all versions of its protocol, nothing claimed.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn from_url(url: &str, registry: &crate::registry::Registry) -> Result<TargetSpec, String> {
        let _ = (url, registry);
        todo!()
    }
}
