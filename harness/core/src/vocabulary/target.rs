//! Keys of target files.
use alloc::vec::Vec;

use super::{ANY, DURATION, INT, MAY, More, Shape, Sort, TEXT, Table, Word, may, must, rights};
use crate::registry::Registry;

/// A target file.
pub static TARGET: Table = Table {
    what: "a target",
    keys: &[
        must("format", INT, "version of the file format: 1"),
        must("kind", Shape::Words(&["in-process", "process", "remote"]), "what it is"),
        may("process", Shape::Table(&PROCESS), "of kind process: the program, started afresh for every trial"),
        may("build", Shape::Name(Sort::Build), "of kind in-process: what is built"),
        may("flaws", Shape::Names(Sort::Flaw), "of kind in-process: planted flaws"),
        must("endpoint", Shape::List(&ENDPOINT), "where it speaks"),
        may("account", Shape::Table(&ACCOUNT), "how parties become accounts"),
        may("known", Shape::List(&KNOWN), "accepted findings: never silent, always with a reason"),
        may("owner", TEXT, "note of the owner that allows traffic off loopback, with --i-own ADDRESS"),
    ],
    more: More::Nothing,
};

static PROCESS: Table = Table {
    what: "a process",
    keys: &[
        must("program", TEXT, "the program; {self} is Proofhouse"),
        may("args", Shape::Texts, "arguments; {port}, {port.ENDPOINT}, {dir} and {FILE} are filled in"),
        may("ready", Shape::Table(&READY), "how it shows that it is ready (default: its first endpoint listens)"),
        may("env", Shape::NamedTexts, "environment, beside a minimal one"),
        may("files", Shape::NamedTexts, "files written into a fresh folder before every start; {NAME} is the path"),
        may("version", Shape::Table(&VERSION), "how its version is read"),
        may("install", TEXT, "what a user types to install it"),
        may(
            "reuse",
            Shape::Words(&["trial", "campaign"]),
            "trial: a fresh process every time (default); campaign, for slow starters: it plays trials until one does not pass",
        ),
        may("rounds", INT, "trials that one start plays at most, with reuse = campaign (default 100)"),
    ],
    more: More::Nothing,
};

static READY: Table = Table {
    what: "readiness",
    keys: &[
        may("tcp", TEXT, "it listens on this address"),
        may("udp", TEXT, "a socket of its process group is bound to this address"),
        may("after", DURATION, "this much time has passed"),
        may("log", TEXT, "its log matches this pattern"),
        may(
            "within",
            DURATION,
            "how long that may take (default 5s); a start that still works gets up to four times as much",
        ),
    ],
    more: More::Rows(pings),
};

/// A key for each protocol whose servers can be asked whether they are there.
fn pings(registry: &Registry) -> Vec<Word> {
    registry.pings().map(|(name, _)| may(name, TEXT, "it answers a ping of this protocol at this address")).collect()
}

static VERSION: Table = Table {
    what: "a version",
    keys: &[
        must("run", Shape::Texts, "the command that prints it"),
        must("match", TEXT, "pattern whose first group is the version"),
    ],
    more: More::Nothing,
};

static ENDPOINT: Table = Table {
    what: "an endpoint",
    keys: &[
        must("protocol", Shape::Name(Sort::Protocol), "what it speaks"),
        must("address", TEXT, "host and port; {port} is a free one"),
        may("name", TEXT, "its name (default: the protocol)"),
        may("versions", Shape::Names(Sort::Version), "versions that it speaks (default all)"),
        may("role", Shape::Words(&["server", "client"]), "client: a device that connects to us (default server)"),
        may("claims", Shape::Names(Sort::Capability), "what it can do, by its maker's word"),
        may("lacks", Shape::NamedTexts, "capability = \"reason\": what it cannot do"),
        may("resources", ANY, "NAME = \"/path\": what {resource.NAME} in scenarios stands for"),
    ],
    more: More::Nothing,
};

static ACCOUNT: Table = Table {
    what: "accounts",
    keys: &[
        may("add", Shape::Table(&CHANGE), "adds an account: {name}, {password}"),
        may("remove", Shape::Table(&CHANGE), "deletes one: {name}"),
        may("grant", Shape::Table(&GRANT), "gives a right: {name}, {filter}"),
        may("reload", Shape::Table(&RELOAD), "makes the running target read the changes"),
        may("given", Shape::List(&GIVEN), "accounts that a remote target gives"),
    ],
    more: More::Nothing,
};

static GRANT: Table =
    Table { what: "grants", keys: &[], more: More::Rows(|registry| rights(registry, Shape::Table(&CHANGE))) };

static CHANGE: Table = Table {
    what: "a change",
    keys: &[
        may("run", Shape::Texts, "a command"),
        may("append", TEXT, "a block for a file; taken back by cutting it"),
        may("to", TEXT, "the file of append: {NAME}"),
    ],
    more: More::Nothing,
};

static RELOAD: Table = Table {
    what: "a reload",
    keys: &[
        may("signal", TEXT, "signal without SIG: HUP, INT, TERM, USR1 or USR2"),
        may("run", Shape::Texts, "a command instead"),
        may("done", Shape::Table(&DONE), "how it says that it has read them"),
        may("within", DURATION, "how long that may take (default 2s)"),
    ],
    more: More::Nothing,
};

static DONE: Table =
    Table { what: "the end of a reload", keys: &[must("log", TEXT, "pattern of its log line")], more: More::Nothing };

static GIVEN: Table = Table {
    what: "a given account",
    keys: &[
        must("name", TEXT, "user name"),
        must("password_env", TEXT, "environment variable that holds its password"),
        may("may", Shape::Table(&MAY), "its rights"),
    ],
    more: More::Nothing,
};

static KNOWN: Table = Table {
    what: "an accepted finding",
    keys: &[
        must("signature", TEXT, "the finding's signature"),
        must("reason", TEXT, "why it is accepted"),
        may("until", TEXT, "last day, as 2027-03-01"),
    ],
    more: More::Nothing,
};
