use super::*;
use crate::samples;
use proofhouse_core::verdict::Verdict;

/// Elements that were opened and not closed, in order; void ones and the doctype aside.
fn left_open(page: &str) -> Vec<String> {
    const VOID: [&str; 4] = ["meta", "br", "!doctype", "img"];
    let mut open: Vec<String> = Vec::new();
    for piece in page.split('<').skip(1) {
        let name: String = piece.chars().take_while(|c| !c.is_whitespace() && *c != '>').collect();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "near {}", &piece[..piece.len().min(80)]),
            None if VOID.contains(&name.as_str()) => {}
            None => open.push(name),
        }
    }
    open
}

#[test]
fn the_page_is_whole_and_asks_nobody_for_anything() {
    let page = html(&samples::run());
    assert_eq!(left_open(&page), Vec::<String>::new());
    for word in ["<script", "http://", "https://", "url(", "@import", " src=", "onclick"] {
        assert!(!page.contains(word), "{word} in the page");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn it_says_what_ran_on_what_and_what_it_came_to() {
    let page = html(&samples::run());
    for part in [
        "<h1 class=\"fail\">1 finding and 1 more below the gate</h1>",
        "Exit code <b>100</b>: findings at or above --fail-on",
        "2026-11-22 10:00:00 UTC",
        "4.2 s",
        "<b>2</b> fail",
        "F-04040404",
        "MQTT5 3.1.4-3",
        "CWE-694",
        "proofhouse replay findings&#x2f;F-04040404-reference",
        "Does not move the exit code: level should is below --fail-on",
        "not decidable on the wire",
        "lacks acl",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
}

#[test]
fn every_part_of_the_page_is_in_its_navigation_and_every_link_leads_somewhere() {
    let page = html(&samples::run());
    let (nav, rest) = page.split_once("<main>").expect("the navigation comes first");
    let between = |text: &str, before: &str| -> Vec<String> {
        text.split(before).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_string())).collect()
    };
    let parts = between(rest, "<h2 id=\"");
    assert!(parts.iter().any(|part| part == "standards"), "{parts:?}");
    let linked = between(nav.split_once("<nav").expect("a navigation").1, "href=\"#");
    assert_eq!(linked, parts);
}

#[test]
fn the_violating_packet_stands_out_in_words_too() {
    let page = html(&samples::run());
    let hot = page.split("<li class=\"line hot\">").nth(1).expect("one line is hot");
    assert!(hot[..hot.find("</li>").expect("it ends")].contains("<em>violation</em>"));
    assert!(page.contains("<small>stimulus</small>") && page.contains("20 02 00 00"));
}

#[test]
fn text_from_outside_stays_text() {
    let page = html(&samples::hostile());
    assert_eq!(left_open(&page), Vec::<String>::new());
    for raw in ["</script>", "<img", "\u{1b}", "\u{202e}", "onerror=alert(1)>"] {
        assert!(!page.contains(raw), "{raw:?} is raw in the page");
    }
    assert!(page.contains("&lt;img"), "it is shown");
}

#[test]
fn a_run_with_twenty_thousand_trials_still_renders_and_counts_what_it_leaves_out() {
    let mut run = samples::run();
    run.results.trials = (1..=20_000)
        .map(|n| {
            samples::trial(
                n,
                "mqtt/a",
                "5",
                if n % 2 == 0 { Verdict::Pass } else { Verdict::Inconclusive },
                &format!("r{n}"),
            )
        })
        .collect();
    let page = html(&run);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("9,000 more trials are in <a href=\"results.json\">").count(), 2);
    assert!(page.contains("9,900 more reasons are in"));
}

#[test]
fn findings_beyond_what_a_page_holds_are_counted() {
    let mut run = samples::run();
    let one = run.findings[0].clone();
    run.findings = vec![one; 150];
    let page = html(&run);
    assert_eq!(page.matches("<details class=\"finding").count(), 100);
    assert!(page.contains("50 more findings are in"));
}

#[test]
fn an_empty_run_still_has_a_page() {
    let mut run = samples::run();
    run.results.trials.clear();
    run.findings.clear();
    let page = html(&run);
    assert!(page.contains("Nothing has run") && page.contains("0 trials"));
    assert_eq!(left_open(&page), Vec::<String>::new());
}
