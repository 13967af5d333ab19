//! What neither the compiler nor a linter knows: rules of this project, each said with file and line.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Checks everything; says each breach in a line. Whether there was none.
pub fn tidy(root: &Path) -> bool {
    let files = tracked(root);
    let mut wrong = Vec::new();
    clauses(root, &files, &mut wrong);
    levels(root, &files, &mut wrong);
    keys(root, &files, &mut wrong);
    toml_1_0(root, &files, &mut wrong);
    arrows(root, &mut wrong);
    protocols(root, &files, &mut wrong);
    for line in &wrong {
        eprintln!("tidy: {line}");
    }
    eprintln!("tidy: {} files, {} breach(es)", files.len(), wrong.len());
    wrong.is_empty()
}

fn tracked(root: &Path) -> Vec<PathBuf> {
    let out = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().expect("git lists the files");
    let names = String::from_utf8(out.stdout).expect("file names are UTF-8");
    names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).filter(|p| root.join(p).exists()).collect()
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|e| e == wanted)
}

/// Only clauses that exist are cited: `MQTT5 3.1.4-3` and `RFC 7252 §4.2`; in scenarios `mqtt5:3.1.4-3` and `rfc7252:4.2`.
fn clauses(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) {
    let known = known_clauses(root);
    for path in files.iter().filter(|p| has_extension(p, "rs") || has_extension(p, "toml") || has_extension(p, "md")) {
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        for (at, line) in text.lines().enumerate() {
            for cited in cited(line).into_iter().filter(|cited| !known.contains_key(cited)) {
                wrong.push(format!("{}:{}: no such clause: {cited}", path.display(), at + 1));
            }
        }
    }
}

/// Every clause with what it demands of a server: `must`, `should`, `may`, `client` (it binds the other side), `none`.
fn known_clauses(root: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(root.join("harness/core/src/clauses.txt"))
        .expect("harness/core/src/clauses.txt is in the repository");
    let rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.len() > 1).map(|row| (row[0].to_string(), row[1].to_string())).collect()
}

/// A scenario's level is no higher than what its clauses demand of a server, in each of its versions; or the target's own file says
/// that it keeps a policy, and is taken at its word.
fn levels(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) {
    let known = known_clauses(root);
    for path in files.iter().filter(|p| p.starts_with("scenarios") && has_extension(p, "toml")) {
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        let Ok(file) = text.parse::<toml::Table>() else { continue };
        if !file.contains_key("fleet") || texts(&file, "needs").iter().any(|need| DECLARED.contains(need)) {
            continue;
        }
        let level = file.get("level").and_then(toml::Value::as_str).unwrap_or("must");
        let spec = texts(&file, "spec");
        for document in documents(&file) {
            let of = spec.iter().filter(|clause| clause.starts_with(document));
            let duty =
                of.flat_map(|clause| cited(clause)).filter_map(|clause| known.get(&clause)).map(|duty| weight(duty));
            if duty.max().unwrap_or(0) < weight(level) {
                let name = if document.is_empty() { "its documents" } else { document };
                wrong.push(format!("{}: level {level:?}, and no clause of {name} in `spec` says so", path.display()));
            }
        }
    }
}

/// What a target says of itself: breaking it weighs as much as a clause.
const DECLARED: [&str; 4] = ["acl", "authenticated", "admin.revoke", "resource.protected"];

fn texts<'a>(file: &'a toml::Table, key: &str) -> Vec<&'a str> {
    match file.get(key) {
        Some(toml::Value::String(one)) => vec![one],
        Some(toml::Value::Array(all)) => all.iter().filter_map(toml::Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// How the clauses of each of its versions begin; one empty beginning where it names no version.
fn documents(file: &toml::Table) -> Vec<&'static str> {
    let versions = texts(file, "version");
    match versions.is_empty() {
        true => vec![""],
        false => versions.iter().map(|version| if *version == "5" { "mqtt5" } else { "mqtt3" }).collect(),
    }
}

fn weight(word: &str) -> u8 {
    match word {
        "must" => 2,
        "should" => 1,
        _ => 0,
    }
}

/// A key that a rule or a behaviour declares is read by its crate: one that loads and is never asked for does nothing.
fn keys(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) {
    let source = |path: &&PathBuf| has_extension(path, "rs") && path.starts_with("harness");
    let sources: Vec<(String, String)> = files
        .iter()
        .filter(source)
        .filter(|path| !path.to_string_lossy().contains("tests"))
        .filter_map(|path| Some((path.to_string_lossy().into_owned(), fs::read_to_string(root.join(path)).ok()?)))
        .collect();
    let declares = |path: &str| path.contains("/oracle/") || path.contains("/behaviour/");
    for (path, text) in sources.iter().filter(|(path, _)| declares(path)) {
        let of_crate = path.split("/src/").next().unwrap_or_default();
        let crate_sources = || sources.iter().filter(|(other, _)| other.starts_with(of_crate));
        for name in declared(text) {
            let said = format!("\"{name}\"");
            let count = |text: &str| text.matches(&said).count() - text.matches(&format!("name: {said}")).count();
            if crate_sources().all(|(_, text)| count(text) == 0) {
                wrong.push(format!("{path}: nothing reads the key {name:?}"));
            }
        }
    }
}

/// Names of the keys that a source declares.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("Key {").skip(1).filter_map(|rest| rest.trim_start().strip_prefix("name: \""));
    after.filter_map(|rest| rest.split('"').next())
}

/// The clauses in a line, in the form of `harness/core/src/clauses.txt`.
fn cited(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (prefix, version) in [("MQTT3 ", "MQTT3"), ("MQTT5 ", "MQTT5"), ("mqtt3:", "MQTT3"), ("mqtt5:", "MQTT5")] {
        for (at, _) in line.match_indices(prefix) {
            let rest = &line[at + prefix.len()..];
            let (sign, rest) = rest.strip_prefix('§').map_or(("", rest), |rest| ("§", rest));
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(rest.len());
            let number = rest[..end].trim_end_matches(['.', '-']);
            if number.contains('.') && number.starts_with(|c: char| c.is_ascii_digit()) {
                all.push(format!("{version} {sign}{number}"));
            }
        }
    }
    all.extend(cited_rfcs(line, "RFC ", " §"));
    all.extend(cited_rfcs(line, "rfc", ":"));
    all
}

/// Sections of RFCs: any RFC, so that one that may not be cited is found too.
fn cited_rfcs(line: &str, prefix: &str, between: &str) -> Vec<String> {
    let section = |(at, _)| {
        let (document, rest) = line[at + prefix.len()..].split_once(between)?;
        let number = document.len() == 4 && document.bytes().all(|b| b.is_ascii_digit());
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(rest.len());
        let place = rest[..end].trim_end_matches(['.', '-']);
        (number && place.starts_with(|c: char| c.is_ascii_digit())).then(|| format!("RFC {document} §{place}"))
    };
    line.match_indices(prefix).filter_map(section).collect()
}

/// Scenario and target files read in every TOML tool, not only in the newest.
fn toml_1_0(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) {
    let data = |p: &&PathBuf| has_extension(p, "toml") && (p.starts_with("scenarios") || p.starts_with("targets"));
    for path in files.iter().filter(data) {
        let text = fs::read_to_string(root.join(path)).unwrap_or_default();
        if let Err(error) = text.parse::<toml::Table>() {
            wrong.push(format!("{}: not TOML 1.0: {}", path.display(), error.message()));
        }
    }
}

/// What may stand below `core`, however deep: no socket, no thread, no clock can creep in.
const BELOW_CORE: &[&str] = &[
    "block-buffer",
    "cfg-if",
    "const-oid",
    "cpufeatures",
    "crypto-common",
    "digest",
    "hybrid-array",
    "itoa",
    "memchr",
    "proc-macro2",
    "proofhouse-core",
    "quote",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "serde_spanned",
    "sha2",
    "syn",
    "toml",
    "toml_datetime",
    "toml_parser",
    "toml_writer",
    "typenum",
    "unicode-ident",
    "winnow",
    "zmij",
];

/// `core` depends on nothing but the allow list; `mqtt` and `coap` on `core` alone.
fn arrows(root: &Path, wrong: &mut Vec<String>) {
    let own = [
        ("proofhouse-core", None),
        ("proofhouse-mqtt", Some("proofhouse-mqtt")),
        ("proofhouse-coap", Some("proofhouse-coap")),
    ];
    for (package, more) in own {
        let args = ["tree", "-p", package, "-e", "normal,build", "--prefix", "none", "--format", "{p}"];
        let out = Command::new("cargo").args(args).current_dir(root).output().expect("cargo prints the tree");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let names: BTreeSet<&str> =
            text.lines().filter_map(|line| line.split(' ').next()).filter(|n| !n.is_empty()).collect();
        if names.is_empty() {
            wrong.push(format!("{package}: cargo tree says nothing: {}", String::from_utf8_lossy(&out.stderr)));
        }
        for name in names.iter().filter(|n| !BELOW_CORE.contains(n) && Some(**n) != more) {
            wrong.push(format!("{package} depends on {name}, which is not on the allow list of ci/src/tidy.rs"));
        }
    }
}

/// Words and wildcards of single protocols: what they mean stands in a row of that protocol, never in the engine.
const PROTOCOL_WORDS: &[&str] = &["connect", "disconnect", "publish", "subscribe", "qos", "topic", "+", "#"];

/// Names of protocols: neither the engine nor the runner over sockets knows one.
const PROTOCOL_NAMES: &[&str] = &["mqtt", "coap"];

/// The engine knows no protocol by its words either: no literal of `core` outside tests is one, and none of `live` names one.
fn protocols(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) {
    let code = |p: &&PathBuf| has_extension(p, "rs") && !is_test(p);
    for path in files.iter().filter(code) {
        let words: &[&[&str]] = match path {
            _ if path.starts_with("harness/core/src") => &[PROTOCOL_WORDS, PROTOCOL_NAMES],
            _ if path.starts_with("harness/live/src") => &[PROTOCOL_NAMES],
            _ => continue,
        };
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        for (line, word) in words.iter().flat_map(|words| protocol_words(&text, words)) {
            let place = path.display();
            wrong.push(format!("{place}:{line}: {word:?} is a word of a protocol: ask its row (core::protocol)"));
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| ["tests", "tests.rs", "testing"].iter().any(|own| part == *own))
}

/// Literals that are nothing but a word of a protocol, each with its line; a module of tests, and comments, do not count.
fn protocol_words(text: &str, words: &[&'static str]) -> Vec<(usize, &'static str)> {
    let tests = text.find("\n#[cfg(test)]\nmod tests {").map_or(text.len(), |at| at + 1);
    let code = text[..tests].lines().enumerate();
    let said = |line: &str, word: &str| {
        let code = line.split("//").next().unwrap_or_default();
        ['"', '\''].iter().any(|quote| code.contains(&format!("{quote}{word}{quote}")))
    };
    code.flat_map(|(at, line)| words.iter().filter(move |word| said(line, word)).map(move |word| (at + 1, *word)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_found_in_both_forms() {
        assert_eq!(cited("[MQTT5 3.1.4-3], `mqtt3:3.1.4-2`"), ["MQTT5 3.1.4-3", "MQTT3 3.1.4-2"]);
        assert_eq!(cited("see MQTT5 §4.13.1."), ["MQTT5 §4.13.1"]);
        assert_eq!(
            cited("[RFC 7252 §4.2, RFC 7959 §4]; \"rfc7641:3.3.1\""),
            ["RFC 7252 §4.2", "RFC 7959 §4", "RFC 7641 §3.3.1"]
        );
        let ordinal = ["rfc7252", "4.2-1"].join(":");
        assert_eq!(cited(&ordinal), [format!("RFC 7252 §{}", "4.2-1")]);
        assert!(cited("MQTT5 only, MQTT3 too, RFC 7252 as a whole, RFC 8132: more methods").is_empty());
    }

    #[test]
    fn a_protocol_that_creeps_into_the_engine_is_found_by_its_words() {
        let words = |text: &str| protocol_words(text, PROTOCOL_WORDS);
        assert_eq!(protocol_words("row.name == \"coap\"", PROTOCOL_NAMES), [(1, "coap")]);
        assert_eq!(words("fn a() {\n    verb == \"connect\"\n}"), [(2, "connect")]);
        assert_eq!(words("match part { \"#\" => true }, part == '+'"), [(1, "+"), (1, "#")]);
        let fine = "// \"publish\" is only named\nlet verb = \"open\"; // \"qos\"\nlet told = \"who can connect\";";
        assert_eq!(words(fine), []);
        let tests = "const A: u8 = 1;\n#[cfg(test)]\nmod tests {\n    const TOPIC: &str = \"topic\";\n}";
        assert_eq!(words(tests), []);
        assert_eq!(words("\n#[cfg(test)]\nmod tests;\nconst A: &str = \"topic\";"), [(4, "topic")]);
    }
}
