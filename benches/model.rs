//! What the models cost for each entry of a record: whatever shape the traffic has, twice the entries take twice the time. The aim is 1 µs.
//!
//! One line for each shape and size: nanoseconds for each entry, and how much more than for half the entries. CPU time, not wall time: the
//! machine may be shared.
//!
//! `cargo bench -p proofhouse-benches --bench model [-- ENTRIES...]`
#[path = "common/clock.rs"]
mod clock;

use std::hint::black_box;
use std::time::Duration;

use proofhouse_core::registry::Registry;
use proofhouse_core::testing::{self, Film};
use proofhouse_core::transcript::By;
use proofhouse_core::value::Value;

use clock::cpu_time;

const SIZES: [u64; 3] = [50_000, 100_000, 200_000];

/// A kind of traffic: its name, the model, and what plays so many entries of it.
type Shape = (&'static str, &'static str, fn(&mut Film, i64));

const SHAPES: [Shape; 10] = [
    ("mqtt: messages, all different", "mqtt-model", |film, entries| messages(film, entries / 6, |nth| nth)),
    ("mqtt: one message again and again", "mqtt-model", |film, entries| messages(film, entries / 6, |_| 0)),
    ("mqtt: nothing is acknowledged", "mqtt-model", unanswered),
    ("mqtt: filters come and go", "mqtt-model", filters),
    ("mqtt: one client id, many takeovers", "mqtt-model", takeovers),
    ("mqtt: a session that is resumed", "mqtt-model", resumed),
    ("coap: requests", "coap-model", |film, entries| requests(film, entries / 2, "get", &[])),
    ("coap: conditions", "coap-model", conditions),
    ("coap: notifications", "coap-model", notifications),
    ("coap: changes and observers", "coap-model", changes),
];

fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if args.is_empty() { SIZES.to_vec() } else { args };
    println!("{:36} {:>9} {:>9} {:>7}", "what", "entries", "ns each", "times");
    for (what, oracle, play) in SHAPES {
        let mut half: Option<Duration> = None;
        for size in &sizes {
            let (entries, took) = measure(oracle, play, *size);
            let times = half.map_or_else(String::new, |half| format!("{:.1}", took.as_secs_f64() / half.as_secs_f64()));
            println!("{what:36} {entries:>9} {:>9.0} {times:>7}", took.as_nanos() as f64 / entries as f64);
            half = Some(took.max(Duration::from_millis(10)));
        }
    }
}

fn measure(oracle: &str, play: fn(&mut Film, i64), size: u64) -> (usize, Duration) {
    let registry = Registry {
        protocols: vec![proofhouse_mqtt::MQTT, proofhouse_coap::COAP],
        builds: proofhouse_targets::BUILDS.to_vec(),
        ..Registry::default()
    };
    let protocol = oracle.split('-').next().expect("a protocol's model");
    let mut film = Film::new(plan(protocol, &registry));
    play(&mut film, size as i64);
    let transcript = film.transcript();
    let rule = registry.oracle(oracle).expect("the model is a rule");
    let expect = film.plan.expects.iter().find(|expect| expect.oracle == oracle).expect("the plan has it").clone();
    let began = cpu_time();
    black_box((rule.judge)(&expect, &film.plan, &transcript));
    (transcript.entries.len(), cpu_time() - began)
}

fn plan(protocol: &str, registry: &Registry) -> proofhouse_core::plan::Plan {
    let (verb, version, target) = match protocol {
        "mqtt" => ("do = \"connect\"", "version = \"5\"\n", include_str!("../targets/reference.toml")),
        _ => ("do = \"get\", path = \"/x\"", "", include_str!("../targets/reference-coap.toml")),
    };
    let fleet = |name: &str, part: &str| {
        format!("[fleet.{name}]\nbehaviour = \"script\"\nstep = [{{ {verb}, part = \"{part}\" }}]\n")
    };
    let text = format!(
        "format = 1\ntitle = \"x\"\nlevel = \"hardening\"\nprotocol = \"{protocol}\"\nlimit = \"60s\"\n{version}{}{}[[expect]]\noracle = \"{protocol}-model\"\n",
        fleet("reader", "control"),
        fleet("writer", "stimulus"),
    );
    testing::planned("bench/model", &text, &testing::target(target, registry), registry)
}

fn login(film: &mut Film, fleet: &str, conn: u32, present: bool) {
    let asked = [("client_id", fleet.into()), ("clean_start", (!present).into()), ("session_expiry", Value::Int(60))];
    let told = [("reason", Value::Int(0)), ("session_present", present.into())];
    film.open(fleet, 0, conn).sent(conn, "connect", &asked).got(conn, "connack", &told);
}

fn id(nth: i64) -> Value {
    Value::Int(nth % 60_000 + 1)
}

fn subscribe(film: &mut Film, conn: u32, nth: i64, filter: &str) {
    film.sent(conn, "subscribe", &[("packet_id", id(nth)), ("filter", filter.into()), ("qos", Value::Int(1))]);
    film.got(conn, "suback", &[("packet_id", id(nth)), ("reason", Value::Int(1))]);
}

fn message(nth: i64, payload: i64, dup: bool) -> [(&'static str, Value); 6] {
    [
        ("topic", "a/b".into()),
        ("qos", Value::Int(1)),
        ("packet_id", id(nth)),
        ("retain", false.into()),
        ("dup", dup.into()),
        ("payload", payload.to_string().as_str().into()),
    ]
}

fn ack(nth: i64) -> [(&'static str, Value); 2] {
    [("packet_id", id(nth)), ("reason", Value::Int(0))]
}

/// A reader with two filters, and a writer.
fn messages(film: &mut Film, count: i64, payload: fn(i64) -> i64) {
    login(film, "reader", 0, false);
    subscribe(film, 0, 0, "a/b");
    subscribe(film, 0, 1, "a/#");
    login(film, "writer", 1, false);
    for nth in 0..count {
        film.at(nth as u64 / 10).sent(1, "publish", &message(nth, payload(nth), false)).got(1, "puback", &ack(nth));
        for copy in [2 * nth, 2 * nth + 1] {
            film.got(0, "publish", &message(copy, payload(nth), false)).sent(0, "puback", &ack(copy));
        }
    }
}

fn unanswered(film: &mut Film, count: i64) {
    login(film, "reader", 0, false);
    subscribe(film, 0, 0, "a/b");
    login(film, "writer", 1, false);
    for nth in 0..count {
        // Identifiers run out: whoever is not answered takes more connections.
        let conn = 1 + (nth / 60_000) as u32;
        if nth > 0 && nth % 60_000 == 0 {
            login(film, "writer", conn, true);
        }
        film.sent(conn, "publish", &message(nth, nth, false));
    }
    film.at(9_000).close(0, By::Us);
}

fn filters(film: &mut Film, entries: i64) {
    login(film, "reader", 0, false);
    for nth in 0..entries / 4 {
        subscribe(film, 0, 2 * nth, &format!("f/{}", nth % 100));
        let asked = [("packet_id", id(2 * nth + 1)), ("filter", format!("f/{}", nth % 100).as_str().into())];
        film.sent(0, "unsubscribe", &asked).got(0, "unsuback", &ack(2 * nth + 1));
    }
}

fn takeovers(film: &mut Film, entries: i64) {
    for conn in 0..entries as u32 / 4 {
        login(film, "reader", conn, conn > 0);
        if let Some(before) = conn.checked_sub(1) {
            film.close(before, By::Peer);
        }
    }
}

fn resumed(film: &mut Film, entries: i64) {
    let count = (entries / 6).min(50_000);
    login(film, "reader", 0, false);
    subscribe(film, 0, 0, "a/b");
    login(film, "writer", 1, false);
    for nth in 0..count {
        film.sent(1, "publish", &message(nth, nth, false)).got(1, "puback", &ack(nth));
        film.got(0, "publish", &message(nth, nth, false));
    }
    film.close(0, By::Us);
    login(film, "reader", 2, true);
    for nth in 0..count {
        film.got(2, "publish", &message(nth, nth, true)).sent(2, "puback", &ack(nth));
    }
    film.at(9_000).close(2, By::Us);
}

fn token(nth: i64) -> Value {
    format!("{nth:08x}").as_str().into()
}

fn requests(film: &mut Film, count: i64, method: &str, more: &[(&str, Value)]) {
    film.open("reader", 0, 0);
    for nth in 0..count {
        let mut asks = vec![("message", "con".into()), ("method", method.into()), ("path", "/x".into())];
        asks.extend([("mid", Value::Int(nth % 65_536)), ("token", token(nth))]);
        asks.extend_from_slice(more);
        let code = if more.is_empty() { "2.05" } else { "4.12" };
        let says = [
            ("message", "ack".into()),
            ("code", code.into()),
            ("mid", Value::Int(nth % 65_536)),
            ("token", token(nth)),
        ];
        film.at(nth as u64 * 4).sent(0, "request", &asks).got(0, "response", &says);
    }
}

fn conditions(film: &mut Film, entries: i64) {
    requests(film, entries / 2, "put", &[("if_none_match", true.into())]);
}

/// `conn` observes.
fn observes(film: &mut Film, fleet: &str, conn: u32) {
    film.open(fleet, 0, conn);
    let asks = [("message", "con".into()), ("method", "get".into()), ("path", "/x".into()), ("observe", Value::Int(0))];
    film.sent(conn, "request", &[&asks[..], &[("mid", Value::Int(1)), ("token", token(1))]].concat());
    notified(film, conn, "ack", 1, 1);
}

fn notified(film: &mut Film, conn: u32, message: &str, mid: i64, number: i64) {
    let says = [("message", message.into()), ("code", "2.05".into()), ("observe", Value::Int(number))];
    let more = [("mid", Value::Int(mid % 65_536)), ("token", token(1)), ("payload", "x".into())];
    film.got(conn, "response", &[says, more].concat());
}

fn notifications(film: &mut Film, entries: i64) {
    observes(film, "reader", 0);
    for nth in 2..entries / 2 {
        film.at(nth as u64 * 8);
        notified(film, 0, "con", nth, nth);
        film.sent(0, "ack", &[("message", "ack".into()), ("mid", Value::Int(nth % 65_536))]);
    }
}

fn changes(film: &mut Film, entries: i64) {
    observes(film, "reader", 0);
    observes(film, "reader", 1);
    film.open("writer", 0, 2);
    for nth in 2..entries / 4 {
        let asks =
            [("message", "con".into()), ("method", "put".into()), ("path", "/x".into()), ("payload", "y".into())];
        let ids = [("mid", Value::Int(nth % 65_536)), ("token", token(nth))];
        film.at(nth as u64 * 8).sent(2, "request", &[&asks[..], &ids].concat());
        film.got(2, "response", &[&[("message", "ack".into()), ("code", "2.04".into())][..], &ids].concat());
        for conn in [0, 1] {
            notified(film, conn, "non", nth, nth);
        }
    }
}
