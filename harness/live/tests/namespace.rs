//! Nothing leaves for an address that was not approved, not even a question to a name server: counted on every interface of a network
//! namespace of its own, which has one more than loopback.
mod support;

use std::process::Command;
use std::time::Duration;

use proofhouse_core::target::{Ready, TargetKind, TargetSpec};
use proofhouse_live::{RunError, preflight};
use support::*;

/// What the namespace is made of; the last words are the test to run in it. The device sends nothing by itself: no IPv6.
const NAMESPACE: &str = "
    echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
    echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
    ip link set lo up && ip link add out0 type veth peer name out1 && ip link set out1 up || exit 77
    ip addr add 10.99.0.1/24 dev out0 && ip link set out0 up || exit 77
    ip route add default via 10.99.0.2
    \"$@\" > /dev/null || exit 78
    awk '$1 == \"lo:\" { lo = $11 } $1 == \"out0:\" { out = $11 } END { print \"sent\", lo, out }' /proc/net/dev";

/// Packets that were sent on loopback, and on the other interface, while this ignored test ran. `None` where no namespace is to be had.
fn sent_by(test: &str) -> Option<(u64, u64)> {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", NAMESPACE, "sh"]).arg(own).args(["--exact", test, "--ignored"]);
    let told = command.output().ok().filter(|out| out.status.success() || out.status.code() == Some(78));
    let ci = std::env::var_os("CI").is_some();
    let Some(out) = told else {
        assert!(!ci, "the pipeline must be able to make a network namespace: unshare, ip, and the rights");
        eprintln!("skipped: no network namespace is to be had here");
        return None;
    };
    assert!(out.status.success(), "{test} failed in the namespace");
    let text = String::from_utf8(out.stdout).unwrap();
    let mut numbers = text.trim().rsplit(' ').map(|number| number.parse().unwrap());
    let (out0, lo) = (numbers.next().unwrap(), numbers.next().unwrap());
    Some((lo, out0))
}

#[test]
fn nothing_leaves_for_an_address_that_was_not_approved_and_no_query_either() {
    if let Some(sent) = sent_by("helper_that_is_refused") {
        assert_eq!(sent, (0, 0), "packets on loopback, where a resolver may be, and on the other interface");
    }
}

#[test]
fn what_its_owner_has_approved_leaves() {
    if let Some((_, sent)) = sent_by("helper_that_is_approved") {
        assert!(sent > 0, "the counter of the law above counts");
    }
}

fn refused(target: &TargetSpec) {
    let error = preflight(target, &registry(), &options()).unwrap_err();
    assert!(matches!(error, RunError::Guard { .. }), "{error}");
    assert!(run(&plan(vec![fleet("f", 0, 1, &[("say", "61".into())])]), target).is_err());
}

#[test]
#[ignore = "a helper: runs in a namespace of its own"]
fn helper_that_is_refused() {
    for address in ["10.99.0.2:1883", "broker.example.org:1883", "printer:1883", "10.99.0.1:1883", "0.0.0.0:1883"] {
        refused(&remote(address));
        refused(&over_datagrams(remote(address)));
    }
    let mut owned = remote("broker.example.org:1883");
    owned.owner = Some("me".into());
    refused(&owned);
    for ready in ["10.99.0.2:5683", "broker.example.org:5683"] {
        let mut target = over_datagrams(shell("sleep 9"));
        spec(&mut target).ready = Ready::Ping(PING, ready.into());
        refused(&target);
    }
}

#[test]
#[ignore = "a helper: runs in a namespace of its own"]
fn helper_that_is_approved() {
    let mut target = remote("10.99.0.2:1883");
    target.kind = TargetKind::Remote;
    target.owner = Some("me".into());
    let mut options = options();
    options.i_own = vec!["10.99.0.2".into()];
    // Nobody answers there: what counts is that somebody was asked.
    let asked = std::thread::spawn(move || preflight(&target, &registry(), &options));
    std::thread::sleep(Duration::from_millis(500));
    drop(asked);
}
