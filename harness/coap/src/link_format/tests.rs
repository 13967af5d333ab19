//! What lists of links promise.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use proofhouse_core::connection::Addr;

use super::*;

#[track_caller]
fn all(text: &str) -> Vec<WebLink<'_>> {
    links(text).map(|link| link.unwrap_or_else(|mistake| panic!("{text}: {mistake}"))).collect()
}

#[test]
fn a_list_is_read_link_by_link() {
    let list = all(
        "</sensors>;ct=40;title=\"Sensor; index, \\\"all\\\"\",</sensors/temp>;rt=\"temperature-c\";if=sensor;obs , <http://x/>",
    );
    let targets: Vec<&str> = list.iter().map(|link| link.target).collect();
    assert_eq!(targets, ["/sensors", "/sensors/temp", "http://x/"]);
    assert_eq!(list[0].attribute("ct").unwrap().value, Some(Value::Bare("40")));
    assert_eq!(list[0].attribute("title").unwrap().value.unwrap().text(), "Sensor; index, \"all\"");
    assert_eq!(list[1].attribute("if").unwrap().value.unwrap().text(), "sensor");
    assert_eq!(list.iter().map(WebLink::is_observable).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(list[1].attributes().map(|attribute| attribute.name).collect::<Vec<_>>(), ["rt", "if", "obs"]);
}

/// Where the links lead from 127.0.0.1:7000.
#[track_caller]
fn leads(link: &str) -> Option<String> {
    all(link)[0].path(Some(Addr::new([127, 0, 0, 1], 7000)))
}

#[test]
fn a_link_leads_to_a_path_here_or_elsewhere() {
    for (target, to) in [
        ("/a?b", Some("/a?b")),
        ("a/b", Some("/a/b")),
        ("a/b:c", Some("/a/b:c")),
        ("/a#b", Some("/a")),
        ("/", Some("/")),
        ("coap://127.0.0.1:7000", Some("/")),
        ("coap://far/a", None),
        ("//far/a", None),
        ("http://127.0.0.1:7000/a", None),
        ("?a", None),
        ("#a", None),
        ("", None),
    ] {
        assert_eq!(leads(&alloc::format!("<{target}>")).as_deref(), to, "{target}");
    }
}

#[test]
fn a_link_is_resolved_before_it_is_compared() {
    for (target, to) in [
        ("/%63ounter", "/counter"),
        ("./counter", "/counter"),
        ("/x/../actuator", "/actuator"),
        ("/x/%2e%2E/actuator", "/actuator"),
        ("../../actuator", "/actuator"),
        ("/x/.", "/x/"),
        ("/a%2fb%3fc%25d", "/a%2Fb%3Fc%25d"),
        ("/%zz%4", "/%zz%4"),
        ("/%ff", "/%ff"),
        ("/caf%C3%A9", "/caf\u{e9}"),
    ] {
        assert_eq!(leads(&alloc::format!("<{target}>")).as_deref(), Some(to), "{target}");
    }
}

#[test]
fn an_absolute_link_to_this_endpoint_leads_here() {
    let here = |authority: &str| leads(&alloc::format!("<{authority}/secret>")).as_deref() == Some("/secret");
    for authority in ["coap://127.0.0.1:7000", "COAP://127.0.0.1:7000", "//127.0.0.1:7000", "Coap://LocalHost:7000"] {
        assert!(here(authority), "{authority}");
    }
    for authority in ["coap://127.0.0.1", "coap://127.0.0.1:7001", "coap://127.0.0.2:7000", "coaps://127.0.0.1:7000"] {
        assert!(!here(authority), "{authority}");
    }
    let unnamed = |origin| all("<coap://127.0.0.1/secret>")[0].path(origin);
    assert_eq!(unnamed(Some(Addr::new([127, 0, 0, 1], 5683))).as_deref(), Some("/secret"), "the port of the scheme");
    assert_eq!(unnamed(None), None, "nobody knows where it listens");
}

#[test]
fn an_anchor_is_what_a_link_counts_from_and_is_disclosed_too() {
    let context = |link: &str| all(link)[0].context(Some(Addr::new([127, 0, 0, 1], 7000)));
    let far = "<http://far/t>;anchor=\"/secret\";rel=\"describedby\"";
    assert_eq!((leads(far), context(far).as_deref()), (None, Some("/secret")));
    let below = "<b>;anchor=\"/a/x\"";
    assert_eq!((leads(below).as_deref(), context(below).as_deref()), (Some("/a/b"), Some("/a/x")));
    let elsewhere = "</b>;anchor=\"coap://far/a\"";
    assert_eq!((leads(elsewhere), context(elsewhere)), (None, None));
    assert_eq!([context("</b>"), context("</b>;anchor=\"coap://127.0.0.1:7000\"")], [None, None]);
}

#[test]
fn nothing_is_a_list_of_nothing() {
    assert!(all("").is_empty() && all(" \n").is_empty());
    assert_eq!(all("<>")[0].target, "");
}

#[test]
fn obs_may_have_a_value_or_come_twice() {
    assert!(all("</a>;obs=1;obs")[0].is_observable());
    assert!(!all("</a>;obsolete")[0].is_observable());
}

#[test]
fn the_first_mistake_ends_the_list() {
    let cases = [
        ("/a", 0),
        ("</a", 1),
        ("</a>;", 5),
        ("</a>;=1", 5),
        ("</a>;ct=", 5),
        ("</a>;t=\"x", 5),
        ("</a>x", 4),
        ("</a>,", 5),
        ("</a>,,</b>", 5),
        ("</a></b>", 4),
        ("</a>;ct=1 2", 10),
    ];
    for (text, at) in cases {
        let read: Vec<_> = links(text).collect();
        let mistake = read.last().unwrap().unwrap_err();
        assert_eq!(mistake.at, at, "{text}: {mistake}");
        assert!(read.len() <= 2, "{text}: nothing comes after a mistake");
    }
}

#[test]
fn a_list_is_written_as_it_is_read() {
    let mut out = String::new();
    write(&mut out, "/a", &[("rt", Some("te\"mp\\")), ("ct", Some("40")), ("obs", None)]);
    write(&mut out, "/b", &[("sz", Some(""))]);
    assert_eq!(out, "</a>;rt=\"te\\\"mp\\\\\";ct=40;obs,</b>;sz=\"\"");
    let list = all(&out);
    assert_eq!(list[0].attribute("rt").unwrap().value.unwrap().text(), "te\"mp\\");
    assert_eq!(list[1].attribute("sz").unwrap().value.unwrap().text(), "");
    assert!(list[0].is_observable());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_to_an_end(text in "[<>;,=\"\\\\a-c \u{e9}\u{2003}]{0,40}") {
        let mut count = 0;
        for link in links(&text).flatten() {
            count += link.attributes().inspect(|attribute| drop(attribute.value.map(|value| value.text()))).count();
        }
        prop_assert!(count <= text.len());
    }

    #[test]
    fn any_value_is_read_as_it_was_written(values in proptest::collection::vec(any::<Option<String>>(), 0..4)) {
        let mut out = String::new();
        let attributes: Vec<_> = values.iter().map(|value| ("x", value.as_deref())).collect();
        write(&mut out, "/t", &attributes);
        write(&mut out, "/u", &attributes);
        let list: Vec<WebLink<'_>> = links(&out).collect::<Result<_, _>>().map_err(|mistake| TestCaseError::fail(mistake.to_string()))?;
        prop_assert_eq!(list.len(), 2);
        for link in list {
            let read: Vec<_> = link.attributes().map(|attribute| attribute.value.map(|value| value.text().into_owned())).collect();
            prop_assert_eq!(&read, &values);
        }
    }
}
