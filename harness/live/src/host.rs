//! What all live trials of a run share on this machine: the supervisor, turns to start a target, and versions that were read.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::error::RunError;
use crate::limits;
use crate::process::observed::lock;
use crate::process::turns::Turns;
use crate::supervisor::Supervisor;

/// One for a run, behind the options of its trials.
#[derive(Debug, Default)]
pub struct Host {
    supervisor: Mutex<Option<Arc<Supervisor>>>,
    versions: Mutex<BTreeMap<String, String>>,
    turns: Turns,
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

    /// Turns to start a target.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }
}
