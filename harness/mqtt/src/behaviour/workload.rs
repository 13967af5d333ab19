//! A workload: a few clients that use everything legal, drawn from a seed and written out as scripts.
//!
//! Who does what is random; that it is legal is not. What comes of it is judged by the model, so that no script says what it expects.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::protocol::WrittenOut;
use proofhouse_core::seed::Rng;
use proofhouse_core::value::{Fields, Value};

/// Keys of `behaviour = "workload"`.
pub(super) const KEYS: &[Key] = &[
    Key { name: "parties", kind: Kind::Int, doc: "clients, 2 to 8 (default 4)" },
    Key {
        name: "steps",
        kind: Kind::Int,
        doc: "what each does between subscribing and leaving, 1 to 100 (default 10)",
    },
    Key { name: "root", kind: Kind::Text, doc: "topics lie below it (default w)" },
];

/// Filters and topics from a small pool, so that they overlap.
const FILTERS: &[&str] = &["a", "+", "#", "a/b", "+/b", "a/#", "\u{e4}", "will/#", "+/+", "b"];
const TOPICS: &[&str] = &["a", "a/b", "b", "c/b", "\u{e4}", "a/b/c"];
/// How long the last connection of a client stands, so that what is owed to it has its time: longer than the model's patience.
const STAYS: &str = "3500ms";

/// The scripts of a fleet.
///
/// # Errors
/// A number out of its range, and keys that the scripts have themselves.
pub(super) fn written_out(fleet: &WrittenOut<'_>) -> Result<Vec<(String, Fields)>, (String, String)> {
    let (keys, parties) = (fleet.of_scripts(KEYS)?, fleet.number("parties", 4, 2..=8)?);
    let steps = fleet.number("steps", 10, 1..=100)?;
    Ok((0..parties).map(|nth| script(fleet, keys.clone(), nth, steps)).collect())
}

/// One client as a fleet of its own.
fn script(fleet: &WrittenOut<'_>, mut keys: Fields, nth: u64, steps: u64) -> (String, Fields) {
    let rng = fleet.seed.stream("client", nth);
    let role = Role::of(nth, fleet.seed.stream("roles", 0).below(ROLES.len() as u64));
    let mut client = Client { rng, nth, role, fleet, count: 0, steps: Vec::new(), filters: Vec::new() };
    if client.life(steps) {
        keys.set("session", "manual");
    }
    keys.set("step", Value::List(client.steps));
    (format!("{}-{nth}", fleet.name), keys)
}

/// What is special about a client. The first two are plain; every five after them are one of each, in an order of the seed's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    /// Acknowledges nothing, or one message by half, loses its connection and comes back.
    Forgetful,
    /// Acknowledges nothing, and asks for other things while its Receive Maximum is used up.
    Hesitant,
    /// Leaves its client id to the server, twice.
    Nameless,
    /// Takes small packets only.
    Small,
    /// Has a Will, loses its connection and never comes back.
    Mortal,
}

const ROLES: [Role; 5] = [Role::Forgetful, Role::Hesitant, Role::Nameless, Role::Small, Role::Mortal];

impl Role {
    fn of(nth: u64, offset: u64) -> Role {
        if nth < 2 { Role::Plain } else { ROLES[((nth + offset) % ROLES.len() as u64) as usize] }
    }
}

struct Client<'f> {
    rng: Rng,
    nth: u64,
    role: Role,
    fleet: &'f WrittenOut<'f>,
    /// Messages so far: each payload is unlike any other.
    count: u64,
    steps: Vec<Value>,
    filters: Vec<String>,
}

impl Client<'_> {
    /// Writes the whole life; says whether the client acknowledges nothing by itself.
    fn life(&mut self, steps: u64) -> bool {
        match self.role {
            Role::Forgetful => self.forgetful(),
            Role::Hesitant => self.hesitant(),
            // Long before the others leave, so that its Will has its time.
            Role::Mortal => self.ordinary(steps / 2),
            Role::Plain | Role::Nameless | Role::Small => self.ordinary(steps),
        }
        matches!(self.role, Role::Forgetful | Role::Hesitant)
    }

    fn ordinary(&mut self, steps: u64) {
        let named = self.role != Role::Nameless;
        let durable = !named || self.one_in(2);
        self.connect(!durable || !named, durable);
        self.subscribe_to("own", 2);
        match self.nth {
            0 if self.fleet.version != "3.1.1" => self.step(&[
                ("do", "subscribe".into()),
                ("filter", self.topic("keep/+").into()),
                ("qos", 1_i64.into()),
                ("no_local", true.into()),
                ("retain_as_published", true.into()),
                ("part", "stimulus".into()),
            ]),
            1 if self.fleet.version != "3.1.1" => self.subscribe_to("shared", 2),
            _ => {}
        }
        if self.role == Role::Plain {
            // Nobody asks for this filter again: it stands as long as its session.
            self.subscribe_to("will/+", 2);
        }
        for _ in 0..=self.rng.below(2) {
            self.subscribe();
        }
        self.wait(200);
        // Its filter does not match this one.
        self.publish_on(&self.own("a/b"), 1, "", None);
        self.keep(self.nth);
        if self.role == Role::Small {
            // The first is larger than it takes.
            self.publish_own(1, &"x".repeat(200), None);
            self.publish_own(1, "", None);
        }
        self.again();
        for _ in 0..steps {
            self.something(durable && named);
        }
        match self.role {
            Role::Mortal => return self.step(&[("do", "reset".into())]),
            Role::Nameless => self.once_more(),
            _ => {}
        }
        self.step(&[("do", "wait".into()), ("for", STAYS.into())]);
        self.step(&[("do", "disconnect".into())]);
    }

    fn something(&mut self, durable: bool) {
        match self.rng.below(18) {
            0..=7 => self.publish(),
            8 => self.subscribe(),
            9 => {
                // Long enough after whatever was retained: what comes is the last of it.
                self.wait(1_200);
                self.subscribe();
            }
            10 => self.unsubscribe(),
            11 => self.step(&[("do", "ping".into())]),
            12 if durable => self.leave(),
            13 => {
                // What the first two leave is always the same: one keeps, one removes.
                let act = if self.nth < 2 { self.nth } else { self.rng.below(3) };
                self.keep(act);
            }
            _ => {
                let pause = 20 + self.rng.below(300);
                self.wait(pause);
            }
        }
    }

    /// A retained message on a topic that nobody else writes to, and what may or may not change it.
    fn keep(&mut self, act: u64) {
        self.store(true, false);
        match act % 3 {
            0 => self.store(false, false),
            1 => self.store(true, true),
            _ => self.store(true, false),
        }
    }

    fn store(&mut self, retain: bool, clears: bool) {
        self.count += 1;
        let payload = if clears { String::new() } else { format!("{}-{}", self.nth, self.count) };
        self.step(&[
            ("do", "publish".into()),
            ("topic", self.topic(&format!("keep/{}", self.nth)).into()),
            // Of one quality, so that they are handled in the order in which they are sent.
            ("qos", ((1 + self.nth % 2) as i64).into()),
            ("packet_id", self.id().into()),
            ("retain", retain.into()),
            ("payload", payload.into()),
            ("part", "stimulus".into()),
        ]);
    }

    /// A packet identifier of the latest message's own, with room for those that the connection gives to what comes after it.
    fn id(&self) -> i64 {
        1_000 + 10 * self.count as i64
    }

    /// Two messages under one identifier, the second when the first is over: acknowledged, or refused for want of rights.
    fn again(&mut self) {
        let id = 50_000 + self.count as i64;
        let qos = (1 + self.nth % 2) as i64;
        if self.role == Role::Small && self.fleet.version != "3.1.1" {
            self.step(&[
                ("do", "publish".into()),
                ("topic", "elsewhere".into()),
                ("qos", 2_i64.into()),
                ("packet_id", id.into()),
                ("part", "stimulus".into()),
            ]);
        } else {
            self.publish_own(qos, "", Some(id));
        }
        self.wait(500);
        self.publish_own(qos, "", Some(id));
    }

    /// Unsubscribes while a message of that filter is on its way, and then takes it. As a rule a server's first identifier is 1; where
    /// it is not, the client breaks the protocol here, and is followed no further.
    fn give_up(&mut self) {
        self.subscribe_to("own", 2);
        let id = 60_000;
        self.publish_own(2, "", Some(id));
        self.step(&[("do", "pubrel".into()), ("packet_id", id.into())]);
        self.step(&[("do", "unsubscribe".into()), ("filter", self.own("+").into())]);
        self.step(&[("do", "pubrec".into()), ("packet_id", 1_i64.into())]);
        self.step(&[("do", "pubcomp".into()), ("packet_id", 1_i64.into())]);
    }

    /// Takes a message of its own as far as PUBREC, and owes the PUBCOMP. As a rule a server's first identifier is 1, as above.
    fn receive_half(&mut self) {
        self.subscribe_to("own", 2);
        let id = 60_000;
        self.publish_own(2, "", Some(id));
        self.step(&[("do", "pubrel".into()), ("packet_id", id.into())]);
        self.step(&[("do", "pubrec".into()), ("packet_id", 1_i64.into())]);
    }

    /// Comes again without a name, under which a session is left, and looks at what is kept.
    fn once_more(&mut self) {
        self.step(&[("do", "disconnect".into())]);
        self.wait(1_200);
        self.connect(true, false);
        self.subscribe_to("keep", 1);
        self.subscribe_to("#", 1);
    }

    fn forgetful(&mut self) {
        let v5 = self.fleet.version != "3.1.1";
        let halfway = self.one_in(3);
        let lasts = !v5 || halfway || self.one_in(2);
        self.connect(false, lasts);
        let qos = 1 + self.rng.below(2) as i64;
        match (halfway, v5) {
            // And nothing else, which a server might send first and wait for.
            (true, _) => self.receive_half(),
            (false, true) => {
                self.subscribe_to("shared", 2);
                self.subscribe_to("a/#", qos);
            }
            (false, false) => self.subscribe_to("#", qos),
        }
        self.wait(1_200);
        self.step(&[("do", "reset".into())]);
        self.wait(300);
        self.connect(false, lasts);
        self.step(&[("do", "wait".into()), ("for", STAYS.into())]);
    }

    fn hesitant(&mut self) {
        self.connect(false, true);
        self.give_up();
        let qos = 1 + self.rng.below(2) as i64;
        self.subscribe_to("#", qos);
        self.wait(1_200);
        self.step(&[("do", "ping".into())]);
        self.subscribe_to("own", 0);
        self.step(&[("do", "unsubscribe".into()), ("filter", self.own("+").into())]);
        self.step(&[("do", "wait".into()), ("for", STAYS.into())]);
    }

    /// Subscribes without options: to its own topic, to what is kept, as one of a group, or to a filter as it is.
    fn subscribe_to(&mut self, what: &str, qos: i64) {
        let filter = match what {
            "own" => self.own("+"),
            "keep" => self.topic("keep/+"),
            "shared" => format!("$share/g/{}", self.topic("own/+/+")),
            filter => self.topic(filter),
        };
        self.step(&[
            ("do", "subscribe".into()),
            ("filter", filter.into()),
            ("qos", qos.into()),
            ("part", "stimulus".into()),
        ]);
    }

    fn own(&self, level: &str) -> String {
        self.topic(&format!("own/{}/{level}", self.nth))
    }

    fn publish_own(&mut self, qos: i64, tail: &str, id: Option<i64>) {
        self.publish_on(&self.own("a"), qos, tail, id);
    }

    fn publish_on(&mut self, topic: &str, qos: i64, tail: &str, id: Option<i64>) {
        self.count += 1;
        let mut step = vec![
            ("do", Value::from("publish")),
            ("topic", topic.into()),
            ("qos", qos.into()),
            ("payload", format!("{}-{}{tail}", self.nth, self.count).into()),
            ("part", "stimulus".into()),
        ];
        if qos > 0 {
            step.push(("packet_id", id.unwrap_or(self.id()).into()));
        }
        self.step(&step);
    }

    fn connect(&mut self, clean: bool, durable: bool) {
        let v5 = self.fleet.version != "3.1.1";
        let named = self.role != Role::Nameless;
        let name = if named { format!("{}{}", self.fleet.name, self.nth) } else { String::new() };
        let mut step = vec![("do", Value::from("connect")), ("client_id", name.into()), ("clean_start", clean.into())];
        // One that comes back has been served: that it does not get so far is the target's affair.
        if self.steps.is_empty() {
            step.push(("part", "control".into()));
            step.push(("expect", Value::table(&[("type", "connack".into()), ("reason", 0_i64.into())])));
        }
        if v5 && durable {
            step.push(("session_expiry", 300_i64.into()));
        }
        let mortal = self.role == Role::Mortal;
        if mortal || self.one_in(3) {
            self.count += 1;
            step.push(("will_topic", self.topic(&format!("will/{}", self.nth)).into()));
            step.push(("will_payload", format!("will {}-{}", self.nth, self.count).into()));
            let least = u64::from(mortal);
            step.push(("will_qos", ((least + self.rng.below(3 - least)) as i64).into()));
            step.push(("will_retain", self.one_in(3).into()));
        }
        let hesitant = self.role == Role::Hesitant;
        if v5 && (hesitant || self.one_in(3)) {
            let most = if hesitant { 3 } else { 20 };
            step.push(("receive_maximum", (1 + self.rng.below(most) as i64).into()));
        }
        if v5 && self.role == Role::Small {
            // Room for a short message; none for a packet with a sentence in it.
            step.push(("maximum_packet_size", (50 + self.rng.below(16) as i64).into()));
        }
        if v5 && self.one_in(3) {
            step.push(("topic_alias_maximum", (1 + self.rng.below(10) as i64).into()));
        }
        if v5 && self.one_in(4) {
            step.push(("request_problem_info", 0_i64.into()));
        }
        self.step(&step);
    }

    fn subscribe(&mut self) {
        let shared = self.one_in(8);
        let filter = FILTERS[self.rng.below(FILTERS.len() as u64) as usize];
        // A group is one where its filter is the same.
        let filter = if shared && self.one_in(2) { "own/+/+" } else { filter };
        let filter = self.topic(filter);
        let filter = if shared && self.fleet.version != "3.1.1" { format!("$share/g/{filter}") } else { filter };
        let mut step = vec![
            ("do", Value::from("subscribe")),
            ("filter", filter.clone().into()),
            ("qos", (self.rng.below(3) as i64).into()),
            ("part", "stimulus".into()),
        ];
        if self.fleet.version != "3.1.1" {
            if !filter.starts_with('$') {
                step.push(("no_local", self.one_in(4).into()));
            }
            step.push(("retain_as_published", self.one_in(3).into()));
            step.push(("retain_handling", (self.rng.below(3) as i64).into()));
            if self.one_in(2) {
                step.push(("subscription_id", (1 + self.rng.below(200) as i64).into()));
            }
        }
        self.filters.push(filter);
        self.step(&step);
    }

    fn unsubscribe(&mut self) {
        let known = self.rng.below(self.filters.len() as u64 + 1) as usize;
        let filter = self.filters.get(known).cloned().unwrap_or_else(|| self.topic("never"));
        self.step(&[("do", "unsubscribe".into()), ("filter", filter.into())]);
    }

    fn publish(&mut self) {
        self.count += 1;
        let topic = TOPICS[self.rng.below(TOPICS.len() as u64) as usize];
        let retain = self.one_in(4);
        let tail = if self.one_in(8) { self.rng.below(3_000) } else { self.rng.below(20) };
        let clears = retain && self.one_in(4);
        let payload = format!("{}-{}:{}", self.nth, self.count, "x".repeat(tail as usize));
        let qos = self.rng.below(3);
        let mut step = vec![
            ("do", Value::from("publish")),
            ("topic", self.topic(topic).into()),
            ("qos", (qos as i64).into()),
            ("retain", retain.into()),
            ("payload", if clears { "".into() } else { payload.as_str().into() }),
            ("part", "stimulus".into()),
        ];
        // None that may still be in use in a session that was left: a reset takes what we had said last with it.
        if qos > 0 {
            step.push(("packet_id", self.id().into()));
        }
        if self.fleet.version != "3.1.1" && !clears {
            self.properties(&mut step);
        }
        self.step(&step);
    }

    fn properties(&mut self, step: &mut Vec<(&'static str, Value)>) {
        if self.one_in(4) {
            let pairs = (0..1 + self.rng.below(3)).map(|n| {
                Value::List(vec![format!("k{n}").as_str().into(), format!("v{}", self.count).as_str().into()])
            });
            step.push(("user_properties", Value::List(pairs.collect())));
        }
        if self.one_in(4) {
            step.push(("content_type", "text/plain".into()));
        }
        if self.one_in(4) {
            step.push(("response_topic", self.topic("answers").into()));
            step.push(("correlation_data", format!("c{}", self.count).into()));
        }
        if self.one_in(5) {
            step.push(("payload_format", 1_i64.into()));
        }
        if self.one_in(5) {
            let seconds = if self.one_in(2) { 1 + self.rng.below(3) as i64 } else { 120 };
            step.push(("message_expiry", seconds.into()));
        }
    }

    /// Leaves and comes back, with or without goodbye.
    fn leave(&mut self) {
        match self.rng.below(3) {
            0 => self.step(&[("do", "disconnect".into())]),
            1 => self.step(&[("do", "reset".into())]),
            _ => self.step(&[("do", "shutdown".into())]),
        }
        let away = [300, 600, 2_500][self.rng.below(3) as usize];
        self.wait(away);
        self.connect(false, true);
        self.wait(200);
    }

    fn wait(&mut self, millis: u64) {
        self.step(&[("do", "wait".into()), ("for", format!("{millis}ms").into())]);
    }

    fn step(&mut self, keys: &[(&str, Value)]) {
        self.steps.push(Value::table(keys));
    }

    fn topic(&self, below: &str) -> String {
        format!("{}/{below}", self.fleet.keys.text("root").unwrap_or("w"))
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }
}
