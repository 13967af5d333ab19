//! The witness on a thread of its own, so that the load of the trial does not delay it: what it finds slow is slow.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use proofhouse_core::board::WITNESS;
use proofhouse_core::transcript::{Entry, Event, Header, Transcript, Who};

use crate::driver::{Cues, Driver, Stage};
use crate::error::RunError;

/// A witness at work.
pub(crate) struct Witness<'scope> {
    stop: Stop,
    thread: ScopedJoinHandle<'scope, Result<Transcript, RunError>>,
}

/// Tells the witness to stop, on every way out: a scope waits for its threads also when it is left by a panic.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The place of the witness in the plan.
pub(crate) fn place(stage: Stage<'_>) -> Option<u16> {
    stage.plan.fleets.iter().find(|f| f.name == WITNESS).map(|f| f.index)
}

impl<'scope> Witness<'scope> {
    /// Starts it; `cues` say where it is heard. The clock has begun.
    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        stage: Stage<'env>,
        header: Header,
        place: u16,
        mut cues: Cues<'env>,
    ) -> Witness<'scope> {
        let stop = Arc::new(AtomicBool::new(false));
        cues.stop = Some(Arc::clone(&stop));
        let thread = scope.spawn(move || {
            let mut driver = Driver::new(stage, header, &[place])?;
            driver.run(cues)?;
            let name = "witness-slip-max-ns".to_string();
            let value = proofhouse_core::time::nanos(driver.slip());
            driver.entry(Who::Harness, Event::Calibration { name, value });
            Ok(driver.finish())
        });
        Witness { stop: Stop(stop), thread }
    }

    /// Ends it, and puts what it saw among the rest: by time, its connections numbered after all others.
    pub(crate) fn finish(self, into: &mut Transcript) -> Result<(), RunError> {
        drop(self.stop);
        let seen = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let conns = into.entries.iter().filter_map(|entry| entry.event.conn());
        let first = conns.map(|conn| conn.0 + 1).max().unwrap_or(0);
        // Each record has totals of all fleets: those of its own count.
        into.entries.retain(|entry| !is_totals(entry, true));
        let its = seen.entries.into_iter().filter(|entry| !is_totals(entry, false));
        into.entries.extend(its.map(|entry| renumbered(entry, first)));
        Ok(())
    }
}

/// Totals of the witness, or of anybody else.
fn is_totals(entry: &Entry, of_witness: bool) -> bool {
    matches!(&entry.event, Event::Totals(totals) if (totals.text("fleet") == Some(WITNESS)) == of_witness)
}

/// The same entry with its connection's number moved up by `first`.
fn renumbered(mut entry: Entry, first: u32) -> Entry {
    match &mut entry.event {
        Event::Opened { conn, .. }
        | Event::Closed { conn, .. }
        | Event::Undelivered { conn, .. }
        | Event::Planted { conn, .. }
        | Event::Seen { conn, .. }
        | Event::Fate { conn, .. } => *conn += first,
        Event::Sent(bytes) | Event::Received(bytes) => bytes.conn += first,
        Event::Step { conn: Some(conn), .. } => *conn += first,
        _ => {}
    }
    entry
}
