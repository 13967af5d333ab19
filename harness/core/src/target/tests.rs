//! Laws of target files.
use super::*;
use crate::scenario::stub_registry;
use alloc::string::ToString;

const PLAIN: &str = r#"format = 1
kind   = "process"

[process]
program = "stubd"
args    = ["-c", "{config}"]
ready   = { log = "ready", within = "2s" }
version = { run = ["stubd", "-h"], match = 'version (\S+)' }
install = "apt-get install stubd"
env     = { HOME = "{dir}" }
[process.files]
config = "listen {port}\n"
acl    = ""

[[endpoint]]
name     = "plain"
protocol = "stub"
versions = ["1", "2"]
address  = "127.0.0.1:{port}"
claims   = ["authenticated"]
lacks    = { sessions = "not a feature", acl = "no rights" }
resources = { observable = "/time", public = ["/"] }
[[endpoint]]
name     = "device"
protocol = "dumb"
role     = "client"
address  = "127.0.0.1:{port.device}"
claims   = ["acl"]

[account]
add    = { run = ["stubd_passwd", "{name}"] }
remove = { run = ["stubd_passwd", "-D", "{name}"] }
grant.publish   = { append = "w {filter}\n", to = "{acl}" }
grant.subscribe = { append = "r {filter}\n", to = "{acl}" }
reload = { signal = "HUP", done = { log = "again" }, within = "3s" }
[[account.given]]
name = "a"
password_env = "A"
may = { publish = ["x/#"] }

[[known]]
signature = "00"
reason    = "accepted"
until     = "2027-03-01"
"#;

fn load(text: &str) -> Result<TargetSpec, String> {
    TargetSpec::load("t", "t.toml", text, &stub_registry()).map_err(|error| error.to_string())
}

fn refuses(from: &str, to: &str, expect: &str) {
    assert!(PLAIN.contains(from), "{from:?} is not in the plain target");
    let message = load(&PLAIN.replacen(from, to, 1)).expect_err(to);
    assert!(message.contains(expect), "expected {expect:?} in:\n{message}");
}

#[test]
fn every_key_is_read_and_templates_stay_text() {
    let spec = load(PLAIN).expect("loads");
    let TargetKind::Process(process) = &spec.kind else { panic!("{:?}", spec.kind) };
    assert_eq!((process.program.as_str(), process.args.len(), process.env.len()), ("stubd", 2, 1));
    assert_eq!(
        process.files,
        [("config".to_string(), "listen {port}\n".to_string()), ("acl".to_string(), String::new())]
    );
    assert_eq!(
        (process.ready.clone(), process.ready_within),
        (Ready::Log("ready".to_string()), Duration::from_secs(2))
    );
    assert_eq!(process.version.as_ref().map(|(_, pattern)| pattern.as_str()), Some("version (\\S+)"));
    let account = spec.account.as_ref().expect("accounts");
    assert!(matches!(&account.grants["publish"], Some(Change::Append { to, .. }) if to == "{acl}"));
    assert_eq!(account.reload.as_ref().and_then(|reload| reload.done.as_deref()), Some("again"));
    assert_eq!(account.given[0].may, [("publish".to_string(), "x/#".to_string())]);
    assert_eq!((spec.digest.len(), spec.endpoints[1].client, spec.known.len()), (64, true, 1));
}

#[test]
fn a_target_claims_what_it_says_and_what_follows() {
    let spec = load(PLAIN).expect("loads");
    for claimed in [
        "authenticated",
        "acl",
        "stub.server",
        "dumb.client",
        "resource.observable",
        "admin.revoke",
        "admin.rekey",
        "admin.restart",
    ] {
        assert!(spec.claims(claimed), "{claimed}");
    }
    for unclaimed in ["sessions", "stub.client", "dumb.server", "resource.counter", "admin.fly"] {
        assert!(!spec.claims(unclaimed), "{unclaimed}");
    }
    assert_eq!(spec.lacks("sessions"), Some("not a feature"));
    assert_eq!(spec.lacks("acl"), None, "another endpoint claims it");
    assert_eq!(spec.resource("observable"), Some(&Value::from("/time")));
    let silent = load(&PLAIN.replace("reload = { signal = \"HUP\", done = { log = \"again\" }, within = \"3s\" }", ""))
        .expect("loads");
    assert!(!silent.claims("admin.revoke"), "nothing makes the running target read its files again");
    assert!(silent.claims("admin.remove"), "a command speaks for itself");
    let half =
        load(&PLAIN.replace("grant.subscribe = { append = \"r {filter}\\n\", to = \"{acl}\" }\n", "")).expect("loads");
    assert!(!half.claims("admin.revoke"), "of the two rights of its protocol it gives one");
    let denied = load(&PLAIN.replace("acl = \"no rights\"", "\"admin.revoke\" = \"it forgets\"")).expect("loads");
    assert_eq!((denied.claims("admin.revoke"), denied.lacks("admin.revoke")), (false, Some("it forgets")));
}

#[test]
fn only_an_endpoint_and_a_program_are_required() {
    let least = "format = 1\nkind = \"process\"\n[process]\nprogram = \"x\"\n[[endpoint]]\nprotocol = \"stub\"\naddress = \"127.0.0.1:{port}\"\n";
    let spec = load(least).expect("loads");
    let TargetKind::Process(process) = &spec.kind else { panic!("{:?}", spec.kind) };
    assert_eq!(process.ready, Ready::Tcp("127.0.0.1:{port}".to_string()));
    assert!(spec.endpoints[0].speaks("1") && spec.endpoints[0].name == "stub");
    assert!(
        load(&least.replace("program = \"x\"\n", "")).is_err_and(|error| error.contains("missing key \"program\""))
    );
    assert!(load("format = 1\nkind = \"remote\"\n").is_err_and(|error| error.contains("missing key \"endpoint\"")));
}

#[test]
fn a_server_is_ready_when_it_answers_a_ping_of_its_protocol() {
    let pinged = PLAIN.replace("log = \"ready\"", "gram = \"127.0.0.1:{port}\"");
    let TargetKind::Process(process) = load(&pinged).expect("loads").kind else { panic!("a process") };
    let Ready::Ping(ping, address) = process.ready else { panic!("{:?}", process.ready) };
    assert_eq!((ping.datagram, address.as_str()), (&b"?"[..], "127.0.0.1:{port}"));
    refuses("log = \"ready\"", "gran = \"127.0.0.1:1\"", "unknown key \"gran\"; did you mean \"gram\"?");
    refuses("log = \"ready\"", "stub = \"127.0.0.1:1\"", "unknown key \"stub\"");
    refuses("log = \"ready\", ", "", "ready: one of tcp, udp, after, log or gram");
}

#[test]
fn mistakes_have_their_place() {
    refuses("grant.publish ", "grant.publsih ", "unknown key \"publsih\"; did you mean \"publish\"?");
    refuses("program =", "programm =", "t.toml:5:1: unknown key \"programm\"; did you mean \"program\"?");
    refuses("\"process\"", "\"proces\"", "t.toml:2:10: unknown kind \"proces\"; did you mean \"process\"?");
    refuses("protocol = \"stub\"", "protocol = \"stubb\"", "unknown protocol \"stubb\"");
    refuses("\"1\", \"2\"", "\"1\", \"3\"", "unknown version \"3\"");
    refuses(
        "[\"authenticated\"]",
        "[\"authenticatd\"]",
        "unknown capability \"authenticatd\"; did you mean \"authenticated\"?",
    );
    refuses("sessions =", "sesions =", "unknown capability \"sesions\"");
    refuses("\"not a feature\"", "\"\"", "sessions: say why it is lacking");
    refuses("sessions = \"not", "authenticated = \"not", "claimed and lacking at once");
    refuses("\"device\"", "\"plain\"", "two endpoints are called \"plain\"");
    refuses("program =", "reuse = \"run\"\nprogram =", "unknown reuse \"run\"");
    refuses("program =", "rounds = 5\nprogram =", "only a target with reuse");
    refuses("log = \"ready\"", "log = \"ready\", tcp = \"127.0.0.1:1\"", "one of tcp, udp, after, log or gram");
    refuses("within = \"2s\"", "within = \"1s..2s\"", "a range has no place here");
    refuses("signal = \"HUP\"", "signal = \"HUP\", run = [\"x\"]", "either signal");
    refuses("run = [\"stubd_passwd\", \"{name}\"]", "run = []", "a command has a program");
    refuses(", to = \"{acl}\"", "", "missing key \"to\"");
    refuses("2027-03-01", "2027-13-01", "until: the last day");
    refuses("role     =", "rôle =", "t.toml");
}

#[test]
fn every_key_that_loads_is_one_that_is_done() {
    refuses("signal = \"HUP\"", "signal = \"KILL\"", "unknown signal \"KILL\"");
    refuses("log = \"ready\"", "after = \"1s\"", "after says itself how long it takes");
    refuses("within = \"2s\"", "within = \"0s\"", "no program is ready in no time");
    refuses(
        "log = \"ready\"",
        "tcp = \"127.0.0.1:{port.x}\"",
        "{port.x} stands for nothing; the ports of the endpoints are {port}, {port.plain}, {port.device}",
    );
    refuses("127.0.0.1:{port.device}", "127.0.0.1", "address: a host and a port");
    refuses("127.0.0.1:{port.device}", "127.0.0.1:70000", "address: a host and a port");
    let file = |name: &str| {
        let least = "format = 1\nkind = \"process\"\n[process]\nprogram = \"x\"\n";
        let endpoint = "[[endpoint]]\nprotocol = \"stub\"\naddress = \"127.0.0.1:{port}\"\n";
        load(&alloc::format!("{least}[process.files]\n\"{name}\" = \"x\"\n{endpoint}")).map(|_| ())
    };
    assert_eq!(file("acl.conf"), Ok(()));
    for name in ["../acl", "/etc/passwd", "..", "", "a/b"] {
        assert!(file(name).is_err_and(|error| error.contains("is no plain file name")), "{name}");
    }
    let long = |n| alloc::format!("\"/{}\"", "x".repeat(n));
    let (longest, too_long) = (long(255), long(256));
    for (name, resource, loads) in [
        ("readable", "\"/a\"", true),
        ("readable", "[\"/a\"]", false),
        ("public", "[\"/a\"]", true),
        ("public", "[\"/a\", \"/b?x=1\"]", false),
        ("protected", "[\"/a\", \"/b/#\"]", true),
        ("public", "[]", false),
        ("readable", "\"\"", false),
        ("readable", "5", false),
        ("readable", "\"/a?x=1\"", false),
        ("readable", "\"coap://127.0.0.1/a\"", false),
        ("readable", "\"/a\\u0000b\"", false),
        ("readable", &longest, true),
        ("readable", &too_long, false),
    ] {
        let least = "format = 1\nkind = \"remote\"\nowner = \"me\"\n[[endpoint]]\nprotocol = \"stub\"\n";
        let text = alloc::format!("{least}address = \"127.0.0.1:7\"\nresources = {{ {name} = {resource} }}\n");
        assert_eq!(load(&text).is_ok(), loads, "{name} = {resource}");
        assert!(loads || load(&text).is_err_and(|error| error.starts_with("t.toml:7:13: resources: ")), "{resource}");
    }
    assert!(file("port").is_err_and(|error| error.contains("{port} stands for something else")));
    let of = |kind: &str, more: &str, address: &str| {
        let endpoint = alloc::format!("[[endpoint]]\nprotocol = \"stub\"\naddress = \"{address}\"\n");
        load(&alloc::format!("format = 1\nkind = \"{kind}\"\n{more}\n{endpoint}")).map(|_| ())
    };
    assert_eq!(of("remote", "owner = \"me\"", "192.0.2.1:7"), Ok(()));
    assert!(of("remote", "", "127.0.0.1:{port}").is_err_and(|error| error.contains("nothing is filled in")));
    let built = "build = \"broker\"";
    assert_eq!(of("in-process", built, "127.0.0.1:7"), Ok(()));
    let owned = alloc::format!("{built}\nowner = \"me\"");
    assert!(of("in-process", &owned, "127.0.0.1:7").is_err_and(|error| error.contains("sends nothing")));
    let orders = "[account]\nadd = { run = [\"x\"] }";
    assert!(of("remote", orders, "127.0.0.1:7").is_err_and(|error| error.contains("takes no orders")));
    let given = "[[account.given]]\nname = \"a\"\npassword_env = \"A\"";
    assert_eq!(of("remote", given, "127.0.0.1:7"), Ok(()));
    let accounts = alloc::format!("{built}\n{given}");
    assert!(of("in-process", &accounts, "127.0.0.1:7").is_err_and(|error| error.contains("makes its accounts itself")));
}

#[test]
fn what_no_program_could_be_told_is_refused_with_its_line() {
    refuses("127.0.0.1:{port.device}", "[::1]:{port}", "t.toml:27:12: address: IPv6 is not spoken");
    refuses("127.0.0.1:{port.device}", "a b:{port}", "t.toml:27:12: address: a host and a port");
    refuses("127.0.0.1:{port.device}", "127.0.0.1:{port.gone}", "t.toml:27:12: {port.gone} stands for nothing");
    refuses("127.0.0.1:{port.device}", "127.0.0.1:{prot}", "t.toml:27:12: {prot} stands for nothing");
    refuses("\"{config}\"]", "\"{port.gone}\"]", "t.toml:6:18: {port.gone} stands for nothing");
    refuses("HOME = \"{dir}\"", "PORT = \"{port.gone}\"", "{port.gone} stands for nothing");
    refuses("listen {port}", "listen {port.gone}", "{port.gone} stands for nothing");
    assert!(
        load(&PLAIN.replace("listen {port}", "{\\\"listen\\\": {port.plain}, {}, {gone}")).is_ok(),
        "other braces stay"
    );
    for name in ["", " ", "a b", "a/b", "..", "-a", "ä"] {
        refuses("\"device\"", &alloc::format!("\"{name}\""), "letters and digits");
    }
    assert!(load(&PLAIN.replace("device", "dev-1_b.c")).is_ok());
}

#[test]
fn a_pattern_that_matches_everything_or_does_not_read_is_refused_with_its_line() {
    refuses("log = \"ready\"", "log = \"\"", "t.toml:7:19: log: an empty pattern matches whatever comes");
    refuses("log = \"again\"", "log = \"\"", "log: an empty pattern");
    let reads = |text: &str| if text.contains('(') { Err(String::from("it is open")) } else { Ok(()) };
    let registry = Registry { pattern: Some(reads), ..stub_registry() };
    let with = |from: &str, to: &str| TargetSpec::load("t", "t.toml", &PLAIN.replace(from, to), &registry);
    let said = |from: &str, to: &str| with(from, to).expect_err(to).to_string();
    assert!(said("'version (\\S+)'", "'version ('").contains("match: no regular expression: it is open"));
    let plain = PLAIN.replace("'version (\\S+)'", "'version'");
    assert!(TargetSpec::load("t", "t.toml", &plain, &registry).is_ok());
    let ready = TargetSpec::load("t", "t.toml", &plain.replace("\"ready\"", "\"(\""), &registry);
    assert!(ready.is_err_and(|error| error.to_string().contains("t.toml:7:19: log: no regular expression")));
}

#[test]
fn a_flaw_of_an_in_process_target_is_known() {
    let text = |flaw: &str| {
        alloc::format!(
            "format = 1\nkind = \"in-process\"\nbuild = \"broker\"\nflaws = [\"{flaw}\"]\n[[endpoint]]\nprotocol = \"stub\"\naddress = \"127.0.0.1:7\"\n"
        )
    };
    assert!(
        matches!(load(&text("forgets")).expect("loads").kind, TargetKind::InProcess { flaws, .. } if flaws == ["forgets"])
    );
    assert!(
        load(&text("forget")).is_err_and(|error| error.contains("unknown flaw \"forget\"; did you mean \"forgets\"?"))
    );
}

#[test]
fn a_url_names_a_target_that_claims_nothing() {
    let from = |url| TargetSpec::from_url(url, &stub_registry());
    let spec = from("stub://127.0.0.1:1234").expect("a URL");
    assert_eq!(spec.endpoints[0].address, "127.0.0.1:1234");
    assert!(spec.endpoints[0].speaks("2") && spec.endpoints[0].claims.is_empty());
    assert_eq!(from("stub://localhost/").expect("a URL").endpoints[0].address, "127.0.0.1:7");
    assert_eq!(from("http://127.0.0.1").expect_err("scheme"), "unknown scheme \"http\"; use stub://, dumb://, gram://");
    assert!(from("127.0.0.1:7").is_err_and(|error| error.contains("is no URL")));
    assert!(from("stub://example.org:7").is_err_and(|error| error.contains("not an IPv4 address")));
    assert!(from("stub://127.0.0.1:0").is_err_and(|error| error.contains("not a port")));
    assert!(from("stub://127.0.0.1:70000").is_err_and(|error| error.contains("not a port")));
}
