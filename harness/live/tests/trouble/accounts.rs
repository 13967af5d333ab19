//! Orders of an administrator, and the accounts of a target.
use proofhouse_core::target::{AccountSpec, Change, TargetSpec};
use proofhouse_core::transcript::StepState;

use super::*;

#[test]
fn an_administrator_may_restart_the_target() {
    let admin = fleet("admin", 0, 1, &[("restart", "now".into())]);
    let transcript = run(&plan(vec![admin]), &server(ACCEPTS)).unwrap();
    let life = life(&transcript);
    let turns: Vec<&str> = life
        .iter()
        .map(|l| match l {
            Life::Started { .. } => "started",
            Life::Ready => "ready",
            Life::Stopped => "stopped",
            _ => "other",
        })
        .collect();
    assert_eq!(turns, ["started", "ready", "stopped", "started", "ready", "stopped"]);
    assert_eq!(details(&transcript), ["done"]);
}

fn details(transcript: &proofhouse_core::transcript::Transcript) -> Vec<String> {
    events(transcript, |e| match &e.event {
        Event::Step { detail, state: StepState::Met, .. } => Some(detail.clone()),
        _ => None,
    })
}

/// A target whose accounts are lines of files, and which says when it has read them again.
fn with_accounts() -> TargetSpec {
    let mut target = python(
        "import os, signal, socket, sys, time\n\
         def show(*_):\n    print('users', open('users').read().replace('\\n', ';'), 'acl', open('acl').read().replace('\\n', ';'), flush=True)\n    print('reloaded', flush=True)\n\
         signal.signal(signal.SIGHUP, show)\nshow()\n\
         s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9)\n\
         while True: time.sleep(1)",
    );
    spec(&mut target).files = vec![("users".into(), String::new()), ("acl".into(), String::new())];
    let append = |text: &str, to: &str| Some(Change::Append { text: text.into(), to: to.into() });
    target.account = Some(AccountSpec {
        add: append("{name}:{password}\n", "{users}"),
        remove: None,
        grants: [
            ("publish".into(), append("{name} w {filter}\n", "{acl}")),
            ("subscribe".into(), append("{name} r {filter}\n", "{acl}")),
        ]
        .into(),
        reload: Some(proofhouse_core::target::Reload {
            signal: Some("HUP".into()),
            run: None,
            done: Some("reloaded".into()),
            within: Duration::from_secs(5),
        }),
        given: vec![],
    });
    target
}

fn with_party(mut plan: proofhouse_core::plan::Plan) -> proofhouse_core::plan::Plan {
    plan.parties = vec![proofhouse_core::plan::Party {
        name: "owner".into(),
        may: vec![("publish".into(), "site/#".into()), ("subscribe".into(), "cmd/#".into())],
        user: "owner".into(),
        password: "made-up".into(),
    }];
    plan.fleets[0].authenticated = true;
    plan.fleets[0].party = Some(0);
    plan
}

#[test]
fn a_revoked_right_is_cut_once_and_in_effect_before_the_step_is_answered() {
    let admin = fleet("admin", 0, 1, &[("revoke", "owner subscribe cmd/#".into())]);
    let transcript = run(&with_party(plan(vec![admin])), &with_accounts()).unwrap();
    let states: Vec<String> = lines(&transcript).into_iter().filter(|l| l.starts_with("users")).collect();
    assert_eq!(
        states,
        ["users owner:made-up; acl owner w site/#;owner r cmd/#;", "users owner:made-up; acl owner w site/#;"]
    );
    let grants = events(&transcript, |e| match &e.event {
        Event::Grant { grant, allow, .. } => Some((grant.clone(), *allow)),
        _ => None,
    });
    let grant = |text: &str, allow| (text.to_string(), allow);
    assert_eq!(
        grants,
        [grant("publish site/#", true), grant("subscribe cmd/#", true), grant("subscribe cmd/#", false)]
    );
    assert_eq!(details(&transcript), ["done"]);
}

#[test]
fn a_rekeyed_party_has_a_new_password_and_not_the_old_one() {
    let admin = fleet("admin", 0, 1, &[("party", "owner".into())]);
    let transcript = run(&with_party(plan(vec![admin])), &with_accounts()).unwrap();
    let states: Vec<String> = lines(&transcript).into_iter().filter(|l| l.starts_with("users")).collect();
    assert!(states[0].contains("owner:made-up;"), "{states:?}");
    assert!(!states[1].contains("made-up") && states[1].contains("owner:"), "{states:?}");
}

#[test]
fn a_reload_that_is_never_done_fails_the_step_and_says_why() {
    let mut target = with_accounts();
    if let Some(reload) = target.account.as_mut().and_then(|a| a.reload.as_mut()) {
        reload.done = Some("never said".into());
        reload.within = Duration::from_millis(200);
    }
    let admin = fleet("admin", 0, 1, &[("revoke", "owner subscribe cmd/#".into())]);
    let transcript = run(&with_party(plan(vec![admin])), &target).unwrap();
    let details = details(&transcript);
    assert!(details[0].contains("never said"), "{details:?}");
    let taken = events(&transcript, |e| matches!(&e.event, Event::Grant { allow: false, .. }).then_some(()));
    assert!(taken.is_empty(), "nothing took effect");
}

#[test]
fn an_account_tool_that_fails_is_an_error_with_its_words() {
    let mut target = with_accounts();
    let tool = ["sh", "-c", "echo no room for {name} >&2; exit 1"].map(String::from).to_vec();
    target.account.as_mut().unwrap().add = Some(Change::Run(tool));
    let error = run(&with_party(plan(vec![patient(1)])), &target).unwrap_err();
    assert!(error.to_string().contains("no room for owner"), "{error}");
}

#[test]
fn a_remote_target_takes_no_orders() {
    let mute = proofhouse_live::blank::mute().unwrap();
    let admin = fleet("admin", 0, 1, &[("restart", "now".into())]);
    let transcript = run(&plan(vec![admin]), &remote(&mute.addr().to_string())).unwrap();
    assert!(details(&transcript)[0].contains("takes no orders"));
}

#[test]
fn too_few_given_accounts_is_not_run() {
    let mute = proofhouse_live::blank::mute().unwrap();
    let mut target = remote(&mute.addr().to_string());
    let mut account = with_accounts().account.unwrap();
    account.given =
        vec![proofhouse_core::target::Given { name: "one".into(), password_env: "PATH".into(), may: vec![] }];
    target.account = Some(account);
    let error = run(&with_party(plan(vec![patient(1)])), &target).unwrap_err();
    assert!(matches!(error, RunError::Accounts { needs: 1, gives: 0 }), "{error}");
}

#[test]
fn a_given_password_comes_from_outside_and_is_never_written() {
    // PATH is a variable that every test run has; its text plays the secret.
    let secret = std::env::var_os("PATH").unwrap().into_string().unwrap();
    let yes = proofhouse_live::blank::yes(<[u8]>::to_vec).unwrap();
    let mut target = remote(&yes.addr().to_string());
    let mut account = with_accounts().account.unwrap();
    account.given =
        vec![proofhouse_core::target::Given { name: "owner".into(), password_env: "PATH".into(), may: vec![] }];
    target.account = Some(account);
    let (head, tail) = secret.as_bytes().split_at(3);
    let hex = proofhouse_core::value::hex;
    // Sent in two writes: a cut secret is a secret.
    let says = format!("{}|{}", hex(head), hex(tail));
    let says = fleet("f", 0, 1, &[("say", says.as_str().into()), ("hear", int(secret.len() as i64))]);
    let transcript = run(&with_party(plan(vec![says])), &target).unwrap();
    let text = transcript.to_jsonl();
    assert!(!text.contains(&hex(tail)), "the secret is in the record");
    let masked: usize = events(&transcript, |e| match &e.event {
        Event::Sent(bytes) => Some(bytes.hex.matches("2a").count()),
        _ => None,
    })
    .iter()
    .sum();
    assert_eq!(masked, secret.len(), "masked at equal length");
}
