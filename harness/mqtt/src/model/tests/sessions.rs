//! Sessions, takeover, Wills and silence: who is whose client, and since when.
use super::*;

const DURABLE: [(&str, Value); 2] = [("clean_start", Value::Bool(false)), ("session_expiry", Value::Int(60))];

fn durable(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    DURABLE.iter().cloned().chain(more.iter().cloned()).collect()
}

#[test]
fn another_user_with_the_same_client_id_may_have_a_session_of_its_own() {
    for (user, expected) in [("b", &[][..]), ("a", &["session-present"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &durable(&[("username", "a".into())]), &[]);
        film.close(0, By::Us);
        login(&mut film, "reader", 1, &durable(&[("username", user.into())]), &[]);
        check(&film, expected);
    }
}

#[test]
fn only_what_is_said_after_the_second_connect_is_about_the_takeover() {
    let told = [("reason", Value::Int(0x81))];
    for (code, after, expected) in
        [(0x81, false, &[][..]), (0x8E, true, &[]), (0x8D, true, &[]), (0x81, true, &["takeover-is-told"])]
    {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        if !after {
            film.got(0, "disconnect", &told).close(0, By::Peer);
        }
        login(&mut film, "writer", 1, &[("client_id", "reader".into())], &[]);
        if after {
            film.got(0, "disconnect", &[("reason", Value::Int(code))]).close(0, By::Peer);
        }
        check(&film, expected);
    }
}

#[test]
fn a_connection_that_had_left_is_not_taken_over() {
    for (leaves, expected) in [(true, &[][..]), (false, &["takeover-closes"])] {
        let mut film = film("3.1.1");
        login(&mut film, "reader", 0, &[], &[]);
        if leaves {
            film.sent(0, "disconnect", &[]);
        }
        login(&mut film, "writer", 1, &[("client_id", "reader".into())], &[]);
        film.at(5_000).close(0, By::Us);
        check(&film, expected);
    }
}

#[test]
fn of_two_connects_at_once_nobody_knows_which_came_first() {
    let no = [("reason", Value::Int(0)), ("session_present", false.into())];
    for (at_once, expected) in [(true, &[][..]), (false, &["session-present"])] {
        let mut film = film("5");
        let connect = durable(&[("client_id", "reader".into())]);
        login(&mut film, "reader", 0, &durable(&[]), &[]);
        film.close(0, By::Us).open("reader", 0, 1).open("writer", 0, 2);
        film.sent(1, "connect", &connect);
        if at_once {
            film.sent(2, "connect", &connect);
        }
        // The second of them wiped the first one's session, or came before it.
        film.got(1, "connack", &no);
        check(&film, expected);
    }
}

#[test]
fn a_client_id_is_assigned_again_only_when_its_session_is_over() {
    for (over, expected) in [(true, &[][..]), (false, &["assigned-client-id"])] {
        let mut film = film("5");
        let (empty, given) = ([("client_id", "".into())], [("assigned_client_id", "x".into())]);
        login(&mut film, "reader", 0, &empty, &given);
        if over {
            film.close(0, By::Us);
        }
        login(&mut film, "writer", 1, &empty, &given);
        check(&film, expected);
    }
}

#[test]
fn a_connect_is_owed_an_answer_only_for_as_long_as_we_wait() {
    for (wait, expected) in [(2_900, &[][..]), (3_100, &["connect-is-answered"])] {
        let mut film = film("5");
        let connect = [("client_id", "reader".into()), ("clean_start", true.into())];
        film.open("reader", 0, 0).sent(0, "connect", &connect).at(wait).close(0, By::Us);
        check(&film, expected);
    }
}

#[test]
fn patience_begins_when_the_client_was_let_in() {
    for (wait, expected) in [(7_500, &[][..]), (8_100, &["pingresp-is-sent"])] {
        let mut film = film("3.1.1");
        let connect = [("client_id", "reader".into()), ("clean_start", true.into())];
        film.open("reader", 0, 0).sent(0, "connect", &connect).sent(0, "pingreq", &[]);
        film.at(5_000).got(0, "connack", &[("reason", Value::Int(0)), ("session_present", false.into())]);
        film.at(wait).close(0, By::Us);
        check(&film, expected);
    }
}

/// A reader, and a writer that has a Will.
fn with_will(keep_alive: i64) -> Film {
    let mut film = film("5");
    login(&mut film, "reader", 0, &[], &[]);
    subscribe(&mut film, 0, "a", &[]);
    let will = [
        ("will_topic", "a".into()),
        ("will_payload", "gone".into()),
        ("will_qos", Value::Int(1)),
        ("keep_alive", Value::Int(keep_alive)),
    ];
    login(&mut film, "writer", 1, &will, &[]);
    film
}

fn gone() -> Vec<(&'static str, Value)> {
    message(1, "gone", &[])
}

#[test]
fn a_goodbye_takes_the_will_away_unless_the_server_ended_it_first() {
    let bye = [("reason", Value::Int(0))];
    let quick = |film: &mut Film| _ = film.sent(1, "disconnect", &bye).close(1, By::Peer).got(0, "publish", &gone());
    let silent =
        |film: &mut Film| _ = film.at(1_500).sent(1, "disconnect", &bye).close(1, By::Peer).got(0, "publish", &gone());
    let told = |film: &mut Film| {
        film.got(1, "disconnect", &[("reason", Value::Int(0x8B))]).sent(1, "disconnect", &bye).close(1, By::Peer);
        film.got(0, "publish", &gone());
    };
    let before = |film: &mut Film| _ = film.got(0, "publish", &gone()).sent(1, "disconnect", &bye).close(1, By::Peer);
    type Play<'p> = &'p dyn Fn(&mut Film);
    let right: [Play<'_>; 3] = [&silent, &told, &before];
    for play in right {
        let mut film = with_will(1);
        play(&mut film);
        check(&film, &[]);
    }
    let mut film = with_will(1);
    quick(&mut film);
    check(&film, &["will-is-dropped"]);
}

#[test]
fn a_will_that_comes_to_a_late_reader_was_kept_once_none_can_be_on_its_way() {
    for (later, expected) in [(900, &[][..]), (1_100, &["will-retain"])] {
        let mut film = with_will(0);
        film.close(1, By::Us).got(0, "publish", &gone()).sent(0, "puback", &ack(1));
        film.at(later);
        login(&mut film, "writer", 2, &[("client_id", "late".into())], &[]);
        subscribe(&mut film, 2, "a", &[]);
        film.got(2, "publish", &gone()).sent(2, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn a_will_that_comes_to_a_session_that_nobody_knows_shows_nothing() {
    let mut film = with_will(0);
    film.gauge(ROUNDS_BEFORE, 1);
    login(&mut film, "writer", 2, &durable(&[("client_id", "old".into())]), &[("session_present", true.into())]);
    film.close(1, By::Us).got(2, "publish", &gone()).sent(2, "puback", &ack(1));
    check(&film, &[]);
}

#[test]
fn a_will_is_owed_though_its_client_comes_back_once_it_was_due() {
    for (away, expected) in [(900, &[][..]), (1_100, &["will-is-published"])] {
        let mut film = with_will(0);
        film.close(1, By::Us).at(away);
        login(&mut film, "writer", 2, &[("will_topic", "b".into())], &[]);
        film.at(6_000).close(0, By::Us);
        check(&film, expected);
    }
}

#[test]
fn a_will_is_owed_though_its_client_had_been_there_before() {
    for (over, expected) in [(false, &[][..]), (true, &["will-is-published"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        login(&mut film, "writer", 2, &[], &[]);
        if over {
            film.close(2, By::Us);
        }
        let will = [("will_topic", "a".into()), ("will_payload", "gone".into()), ("will_qos", Value::Int(1))];
        login(&mut film, "writer", 1, &will, &[]);
        // Otherwise the second has taken over, and the server may have ended the wrong one.
        if !over {
            film.close(2, By::Peer);
        }
        film.close(1, By::Us).at(6_000).close(0, By::Us);
        check(&film, expected);
    }
}

#[test]
fn a_will_waits_while_its_reader_acknowledges_nothing() {
    for (acknowledges, expected) in [(false, &[][..]), (true, &["will-is-published"])] {
        let mut film = with_will(0);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1)).got(
            0,
            "publish",
            &message(1, "m", &[]),
        );
        if acknowledges {
            film.sent(0, "puback", &ack(1));
        }
        film.close(1, By::Us).at(6_000).close(0, By::Us);
        check(&film, expected);
    }
}

#[test]
fn in_3_1_1_an_administrator_may_have_discarded_a_session_that_was_away_for_more_than_a_second() {
    let no = [("clean_start", Value::Bool(false))];
    for (version, away, by_our_time) in [("3.1.1", 900, false), ("3.1.1", 1_100, true), ("5", 1_100, false)] {
        let mut film = film(version);
        let asked = if version == "5" { durable(&[]) } else { no.to_vec() };
        login(&mut film, "reader", 0, &asked, &[]);
        film.close(0, By::Us).at(away);
        login(&mut film, "reader", 1, &asked, &[]);
        check(&film, &["session-present"]);
        assert_eq!(film.judge(&ORACLE).is_lesser(), by_our_time, "[{version}] after {away} ms");
    }
}

#[test]
fn a_server_that_waits_for_our_pubcomp_sends_the_rest_again_later() {
    for (answered, expected) in [(false, &[][..]), (true, &["sent-again-on-resume"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &durable(&[]), &[]);
        let at_two = [("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(2))];
        film.sent(0, "subscribe", &at_two);
        film.got(0, "suback", &[("packet_id", Value::Int(1)), ("reason", Value::Int(2))]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &scenes::exact("m")).got(1, "pubrec", &ack(1)).got(0, "publish", &scenes::exact("m"));
        film.sent(0, "pubrec", &ack(1)).got(0, "pubrel", &ack(1));
        film.sent(1, "publish", &message(2, "n", &[])).got(1, "puback", &ack(2)).got(
            0,
            "publish",
            &message(2, "n", &[]),
        );
        film.sent(0, "pingreq", &[]).got(0, "pingresp", &[]).close(0, By::Us);
        login(&mut film, "reader", 2, &durable(&[]), &[("session_present", true.into())]);
        film.got(2, "pubrel", &ack(1));
        if answered {
            film.sent(2, "pubcomp", &ack(1));
        }
        film.at(6_000).close(2, By::Us);
        check(&film, expected);
    }
}
