//! Whether new work is taken: what the operator asks for, and what is told of it.

use std::sync::{Arc, atomic::Ordering};

use assay_client::protocol::{UnixSeconds, digest::is_zero};
use tokio::sync::oneshot;

use super::{Chain, Driver, DriverError};
use crate::{
    core::{LimitReport, Pause, Sample, Snapshot},
    metrics, startup,
    store::StoreError,
};

/// The state after the request, or why it could not be kept.
pub type Answer = oneshot::Sender<Result<Arc<Snapshot>, StoreError>>;

/// What an operator reads while the worker is drained.
const DRAINED: &str = "drained by the operator; `assay-worker resume` takes work again";

impl<C: Chain> Driver<C> {
    /// Takes over a decision of the last run.
    pub(super) async fn recall_drain(&mut self) -> Result<(), DriverError> {
        if let Some(since) = self.parts.store.call(|store| store.drained()).await? {
            self.core.pause(Pause::Drained, DRAINED.into(), since);
            tracing::warn!("{DRAINED}");
        }
        Ok(())
    }

    /// Takes no new work, or takes it again. On disk first: what was answered holds after a crash.
    pub(super) async fn set_drained(&mut self, drained: bool, reply: Answer) {
        let now = self.now;
        let saved = self
            .parts
            .store
            .call(move |store| store.save_drained(drained, now));
        if let Err(error) = saved.await {
            tracing::error!(%error, "the operator's decision is not in the journal, and not followed");
            let _ = reply.send(Err(error));
            return;
        }
        let news = if drained {
            self.core.pause(Pause::Drained, DRAINED.into(), now)
        } else {
            self.core.resume(Pause::Drained, now)
        };
        match (news, drained) {
            (true, true) => {
                tracing::info!("{DRAINED}; claimed jobs and held seats go on to their end");
            }
            (true, false) => tracing::info!("resumed by the operator"),
            (false, _) => {}
        }
        // Whoever asked may have gone.
        let _ = reply.send(Ok(self.publish()));
    }

    /// Takes no new work for an account that states a class which is not this machine's: results of
    /// that class are what others would be told they get. Zeros state none.
    pub(super) fn see_class(&mut self, stated: &[u8; 32]) {
        let true_class = self.parts.class;
        if is_zero(stated) || *stated == true_class {
            if self.core.resume(Pause::RuntimeClass, self.now) {
                tracing::info!("the account's runtime class is this machine's again");
            }
            return;
        }
        let detail = startup::class_advice(stated, &true_class);
        if self
            .core
            .pause(Pause::RuntimeClass, detail.clone(), self.now)
        {
            tracing::error!("{detail}");
        }
    }

    /// Follows the limits that the operator set on the machine.
    pub(super) fn sense(&mut self, sample: &Sample) {
        for report in self.core.handle_sample(sample, self.now) {
            match report {
                LimitReport::Over { detail, .. } => {
                    tracing::info!("no new work: {detail}");
                }
                LimitReport::Below { pause } => {
                    tracing::info!(limit = pause.name(), "clearly below the limit again");
                }
                LimitReport::Unreadable { key, .. } => tracing::warn!(
                    "{key} is set, but its sensor cannot be read: it holds nothing back; set it to 0, or see `assay-worker doctor`"
                ),
            }
        }
    }

    /// Notes whether the chain answers, so that it can be believed.
    pub(super) fn set_reachable(&mut self, reachable: bool, why: &str) {
        if reachable {
            self.core.resume(Pause::ChainUnreachable, self.now);
        } else {
            self.core
                .pause(Pause::ChainUnreachable, why.into(), self.now);
        }
    }

    /// Each core learns what the other has promised of the engines and of the operator's lamports.
    pub(super) fn exchange(&mut self) {
        let (core, audits, now) = (&mut self.core, &mut self.audits.core, self.now);
        core.handle_seats(audits.demands(now), audits.owed());
        audits.handle_jobs(core.demands(now), core.paused_models(now));
    }

    /// What runs took and how jobs ended, before this start.
    pub(super) async fn recall_past(&mut self) -> Result<(), DriverError> {
        let runtime = self.parts.runtime.clone();
        let measured = self.parts.store.call(move |store| store.measured(&runtime));
        for (size, measured) in measured.await? {
            self.core.restore_measured(size, measured);
            self.audits.core.restore_measured(size, measured);
        }
        let window = i64::from(self.parts.policy.breaker.window_secs);
        let since = UnixSeconds(self.now.0.saturating_sub(window));
        let outcomes = self.parts.store.call(move |store| store.outcomes(since));
        for (model, outcome, at) in outcomes.await? {
            self.core.handle_outcome(model, outcome, at);
        }
        Ok(())
    }

    /// Lets everybody know how things stand.
    pub(super) fn publish(&mut self) -> Arc<Snapshot> {
        let standing = self.core.standing();
        let accepting = standing.is_accepting();
        metrics::standing(standing);
        if accepting {
            self.audits.core.start();
        } else {
            self.audits.core.pause();
        }
        let shared = &self.parts.shared;
        shared.accepting.store(accepting, Ordering::Relaxed);
        let snapshot = Snapshot::of(&self.core, &self.audits.core, self.now);
        let snapshot = Arc::new(snapshot);
        shared.snapshot.send_if_modified(|known| {
            let news = **known != *snapshot;
            *known = Arc::clone(&snapshot);
            news
        });
        snapshot
    }
}
