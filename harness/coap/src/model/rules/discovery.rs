//! What a server lists: links in their format (RFC 7252 §7.2, RFC 7641 §6).
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::content::answered;
use super::{Breach, Facts, Row, Seen, Tally};
use crate::link_format::{self, WELL_KNOWN, WebLink};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "links-are-links",
        clauses: &["RFC 7252 §7.2-1"],
        doc: "the list of resources is in the CoRE Link Format",
        judge: links_are_links,
    },
    Row {
        id: "ct-is-a-number",
        clauses: &["RFC 7252 §7.2.1-1"],
        doc: "the attribute ct holds whole numbers from 0 to 65535",
        judge: ct_is_a_number,
    },
    Row { id: "obs-is-bare", clauses: &["RFC 7641 §6-2"], doc: "the attribute obs has no value", judge: obs_is_bare },
    Row {
        id: "obs-stands-once",
        clauses: &["RFC 7641 §6-3"],
        doc: "the attribute obs stands once in a link",
        judge: obs_stands_once,
    },
];

/// Every list that came whole in one response.
fn lists<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Seen<'a>, Result<&'f str, Vec<u8>>)> {
    let asked = answered(facts).filter(|(_, request, _)| request.text("path") == Some(WELL_KNOWN));
    asked.filter(|(_, _, seen)| seen.code() == "2.05" && seen.is_whole()).map(|(_, _, seen)| {
        let text = core::str::from_utf8(seen.payload()).map_err(|_| seen.payload().to_vec());
        (seen, text)
    })
}

fn links_are_links(facts: &Facts<'_>, tally: &mut Tally) {
    for (seen, text) in lists(facts) {
        let wrong = match text {
            Err(_) => Some(String::from("a list that is no UTF-8")),
            Ok(text) => link_format::links(text)
                .find_map(Result::err)
                .map(|mistake| format!("at byte {}: {}", mistake.at, mistake.what)),
        };
        tally.must(seen.id(), wrong.map(|what| Breach::seen("list", what, &[seen.id()])));
    }
}

/// Asks about each link that has an attribute, until one is wrong.
fn each_link(facts: &Facts<'_>, tally: &mut Tally, attribute: &str, wrong: impl Fn(&WebLink<'_>) -> Option<String>) {
    for (seen, text) in lists(facts) {
        let links = text.into_iter().flat_map(link_format::links).filter_map(Result::ok);
        let mut with = links.filter(|link| link.attribute(attribute).is_some()).peekable();
        if with.peek().is_none() {
            continue;
        }
        let breach = with.find_map(|link| wrong(&link)).map(|what| Breach::seen("link", what, &[seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn ct_is_a_number(facts: &Facts<'_>, tally: &mut Tally) {
    each_link(facts, tally, "ct", |link| {
        let value = link.attribute("ct").and_then(|ct| ct.value);
        let text = value.map(|value| value.text().into_owned()).unwrap_or_default();
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit()) && word.parse::<u16>().is_ok();
        let mut words = text.split(' ').filter(|word| !word.is_empty()).peekable();
        let numbers = words.peek().is_some() && words.all(is_number);
        (!numbers).then(|| format!("<{}> has ct={text:?}", link.target))
    });
}

fn obs_is_bare(facts: &Facts<'_>, tally: &mut Tally) {
    each_link(facts, tally, "obs", |link| {
        let value = link.attribute("obs").and_then(|obs| obs.value)?;
        Some(format!("<{}> has obs={:?}", link.target, value.text()))
    });
}

fn obs_stands_once(facts: &Facts<'_>, tally: &mut Tally) {
    each_link(facts, tally, "obs", |link| {
        let count = link.attributes().filter(|attribute| attribute.name == "obs").count();
        (count > 1).then(|| format!("<{}> has obs {count} times", link.target))
    });
}
