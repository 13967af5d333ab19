//! A reference target over real sockets, in this process: one thread, one loop, the real clock. The actor is the one that the
//! simulator runs, unchanged; only bytes cross, so that a planted flaw cannot announce itself.

mod datagrams;
mod server;
mod sockets;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proofhouse_core::actor::Outbox;
use proofhouse_core::seed::Seed;
use proofhouse_core::time::Time;
use proofhouse_targets::flaw::Flaws;
use proofhouse_targets::reference::broker::{Accounts, Broker, Limits};
use proofhouse_targets::reference::coap_server::{self, CoapServer};

pub use datagrams::DatagramServer;
pub use server::{Server, TICK};

/// Serves the reference broker on 127.0.0.1 until it ends; a flaw that ends the process ends this one, with its exit code.
///
/// `accounts` is a file of lines `user NAME PASSWORD`, `publish NAME FILTER`, `subscribe NAME FILTER`, `remove NAME`, read at the
/// start and again when it has changed and then stood still for [`TICK`]; `accounts reloaded` in the log says that the new state is
/// in effect. Without a file everybody is let in. The log goes to stderr.
///
/// # Errors
/// A port that is taken, a file that cannot be read, a flaw that nobody knows.
pub fn serve_broker(port: u16, accounts: Option<&Path>, flaws: &[String]) -> io::Result<()> {
    let flaws = Flaws::parse(flaws).map_err(io::Error::other)?;
    let mut file = accounts.map(AccountsFile::new);
    let first = match &mut file {
        Some(file) => file.read()?,
        None => Accounts::open(),
    };
    let broker = Broker::new(first, Limits::default(), flaws, seed());
    let server = Server::bind(broker, &[SocketAddr::from((Ipv4Addr::LOCALHOST, port))])?;
    eprintln!("reference broker listening on 127.0.0.1:{port}");
    let code = server.run(|broker, now, out| {
        if let Some(file) = &mut file {
            file.follow(broker, now, out);
        }
    })?;
    std::process::exit(code)
}

/// Serves the reference CoAP server on 127.0.0.1 until it ends; a flaw that ends the process ends this one, with its exit code.
///
/// # Errors
/// A port that is taken, a flaw that nobody knows.
pub fn serve_coap(port: u16, flaws: &[String]) -> io::Result<()> {
    let flaws = Flaws::parse(flaws).map_err(io::Error::other)?;
    let server = CoapServer::new(coap_server::Limits::default(), flaws, seed());
    let server = DatagramServer::bind(server, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    eprintln!("reference CoAP server listening on 127.0.0.1:{port}");
    std::process::exit(server.run()?)
}

/// Another one for every process.
fn seed() -> Seed {
    Seed(RandomState::new().build_hasher().finish())
}

/// A file that is read again after it has changed.
struct AccountsFile {
    path: PathBuf,
    read: Stamp,
    seen: Stamp,
}

/// By what a change is noticed: time and length.
type Stamp = Option<(SystemTime, u64)>;

impl AccountsFile {
    fn new(path: &Path) -> AccountsFile {
        AccountsFile { path: path.to_owned(), read: None, seen: None }
    }

    fn stamp(&self) -> Stamp {
        let meta = fs::metadata(&self.path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }

    fn read(&mut self) -> io::Result<Accounts> {
        self.read = self.stamp();
        self.seen = self.read;
        let text = fs::read_to_string(&self.path)?;
        Accounts::read(&text).map_err(|why| io::Error::other(format!("{}: {why}", self.path.display())))
    }

    /// Called at every tick. A file that changed since the last tick may be half written: it is read one tick later.
    fn follow(&mut self, broker: &mut Broker, now: Time, out: &mut Outbox) {
        let stamp = self.stamp();
        let still = stamp == self.seen;
        self.seen = stamp;
        if !still || stamp == self.read {
            return;
        }
        match self.read() {
            Ok(accounts) => {
                broker.reload(&accounts, now, out);
                eprintln!("accounts reloaded");
            }
            Err(why) => eprintln!("accounts not reloaded: {why}"),
        }
    }
}

/// How long a closed connection may still send before it is cut off: a reset at once could overtake our last packet.
const LINGER: Duration = Duration::from_secs(1);
/// How long a closed connection may take to read what we said before we closed it.
const LEAVE_MAX: Duration = Duration::from_secs(30);
