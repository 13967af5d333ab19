//! What all live trials of a run share on this machine: the supervisor, turns to start a target, and versions that were read.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proofhouse_core::budget::{Budget, Lease};

use crate::clock::Stopwatch;
use crate::error::RunError;
use crate::limits;
use crate::process::observed::lock;
use crate::process::turns::Turns;
use crate::supervisor::Supervisor;

/// One for a run, behind the options of its trials.
#[derive(Debug)]
pub struct Host {
    supervisor: Mutex<Option<Arc<Supervisor>>>,
    versions: Mutex<BTreeMap<String, String>>,
    turns: Turns,
    memory: Mutex<Arc<Budget>>,
}

/// Memory of all trials side by side, where nobody says otherwise.
pub const MEMORY: u64 = 1 << 30;
/// A record is held, read by the rules, written and packed: at its peak that is about two and a half times its size. Where failures are
/// confirmed meanwhile, records are read back, and what was freed is not at once the system's: sixteen trials against storms of large
/// datagrams came to 4.6 times what they were charged.
const RECORDS: (u64, u64) = (1, 5);
/// A trial begins when this share of the memory is free again, or after [`ROOM`]: then it may be cut.
const FREE: (u64, u64) = (1, 4);
/// How long a trial waits for others to give memory back.
const ROOM: Duration = Duration::from_secs(30);

impl Default for Host {
    fn default() -> Host {
        Host {
            supervisor: Mutex::default(),
            versions: Mutex::default(),
            turns: Turns::default(),
            memory: Mutex::new(Budget::of(records(MEMORY))),
        }
    }
}

fn records(memory: u64) -> u64 {
    memory / RECORDS.1 * RECORDS.0
}

impl Host {
    /// The one supervisor, started by whoever needs it first, and again if it was killed.
    pub(crate) fn supervisor(&self, command: &[String]) -> Result<Arc<Supervisor>, RunError> {
        let mut supervisor = lock(&self.supervisor);
        if let Some(running) = supervisor.as_ref().filter(|running| running.lives()) {
            return Ok(Arc::clone(running));
        }
        // Before it starts: targets inherit its limits.
        limits::raise_descriptors();
        let started = Supervisor::start(command).map_err(RunError::io("start the supervisor"))?;
        Ok(Arc::clone(supervisor.insert(Arc::new(started))))
    }

    /// What `read` says under this key, read once: the others wait for it.
    pub(crate) fn version(
        &self,
        key: String,
        read: impl FnOnce() -> Result<String, RunError>,
    ) -> Result<String, RunError> {
        let mut versions = lock(&self.versions);
        if let Some(known) = versions.get(&key) {
            return Ok(known.clone());
        }
        let version = read()?;
        versions.insert(key, version.clone());
        Ok(version)
    }

    /// From now on, all trials side by side share so many bytes.
    pub fn set_memory(&self, bytes: u64) {
        *lock(&self.memory) = Budget::of(records(bytes));
    }

    /// What a trial's record is charged to, once there is room for another trial or nobody gives any back.
    pub(crate) fn memory(&self, give_up: impl Fn() -> bool) -> Lease {
        let budget = Arc::clone(&lock(&self.memory));
        let watch = Stopwatch::start();
        let enough = budget.most() - budget.most() / FREE.1 * FREE.0;
        while budget.taken() > enough && !watch.left(ROOM).is_zero() && !give_up() {
            thread::sleep(Duration::from_millis(20));
        }
        budget.lease()
    }

    /// Turns to start a target.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }
}
