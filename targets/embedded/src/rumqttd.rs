//! rumqttd 0.20 as a child of our own binary: its library, a configuration built in code, loopback only.
//!
//! What runs here is rumqttd and nothing of ours: no guard, no retry, no repair, so that a finding is a finding about rumqttd.
//! It has no stop and no shutdown handle: whoever wants it gone ends the process. It never writes to stdout.
//!
//! Two things that rumqttd does not do are done here, because a target that did not start must not look like one that did:
//! it answers a taken port with a log line and success, and it returns success when all of its listeners are gone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use tracing_subscriber::filter::LevelFilter;

/// What a caller chooses; everything else is a constant below.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// TCP port on 127.0.0.1 for MQTT 3.1.1. Never 0: rumqttd does not tell which port it got.
    pub port_v4: u16,
    /// TCP port on 127.0.0.1 for MQTT 5. rumqttd wants a listener of its own for each version.
    pub port_v5: u16,
    /// Name and password of everyone who may connect, on both ports. Empty: everyone may, without credentials.
    pub users: Vec<(String, String)>,
}

/// Why rumqttd is not serving.
#[derive(Debug)]
pub enum ServeError {
    /// A port that was never chosen, or the same port for both versions.
    Ports(Options),
    /// The port cannot be bound: most often something else listens on it.
    Taken {
        /// The port on 127.0.0.1.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// rumqttd refused its configuration or could not start its threads.
    Start(String),
    /// All listeners ended. rumqttd calls that success; for us it is a target that died.
    Ended,
    /// The users file cannot be read.
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A line of a users file that is not `name:password`; the first line is 1.
    User {
        /// Where in the file.
        line: usize,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ports(o) => {
                write!(f, "two different ports above 0 are needed, not {} and {}", o.port_v4, o.port_v5)
            }
            Self::Taken { port, source } => write!(f, "127.0.0.1:{port}: {source}"),
            Self::Start(why) => write!(f, "rumqttd did not start: {why}"),
            Self::Ended => f.write_str("rumqttd ended: all of its listeners are gone"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::User { line } => write!(f, "users file, line {line}: expected name:password"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Taken { source, .. } | Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Runs rumqttd in this process and does not return while it serves. Its log goes to stderr, as plain text, from `warn` up
/// (the default of its own binary).
///
/// # Errors
/// Whatever keeps it from serving, as [`ServeError`]. `Ok` is never returned: the type is that of a `main`.
pub fn serve(options: &Options) -> Result<(), ServeError> {
    if options.port_v4 == 0 || options.port_v5 == 0 || options.port_v4 == options.port_v5 {
        return Err(ServeError::Ports(options.clone()));
    }
    // Another process may still take the port between this probe and rumqttd's own bind; the caller sees that from its
    // readiness check, which asks whose socket listens.
    probe(options.port_v4)?;
    probe(options.port_v5)?;

    // A second call in one process (tests) keeps the first subscriber.
    let _ =
        tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).with_max_level(LevelFilter::WARN).try_init();

    Broker::new(config(options)).start().map_err(|why| ServeError::Start(why.to_string()))?;
    Err(ServeError::Ended)
}

/// Reads a users file: one `name:password` per line; the password is everything behind the first colon. Empty lines are
/// skipped. No file is no users.
///
/// # Errors
/// [`ServeError::File`] when it cannot be read, [`ServeError::User`] for the first line without a name or without a colon.
pub fn users_of(file: Option<&Path>) -> Result<Vec<(String, String)>, ServeError> {
    let Some(path) = file else { return Ok(Vec::new()) };
    parse(&fs::read_to_string(path).map_err(|source| ServeError::File { path: path.to_owned(), source })?)
}

fn parse(text: &str) -> Result<Vec<(String, String)>, ServeError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(index, line)| match line.split_once(':') {
            Some((name, password)) if !name.is_empty() => Ok((name.to_owned(), password.to_owned())),
            _ => Err(ServeError::User { line: index + 1 }),
        })
        .collect()
}

fn probe(port: u16) -> Result<(), ServeError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|source| ServeError::Taken { port, source })
}

/// Names rumqttd's `HashMap` fields by collecting into them, so that no map of ours has a random order.
fn config(options: &Options) -> Config {
    let v4 = listener("v4", options.port_v4, &options.users);
    let v5 = listener("v5", options.port_v5, &options.users);
    Config {
        router: router(),
        v4: Some([("v4".to_owned(), v4)].into_iter().collect()),
        v5: Some([("v5".to_owned(), v5)].into_iter().collect()),
        ..Config::default()
    }
}

/// The sample file that rumqttd ships says 10,010. A fleet of 50,000 is what we are built for; the room is reserved address
/// space, not memory. Past the limit rumqttd closes new connections without a CONNACK.
const CONNECTIONS_MAX: usize = 65_536;

/// Bytes per filter: 10 segments of 10 MiB. The sample says 10 of 100 MiB, which one topic alone could fill on a small machine.
/// When the last segment is full the oldest goes, whether or not every subscriber has had it.
const SEGMENT_BYTES: usize = 10 * 1024 * 1024;
const SEGMENTS: usize = 10;

/// From the sample file: how many QoS 0 messages leave one filter in one turn.
const OUTGOING_PACKETS: u64 = 200;

fn router() -> RouterConfig {
    RouterConfig {
        max_connections: CONNECTIONS_MAX,
        max_outgoing_packet_count: OUTGOING_PACKETS,
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: SEGMENTS,
        ..RouterConfig::default()
    }
}

/// From accept to a whole CONNECT. The sample says 60 s and the field ends at 65 s; 10 s is what a deployment sets that has
/// read about half-open connections, and our own scenarios call 30 s too long.
const CONNECT_TIMEOUT_MS: u16 = 10_000;

/// Largest packet from a client, in bytes of remaining length. The sample says 20 KiB, which refuses legal messages that every
/// other broker takes; 256 MiB is the protocol's own end. 1 MiB.
const PACKET_BYTES: usize = 1024 * 1024;

/// From the sample file: how many packets are read from one connection before the router is told.
const BATCH: usize = 100;

fn listener(name: &str, port: u16, users: &[(String, String)]) -> ServerSettings {
    ServerSettings {
        name: name.to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        tls: None,
        // The listener sleeps this long after every accept: 1 would cap a ramp at 1,000 connections a second.
        next_connection_delay_ms: 0,
        connections: ConnectionSettings {
            connection_timeout_ms: CONNECT_TIMEOUT_MS,
            max_payload_size: PACKET_BYTES,
            max_inflight_count: BATCH,
            auth: auth(users),
            external_auth: None,
            // Read by the router and never reached in 0.20 (its filter look-up always answers); the sample sets it.
            dynamic_filters: true,
        },
    }
}

/// `None` switches authentication off; an empty map would refuse everyone.
fn auth<M: FromIterator<(String, String)>>(users: &[(String, String)]) -> Option<M> {
    // Through an ordered map, so that of two lines with one name the last counts, always.
    let users: BTreeMap<_, _> = users.iter().cloned().collect();
    (!users.is_empty()).then(|| users.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap()
    }

    #[test]
    fn a_password_may_hold_colons() {
        assert_eq!(two("a:b:c\n\nd:\n"), [("a".into(), "b:c".into()), ("d".into(), String::new())]);
    }

    #[test]
    fn a_line_without_a_name_is_refused_with_its_number() {
        for text in ["a:b\n:c\n", "a:b\nc\n"] {
            assert!(matches!(parse(text), Err(ServeError::User { line: 2 })), "{text:?}");
        }
    }

    #[test]
    fn no_file_is_no_users_and_a_missing_file_is_an_error() {
        assert_eq!(users_of(None).unwrap(), []);
        assert!(matches!(users_of(Some(Path::new("/no/such/file"))), Err(ServeError::File { .. })));
    }

    #[test]
    fn no_users_means_no_authentication_and_one_user_means_authentication() {
        assert!(auth::<Vec<_>>(&[]).is_none());
        assert_eq!(auth::<Vec<_>>(&two("a:b\na:c\n")), Some(vec![("a".into(), "c".into())]));
    }

    #[test]
    fn every_listener_is_on_loopback() {
        let config = config(&Options { port_v4: 1, port_v5: 2, users: Vec::new() });
        let listeners: Vec<_> = config.v4.iter().chain(&config.v5).flat_map(|map| map.values()).collect();
        assert_eq!(listeners.len(), 2);
        assert!(listeners.iter().all(|l| l.listen.ip().is_loopback()), "{listeners:?}");
        assert!(config.ws.is_none() && config.console.is_none() && config.prometheus.is_none());
    }
}
