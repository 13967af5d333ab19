//! What a run still waits for, in words.
use std::time::Duration;

use proofhouse_core::finding::Signature;
use proofhouse_core::ids::TrialNo;

use super::job_of;
use crate::run::campaign::{Job, Wait};
use crate::run::resume::Suspicion;

/// The failures that a run still waits for.
pub(super) struct Waiting(Vec<((TrialNo, Signature), Wait)>);

impl Waiting {
    pub fn of(jobs: &[Job], all: &[Suspicion]) -> Waiting {
        let wait = |suspicion: &Suspicion| {
            let job = job_of(jobs, suspicion);
            let case = if job.case.is_empty() { String::new() } else { format!(" [{}]", job.case) };
            let about = Duration::from_millis(suspicion.wall_ms);
            (Waiting::key(suspicion), Wait { what: format!("{}{case}", job.scenario.id), about })
        };
        Waiting(all.iter().map(wait).collect())
    }

    fn key(suspicion: &Suspicion) -> (TrialNo, Signature) {
        (suspicion.trial, suspicion.shown.signature.clone())
    }

    pub fn settled(&mut self, suspicion: &Suspicion) {
        let key = Waiting::key(suspicion);
        self.0.retain(|(known, _)| *known != key);
    }

    pub fn list(&self) -> Vec<Wait> {
        self.0.iter().map(|(_, wait)| wait.clone()).collect()
    }
}
