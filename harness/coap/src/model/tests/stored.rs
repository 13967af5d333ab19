//! What is put, got, deleted and told.
use super::*;

/// One exchange of client 0, over before the next begins.
fn done(film: &mut Film, mid: i64, method: &str, asks: &Fields<'_>, code: &str, says: &Fields<'_>) {
    let token = alloc::format!("{mid:04x}");
    ask(film, mid, &token, method, asks);
    say(film, "ack", mid, &token, code, says);
}

fn put(film: &mut Film, mid: i64, what: &str) {
    done(film, mid, "put", &[("payload", what.into())], "2.04", &[]);
}

fn got(film: &mut Film, mid: i64, what: &str) {
    done(film, mid, "get", &[], "2.05", &[("payload", what.into())]);
}

/// Two contents, each put and then got: it stores.
fn stores(film: &mut Film) {
    for (mid, what) in [(1, "one"), (3, "two")] {
        put(film, mid, what);
        got(film, mid + 1, what);
    }
}

#[test]
fn what_was_put_is_got_where_it_ever_was() {
    check("put-is-got", |film, wrong| {
        stores(film);
        put(film, 5, "three");
        got(film, 6, if wrong { "two" } else { "three" });
    });
    // A clock is set, and goes on.
    check("put-is-got", |film, wrong| {
        for mid in [7, 9, 11] {
            put(film, mid, if mid == 11 { "morning" } else { "evening" });
            got(film, mid + 1, if wrong { "evening" } else { "noon" });
        }
    });
}

#[test]
fn nobody_can_say_which_of_two_writes_was_the_last() {
    check("put-is-got", |film, wrong| {
        stores(film);
        put(film, 5, "three");
        // Another client's, without an answer until later.
        let asks = [("method", Value::from("put")), ("path", "/x".into()), ("payload", "one".into())];
        if !wrong {
            film.sent(1, "request", &with("con", 1, Some("0c"), &asks));
        }
        got(film, 6, "one");
    });
}

#[test]
fn what_was_deleted_is_not_got() {
    check("deleted-is-gone", |film, wrong| {
        put(film, 1, "one");
        done(film, 2, "delete", &[], "2.02", &[]);
        if wrong {
            got(film, 3, "one");
        } else {
            done(film, 3, "get", &[], "4.04", &[]);
        }
    });
}

#[test]
fn versions_have_tags_of_their_own_and_a_tag_is_valid_while_its_version_is_there() {
    let tagged = |tag: &str, what: &str| [("etag", Value::from(tag)), ("payload", Value::from(what))];
    check("etag-tells-versions", |film, wrong| {
        done(film, 1, "get", &[], "2.05", &tagged("01", "one"));
        film.at(1_200);
        done(film, 2, "get", &[], "2.05", &tagged(if wrong { "01" } else { "02" }, "two"));
    });
    // A tag may be made of the second.
    check("etag-tells-versions", |film, wrong| {
        done(film, 1, "get", &[], "2.05", &tagged("01", "one"));
        film.at(if wrong { 1_200 } else { 900 });
        done(film, 2, "get", &[], "2.05", &tagged("01", "two"));
    });
    check("valid-is-unchanged", |film, wrong| {
        stores(film);
        done(film, 5, "get", &[], "2.05", &tagged("02", "two"));
        film.at(1_200);
        put(film, 6, "three");
        let asks = [("etag", Value::from("02"))];
        if wrong {
            done(film, 7, "get", &asks, "2.03", &asks);
        } else {
            done(film, 7, "get", &asks, "2.05", &tagged("03", "three"));
        }
    });
}

/// Client 1 observes.
fn observe(film: &mut Film, more: &Fields<'_>) {
    let mut asks =
        with("con", 1, Some("0b"), &[("method", "get".into()), ("path", "/x".into()), ("observe", Value::Int(0))]);
    asks.extend_from_slice(more);
    film.sent(1, "request", &asks);
    told(film, "ack", 1, &[("observe", Value::Int(1)), ("payload", "two".into())]);
}

fn told(film: &mut Film, message: &str, mid: i64, more: &Fields<'_>) {
    let mut says = with(message, mid, Some("0b"), more);
    if !says.iter().any(|(field, _)| *field == "code") {
        says.push(("code", "2.05".into()));
    }
    film.got(1, "response", &says);
}

/// News that client 1 acknowledges.
fn heeded(film: &mut Film, mid: i64, state: &str) {
    told(film, "con", mid, &[("observe", Value::Int(mid)), ("payload", state.into())]);
    film.sent(1, "ack", &with("ack", mid, None, &[]));
}

#[test]
fn an_observer_is_told_what_was_there_at_some_time() {
    let news =
        |film: &mut Film, what: &str| told(film, "non", 8, &[("observe", Value::Int(8)), ("payload", what.into())]);
    check("notification-is-a-state", |film, wrong| {
        stores(film);
        observe(film, &[]);
        put(film, 5, "three");
        news(film, if wrong { "garbage" } else { "one" });
        got(film, 6, "three");
    });
    // One that changes by itself shows it when it is asked, and of one that nobody asks nobody can say.
    for after in ["off", ""] {
        check("notification-is-a-state", |film, wrong| {
            stores(film);
            observe(film, &[]);
            put(film, 5, "three");
            news(film, "off");
            match (wrong, after) {
                (true, _) => got(film, 6, "three"),
                (false, "") => {}
                (false, after) => got(film, 6, after),
            }
        });
    }
}

#[test]
fn what_returns_though_nobody_has_written_since_had_not_changed() {
    check("put-is-got", |film, wrong| {
        stores(film);
        put(film, 5, "three");
        got(film, 6, "garbage");
        got(film, 7, if wrong { "three" } else { "garbage" });
    });
}

#[test]
fn an_observer_learns_of_the_last_state() {
    check("latest-state-is-told", |film, wrong| {
        stores(film);
        observe(film, &[]);
        put(film, 5, "three");
        heeded(film, 8, "three");
        put(film, 6, "four");
        if !wrong {
            heeded(film, 9, "four");
        }
        film.at(6_100).close(1, By::Us);
    });
}

#[test]
fn news_that_nobody_sends_again_may_be_lost_and_what_was_not_acknowledged_keeps_the_next_from_coming() {
    for message in ["non", "con"] {
        check("latest-state-is-told", |film, wrong| {
            stores(film);
            observe(film, &[]);
            put(film, 5, "three");
            if wrong {
                heeded(film, 8, "three");
            } else {
                told(film, message, 8, &[("observe", Value::Int(8)), ("payload", "three".into())]);
            }
            put(film, 6, "four");
            film.at(6_100).close(1, By::Us);
        });
    }
}

#[test]
fn an_observer_learns_that_what_it_observed_was_deleted_or_what_came_in_its_place() {
    for again in [false, true] {
        check("deleted-is-told", |film, wrong| {
            stores(film);
            observe(film, &[]);
            put(film, 5, "three");
            heeded(film, 8, "three");
            done(film, 6, "delete", &[], "2.02", &[]);
            if again {
                put(film, 7, "four");
            }
            match (wrong, again) {
                (true, _) => {}
                (false, true) => told(film, "non", 9, &[("observe", Value::Int(9)), ("payload", "four".into())]),
                (false, false) => told(film, "non", 9, &[("code", "4.04".into())]),
            }
            film.at(6_100).close(1, By::Us);
        });
    }
}

#[test]
fn notifications_are_in_their_form() {
    let number = |n: i64| ("observe", Value::Int(n));
    check("notification-has-its-token", |film, wrong| {
        observe(film, &[]);
        let token = if wrong { "0c" } else { "0b" };
        film.got(1, "response", &with("non", 9, Some(token), &[("code", "2.05".into()), number(2)]));
    });
    check("notification-is-content", |film, wrong| {
        observe(film, &[]);
        told(film, "non", 9, &[("code", if wrong { "2.04" } else { "2.03" }.into()), ("etag", "01".into()), number(2)]);
    });
    check("notification-has-number", |film, wrong| {
        observe(film, &[]);
        told(film, "non", 9, if wrong { &[] } else { &[("observe", Value::Int(2))] });
    });
    check("error-ends-observation", |film, wrong| {
        observe(film, &[]);
        told(film, "non", 9, &[("code", "4.04".into())]);
        film.at(if wrong { 1_200 } else { 800 });
        told(film, "non", 10, &[number(3)]);
    });
    let sized = |block: &str| [number(2), ("block2", block.into()), ("etag", "01".into())];
    check("notification-block-within-size", |film, wrong| {
        observe(film, &[("block2", "0/0/32".into())]);
        told(film, "non", 9, &sized(if wrong { "0/0/64" } else { "0/0/32" }));
    });
    check("observed-block-has-etag", |film, wrong| {
        observe(film, &[]);
        let block =
            [number(2), ("block2", "0/1/16".into()), ("payload", "0123456789abcdef".into()), ("etag", "01".into())];
        told(film, "non", 9, if wrong { &block[..3] } else { &block });
    });
}

#[test]
fn one_notification_is_on_its_way_and_may_be_replaced_when_it_would_be_sent_again() {
    check("one-notification-at-a-time", |film, wrong| {
        observe(film, &[]);
        told(film, "con", 8, &[("observe", Value::Int(2))]);
        film.at(if wrong { 500 } else { 2_000 });
        told(film, "con", 9, &[("observe", Value::Int(3))]);
    });
    check("one-notification-at-a-time", |film, wrong| {
        observe(film, &[]);
        told(film, "con", 8, &[("observe", Value::Int(2))]);
        if !wrong {
            film.sent(1, "ack", &with("ack", 8, None, &[]));
        }
        told(film, "con", 9, &[("observe", Value::Int(3))]);
    });
}

#[test]
fn the_blocks_of_a_transfer_are_alike_and_none_is_missing() {
    let page = |film: &mut Film, mid: i64, asked: &str, given: &str, len: usize| {
        let says = [("block2", Value::from(given)), ("etag", "01".into()), ("payload", Value::Bytes(vec_of(len)))];
        done(film, mid, "get", &[("block2", asked.into())], "2.05", &says);
    };
    check("block-sizes-agree", |film, wrong| {
        page(film, 1, "1/0/32", "1/1/32", 32);
        let (given, len) = if wrong { ("4/1/16", 16) } else { ("2/1/32", 32) };
        page(film, 2, "2/0/32", given, len);
    });
    check("block-has-etag", |film, wrong| {
        let block = [("block2", Value::from("0/1/16")), ("payload", Value::Bytes(vec_of(16))), ("etag", "01".into())];
        done(film, 1, "get", &[], "2.05", if wrong { &block[..2] } else { &block });
    });
    check("gap-is-refused", |film, wrong| {
        let block1 = |text: &str| [("block1", Value::from(text))];
        ask(film, 1, "aa", "put", &block1("1/1/16"));
        say(film, "ack", 1, "aa", "2.31", &block1("1/1/16"));
        ask(film, 2, "bb", "put", &block1("2/0/16"));
        say(film, "ack", 2, "bb", if wrong { "2.04" } else { "4.08" }, &block1("2/0/16"));
    });
}

#[test]
fn a_body_in_blocks_is_known_when_it_is_whole_and_one_that_is_given_back_long_after_it_was_replaced_is_no_other_form() {
    check("put-is-got", |film, wrong| {
        stores(film);
        for (mid, block, part) in [(5, "0/1/16", "0123456789abcdef"), (6, "1/0/16", "end")] {
            let code = if mid == 5 { "2.31" } else { "2.04" };
            done(
                film,
                mid,
                "put",
                &[("block1", block.into()), ("payload", part.into())],
                code,
                &[("block1", block.into())],
            );
        }
        got(film, 7, if wrong { "0123456789abcdef" } else { "0123456789abcdefend" });
    });
    // It has never given back two, and what it gives back is what was there before.
    check("put-is-got", |film, wrong| {
        put(film, 1, "one");
        got(film, 2, "one");
        put(film, 3, "two");
        got(film, 4, if wrong { "one" } else { "two" });
    });
}

#[test]
fn what_changes_by_itself_stores_nothing() {
    check("put-is-got", |film, wrong| {
        stores(film);
        if !wrong {
            got(film, 5, "off");
        }
        put(film, 6, "three");
        got(film, 7, if wrong { "two" } else { "off" });
    });
}

#[test]
fn blocks_of_one_version_do_not_contradict_each_other() {
    check("blocks-of-one-etag-agree", |film, wrong| {
        for (mid, block, byte) in
            [(1, "0/1/16", b'a'), (2, "1/0/16", b'b'), (3, "1/0/16", if wrong { b'c' } else { b'b' })]
        {
            let says =
                [("block2", block.into()), ("etag", "01".into()), ("payload", Value::Bytes(alloc::vec![byte; 16]))];
            done(film, mid, "get", &[("block2", block.into())], "2.05", &says);
        }
    });
}

#[test]
fn a_server_that_refuses_what_it_has_served_passes_nothing() {
    use proofhouse_core::verdict::Verdict;
    let after = |code: &str, method: &str| {
        let mut film = film();
        let says: Vec<(i64, &str)> = (1..=6).map(|mid| (mid, if mid > 3 { code } else { "2.05" })).collect();
        for (mid, code) in says {
            done(&mut film, mid, "get", &[], code, &[]);
            if mid == 3 && method == "delete" {
                done(&mut film, 10, "delete", &[], "2.02", &[]);
            }
        }
        film.judge(&ORACLE).verdict
    };
    for (code, method, verdict) in [
        ("2.05", "get", Verdict::Pass),
        ("5.00", "get", Verdict::Inconclusive),
        ("4.29", "get", Verdict::Inconclusive),
        ("4.04", "get", Verdict::Inconclusive),
        ("4.04", "delete", Verdict::Pass),
        ("4.06", "get", Verdict::Pass),
    ] {
        assert_eq!(after(code, method), verdict, "{code} after {method}");
    }
}
