//! The end: what is still finished, and what is left behind.

use tokio::time::Instant;

use super::{Chain, Driver};
use crate::core::Pause;

impl<C: Chain> Driver<C> {
    pub(super) fn shut_down(&mut self) {
        let counts = self.core.counts();
        tracing::info!(
            busy = counts.busy,
            committed = counts.committed,
            "stopping: no new jobs, finishing what is claimed; a second signal stops at once"
        );
        let detail = "the process was asked to end";
        self.core
            .pause(Pause::ShuttingDown, detail.into(), self.now);
        self.publish();
    }

    pub(super) fn may_end(&self, until: Instant) -> bool {
        let seats = self.audits.core.counts();
        let waiting = self.core.counts().committed + seats.joined + seats.committed > 0;
        self.core.is_idle() && self.audits.core.is_idle() && (!waiting || Instant::now() >= until)
    }

    pub(super) fn say_what_is_left(&self) {
        let counts = self.core.counts();
        if counts.committed > 0 {
            tracing::warn!(
                jobs = counts.committed,
                "stopping with committed jobs; start again before their challenge window and a day are over, or they fault"
            );
        }
        let seats = self.audits.core.counts();
        if seats.joined + seats.committed > 0 {
            tracing::warn!(
                joined = seats.joined,
                committed = seats.committed,
                "stopping with seats on panels; start again before their deadlines (`assay-worker disputes`), or their bonds are lost"
            );
        }
    }
}
