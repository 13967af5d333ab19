//! What discovery may show.
use super::*;

const LISTED: &str = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "ping", part = "control" },
  { do = "get", path = "/.well-known/core", blockwise = true, part = "stimulus" },
]
[[expect]]
oracle = "discovers-only"
of = "foe"
public = "{resource.public}"
"#;

const CORE: &str = "/.well-known/core";

/// The foe asks for blocks and gets these: block option and payload.
fn listed(blocks: &[(&str, &str)]) -> Judgement {
    let mut film = Film::new(plan(LISTED));
    film.at(0).open("foe", 0, 1);
    for (n, (block, payload)) in blocks.iter().enumerate() {
        let mut more = alloc::vec![("payload", Value::from(*payload)), ("content_format", Value::Int(40))];
        if !block.is_empty() {
            more.push(("block2", Value::from(*block)));
        }
        film.sent(1, "request", &request("get", CORE, n as i64, "aa")).got(
            1,
            "response",
            &response("2.05", "aa", &more),
        );
    }
    film.judge(&discovers_only::ORACLE)
}

#[test]
fn public_links_pass_and_one_that_is_not_fails() {
    let public = "</time>;obs,</open/a>,</.well-known/core>,<coap://far/secret>";
    assert_says(&listed(&[("", public)]), Verdict::Pass, "all of 4 links");
    let leak = listed(&[("", "</time>,</admin/keys>;rt=\"x\"")]);
    assert_says(&leak, Verdict::Fail, "it lists /admin/keys");
    assert_eq!(leak.violations[0].place, "discovery/admin/keys");
    assert_says(&listed(&[("", "</time>,<admin>")]), Verdict::Fail, "it lists /admin");
    assert_says(&listed(&[("", "</time>,<//far/admin>")]), Verdict::Pass, "all of 2 links");
}

#[test]
fn links_are_compared_by_what_they_mean() {
    let public = "</%74ime>,<./time>,</x/../time>,<//127.0.0.1:7/open/a>,<http://far/t>;anchor=\"/time\"";
    assert_says(&listed(&[("", public)]), Verdict::Pass, "all of 5 links");
    for hidden in [
        "<coap://127.0.0.1:7/secret>",
        "<COAP://127.0.0.1:7/secret>",
        "<//127.0.0.1:7/secret>",
        "<http://far/t>;anchor=\"/secret\"",
        "</%73ecret>",
        "</time/../secret?x=1#y>",
    ] {
        let leak = listed(&[("", &alloc::format!("</time>,{hidden}"))]);
        assert_says(&leak, Verdict::Fail, "it lists /secret");
    }
}

#[test]
fn a_list_is_read_across_its_blocks() {
    let blocks = [("0/1/16", "</time>,</open/a"), ("1/0/16", ">,</admin>")];
    assert_says(&listed(&blocks), Verdict::Fail, "/admin");
    assert_says(&listed(&blocks[..1]), Verdict::Inconclusive, "not all there");
    assert_says(&listed(&[("0/1/16", "</admin>,</open/")]), Verdict::Fail, "/admin");
}

#[test]
fn what_is_no_list_of_links_decides_nothing() {
    assert_says(&listed(&[("", "hello")]), Verdict::Inconclusive, "does not read as links");
    assert_says(&listed(&[("", "")]), Verdict::Inconclusive, "is empty");
    assert_says(&listed(&[]), Verdict::Inconclusive, "no list");
}

#[test]
fn an_answer_that_does_not_say_that_it_is_a_list_may_leak_and_never_passes() {
    let answered = |payload: &str| {
        let mut film = Film::new(plan(LISTED));
        film.at(0).open("foe", 0, 1).sent(1, "request", &request("get", CORE, 1, "aa"));
        film.got(1, "response", &response("2.05", "aa", &[("payload", payload.into())]));
        film.judge(&discovers_only::ORACLE)
    };
    assert_says(&answered("</time>"), Verdict::Inconclusive, "Content-Format is not 40");
    assert_says(&answered("</admin>"), Verdict::Fail, "/admin");
}

#[test]
fn a_server_without_a_list_lists_nothing_and_that_is_no_pass() {
    let mut film = Film::new(plan(LISTED));
    film.at(0).open("foe", 0, 1).sent(1, "request", &request("get", CORE, 1, "aa"));
    film.got(1, "response", &response("4.04", "aa", &[]));
    assert_says(&film.judge(&discovers_only::ORACLE), Verdict::Inconclusive, "no list");
}
