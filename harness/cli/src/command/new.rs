//! `proofhouse new`: a file to begin with. What is written loads, and a scenario passes its own validation.
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use proofhouse_core::scenario::Scenario;
use proofhouse_core::target::TargetSpec;

use crate::args::{New, NewScenario, NewTarget, Spoken, SpokenOne};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;
use crate::say::say;

/// Runs the command.
pub fn run(args: &New) -> Result<ExitCode, Failure> {
    match args {
        New::Scenario(args) => scenario(args),
        New::Target(args) => target(args),
    }
}

fn scenario(args: &NewScenario) -> Result<ExitCode, Failure> {
    let id = args.id.strip_suffix(".toml").unwrap_or(&args.id);
    check_id(id)?;
    let registry = registry();
    if library::scenarios(&[], &registry)?.iter().any(|known| known.id == id) {
        let text = format!("there is a scenario {id:?} already (see: proofhouse explain {id})");
        return Err(Failure::new(ExitCode::Usage, text));
    }
    let spoken = args.protocol.unwrap_or_else(|| match id.split_once('/') {
        Some(("coap", _)) => Spoken::Coap,
        Some(("mixed", _)) => Spoken::Mixed,
        _ => Spoken::Mqtt,
    });
    let attack = args.attack.clone().or_else(|| attack_of(id)).unwrap_or_default();
    let text = filled(template(spoken), &attack);
    Scenario::load(id, id, &text, &registry)?;
    let path = args.out.join(format!("{id}.toml"));
    write(&path, &text)?;
    let out = args.out.display();
    let real = match spoken {
        Spoken::Mqtt => "mosquitto       # against a real one",
        Spoken::Coap => "coap-lite       # against a real one",
        Spoken::Mixed => "./my-gateway.toml       # against yours; see: proofhouse new target --help",
    };
    say!("wrote {}", path.display());
    say!("next:");
    say!("  proofhouse validate {id} --scenarios {out}       # is its twin caught, the clean reference spared?");
    say!("  proofhouse run {id} --scenarios {out} --target {real}");
    say!("  proofhouse explain how-to       # from an idea to a scenario that is proven; for any key: explain KEY");
    Ok(ExitCode::Fine)
}

/// The template of a protocol.
fn template(spoken: Spoken) -> &'static str {
    match spoken {
        Spoken::Mqtt => include_str!("../../../../scenarios/_template.toml"),
        Spoken::Coap => include_str!("../../../../scenarios/_template-coap.toml"),
        Spoken::Mixed => include_str!("../../../../scenarios/_template-mixed.toml"),
    }
}

/// The template with its first line said for a file that is nobody's template, and its attack.
fn filled(template: &str, attack: &str) -> String {
    let mut lines = template.lines();
    lines.next();
    let mut text = String::from(
        "# Say here what the attacker does, and why it would matter.\n\
         # Every key is explained by `proofhouse explain KEY`; a key that nothing knows is refused with its line.\n",
    );
    for line in lines {
        let is_attack = line.split('=').next().is_some_and(|key| key.trim() == "attack");
        if is_attack {
            text += &format!(
                "{:<40} # id in the catalogue of attacks; see: proofhouse list attacks\n",
                format!("attack   = {attack:?}")
            );
        } else {
            text += line;
            text.push('\n');
        }
    }
    text
}

/// `mqtt/ma-99-odd-name` is about MA-99.
fn attack_of(id: &str) -> Option<String> {
    let mut words = id.rsplit('/').next()?.split('-');
    let (letters, digits) = (words.next()?, words.next()?);
    let fits = letters.len() == 2 && letters.bytes().all(|b| b.is_ascii_lowercase());
    let counts = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
    (fits && counts).then(|| format!("{}-{digits}", letters.to_ascii_uppercase()))
}

/// An id is a path of plain words: it becomes a file below `--out`, and nowhere else.
fn check_id(id: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let word = |word: &str| !word.is_empty() && !word.starts_with(['_', '-']) && word.chars().all(plain);
    if id.split('/').all(word) && !id.starts_with("guidance/") {
        return Ok(());
    }
    let text = format!("{id:?} is no id: small letters, digits and - in folders, such as mqtt/ma-99-odd-name");
    Err(Failure::new(ExitCode::Usage, text))
}

fn target(args: &NewTarget) -> Result<ExitCode, Failure> {
    let name = args.name.strip_suffix(".toml").unwrap_or(&args.name);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(plain) {
        let text = format!("{name:?} is no name: letters, digits, - and _ make one");
        return Err(Failure::new(ExitCode::Usage, text));
    }
    if library::target_names().iter().any(|known| known == name) {
        let text = format!("there is a target {name:?} already (see: proofhouse explain {name})");
        return Err(Failure::new(ExitCode::Usage, text));
    }
    let registry = registry();
    let text = target_text(name, args, &registry)?;
    let path = args.out.join(format!("{name}.toml"));
    TargetSpec::load(name, &path.display().to_string(), &text, &registry)?;
    write(&path, &text)?;
    // A bare name would be looked up among the embedded ones first.
    let shown =
        if path.is_absolute() { path.clone() } else { Path::new(".").join(path.strip_prefix(".").unwrap_or(&path)) };
    say!("wrote {}", path.display());
    say!("next:");
    say!("  proofhouse run --target {} --dry-run       # does it load, and what would run?", shown.display());
    let first = if text.contains("protocol  = \"coap\"") { "CD-01" } else { "MC-03" };
    say!("  proofhouse run {first} --target {}       # one attack against it", shown.display());
    say!("  proofhouse explain mosquitto       # a target file with accounts, rights and a reload");
    Ok(ExitCode::Fine)
}

/// The file, from its parts.
fn target_text(
    name: &str,
    args: &NewTarget,
    registry: &proofhouse_core::registry::Registry,
) -> Result<String, Failure> {
    let (head, account, address, spoken) = match &args.url {
        Some(url) => {
            let spec = TargetSpec::from_url(url, registry).map_err(|e| Failure::new(ExitCode::Usage, e))?;
            let end = &spec.endpoints[0];
            let said = if end.protocol == "coap" { SpokenOne::Coap } else { SpokenOne::Mqtt };
            if args.protocol.is_some_and(|protocol| protocol != said) {
                let text = format!("{url} is {}, and --protocol says another", end.protocol);
                return Err(Failure::new(ExitCode::Usage, text));
            }
            let parts =
                (include_str!("../../templates/remote.toml"), include_str!("../../templates/account-remote.toml"));
            (parts.0, parts.1, end.address.clone(), said)
        }
        None => {
            let parts =
                (include_str!("../../templates/process.toml"), include_str!("../../templates/account-process.toml"));
            (parts.0, parts.1, "127.0.0.1:{port}".to_owned(), args.protocol.unwrap_or(SpokenOne::Mqtt))
        }
    };
    let (endpoint, ready, account) = match spoken {
        SpokenOne::Mqtt => (include_str!("../../templates/endpoint-mqtt.toml"), "tcp", account),
        SpokenOne::Coap => (include_str!("../../templates/endpoint-coap.toml"), "udp", ""),
    };
    let program = args.program.as_deref().unwrap_or("my-server");
    let all = if args.arg.is_empty() { vec!["-p".to_owned(), "{port}".to_owned()] } else { args.arg.clone() };
    let words: Vec<String> = all.iter().map(|word| quoted(word)).collect();
    let text = [head, endpoint, account].concat();
    Ok(text
        .replace("@NAME@", name)
        .replace("\"@PROGRAM@\"", &quoted(program))
        .replace("@ARGS@", &words.join(", "))
        .replace("@READY@", ready)
        .replace("@ADDRESS@", &address))
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Writes a file that is not there yet.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |path: &Path, e: &std::io::Error| {
        Failure::new(ExitCode::NoOutput, format!("cannot write {}: {e}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let text = format!("{} is there already, and nothing is overwritten", path.display());
            Err(Failure::new(ExitCode::NoOutput, text))
        }
        Err(e) => Err(failed(path, &e)),
    }
}
