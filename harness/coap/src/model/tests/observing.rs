//! Observing: what is on its way, and what goes on.
use super::*;

/// Client `conn` observes, and has the state `first`.
fn observe(film: &mut Film, conn: u32, mid: i64) {
    let asks = [("method", "get".into()), ("path", "/x".into()), ("observe", Value::Int(0))];
    film.sent(conn, "request", &with("con", mid, Some("0b"), &asks));
    told(film, conn, "ack", mid, 1, "first");
}

/// A notification: its sequence number, and the state.
fn told(film: &mut Film, conn: u32, message: &str, mid: i64, number: i64, state: &str) {
    let says = [("code", "2.05".into()), ("observe", Value::Int(number)), ("payload", state.into())];
    film.got(conn, "response", &with(message, mid, Some("0b"), &says));
}

#[test]
fn notifications_rise_have_one_format_and_only_success_has_observe() {
    check("notifications-rise", |film, wrong| {
        observe(film, 0, 1);
        film.at(1_100);
        told(film, 0, "non", 9, if wrong { 1 } else { 2 }, "second");
    });
    // Two that need not be acknowledged may cross.
    check("notifications-rise", |film, wrong| {
        observe(film, 0, 1);
        let message = if wrong { "con" } else { "non" };
        told(film, 0, message, 8, 3, "third");
        empty(film, true, "ack", 8);
        told(film, 0, message, 9, 2, "second");
    });
    // A copy that comes late is no news, and no step back.
    check("notifications-rise", |film, wrong| {
        observe(film, 0, 1);
        told(film, 0, "non", 8, 2, "second");
        told(film, 0, "non", 9, 3, "third");
        film.at(1_100);
        told(film, 0, "non", if wrong { 10 } else { 8 }, 2, "second");
    });
    check("one-format", |film, wrong| {
        observe(film, 0, 1);
        let mut says = with("non", 9, Some("0b"), &[("code", "2.05".into()), ("observe", Value::Int(2))]);
        if wrong {
            says.push(("content_format", Value::Int(50)));
        }
        film.got(0, "response", &says);
    });
    check("only-success-has-observe", |film, wrong| {
        observe(film, 0, 1);
        let mut says = with("non", 9, Some("0b"), &[("code", "4.04".into())]);
        if wrong {
            says.push(("observe", Value::Int(2)));
        }
        film.got(0, "response", &says);
    });
}

#[test]
fn who_did_not_ask_is_not_made_an_observer() {
    let observe = [("observe", Value::Int(1))];
    answered("not-observed-unasked", "get", &[], ("2.05", &[]), ("2.05", &observe));
}

/// Takes the registration back; the server has heard it.
fn deregister(film: &mut Film, observe: bool) {
    let asks = [("method", "get".into()), ("path", "/x".into()), ("observe", Value::Int(1))];
    film.sent(0, "request", &with("con", 2, Some("0b"), &asks));
    let mut says = with("ack", 2, Some("0b"), &[("code", "2.05".into())]);
    if observe {
        says.push(("observe", Value::Int(5)));
    }
    film.got(0, "response", &says);
}

#[test]
fn after_a_deregistration_only_what_was_on_its_way_comes() {
    check("deregistered", |film, wrong| {
        observe(film, 0, 1);
        deregister(film, wrong);
    });
    // A NON shortly after it, and long after.
    check("deregistered", |film, wrong| {
        observe(film, 0, 1);
        deregister(film, false);
        film.at(if wrong { 1_100 } else { 900 });
        told(film, 0, "non", 9, 2, "second");
    });
    // A CON that came before is sent again; of two new ones, one may have been lost before.
    check("deregistered", |film, wrong| {
        observe(film, 0, 1);
        told(film, 0, "con", 8, 2, "second");
        deregister(film, false);
        film.at(3_000);
        told(film, 0, "con", 8, 2, "second");
        film.at(4_000);
        told(film, 0, "con", 9, 3, "third");
        film.at(5_000);
        if wrong {
            told(film, 0, "con", 10, 4, "fourth");
        }
    });
}

#[test]
fn two_resets_end_an_observation_since_one_may_be_lost() {
    check("reset-ends-it", |film, wrong| {
        observe(film, 0, 1);
        for mid in 8..9 + i64::from(wrong) {
            told(film, 0, "non", mid, mid, "more");
            empty(film, true, "rst", mid);
        }
        film.at(1_100);
        told(film, 0, "non", 20, 20, "still");
    });
}

#[test]
fn an_observer_who_misses_two_changes_was_forgotten() {
    check("every-observer-is-told", |film, wrong| {
        observe(film, 1, 1);
        observe(film, 0, 1);
        for nth in 1..=1 + i64::from(wrong) {
            let put = [("method", "put".into()), ("path", "/x".into()), ("payload", Value::Int(nth))];
            film.sent(2, "request", &with("con", nth, Some(if nth > 1 { "02" } else { "01" }), &put));
            let says = [("code", "2.04".into())];
            film.got(2, "response", &with("ack", nth, Some(if nth > 1 { "02" } else { "01" }), &says));
            told(film, 1, "non", 8 + nth, 1 + nth, "new");
        }
        film.at(6_100).close(0, By::Us);
    });
}
