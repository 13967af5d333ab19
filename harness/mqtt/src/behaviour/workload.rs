//! A workload: a few clients that use everything legal, drawn from a seed and written out as scripts.
//!
//! Who does what is random; that it is legal is not. What comes of it is judged by the model, so that no script says what it expects.
use alloc::format;
use alloc::string::{String, ToString};
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
    for own in ["count", "step", "session"] {
        if fleet.keys.find(own).is_some() {
            return Err((
                own.to_string(),
                format!("{own}: a workload writes its scripts itself; say how many by `parties`"),
            ));
        }
    }
    let parties = number(fleet, "parties", 4, 2, 8)?;
    let steps = number(fleet, "steps", 10, 1, 100)?;
    Ok((0..parties).map(|nth| script(fleet, nth, steps)).collect())
}

fn number(fleet: &WrittenOut<'_>, key: &str, default: u64, least: u64, most: u64) -> Result<u64, (String, String)> {
    let said = fleet.keys.find(key).map(|value| value.as_int().and_then(|n| u64::try_from(n).ok()));
    let fits = said.unwrap_or(Some(default)).filter(|n| (least..=most).contains(n));
    fits.ok_or_else(|| (key.to_string(), format!("{key} is a whole number from {least} to {most}")))
}

/// One client as a fleet of its own.
fn script(fleet: &WrittenOut<'_>, nth: u64, steps: u64) -> (String, Fields) {
    let mut keys = fleet.keys.clone();
    for own in KEYS {
        keys.remove(own.name);
    }
    keys.set("behaviour", "script");
    let rng = fleet.seed.stream("client", nth);
    let mut client = Client { rng, nth, fleet, count: 0, steps: Vec::new(), filters: Vec::new() };
    if client.life(steps) {
        keys.set("session", "manual");
    }
    keys.set("step", Value::List(client.steps));
    (format!("{}-{nth}", fleet.name), keys)
}

struct Client<'f> {
    rng: Rng,
    nth: u64,
    fleet: &'f WrittenOut<'f>,
    /// Messages so far: each payload is unlike any other.
    count: u64,
    steps: Vec<Value>,
    filters: Vec<String>,
}

impl Client<'_> {
    /// Writes the whole life; says whether the client acknowledges nothing by itself.
    fn life(&mut self, steps: u64) -> bool {
        // Some are readers that lose their connection before they have acknowledged anything.
        if self.nth > 1 && self.one_in(3) {
            self.forgetful();
            return true;
        }
        let durable = self.one_in(2);
        self.connect(!durable, durable);
        for _ in 0..=self.rng.below(2) {
            self.subscribe();
        }
        self.wait(200);
        for _ in 0..steps {
            self.something(durable);
        }
        self.step(&[("do", "wait".into()), ("for", STAYS.into())]);
        self.step(&[("do", "disconnect".into())]);
        false
    }

    fn something(&mut self, durable: bool) {
        match self.rng.below(16) {
            0..=7 => self.publish(),
            8 | 9 => self.subscribe(),
            10 => self.unsubscribe(),
            11 => self.step(&[("do", "ping".into())]),
            12 if durable => self.leave(),
            _ => {
                let pause = 20 + self.rng.below(300);
                self.wait(pause);
            }
        }
    }

    fn forgetful(&mut self) {
        self.connect(false, true);
        let qos = 1 + self.rng.below(2);
        let filter = self.topic("#");
        self.step(&[
            ("do", "subscribe".into()),
            ("filter", filter.into()),
            ("qos", (qos as i64).into()),
            ("part", "stimulus".into()),
        ]);
        self.wait(1_200);
        self.step(&[("do", "reset".into())]);
        self.wait(300);
        self.connect(false, true);
        self.step(&[("do", "wait".into()), ("for", STAYS.into())]);
    }

    fn connect(&mut self, clean: bool, durable: bool) {
        let v5 = self.fleet.version != "3.1.1";
        let mut step = vec![
            ("do", Value::from("connect")),
            ("client_id", format!("{}{}", self.fleet.name, self.nth).into()),
            ("clean_start", clean.into()),
            ("part", "control".into()),
        ];
        if v5 && durable {
            step.push(("session_expiry", 300_i64.into()));
        }
        if self.one_in(3) {
            self.count += 1;
            step.push(("will_topic", self.topic(&format!("will/{}", self.nth)).into()));
            step.push(("will_payload", format!("will {}-{}", self.nth, self.count).into()));
            step.push(("will_qos", (self.rng.below(3) as i64).into()));
            step.push(("will_retain", self.one_in(3).into()));
        }
        if v5 && self.one_in(3) {
            step.push(("receive_maximum", (1 + self.rng.below(20) as i64).into()));
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
        let mut step = vec![
            ("do", Value::from("publish")),
            ("topic", self.topic(topic).into()),
            ("qos", (self.rng.below(3) as i64).into()),
            ("retain", retain.into()),
            ("payload", if clears { "".into() } else { payload.as_str().into() }),
            ("part", "stimulus".into()),
        ];
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
        self.steps
            .push(Value::Table(Fields(keys.iter().map(|(key, value)| ((*key).to_string(), value.clone())).collect())));
    }

    fn topic(&self, below: &str) -> String {
        format!("{}/{below}", self.fleet.keys.text("root").unwrap_or("w"))
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }
}
