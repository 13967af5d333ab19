//! Keys of scenario files.
use super::{BOOL, DURATION, INT, MAY, More, PERCENT, Shape, Sort, TEXT, Table, may, must};

const PARTS: Shape = Shape::Words(&["control", "stimulus"]);
const PART: &str = "control: the legal variant, which must succeed; stimulus: the attack, which must reach the target";

/// A scenario file.
pub static SCENARIO: Table = Table {
    what: "a scenario",
    keys: &[
        must("format", INT, "version of the file format: 1"),
        must("title", TEXT, "what must hold, as one sentence"),
        may("attack", TEXT, "id in the catalogue of attacks, such as MC-03"),
        may("guidance", Shape::Texts, "rows of published guidance that it serves, see `list guidance`"),
        may("spec", Shape::Texts, "clauses that it tests, as document:place: \"mqtt5:3.1.4-3\", \"rfc7252:4.5\""),
        may(
            "level",
            Shape::Words(&["must", "should", "hardening"]),
            "how much a finding weighs (default must): moves the exit code, never the verdict; a crash or a hang always weighs must, and what only a time of ours shows one step less",
        ),
        may("cwe", Shape::Ints, "numbers of the weaknesses that a finding shows"),
        may("cvss", TEXT, "CVSS v4 vector of a finding"),
        may(
            "kind",
            Shape::Words(&[
                "crash",
                "hang",
                "resource",
                "disclosure",
                "auth",
                "config",
                "conformance",
                "exception",
                "amplification",
            ]),
            "kind of finding, where it is not the rule's",
        ),
        must("limit", DURATION, "how long a trial may take; reached: INCONCLUSIVE"),
        may("protocol", Shape::Name(Sort::Protocol), "what fleets speak that do not say it themselves"),
        may("version", Shape::Names(Sort::Version), "version of the protocol; a list is a matrix, one case each"),
        may("needs", Shape::Names(Sort::Capability), "what the target must be able to do, or resource.NAME"),
        may(
            "segments",
            Shape::Texts,
            "how stimuli are cut on a stream: whole, or 1B; a list is a matrix, one case each",
        ),
        may("record", Shape::Words(&["full", "edges"]), "edges keeps first, last and unusual messages (default full)"),
        may("case", Shape::List(&CASE), "rows of a small matrix; \"{case.KEY}\" stands for the row's value"),
        may("cases", Shape::Name(Sort::CaseList), "a list of cases in Rust, instead of [[case]]"),
        may("party", Shape::Named(&PARTY), "roles with rights; the target file says how each becomes an account"),
        must("fleet", Shape::Named(&FLEET), "who takes part"),
        may("network", Shape::Table(&NETWORK), "faults of everybody's links"),
        may("expect", Shape::List(&EXPECT), "what must hold; no-crash and no-hang always do"),
        may("twin", Shape::Twins, "planted flaw = the rule, or rules, that must fail on it"),
        may("control", Shape::Table(&CONTROL), "a second arm without some steps, in which something must be seen"),
    ],
    more: More::Nothing,
};

static CASE: Table = Table {
    what: "a case",
    keys: &[must("name", TEXT, "name of the case, unique in the scenario")],
    more: More::Anything,
};

static PARTY: Table =
    Table { what: "a party", keys: &[may("may", Shape::Table(&MAY), "its rights")], more: More::Nothing };

static FLEET: Table = Table {
    what: "a fleet",
    keys: &[
        must("behaviour", Shape::Name(Sort::Behaviour), "what its members do; script plays `step`"),
        may("step", Shape::List(&STEP), "of a script: one table a line, played in order"),
        may(
            "as",
            TEXT,
            "the party that it plays (default: one of its own name, without rights); nobody: no credentials",
        ),
        may("part", PARTS, "what everything that it sends is: control or stimulus"),
        may("count", INT, "members (default 1)"),
        may("protocol", Shape::Name(Sort::Protocol), "what it speaks, where the head does not say"),
        may("version", Shape::Name(Sort::Version), "version of its protocol, where the head does not say"),
        may("endpoint", TEXT, "endpoint of the target by name (default: the first that fits)"),
        may("plays", Shape::Words(&["client", "server"]), "server: we listen and the target connects (default client)"),
        may(
            "session",
            Shape::Words(&["auto", "manual"]),
            "manual: nothing is answered that a step does not say (default auto)",
        ),
        may("source", TEXT, "addresses: one (default), each, fresh for every connection, or one of 127/8"),
        may("ramp", DURATION, "starts are spread over this long (default 0s)"),
        may("network", Shape::Table(&NETWORK), "faults of its links, instead of the scenario's"),
        may("only", Shape::Ints, "members that still take part, counted from 0: what shrinking leaves"),
    ],
    more: More::Of("behaviour", Sort::Behaviour),
};

static STEP: Table = Table {
    what: "a step",
    keys: &[
        must("do", Shape::Name(Sort::Verb), "what it does"),
        may("part", PARTS, PART),
        may(
            "expect",
            Shape::Table(&ALTERNATIVE),
            "the one outcome that meets it (default: the packet's natural answer)",
        ),
        may(
            "any",
            Shape::List(&ALTERNATIVE),
            "outcomes of which any meets it; a field is a value, one of a list, or { at_least, at_most, not }",
        ),
        may("within", DURATION, "how long an outcome is awaited (default 5s)"),
        may("bind", Shape::NamedTexts, "field = \"name\": keeps a field of the answer, read as $FLEET.name"),
        may("mark", TEXT, "name of the moment at which it is answered, or sent"),
        may("after", Shape::Texts, "waits for these marks first, as FLEET.mark"),
        may("conn", TEXT, "connection by name (default main)"),
        may("as", TEXT, "speaks as another party than its fleet"),
        may("canary", TEXT, "its payload is this canary, a value that nobody can guess"),
        may("pace", TEXT, "sends so slowly, while later steps run: \"1B/10s\""),
        may("at", DURATION, "not before this time of the trial"),
        may("skip", BOOL, "left out of the control arm: written by the planner"),
        may("index", INT, "its place as it was written: by the planner, kept by the shrinker"),
    ],
    more: More::Of("do", Sort::Verb),
};

static ALTERNATIVE: Table = Table {
    what: "an outcome",
    keys: &[
        may("closed", BOOL, "true: the connection is ended or reset"),
        may("silence", DURATION, "nothing arrives for this long"),
        may("canary", TEXT, "a packet carries this canary"),
        may("bind", Shape::NamedTexts, "field = \"name\": keeps a field of the packet, read as $FLEET.name"),
    ],
    more: More::Anything,
};

static NETWORK: Table = Table {
    what: "link faults",
    keys: &[
        may("delay", DURATION, "one-way delay of every message"),
        may("loss", PERCENT, "share lost; on a stream it shows as delay"),
        may("duplicate", PERCENT, "share of datagrams that arrive twice"),
        may("reorder", PERCENT, "share of datagrams that later ones overtake"),
        may("corrupt", PERCENT, "share of datagrams that arrive with one bit flipped"),
        may("cut", Shape::Table(&CUT), "the link of a stream ends"),
        may("stall", Shape::Table(&STALL), "nothing passes for a while"),
        may("rate", INT, "bytes per second in each direction, at most"),
        may("split", INT, "stream writes are cut into pieces of so many bytes"),
    ],
    more: More::Nothing,
};

static CUT: Table = Table {
    what: "a cut",
    keys: &[
        must("after", DURATION, "time since the connection opened"),
        may("how", Shape::Words(&["reset", "fin"]), "default reset"),
    ],
    more: More::Nothing,
};

static STALL: Table = Table {
    what: "a stall",
    keys: &[
        must("after", DURATION, "time since the connection opened"),
        must("for", DURATION, "how long nothing passes"),
    ],
    more: More::Nothing,
};

static EXPECT: Table = Table {
    what: "an expectation",
    keys: &[
        must("oracle", Shape::Name(Sort::Oracle), "the rule"),
        may("of", Shape::Texts, "the fleets that it is about (default all)"),
    ],
    more: More::Of("oracle", Sort::Oracle),
};

static CONTROL: Table = Table {
    what: "the control arm",
    keys: &[
        must("without", Shape::Texts, "marks of the steps that are left out, as FLEET.mark"),
        must("expect", Shape::Table(&SEEN), "what must be seen in that arm"),
    ],
    more: More::Nothing,
};

static SEEN: Table = Table {
    what: "what the control arm must see",
    keys: &[
        must("at", TEXT, "where: FLEET, or FLEET:filter"),
        may("closed", BOOL, "true: the connection is ended or reset"),
        may("silence", DURATION, "nothing arrives for this long"),
        may("canary", TEXT, "this canary"),
        may("bind", Shape::NamedTexts, "field = \"name\": keeps a field of the packet"),
    ],
    more: More::Anything,
};
