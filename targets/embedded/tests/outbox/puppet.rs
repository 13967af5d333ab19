//! A participant that does what its script says on each input, and keeps what it was told.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::connection::{Addr, Close, CloseHow};
use proofhouse_core::ids::{Conn, EndpointId, TimerId};
use proofhouse_core::note::Note;
use proofhouse_core::protocol::Transport;
use proofhouse_core::time::Time;

/// On which input, which words: `("opened", "say:hello fin")`.
pub type Script = &'static [(&'static str, &'static str)];

/// What one side was told, by connection in the order of their beginning; timers stand with the first.
#[derive(Clone, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<Vec<Told>>>>,
    over: Arc<AtomicBool>,
}

enum Told {
    Word(String),
    Bytes(Vec<u8>),
}

impl Log {
    /// A log that ends when the other does.
    pub fn beside(&self) -> Log {
        Log { lines: Arc::default(), over: self.over.clone() }
    }

    /// From now on nothing is kept: what follows is the end of the trial.
    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// One line for each connection: `accepted bytes:abc closed:fin`.
    pub fn told(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("no puppet has panicked");
        lines.iter().map(|line| line.iter().map(Told::text).collect::<Vec<_>>().join(" ")).collect()
    }

    fn keep(&self, line: usize, told: Told, transport: Transport) {
        if self.over.load(Ordering::SeqCst) {
            return;
        }
        let mut lines = self.lines.lock().expect("no puppet has panicked");
        if lines.len() <= line {
            lines.resize_with(line + 1, Vec::new);
        }
        match (lines[line].last_mut(), told) {
            // A stream may cut anywhere.
            (Some(Told::Bytes(before)), Told::Bytes(more)) if transport == Transport::Stream => before.extend(more),
            (_, told) => lines[line].push(told),
        }
    }
}

impl Told {
    fn text(&self) -> String {
        match self {
            Told::Word(word) => word.clone(),
            Told::Bytes(bytes) if bytes.len() > 32 => format!("bytes*{}", bytes.len()),
            Told::Bytes(bytes) => format!("bytes:{}", String::from_utf8_lossy(bytes)),
        }
    }
}

pub struct Puppet {
    pub script: Script,
    pub transport: Transport,
    pub source: Addr,
    pub log: Log,
    /// When it has nothing more to do, and what it notes then: a member finishes, a served target exits, a simulated one goes on.
    pub ends: Option<(Duration, Note)>,
    /// Line of each connection that is not over.
    pub lines: BTreeMap<Conn, usize>,
    pub begun: usize,
    /// The connection that timers are about: the last that it was told of.
    pub main: Option<Conn>,
    pub due: BTreeMap<u32, Time>,
}

const END: TimerId = TimerId(99);

impl Puppet {
    pub fn new(script: Script, transport: Transport, source: Addr, log: Log, ends: Option<(Duration, Note)>) -> Puppet {
        Puppet {
            script,
            transport,
            source,
            log,
            ends,
            lines: BTreeMap::new(),
            begun: 0,
            main: None,
            due: BTreeMap::new(),
        }
    }

    fn begin(&mut self, conn: Conn) {
        self.lines.insert(conn, self.begun);
        self.begun += 1;
        self.main = Some(conn);
    }

    fn told(&self, conn: Option<Conn>, word: &str) {
        self.keep(conn, Told::Word(word.to_string()));
    }

    fn keep(&self, conn: Option<Conn>, told: Told) {
        // A connection that it was never told of, or whose end it was told: the law that names no such thing fails.
        let line = conn.map_or(0, |conn| self.lines.get(&conn).copied().unwrap_or(self.begun));
        self.log.keep(line, told, self.transport);
    }

    fn act(&mut self, now: Time, on: &str, conn: Option<Conn>, out: &mut Outbox) {
        let words = self.script.iter().find(|(input, _)| *input == on).map_or("", |(_, words)| *words);
        for word in words.split_whitespace() {
            let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
            let conn = conn.or(self.main).unwrap_or(Conn(u32::MAX));
            match verb {
                "open" => {
                    let conn = out.open(EndpointId(0), self.source);
                    self.begin(conn);
                }
                "say" => out.send(conn, |bytes| bytes.extend_from_slice(rest.as_bytes())),
                "fill" => {
                    let len: usize = rest.parse().expect("a number of bytes");
                    out.send(conn, |bytes| bytes.resize(bytes.len() + len, b'x'));
                }
                "empty" => out.datagram(conn, |_| ()),
                "fin" => out.close(conn, CloseHow::Fin),
                "reset" => out.close(conn, CloseHow::Reset),
                "half" => out.close(conn, CloseHow::Half),
                "stop" => out.reading(conn, false),
                "read" => out.reading(conn, true),
                "flush" => out.flush(conn),
                "exit" => out.note(Note::Exit(0)),
                "wake" => {
                    let (id, ms) = rest.split_once(':').expect("wake:id:ms");
                    let (id, ms): (u32, u64) = (id.parse().expect("a number"), ms.parse().expect("milliseconds"));
                    self.due.insert(id, now + Duration::from_millis(ms));
                    out.wake(now + Duration::from_millis(ms), TimerId(id));
                }
                _ => panic!("no puppet knows {word:?}"),
            }
        }
    }
}

impl Actor for Puppet {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => {
                if let Some((after, _)) = &self.ends {
                    out.wake(now + *after, END);
                }
                self.act(now, "start", None, out);
            }
            Input::Opened(conn) => {
                self.told(Some(conn), "opened");
                self.act(now, "opened", Some(conn), out);
            }
            Input::Accepted(conn, _) => {
                self.begin(conn);
                self.told(Some(conn), "accepted");
                self.act(now, "accepted", Some(conn), out);
            }
            Input::Bytes(conn, bytes) => {
                self.keep(Some(conn), Told::Bytes(bytes.to_vec()));
                self.act(now, "bytes", Some(conn), out);
            }
            Input::Flushed(conn) => {
                self.told(Some(conn), "flushed");
                self.act(now, "flushed", Some(conn), out);
            }
            Input::Closed(conn, how) => {
                self.told(Some(conn), &format!("closed:{}", name(how)));
                self.act(now, "closed", Some(conn), out);
                self.lines.remove(&conn);
            }
            Input::Timer(END) => {
                if let Some((_, note)) = self.ends.take() {
                    self.log.end();
                    out.note(note);
                }
            }
            Input::Timer(TimerId(id)) => {
                let early = self.due.get(&id).is_some_and(|due| now < *due);
                let word = if early { format!("early:{id}") } else { format!("timer:{id}") };
                self.told(self.main.filter(|conn| self.lines.contains_key(conn)), &word);
                self.act(now, &word, None, out);
            }
            _ => {}
        }
    }
}

fn name(how: Close) -> &'static str {
    match how {
        Close::Fin => "fin",
        Close::Reset => "reset",
        Close::Refused => "refused",
        Close::TimedOut => "timed-out",
        Close::LocalLimit => "local-limit",
    }
}
