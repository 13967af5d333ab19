use super::*;
use crate::samples;
use proofhouse_core::ids::EntryId;
use proofhouse_core::part::Part;
use proofhouse_core::severity::Level;
use proofhouse_core::time::Time;

#[test]
fn parties_are_columns_and_the_target_is_the_last() {
    let finding = samples::finding("mqtt/a", "5", Level::Must);
    let ladder = Ladder::of(&samples::transcript(), &finding);
    assert_eq!(ladder.parties, ["foe/0", "target"]);
    let shapes: Vec<(&str, &str, bool)> = ladder.lines.iter().map(|l| (l.shape, l.what.as_str(), l.hot)).collect();
    assert_eq!(
        shapes,
        [
            ("note", "opened", false),
            ("right", "connect", false),
            ("left", "connack", false),
            ("note", "connect met: connack", true),
            ("note", "mark foe.first", false),
            ("note", "closed by target: fin", false),
        ]
    );
    assert_eq!(ladder.lines[1].part, Some(Part::Stimulus));
}

#[test]
fn what_was_noted_with_a_message_shows_that_message() {
    let mut transcript = samples::transcript();
    transcript.entries[4].at = transcript.entries[3].at;
    let ladder = Ladder::of(&transcript, &samples::finding("mqtt/a", "5", Level::Must));
    let named: Vec<(&str, bool, bool)> = ladder.lines.iter().map(|l| (l.what.as_str(), l.hot, l.violation)).collect();
    assert_eq!(named[2..4], [("connack", true, true), ("connect met: connack", true, false)]);
    let mut finding = samples::finding("mqtt/a", "5", Level::Must);
    finding.entries = vec![EntryId(1)];
    transcript.entries[2].at = transcript.entries[1].at;
    let begun = Ladder::of(&transcript, &finding);
    let hot: Vec<&str> = begun.lines.iter().filter(|l| l.violation).map(|l| l.what.as_str()).collect();
    assert_eq!(hot, ["connect"], "a step that begins shows what it sends");
    transcript.entries[4].at.0 += 1;
    let apart = Ladder::of(&transcript, &samples::finding("mqtt/a", "5", Level::Must));
    assert!(!apart.lines[2].hot && apart.lines[3].violation, "a message of another moment is another matter");
}

#[test]
fn a_violation_without_a_message_shows_the_messages_before_it() {
    let finding = samples::finding("mqtt/a", "5", Level::Must);
    let ladder = Ladder::of(&samples::transcript(), &finding);
    let titles: Vec<&str> = ladder.dumps.iter().map(|d| d.title.as_str()).collect();
    assert_eq!(titles, ["0.003000 foe/0 ← target: connack"]);
    assert_eq!(ladder.dumps[0].text, format!("0000  {:<47}  ...\n", "20 02 00 00").replace("...", " ..."));
}

#[test]
fn a_long_record_is_cut_to_a_page_and_counts_what_it_leaves_out() {
    let mut transcript = samples::transcript();
    let packet = transcript.entries[2].clone();
    for n in 0..5_000 {
        transcript.entries.insert(5, Entry { at: Time(5_000_000 + n), ..packet.clone() });
    }
    let mut finding = samples::finding("mqtt/a", "5", Level::Must);
    finding.entries = vec![EntryId(2_500)];
    let ladder = Ladder::of(&transcript, &finding);
    let shown = ladder.lines.iter().filter(|l| l.shape != "gap").count();
    assert_eq!(shown, LINES_MAX);
    assert!(ladder.lines.iter().any(|l| l.hot));
    assert!(ladder.lines.iter().any(|l| l.what.ends_with("lines left out")));
}

#[test]
fn only_so_many_parties_have_a_column() {
    let mut transcript = samples::transcript();
    let opened = transcript.entries[0].clone();
    for n in 1..20 {
        transcript.entries.push(Entry { who: Who::Member("crowd".into(), n), ..opened.clone() });
    }
    let ladder = Ladder::of(&transcript, &samples::finding("mqtt/a", "5", Level::Must));
    assert_eq!((ladder.parties.len(), ladder.others), (PARTIES_MAX + 1, 20 - PARTIES_MAX));
    assert!(ladder.parties.contains(&"foe/0".to_owned()), "who shows the violation has one");
}

#[test]
fn a_finding_of_an_older_version_names_no_entries_and_still_has_a_ladder() {
    let mut finding = samples::finding("mqtt/a", "5", Level::Must);
    finding.entries.clear();
    let ladder = Ladder::of(&samples::transcript(), &finding);
    assert!(!ladder.lines.is_empty() && ladder.lines.iter().all(|l| !l.hot));
    assert_eq!(ladder.dumps.len(), 1, "what the attack sent");
    finding.entries = vec![EntryId(9_999)];
    assert!(!Ladder::of(&samples::transcript(), &finding).lines.is_empty());
}
