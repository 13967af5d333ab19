//! A small run for the tests of every document: each verdict once, a finding that counts, one that does not, a hostile target.
use std::collections::BTreeMap;

use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::finding::{Finding, Repeats, Signature, Standing};
use proofhouse_core::ids::{EntryId, TrialNo};
use proofhouse_core::part::Part;
use proofhouse_core::results::{ArmedRow, CoverageRow, FORMAT, FindingRow, Results, TrialRow};
use proofhouse_core::seed::Seed;
use proofhouse_core::severity::{FindingKind, Level};
use proofhouse_core::time::Time;
use proofhouse_core::transcript::{By, Bytes, Entry, Event, Header, Packet, StepState, Transcript, Who};
use proofhouse_core::value::Fields;
use proofhouse_core::verdict::Verdict;

use crate::ladder::Ladder;
use crate::run::{Exit, Facts, Found, Rule, Run, Scene, Spared};

/// What a hostile peer would like a browser, a terminal or a parser to run.
pub(crate) const HOSTILE: &str = "</script><img src=x onerror=alert(1)> ]]> &\u{1b}[2J\u{202e}|";

pub(crate) fn trial(n: u32, scenario: &str, case: &str, verdict: Verdict, reason: &str) -> TrialRow {
    TrialRow {
        n: TrialNo(n),
        scenario: scenario.into(),
        case: case.into(),
        target: "reference".into(),
        target_version: "1.2".into(),
        seed: 7,
        verdict,
        reason: reason.into(),
        wall_ms: 12,
        findings: Vec::new(),
        remarks: Vec::new(),
    }
}

pub(crate) fn finding(scenario: &str, case: &str, level: Level) -> Finding {
    let signature = Signature(proofhouse_core::value::hex(&[level.name().len() as u8; 32]));
    Finding {
        format: 1,
        id: signature.id(),
        signature,
        verdict: Standing::Confirmed,
        kind: FindingKind::Conformance,
        level,
        title: "A reused client id displaces the first session".into(),
        scenario: scenario.into(),
        case: case.into(),
        seed: "7".into(),
        target: "reference".into(),
        target_version: "1.2".into(),
        target_digest: "d".into(),
        flaws: Vec::new(),
        oracle: "session-exclusive".into(),
        clause: "MQTT5 3.1.4-3".into(),
        expected: "the first connection is ended".into(),
        actual: "both stand".into(),
        place: "connect/after-connack".into(),
        arm: proofhouse_core::verdict::Arm::Main,
        replay: Repeats::Exact,
        not_replayed: Vec::new(),
        attack: "MC-03".into(),
        guidance: vec!["HRD-1".into()],
        cwe: vec![694],
        cvss: "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N".into(),
        entries: vec![EntryId(4)],
    }
}

/// One member, one connection: opened, a step that sends two packets' worth, an answer, the end.
pub(crate) fn transcript() -> Transcript {
    let bytes = |hex: &str, kind: &str| Bytes {
        conn: 3,
        hex: hex.into(),
        len: None,
        sha256: None,
        packets: vec![Packet {
            kind: kind.into(),
            fields: Fields(vec![("reason".into(), 0_i64.into())]),
            malformed: String::new(),
        }],
    };
    let step = |state| Event::Step {
        index: 0,
        verb: "connect".into(),
        conn: Some(3),
        state,
        part: Some(Part::Stimulus),
        detail: "connack".into(),
    };
    let (us, target) = (Addr::new([127, 0, 0, 1], 40_000), Addr::new([127, 0, 0, 1], 1883));
    let events = vec![
        Event::Opened { conn: 3, label: "main".into(), from: us, to: target },
        step(StepState::Started),
        Event::Sent(bytes("101000044d5154540402003c000470726f62", "connect")),
        Event::Received(bytes("20020000", "connack")),
        step(StepState::Met),
        Event::Mark { name: "foe.first".into() },
        Event::Closed { conn: 3, by: By::Peer, how: Close::Fin },
    ];
    let entry =
        |(n, event): (usize, Event)| Entry { at: Time(n as u64 * 1_000_123), who: Who::Member("foe".into(), 0), event };
    Transcript {
        header: Header {
            format: 1,
            scenario: "mqtt/mc-03-takeover".into(),
            case: "5".into(),
            seed: Seed(7),
            target: "reference".into(),
            clock: "sim".into(),
            arm: "main".into(),
        },
        entries: events.into_iter().enumerate().map(entry).collect(),
    }
}

pub(crate) fn found(finding: Finding, spared: Option<Spared>) -> Found {
    let ladder = Some(Ladder::of(&transcript(), &finding));
    Found { path: format!("findings/{}-{}", finding.id, finding.target), finding, spared, ladder }
}

pub(crate) fn scene(guidance: &str) -> Scene {
    Scene {
        title: "A reused client id displaces the first session".into(),
        attack: "MC-03".into(),
        guidance: vec![guidance.into()],
        level: Level::Must,
    }
}

pub(crate) fn run() -> Run {
    let trials = vec![
        trial(1, "mqtt/mc-03-takeover", "3.1.1", Verdict::Pass, "held"),
        trial(2, "mqtt/mc-03-takeover", "5", Verdict::Fail, "session-exclusive: both stand"),
        trial(3, "mqtt/md-02-half-open", "", Verdict::Fail, "closes-in-time: open"),
        trial(4, "mqtt/ma-01-anonymous", "", Verdict::Pass, "refused"),
        trial(5, "mqtt/mb-01-wildcard", "", Verdict::NotApplicable, "lacks acl"),
        trial(6, "mqtt/mb-04-publish", "", Verdict::NotRun, "needs 2 accounts"),
        trial(7, "mqtt/mb-06-will", "", Verdict::Inconclusive, "preconditions: the witness was silent"),
        trial(8, "mqtt/me-01-length", "", Verdict::Error, "bug in Proofhouse: none, this is a sample"),
    ];
    let findings = vec![
        found(finding("mqtt/mc-03-takeover", "5", Level::Must), None),
        found(finding("mqtt/md-02-half-open", "", Level::Should), Some(Spared::Level(Level::Should))),
    ];
    let rows = include_str!("../../../scenarios/guidance/rows.toml");
    Run {
        results: Results {
            format: FORMAT,
            run: "sample".into(),
            trials,
            findings: findings.iter().map(|f| FindingRow::of(&f.finding, &f.path)).collect(),
            coverage: vec![CoverageRow { document: "mqtt5".into(), armed: 130, of: 251 }],
            statements: vec![ArmedRow {
                clause: "MQTT5 3.1.4-3".into(),
                by: vec!["takeover".into()],
                armed: 2,
                broken: 1,
            }],
        },
        facts: Facts {
            version: "0.1.0".into(),
            began: "2026-11-22T10:00:00Z".into(),
            machine: "a machine".into(),
            seed: 7,
            seeds: 1,
            selector: Vec::new(),
            planned: 8,
            wall_ms: 4_200,
            fail_on: "must".into(),
        },
        exit: Exit { code: 100, meaning: "findings at or above --fail-on".into() },
        findings,
        scenes: BTreeMap::from([
            ("mqtt/mc-03-takeover".into(), scene("HRD-1")),
            ("mqtt/md-02-half-open".into(), scene("HRD-1")),
            ("mqtt/ma-01-anonymous".into(), scene("AUTH-1")),
        ]),
        guidance: proofhouse_core::guidance::rows("rows.toml", rows).expect("the catalogue reads"),
        rules: BTreeMap::from([(
            "session-exclusive".into(),
            Rule {
                doc: "a client id has one session at a time".into(),
                kind: "conformance".into(),
                clauses: vec!["MQTT5 3.1.4-3".into(), "MQTT3 3.1.4-2".into()],
            },
        )]),
    }
}

/// The same run with hostile text wherever a peer or a file of the user can put some.
pub(crate) fn hostile() -> Run {
    let mut run = run();
    run.results.run = HOSTILE.into();
    run.facts.machine = HOSTILE.into();
    for trial in &mut run.results.trials {
        trial.reason = HOSTILE.into();
        trial.target = HOSTILE.into();
        trial.target_version = HOSTILE.into();
        trial.case = HOSTILE.into();
        trial.remarks = vec![HOSTILE.into()];
    }
    for scene in run.scenes.values_mut() {
        scene.title = HOSTILE.into();
    }
    for found in &mut run.findings {
        let f = &mut found.finding;
        for text in [
            &mut f.title,
            &mut f.expected,
            &mut f.actual,
            &mut f.place,
            &mut f.target,
            &mut f.case,
            &mut f.target_version,
        ] {
            *text = HOSTILE.into();
        }
        found.path = format!("findings/{}-{HOSTILE}", f.id);
        found.spared = Some(Spared::Accepted(HOSTILE.into()));
        let mut transcript = transcript();
        for entry in &mut transcript.entries {
            entry.who = Who::Member(HOSTILE.into(), 0);
            if let Event::Sent(bytes) | Event::Received(bytes) = &mut entry.event {
                bytes.packets[0].kind = HOSTILE.into();
                bytes.packets[0].malformed = HOSTILE.into();
                bytes.packets[0].fields.set("topic", HOSTILE);
            }
        }
        found.ladder = Some(Ladder::of(&transcript, f));
    }
    run
}
