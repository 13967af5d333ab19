//! A workload: a few clients that use everything legal, drawn from a seed and written out as scripts.
//!
//! One writes, up to three watch what it writes, the others ask for whatever the target has. Who does what is random; that it is legal, or is to be
//! refused in a way that the text names, is not. What comes of it is judged by the model, so that no script says what it expects.
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
    Key { name: "parties", kind: Kind::Int, doc: "clients, 2 to 8 (default 5)" },
    Key { name: "steps", kind: Kind::Int, doc: "what each of them asks for, 1 to 60 (default 10)" },
];

/// How long a watcher stays after everything: longer than the model waits for a notification.
const STAYS: u64 = 7_000;
/// Nobody listens there, on no machine of ours: who does forward finds nobody.
const ELSEWHERE: &str = "coap://127.0.0.1:9/";

/// The scripts of a fleet.
///
/// # Errors
/// A number out of its range, and keys that the scripts have themselves.
pub(super) fn written_out(fleet: &WrittenOut<'_>) -> Result<Vec<(String, Fields)>, (String, String)> {
    let (keys, parties) = (fleet.of_scripts(KEYS)?, fleet.number("parties", 5, 2..=8)?);
    let steps = fleet.number("steps", 10, 1..=60)?;
    Ok((0..parties).map(|nth| script(fleet, keys.clone(), nth, steps)).collect())
}

/// One client as a fleet of its own.
fn script(fleet: &WrittenOut<'_>, mut keys: Fields, nth: u64, steps: u64) -> (String, Fields) {
    let mut client = Client { rng: fleet.seed.stream("client", nth), nth, fleet, count: 0, steps: Vec::new() };
    client.begin();
    match nth {
        0 if fleet.has("creatable") => client.write(steps),
        1..=3 if fleet.has("creatable") || fleet.has("observable") => client.watch(watcher(fleet, nth)),
        _ => (0..steps).for_each(|step| client.ask(dealt(fleet, "ask", nth * steps + step, ASKS))),
    }
    keys.set("step", Value::List(client.steps));
    (format!("{}-{nth}", fleet.name), keys)
}

/// What is special about one who watches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watcher {
    /// Stays to the end.
    Faithful,
    /// Takes its registration back.
    Leaver,
    /// Acknowledges late.
    Hesitant,
    /// Resets what comes.
    Resetter,
    /// Registers twice.
    Anew,
}

/// The first of them stays; the others are no two alike.
fn watcher(fleet: &WrittenOut<'_>, nth: u64) -> Watcher {
    const OTHERS: [Watcher; 4] = [Watcher::Leaver, Watcher::Hesitant, Watcher::Resetter, Watcher::Anew];
    match nth {
        1 => Watcher::Faithful,
        nth => OTHERS[dealt(fleet, "watchers", nth, OTHERS.len() as u64) as usize],
    }
}

/// How many things there are to ask for, and to write.
const ASKS: u64 = 20;
const WRITES: u64 = 12;

/// The card at this place of a deck that the seed has cut: whoever draws as many as there are has each of them.
fn dealt(fleet: &WrittenOut<'_>, deck: &str, place: u64, cards: u64) -> u64 {
    // A step that has no divisor in common with any of the decks.
    const STEP: u64 = 7;
    (place * STEP + fleet.seed.stream(deck, 0).below(cards)) % cards
}

struct Client<'f> {
    rng: Rng,
    nth: u64,
    fleet: &'f WrittenOut<'f>,
    /// Contents so far: each is unlike any other.
    count: u64,
    steps: Vec<Value>,
}

impl Client<'_> {
    /// Everybody shows first that it is served.
    fn begin(&mut self) {
        let served = ("expect", Value::table(&[("code", "ok".into())]));
        self.step(&[("do", "get".into()), ("path", resource("readable")), ("part", "control".into()), served]);
    }

    fn write(&mut self, steps: u64) {
        let made = ("expect", Value::table(&[("code", "ok".into())]));
        let content = self.content(10);
        self.step(&[
            ("do", "put".into()),
            ("path", resource("creatable")),
            ("payload", content),
            ("part", "control".into()),
            ("mark", "made".into()),
            made,
        ]);
        self.get("creatable", &[]);
        self.wait(400);
        self.put(&[]);
        self.get("creatable", &[]);
        for step in 0..steps {
            self.write_something(dealt(self.fleet, "writes", step, WRITES));
        }
        self.put(&[]);
        self.get("creatable", &[]);
        self.step(&[("do", "wait".into()), ("for", "20ms".into()), ("mark", "done".into())]);
        if self.one_in(3) {
            self.wait(STAYS);
            self.remove();
        }
    }

    fn write_something(&mut self, what: u64) {
        match what {
            0..=3 => {
                self.put(&[]);
                self.get("creatable", &[]);
            }
            // Two changes shortly after each other.
            4 => {
                self.put(&[]);
                self.put(&[]);
                self.get("creatable", &[]);
            }
            5 | 6 => {
                self.get("creatable", &[]);
                if what == 5 {
                    // Longer than a tag that is made of the second lasts.
                    self.wait(1_200);
                }
                self.put(&[]);
                self.get("creatable", &[("revalidate", true.into())]);
                self.get("creatable", &[("revalidate", true.into())]);
            }
            7 => {
                self.put(&[("if_match", "0badc0de0badc0de".into())]);
                self.put(&[("if_none_match", true.into())]);
                self.get("creatable", &[]);
            }
            8 if !self.fleet.has("observable") || self.one_in(2) => {
                self.remove();
                self.put(&[]);
                self.get("creatable", &[]);
            }
            9 => self.upload(),
            _ => {
                let pause = 200 + self.rng.below(1_200);
                self.wait(pause);
            }
        }
    }

    /// What was there is not there any more, and there is no more than that to remove.
    fn remove(&mut self) {
        self.request("delete", "creatable", &[]);
        self.get("creatable", &[]);
        self.request("delete", "creatable", &[]);
    }

    fn put(&mut self, more: &[(&str, Value)]) {
        let content = self.content(40);
        let mut keys = vec![("payload", content)];
        keys.extend_from_slice(more);
        self.request("put", "creatable", &keys);
    }

    /// A body in blocks.
    fn upload(&mut self) {
        let size = [16_i64, 32, 64][self.rng.below(3) as usize];
        self.count += 1;
        // More than a block, whatever its size.
        let content = format!("{}-{}:{}", self.nth, self.count, "x".repeat(80 + self.rng.below(220) as usize));
        let blocks = [("payload", content.into()), ("blockwise", true.into()), ("block_size", size.into())];
        self.request("put", "creatable", &blocks);
        self.get("creatable", &[]);
    }

    fn watch(&mut self, watcher: Watcher) {
        let token = format!("0b{:02x}{:06x}", self.nth, self.rng.below(1 << 24));
        let watched = self.fleet.has("creatable");
        let path = if watched && (watcher != Watcher::Leaver || !self.fleet.has("observable")) {
            "creatable"
        } else {
            "observable"
        };
        if watched {
            // Nothing is watched that is not there.
            self.after("made");
        }
        let own = |observe: i64| [("token", token.as_str().into()), ("observe", observe.into())];
        let mut keys = own(0).to_vec();
        match watcher {
            Watcher::Hesitant => keys.push(("confirm", "late".into())),
            Watcher::Resetter => keys.push(("confirm", "reset".into())),
            Watcher::Faithful => keys.push(("confirm", "always".into())),
            Watcher::Leaver | Watcher::Anew => {}
        }
        self.request("get", path, &keys);
        match watcher {
            Watcher::Faithful | Watcher::Hesitant | Watcher::Resetter => {}
            Watcher::Leaver => {
                let pause = 1_200 + self.rng.below(2_000);
                self.wait(pause);
                let mut keys = own(1).to_vec();
                keys.push(("confirm", "always".into()));
                self.request("get", path, &keys);
            }
            Watcher::Anew => {
                self.wait(1_000);
                self.request("get", path, &own(0));
            }
        }
        if watched {
            self.after("done");
        }
        self.wait(STAYS + 500);
    }

    /// Waits for the one who writes.
    fn after(&mut self, mark: &str) {
        let mark = format!("{}-0.{mark}", self.fleet.name);
        self.step(&[("after", mark.into()), ("do", "wait".into()), ("for", "20ms".into())]);
    }

    /// Something of what the target has, or something that it is to refuse.
    fn ask(&mut self, what: u64) {
        match what {
            0 | 1 => self.get("readable", &[]),
            2 => self.get("readable", &[("type", "non".into())]),
            3 => {
                let accept = [0_i64, 40, 50, 60][self.rng.below(4) as usize];
                self.get("readable", &[("accept", accept.into())]);
            }
            4 => self.discover(),
            5 | 6 if self.fleet.has("large") => self.page(),
            7 if self.fleet.has("large") => {
                self.get("large", &[("blockwise", true.into())]);
                self.get("large", &[("blockwise", true.into()), ("revalidate", true.into())]);
            }
            8 | 9 if self.fleet.has("counter") => self.count_up(),
            10 if self.fleet.has("separate") => self.wait_for_it(),
            11 => self.step(&[("do", "ping".into())]),
            12 => self.get("readable", &[("options", odd_option(65_000))]),
            13 => self.get("readable", &[("options", odd_option(65_001))]),
            14 => self.get("readable", &[("options", odd_option(65_001)), ("type", "non".into())]),
            15 => self.step(&[("do", "get".into()), ("proxy_uri", ELSEWHERE.into()), ("part", "stimulus".into())]),
            16 => self.unknown_method(),
            17 if self.fleet.has("creatable") => self.get("creatable", &[("revalidate", true.into())]),
            18 if self.fleet.has("observable") => self.glance(),
            _ => {
                let pause = 50 + self.rng.below(500);
                self.wait(pause);
            }
        }
    }

    fn discover(&mut self) {
        self.step(&[("do", "get".into()), ("path", "/.well-known/core".into()), ("part", "stimulus".into())]);
    }

    /// A few blocks, one after the other.
    fn page(&mut self) {
        let size = [16, 32, 64, 128][self.rng.below(4) as usize];
        let pages = 3 + self.rng.below(3);
        for number in 0..pages {
            self.get("large", &[("block2", format!("{number}/0/{size}").into())]);
        }
    }

    /// A POST, and perhaps a copy of it.
    fn count_up(&mut self) {
        self.count += 1;
        let message = if self.one_in(3) { "non" } else { "con" };
        let (mid, token) =
            (100 + 97 * self.nth as i64 + self.count as i64, format!("c0{:02x}{:04x}", self.nth, self.count));
        let copies = self.rng.below(3);
        for copy in 0..=copies {
            let keys = [("mid", mid.into()), ("token", token.as_str().into()), ("type", message.into())];
            // A copy of a NON gets no answer that could be waited for.
            if copy > 0 && message == "non" {
                let mut frame = keys.to_vec();
                frame.extend([("code", "post".into()), ("path", resource("counter"))]);
                self.send(&frame);
            } else {
                self.request("post", "counter", &keys);
            }
        }
    }

    /// A response that takes its time, asked for once more in between.
    fn wait_for_it(&mut self) {
        self.count += 1;
        let (mid, token) =
            (900 + 97 * self.nth as i64 + self.count as i64, format!("5e{:02x}{:04x}", self.nth, self.count));
        let mut keys = vec![("mid", mid.into()), ("token", token.as_str().into())];
        if self.one_in(2) {
            keys.push(("confirm", "late".into()));
        }
        self.get("separate", &keys);
    }

    fn unknown_method(&mut self) {
        self.count += 1;
        let token = format!("ff{:02x}{:04x}", self.nth, self.count);
        self.send(&[
            ("type", "con".into()),
            ("code", "0.31".into()),
            ("token", token.as_str().into()),
            ("path", resource("readable")),
        ]);
    }

    /// Says a message as it is, and leaves time for what may come of it.
    fn send(&mut self, frame: &[(&str, Value)]) {
        self.step(&[("do", "send".into()), ("frame", Value::table(frame)), ("part", "stimulus".into())]);
        self.wait(400);
    }

    /// Watches for a moment.
    fn glance(&mut self) {
        self.count += 1;
        let token = format!("0d{:02x}{:04x}", self.nth, self.count);
        for observe in [0_i64, 1] {
            self.get("observable", &[("observe", observe.into()), ("token", token.as_str().into())]);
            self.wait(if observe == 0 { 1_200 } else { 300 });
        }
    }

    fn get(&mut self, of: &str, more: &[(&str, Value)]) {
        self.request("get", of, more);
    }

    fn request(&mut self, method: &str, of: &str, more: &[(&str, Value)]) {
        let mut keys = vec![("do", Value::from(method)), ("path", resource(of)), ("part", "stimulus".into())];
        keys.extend_from_slice(more);
        // A response may take its time, and a datagram may have to be sent again.
        keys.push(("within", "12s".into()));
        self.step(&keys);
    }

    fn content(&mut self, most: u64) -> Value {
        self.count += 1;
        let tail = self.rng.below(most) as usize;
        format!("{}-{}:{}", self.nth, self.count, "x".repeat(tail)).into()
    }

    fn wait(&mut self, millis: u64) {
        self.step(&[("do", "wait".into()), ("for", format!("{millis}ms").into())]);
    }

    fn step(&mut self, keys: &[(&str, Value)]) {
        self.steps.push(Value::table(keys));
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }
}

fn resource(name: &str) -> Value {
    format!("{{resource.{name}}}").into()
}

/// An option of the experimental range, which means nothing to anybody \[RFC 7252 §12.2\].
fn odd_option(number: i64) -> Value {
    Value::List(vec![Value::table(&[("number", number.into()), ("value", "01".into())])])
}
