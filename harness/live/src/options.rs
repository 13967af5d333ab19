//! What a live trial is allowed and given by whoever starts it.
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::RunError;
use crate::host::Host;
use crate::supervisor::Supervisor;

/// What an attack has set off shows within 250 ms in most servers; this is for a queue that fills, a timer, a collector that runs later.
const LINGER: Duration = Duration::from_secs(2);

/// How live trials run. Cloned for every trial; the interrupt flag is shared.
#[derive(Clone, Debug, Default)]
pub struct LiveOptions {
    /// Proofhouse's own program: `{self}` of target files.
    pub own_program: PathBuf,
    /// Command whose process starts targets, and ends them when we die, see [`crate::supervisor::supervise`]. Empty: a thread of
    /// ours does, and a `kill -9` of Proofhouse leaves the target behind.
    pub supervisor: Vec<String>,
    /// Addresses off loopback that the user has said, on the command line, to own.
    pub i_own: Vec<String>,
    /// Set when the user wants to stop: every loop looks at it.
    pub interrupt: Arc<AtomicBool>,
    /// How long a process of ours lives on after its trial, until its witness is asked once more.
    pub linger: Duration,
    /// What the trials of a run share.
    pub host: Arc<Host>,
}

impl LiveOptions {
    /// Options of this program, which answers the hidden command `supervise`.
    #[must_use]
    pub fn new(interrupt: Arc<AtomicBool>, i_own: Vec<String>) -> LiveOptions {
        // A system that cannot name our program has no {self} and no supervisor; targets still start and stop.
        let own_program = std::env::current_exe().unwrap_or_default();
        let named = !own_program.as_os_str().is_empty();
        let supervisor = if named { vec![own_program.display().to_string(), "supervise".into()] } else { Vec::new() };
        LiveOptions { own_program, supervisor, i_own, interrupt, linger: LINGER, host: Arc::default() }
    }

    /// Who starts targets.
    pub(crate) fn supervisor(&self) -> Result<Arc<Supervisor>, RunError> {
        self.host.supervisor(&self.supervisor)
    }

    /// Whether the user wants to stop.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}
