//! What several laws begin with: who is there, and what has been said by then.
use super::*;

pub(super) fn exact(payload: &str) -> Vec<(&'static str, Value)> {
    message(1, payload, &[("qos", Value::Int(2))]).into_iter().collect()
}

/// The answer to what was asked last comes, unless it is to be missed.
pub(super) fn answer(film: &mut Film, missed: bool, kind: &str) {
    if !missed {
        film.got(0, kind, &ack(1));
    }
    film.at(5_000).close(0, By::Us);
}

/// A new writer publishes a message, and is answered.
pub(super) fn written(film: &mut Film, conn: u32, payload: &str) {
    let id = format!("w{conn}");
    login(film, "writer", conn, &[("client_id", id.as_str().into())], &[]);
    film.sent(conn, "publish", &message(1, payload, &[])).got(conn, "puback", &ack(1));
}

/// A reader of `a` at QoS 2, and a writer whose message has come as these.
pub(super) fn passed_on(film: &mut Film, gave: &[(&str, Value)], got: &[Vec<(&str, Value)>]) {
    login(film, "reader", 0, &[], &[]);
    film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(2))]);
    film.got(0, "suback", &[("packet_id", Value::Int(1)), ("reason", Value::Int(2))]);
    login(film, "writer", 1, &[], &[]);
    film.sent(1, "publish", gave).got(1, taken(gave), &ack(1));
    for got in got {
        film.got(0, "publish", got);
    }
}

/// What acknowledges a message.
pub(super) fn taken(message: &[(&str, Value)]) -> &'static str {
    if message.contains(&("qos", Value::Int(2))) { "pubrec" } else { "puback" }
}

/// A member of the group `g` of `a`, at QoS 2.
pub(super) fn member(film: &mut Film, who: &str, conn: u32, asked: &[(&str, Value)]) {
    login(film, who, conn, asked, &[]);
    film.sent(
        conn,
        "subscribe",
        &[("packet_id", Value::Int(1)), ("filter", "$share/g/a".into()), ("qos", Value::Int(2))],
    );
    film.got(conn, "suback", &[("packet_id", Value::Int(1)), ("reason", Value::Int(2))]);
}

/// A QoS 2 message comes on a connection, which then ends.
pub(super) fn begun(film: &mut Film, conn: u32) {
    login(film, "writer", 1, &[], &[]);
    film.sent(1, "publish", &exact("m")).got(1, "pubrec", &ack(1));
    film.got(conn, "publish", &exact("m")).close(conn, By::Us);
}

/// A message is over: acknowledged at QoS 1 or 2, or, as 3, refused at QoS 2. Then another has its identifier, and comes or not.
pub(super) fn under_one_id(film: &mut Film, missed: bool, how: i64) {
    login(film, "reader", 0, &[], &[]);
    subscribe(film, 0, "a", &[]);
    login(film, "writer", 1, &[], &[]);
    let first = [("topic", "elsewhere".into()), ("qos", Value::Int(how.min(2)))];
    film.sent(1, "publish", &message(7, "m", &first));
    match how {
        1 => _ = film.got(1, "puback", &ack(7)),
        2 => {
            film.got(1, "pubrec", &ack(7)).sent(1, "pubrel", &ack(7)).got(1, "pubcomp", &ack(7));
        }
        _ => _ = film.got(1, "pubrec", &[("packet_id", Value::Int(7)), ("reason", Value::Int(0x87))]),
    }
    film.sent(1, "publish", &message(7, "n", &[])).got(1, "puback", &ack(7));
    if !missed {
        film.got(0, "publish", &message(1, "n", &[])).sent(0, "puback", &ack(1));
    }
    film.at(5_000).close(0, By::Us);
}

pub(super) fn unaltered(film: &mut Film, wrong: bool, field: &'static str, value: Value) {
    let with = message(1, "m", &[(field, value)]);
    passed_on(film, &with, &[if wrong { message(1, "m", &[]) } else { with.clone() }]);
}

/// Two messages under way at once, with these identifiers.
pub(super) fn two(film: &mut Film, ids: [i64; 2], asked: &[(&str, Value)]) {
    login(film, "reader", 0, asked, &[]);
    subscribe(film, 0, "a", &[]);
    for (nth, payload) in [(1, "m"), (2, "n")] {
        written(film, nth, payload);
        film.got(0, "publish", &message(ids[nth as usize - 1], payload, &[]));
    }
}

/// A writer leaves retained messages, two seconds apart; then a reader subscribes.
pub(super) fn retained(film: &mut Film, payloads: &[&str], then: u64) {
    login(film, "writer", 1, &[], &[]);
    for (nth, payload) in (1..).zip(payloads) {
        film.at((nth as u64 - 1) * 2_000);
        film.sent(1, "publish", &message(nth, payload, &[("retain", true.into())])).got(1, "puback", &ack(nth));
    }
    film.at(then);
    login(film, "reader", 0, &[], &[]);
    subscribe(film, 0, "a", &[]);
}

/// A reader has had a message, said this of it, was heard, and came back on connection 2.
pub(super) fn resumed(film: &mut Film, gave: &[(&str, Value)], said: &[&str]) {
    let asked = [("clean_start", false.into()), ("session_expiry", Value::Int(60))];
    login(film, "reader", 0, &asked, &[]);
    film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(2))]);
    film.got(0, "suback", &[("packet_id", Value::Int(1)), ("reason", Value::Int(2))]);
    login(film, "writer", 1, &[], &[]);
    film.sent(1, "publish", gave).got(1, taken(gave), &ack(1)).got(0, "publish", gave);
    for kind in said {
        film.sent(0, kind, &ack(1));
    }
    if said.contains(&"pubrec") {
        film.got(0, "pubrel", &ack(1));
    }
    film.sent(0, "pingreq", &[]).got(0, "pingresp", &[]).close(0, By::Us);
    login(film, "reader", 2, &asked, &[("session_present", true.into())]);
}

/// A reader of `a`, and a writer with a Will for it.
pub(super) fn will(film: &mut Film, more: &[(&'static str, Value)]) {
    login(film, "reader", 0, &[], &[]);
    subscribe(film, 0, "a", &[]);
    let will = [("will_topic", "a".into()), ("will_payload", "gone".into()), ("will_qos", Value::Int(1))];
    let asked: Vec<(&str, Value)> = will.into_iter().chain(more.iter().cloned()).collect();
    login(film, "writer", 1, &asked, &[]);
}

/// A message of QoS 1 is published and acknowledged.
pub(super) fn acknowledged(film: &mut Film) {
    login(film, "writer", 1, &[], &[]);
    film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
}

/// It comes, as one that was not retained, to a reader who subscribed at this time, in ms.
pub(super) fn comes_to_a_later(film: &mut Film, subscribed: u64) {
    login(film, "reader", 0, &[], &[]);
    film.at(subscribed);
    subscribe(film, 0, "a", &[]);
    film.got(0, "publish", &message(1, "m", &[])).sent(0, "puback", &ack(1));
}
