//! Every key of a target file. Templates stay text: whoever starts the target fills them in.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::{AccountSpec, Change, Endpoint, Given, Known, ProcessSpec, Ready, Reload, TargetKind, TargetSpec};
use crate::document::{Keys, Located, Mistake, Span};
use crate::finding::Signature;
use crate::protocol::Transport;
use crate::registry::Registry;
use crate::scenario::{capabilities, format, rights};
use crate::time::Duration;
use crate::value::{Fields, Value, hex};

pub(super) fn spec(name: &str, text: &str, tree: &mut Located, registry: &Registry) -> Result<TargetSpec, Mistake> {
    let mut keys = Keys::of(tree, "a target")?;
    format(&mut keys)?;
    let endpoints = endpoints(&mut keys, registry)?;
    let spec = TargetSpec {
        name: name.to_string(),
        kind: kind(&mut keys, registry, &endpoints)?,
        account: keys.table("account")?.map(|keys| account(keys, &endpoints, registry)).transpose()?,
        known: keys.list("known")?.iter_mut().map(known).collect::<Result<_, _>>()?,
        digest: digest(text),
        owner: keys.text("owner")?,
        endpoints,
    };
    fits(&mut keys, &spec)?;
    keys.finish()?;
    Ok(spec)
}

/// What a file says must be done for a target of its kind: a key that is read and not done is a false promise.
fn fits(keys: &mut Keys<'_>, spec: &TargetSpec) -> Result<(), Mistake> {
    let refuse = |span, text: &str| Err(Mistake::new(span, text));
    let changes = spec.account.as_ref().is_some_and(AccountSpec::changes);
    match &spec.kind {
        TargetKind::InProcess { .. } if spec.account.is_some() => {
            refuse(keys.span_of("account"), "account: an in-process target makes its accounts itself")
        }
        TargetKind::InProcess { .. } if spec.owner.is_some() => {
            refuse(keys.span_of("owner"), "owner: an in-process target sends nothing to any address")
        }
        TargetKind::Remote if changes => refuse(
            keys.span_of("account"),
            "account: a target that runs elsewhere takes no orders; it gives accounts with [[account.given]]",
        ),
        TargetKind::Remote if spec.endpoints.iter().any(|endpoint| endpoint.address.contains('{')) => {
            refuse(keys.span_of("endpoint"), "address: nothing is filled in for a target that runs elsewhere")
        }
        _ => Ok(()),
    }
}

/// `host:port`; the port may be a template.
fn address(keys: &mut Keys<'_>, key: &str) -> Result<Option<String>, Mistake> {
    let Some(text) = keys.text(key)? else { return Ok(None) };
    let port = |text: &str| text.contains('{') || text.parse::<u16>().is_ok_and(|port| port > 0);
    let named = |host: &str| !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || ".-_{}".contains(c));
    match text.rsplit_once(':') {
        Some((host, number)) if named(host) && port(number) => Ok(Some(text)),
        Some((host, _)) if host.contains(':') => Err(Mistake::new(
            keys.span_of(key),
            format!("{key}: IPv6 is not spoken; write an IPv4 address, such as \"127.0.0.1:{{port}}\""),
        )),
        _ => Err(Mistake::new(keys.span_of(key), format!("{key}: a host and a port, such as \"127.0.0.1:{{port}}\""))),
    }
}

/// SHA-256 of the text that names a target, in hex.
pub(super) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

#[derive(Clone, Copy)]
enum What {
    InProcess,
    Process,
    Remote,
}

fn kind(keys: &mut Keys<'_>, registry: &Registry, endpoints: &[Endpoint]) -> Result<TargetKind, Mistake> {
    let known = [("in-process", What::InProcess), ("process", What::Process), ("remote", What::Remote)];
    let what = keys.word("kind", &known)?;
    match keys.need("kind", what)? {
        What::Remote => Ok(TargetKind::Remote),
        What::InProcess => in_process(keys, registry),
        What::Process => {
            let process = keys.table("process")?.map(|keys| process(keys, endpoints, registry)).transpose()?;
            keys.need("process", process).map(TargetKind::Process)
        }
    }
}

fn in_process(keys: &mut Keys<'_>, registry: &Registry) -> Result<TargetKind, Mistake> {
    let build = keys.text("build")?;
    let build = keys.need("build", build)?;
    let builds = || registry.builds.iter().map(|build| build.name);
    if builds().next().is_some() && !builds().any(|known| known == build) {
        return Err(Mistake::unknown(keys.span_of("build"), "build", &build, builds()));
    }
    let flaws = keys.texts("flaws")?;
    let planted = || registry.flaws.iter().map(|(flaw, _)| *flaw);
    if let Some((flaw, span)) =
        flaws.iter().find(|(flaw, _)| planted().next().is_some() && !planted().any(|known| known == flaw))
    {
        return Err(Mistake::unknown(*span, "flaw", flaw, planted()));
    }
    Ok(TargetKind::InProcess { build, flaws: words(flaws) })
}

fn words(texts: Vec<(String, Span)>) -> Vec<String> {
    texts.into_iter().map(|(text, _)| text).collect()
}

fn process(mut keys: Keys<'_>, endpoints: &[Endpoint], registry: &Registry) -> Result<ProcessSpec, Mistake> {
    let program = keys.text("program")?;
    let program = keys.need("program", program)?;
    if program.is_empty() {
        return Err(Mistake::new(keys.span_of("program"), "program: a command has a program at least"));
    }
    let campaign = keys.word("reuse", &[("trial", false), ("campaign", true)])?.unwrap_or(false);
    let rounds = keys.int("rounds", 2..=1_000_000)?;
    if let (Some(_), false) = (rounds, campaign) {
        return Err(Mistake::new(
            keys.span_of("rounds"),
            "rounds: only a target with reuse = \"campaign\" plays several",
        ));
    }
    let rounds = rounds.and_then(|n| u32::try_from(n).ok()).unwrap_or(ROUNDS);
    let ready = keys.table("ready")?.map(|keys| ready(keys, endpoints, registry)).transpose()?;
    let first = &endpoints[0];
    let listens = match registry.protocol(&first.protocol).map(|row| row.transport) {
        Some(Transport::Datagram) => Ready::Udp,
        _ => Ready::Tcp,
    };
    let (ready, ready_within) = ready.unwrap_or_else(|| (listens(first.address.clone()), READY_WITHIN));
    let (args, env, files) = (keys.texts("args")?, named_texts(&mut keys, "env")?, files(&mut keys)?);
    let env_texts = env.iter().map(|(_, text)| (text, keys.span_of("env")));
    let file_texts = files.iter().map(|(_, text)| (text, keys.span_of("files")));
    for (text, span) in args.iter().map(|(text, span)| (text, *span)).chain(env_texts).chain(file_texts) {
        if let Some(word) = unknown_words(text, endpoints).find(|word| word.starts_with("port.")) {
            return Err(no_such_port(span, word, endpoints));
        }
    }
    let spec = ProcessSpec {
        program,
        args: words(args),
        env,
        files,
        ready,
        ready_within,
        version: keys.table("version")?.map(|keys| version(keys, registry)).transpose()?,
        install: keys.text("install")?,
        rounds: if campaign { rounds } else { 1 },
    };
    keys.finish()?;
    Ok(spec)
}

/// Rounds that one start of a target with `reuse = "campaign"` plays, where its file does not say: enough to hide a start of half a
/// minute, few enough that what piles up in it stays small.
const ROUNDS: u32 = 100;

/// A table of texts.
fn named_texts(keys: &mut Keys<'_>, key: &str) -> Result<Vec<(String, String)>, Mistake> {
    let Some(mut table) = keys.table(key)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for name in table.rest() {
        let text = table.text(&name)?.unwrap_or_default();
        all.push((name, text));
    }
    Ok(all)
}

/// Words that stand for something else than a file.
const TAKEN: [&str; 6] = ["port", "dir", "self", "name", "password", "filter"];

/// Files for the target's folder. A name is a word of the templates too, and no path: nothing is written anywhere else.
fn files(keys: &mut Keys<'_>) -> Result<Vec<(String, String)>, Mistake> {
    let all = named_texts(keys, "files")?;
    let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '{', '}']);
    let free = |name: &str| !TAKEN.contains(&name) && !name.starts_with("port.");
    match all.iter().find(|(name, _)| !plain(name) || !free(name)) {
        Some((name, _)) if plain(name) => Err(Mistake::new(
            keys.span_of("files"),
            format!("files: {{{name}}} stands for something else; name it otherwise"),
        )),
        Some((name, _)) => Err(Mistake::new(keys.span_of("files"), format!("files: {name:?} is no plain file name"))),
        None => Ok(all),
    }
}

/// How long a program may take to be ready, where its file does not say.
const READY_WITHIN: Duration = Duration::from_secs(5);

fn ready(mut keys: Keys<'_>, endpoints: &[Endpoint], registry: &Registry) -> Result<(Ready, Duration), Mistake> {
    let mut ways = alloc::vec![
        address(&mut keys, "tcp")?.map(Ready::Tcp),
        address(&mut keys, "udp")?.map(Ready::Udp),
        keys.duration("after")?.map(Ready::After),
        pattern(&mut keys, "log", registry)?.map(Ready::Log),
    ];
    for (name, ping) in registry.pings() {
        ways.push(address(&mut keys, name)?.map(|address| Ready::Ping(ping, address)));
    }
    let within = keys.duration("within")?;
    if within.is_some_and(|within| within.is_zero()) {
        return Err(Mistake::new(keys.span_of("within"), "within: no program is ready in no time"));
    }
    let limited = within.is_some();
    let within = within.unwrap_or(READY_WITHIN);
    let span = keys.span();
    keys.finish()?;
    let mut said = ways.into_iter().flatten();
    match (said.next(), said.next()) {
        (Some(Ready::After(_)), None) if limited => {
            Err(Mistake::new(span, "ready: after says itself how long it takes; within has nothing to limit"))
        }
        (Some(ready), None) => match ready.address().and_then(|address| unknown_words(address, endpoints).next()) {
            Some(word) => Err(no_such_port(span, word, endpoints)),
            None => Ok((ready, within)),
        },
        _ => {
            let pings: String = registry.pings().map(|(name, _)| format!(" or {name}")).collect();
            Err(Mistake::new(span, format!("ready: one of tcp, udp, after, log{pings}")))
        }
    }
}

/// The words in braces that are no port of an endpoint.
fn unknown_words<'a>(text: &'a str, endpoints: &[Endpoint]) -> impl Iterator<Item = &'a str> {
    let words = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    let named = |name: &str| endpoints.iter().any(|endpoint| endpoint.name == name);
    words.filter(move |word| *word != "port" && !word.strip_prefix("port.").is_some_and(named))
}

fn no_such_port(span: Span, word: &str, endpoints: &[Endpoint]) -> Mistake {
    let known: String = endpoints.iter().map(|endpoint| format!(", {{port.{}}}", endpoint.name)).collect();
    Mistake::new(span, format!("{{{word}}} stands for nothing; the ports of the endpoints are {{port}}{known}"))
}

/// A regular expression that something has to match.
fn pattern(keys: &mut Keys<'_>, key: &str, registry: &Registry) -> Result<Option<String>, Mistake> {
    let Some(text) = keys.text(key)? else { return Ok(None) };
    if text.is_empty() {
        return Err(Mistake::new(keys.span_of(key), format!("{key}: an empty pattern matches whatever comes")));
    }
    match registry.pattern.map_or(Ok(()), |reads| reads(&text)) {
        Ok(()) => Ok(Some(text)),
        Err(why) => Err(Mistake::new(keys.span_of(key), format!("{key}: no regular expression: {why}"))),
    }
}

/// `{ run = ["mosquitto", "-h"], match = 'version (\S+)' }`.
fn version(mut keys: Keys<'_>, registry: &Registry) -> Result<(Vec<String>, String), Mistake> {
    let run = command(&mut keys)?;
    let run = keys.need("run", run)?;
    let pattern = pattern(&mut keys, "match", registry)?;
    let pattern = keys.need("match", pattern)?;
    keys.finish()?;
    Ok((run, pattern))
}

fn command(keys: &mut Keys<'_>) -> Result<Option<Vec<String>>, Mistake> {
    let run = words(keys.texts("run")?);
    match keys.value("run") {
        Some(value) if run.is_empty() => Err(Mistake::new(value.span, "run: a command has a program at least")),
        value => Ok(value.is_some().then_some(run)),
    }
}

fn endpoints(keys: &mut Keys<'_>, registry: &Registry) -> Result<Vec<Endpoint>, Mistake> {
    let span = keys.span();
    let mut all: Vec<Endpoint> = Vec::new();
    let mut addresses = Vec::new();
    for value in keys.list("endpoint")? {
        let span_of = |key: &str| value.find(key).map_or(value.span, |found| found.span);
        let at = span_of("name");
        addresses.push(span_of("address"));
        let endpoint = endpoint(Keys::of(value, "an endpoint")?, registry)?;
        if all.iter().any(|other| other.name == endpoint.name) {
            return Err(Mistake::new(at, format!("two endpoints are called {:?}", endpoint.name)));
        }
        all.push(endpoint);
    }
    if all.is_empty() {
        return Err(keys
            .need::<()>("endpoint", None)
            .err()
            .unwrap_or_else(|| Mistake::new(span, "missing key \"endpoint\"")));
    }
    for (endpoint, span) in all.iter().zip(addresses) {
        if let Some(word) = unknown_words(&endpoint.address, &all).next() {
            return Err(no_such_port(span, word, &all));
        }
    }
    Ok(all)
}

fn endpoint(mut keys: Keys<'_>, registry: &Registry) -> Result<Endpoint, Mistake> {
    let protocol = keys.text("protocol")?;
    let protocol = keys.need("protocol", protocol)?;
    let Some(row) = registry.protocol(&protocol) else {
        let known = registry.protocols.iter().map(|row| row.name);
        return Err(Mistake::unknown(keys.span_of("protocol"), "protocol", &protocol, known));
    };
    let address = address(&mut keys, "address")?;
    let address = keys.need("address", address)?;
    let versions = keys.texts("versions")?;
    if let Some((version, span)) = versions.iter().find(|(version, _)| !row.versions.contains(&version.as_str())) {
        return Err(Mistake::unknown(*span, "version", version, row.versions));
    }
    let endpoint = Endpoint {
        name: name(&mut keys)?.unwrap_or_else(|| protocol.clone()),
        versions: words(versions),
        client: keys.word("role", &[("server", false), ("client", true)])?.unwrap_or(false),
        address,
        claims: claims(&mut keys, registry)?,
        lacks: lacks(&mut keys, registry)?,
        resources: resources(&mut keys)?,
        protocol,
    };
    keys.finish()?;
    Ok(endpoint)
}

/// An endpoint's name is a word of the templates: `{port.plain}`.
fn name(keys: &mut Keys<'_>) -> Result<Option<String>, Mistake> {
    let Some(text) = keys.text("name")? else { return Ok(None) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
        true => Ok(Some(text)),
        false => Err(Mistake::new(
            keys.span_of("name"),
            format!("name: {text:?}: letters and digits, with - _ . behind the first"),
        )),
    }
}

fn claims(keys: &mut Keys<'_>, registry: &Registry) -> Result<Vec<String>, Mistake> {
    let claims = keys.texts("claims")?;
    claims.iter().try_for_each(|(name, span)| known_capability(name, *span, registry))?;
    Ok(words(claims))
}

fn lacks(keys: &mut Keys<'_>, registry: &Registry) -> Result<Vec<(String, String)>, Mistake> {
    let claimed: Vec<String> = words(keys.texts("claims")?);
    let Some(mut table) = keys.table("lacks")? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for name in table.rest() {
        let reason = table.text(&name)?.unwrap_or_default();
        let span = table.span_of(&name);
        known_capability(&name, span, registry)?;
        if claimed.contains(&name) {
            return Err(Mistake::new(span, format!("{name} is claimed and lacking at once")));
        }
        if reason.is_empty() {
            return Err(Mistake::new(span, format!("{name}: say why it is lacking")));
        }
        all.push((name, reason));
    }
    Ok(all)
}

fn known_capability(name: &str, span: Span, registry: &Registry) -> Result<(), Mistake> {
    let known = capabilities(registry);
    if known.is_empty() || name.starts_with("resource.") || known.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(Mistake::unknown(span, "capability", name, known))
}

fn resources(keys: &mut Keys<'_>) -> Result<Fields, Mistake> {
    let Some(value) = keys.value("resources") else { return Ok(Fields::default()) };
    match value.plain() {
        Value::Table(fields) => {
            let odd = fields.iter().find_map(|(name, value)| Some((name, odd_resource(name, value)?)));
            let mistake = |(name, why)| Mistake::new(value.span, format!("resources: {name}: {why}"));
            odd.map_or(Ok(()), |odd| Err(mistake(odd)))?;
            Ok(fields)
        }
        _ => Err(Mistake::new(value.span, format!("resources is a table, found {}", value.what()))),
    }
}

/// What stands for several paths.
const LISTS: [&str; 2] = ["public", "protected"];

/// Why a resource cannot be asked for.
fn odd_resource(name: &str, value: &Value) -> Option<&'static str> {
    match value {
        Value::List(_) if !LISTS.contains(&name) => Some("one path; only public and protected are lists of paths"),
        Value::List(all) if all.is_empty() => Some("a path, or a list of paths"),
        Value::List(all) => all.iter().find_map(odd_path),
        one => odd_path(one),
    }
}

fn odd_path(value: &Value) -> Option<&'static str> {
    /// Longer ones have no place in a Uri-Path.
    const SEGMENT_MAX: usize = 255;
    match value.as_text() {
        None | Some("") => Some("a path, or a list of paths"),
        Some(text) if text.contains("://") => Some("a path alone: the endpoint says where it is"),
        Some(text) if text.contains('?') => Some("a path without a query"),
        Some(text) if text.contains(char::is_control) => Some("no path has control characters"),
        Some(text) if text.split('/').any(|segment| segment.len() > SEGMENT_MAX) => {
            Some("no part of a path is longer than 255 bytes")
        }
        Some(_) => None,
    }
}

fn account(mut keys: Keys<'_>, endpoints: &[Endpoint], registry: &Registry) -> Result<AccountSpec, Mistake> {
    let spec = AccountSpec {
        add: keys.table("add")?.map(change).transpose()?,
        remove: keys.table("remove")?.map(change).transpose()?,
        grants: grants(keys.table("grant")?, endpoints, registry)?,
        reload: keys.table("reload")?.map(|keys| reload(keys, registry)).transpose()?,
        given: keys.list("given")?.iter_mut().map(|one| given(one, registry)).collect::<Result<_, _>>()?,
    };
    keys.finish()?;
    Ok(spec)
}

/// `{ publish = { run = [..] } }`: how rights are given, and which ones are not.
fn grants(
    table: Option<Keys<'_>>,
    endpoints: &[Endpoint],
    registry: &Registry,
) -> Result<BTreeMap<String, Option<Change>>, Mistake> {
    let spoken = endpoints.iter().filter_map(|endpoint| registry.protocol(&endpoint.protocol));
    let mut all: BTreeMap<String, Option<Change>> =
        spoken.flat_map(|row| row.rights).map(|right| (right.name.to_string(), None)).collect();
    let Some(mut table) = table else { return Ok(all) };
    for right in registry.rights() {
        if let Some(keys) = table.table(right.name)? {
            all.insert(right.name.to_string(), Some(change(keys)?));
        }
    }
    table.finish()?;
    Ok(all)
}

/// `{ run = [..] }` or `{ append = "..", to = "{file}" }`.
fn change(mut keys: Keys<'_>) -> Result<Change, Mistake> {
    let run = command(&mut keys)?;
    let append = keys.text("append")?;
    let to = keys.text("to")?;
    let span = keys.span();
    let change = match (run, append) {
        (Some(run), None) if to.is_none() => Change::Run(run),
        (None, Some(text)) => Change::Append { text, to: keys.need("to", to)? },
        (None, None) => {
            keys.finish()?;
            return Err(Mistake::new(span, "a change is run = [\"..\"], or append = \"..\" with to = \"{file}\""));
        }
        _ => return Err(Mistake::new(span, "a change is either run or append")),
    };
    keys.finish()?;
    Ok(change)
}

/// Signals that may ask a target to read its files again.
const SIGNALS: [&str; 5] = ["HUP", "INT", "TERM", "USR1", "USR2"];

/// How long a reload may take, where a file does not say.
const RELOAD_WITHIN: Duration = Duration::from_secs(2);

/// `{ signal = "HUP", done = { log = "Reloading config" }, within = "2s" }`.
fn reload(mut keys: Keys<'_>, registry: &Registry) -> Result<Reload, Mistake> {
    let signal = keys.text("signal")?;
    let run = command(&mut keys)?;
    let mut done = None;
    if let Some(mut table) = keys.table("done")? {
        let log = pattern(&mut table, "log", registry)?;
        done = Some(table.need("log", log)?);
        table.finish()?;
    }
    let within = keys.duration("within")?.unwrap_or(RELOAD_WITHIN);
    let span = keys.span();
    if let Some(name) = signal.as_deref().filter(|name| !SIGNALS.contains(name)) {
        return Err(Mistake::unknown(keys.span_of("signal"), "signal", name, SIGNALS));
    }
    keys.finish()?;
    if signal.is_some() == run.is_some() {
        return Err(Mistake::new(span, "a reload is either signal = \"HUP\" or run = [\"..\"]"));
    }
    Ok(Reload { signal, run, done, within })
}

fn given(value: &mut Located, registry: &Registry) -> Result<Given, Mistake> {
    let mut keys = Keys::of(value, "an account")?;
    let name = keys.text("name")?;
    let password_env = keys.text("password_env")?;
    let given = Given {
        name: keys.need("name", name)?,
        password_env: keys.need("password_env", password_env)?,
        may: keys.table("may")?.map(|keys| rights(keys, registry)).transpose()?.unwrap_or_default(),
    };
    keys.finish()?;
    Ok(given)
}

fn known(value: &mut Located) -> Result<Known, Mistake> {
    let mut keys = Keys::of(value, "a known finding")?;
    let signature = keys.text("signature")?;
    let reason = keys.text("reason")?;
    let until = keys.text("until")?;
    let span = keys.span_of("until");
    let known =
        Known { signature: Signature(keys.need("signature", signature)?), reason: keys.need("reason", reason)?, until };
    keys.finish()?;
    match known.until.as_deref().is_none_or(is_day) {
        true => Ok(known),
        false => Err(Mistake::new(span, "until: the last day, as \"2027-03-01\"")),
    }
}

/// `2027-03-01`, so that days compare as text.
fn is_day(text: &str) -> bool {
    let digits = |part: &str, len: usize| part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let in_range = |part: &str, most: u8| part.parse::<u8>().is_ok_and(|n| (1..=most).contains(&n));
    matches!(parts.as_slice(), [year, month, day]
        if digits(year, 4) && digits(month, 2) && digits(day, 2) && in_range(month, 12) && in_range(day, 31))
}
