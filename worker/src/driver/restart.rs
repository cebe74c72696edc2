//! Journal and chain, brought together before any work is taken.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use assay_client::protocol::{Address, JobData, JobStatus, Lamports};

use super::{Chain, ChainError, Driver, DriverError};
use crate::chain::{Snapshot, Wanted};

/// Pause between two tries to read the chain at the start.
const PAUSE: Duration = Duration::from_secs(1);

impl<C: Chain> Driver<C> {
    /// Follows what was sent to its end, then reads every job that is or was ours.
    pub(super) async fn reconcile(&mut self) -> Result<(), DriverError> {
        let pending = self
            .parts
            .store
            .call(|store| store.pending_transactions())
            .await?;
        if !pending.is_empty() {
            tracing::info!(
                count = pending.len(),
                "following transactions that were under way"
            );
        }
        let followed = pending.into_iter().map(|sent| {
            let submitter = Arc::clone(&self.parts.submitter);
            async move { submitter.follow(&sent).await }
        });
        futures_util::future::join_all(followed).await;

        let live = self.parts.store.call(|store| store.live_jobs()).await?;
        let known: Vec<Address> = live.iter().map(|(job, _)| *job).collect();
        if !known.is_empty() {
            tracing::info!(jobs = known.len(), "taking up jobs of the journal");
        }
        for (job, restored) in live {
            self.core.restore(job, restored);
        }
        let audits = self.parts.store.call(|store| store.live_audits()).await?;
        for job in audits {
            self.audits.core.restore(job);
        }
        let (snapshot, jobs) = self.read_until_it_works(known).await;
        self.core
            .handle_balance(Lamports(snapshot.operator), self.now);
        if let Some(provider) = snapshot.provider {
            self.see_class(&provider.runtime_class);
            self.core.handle_provider(&provider, self.now);
            self.audits.core.handle_provider(&provider);
        }
        self.recall(&jobs).await?;
        self.recall_drain().await?;
        self.recall_past().await?;
        for (address, job) in jobs {
            match job {
                Some(job) => {
                    self.core.handle_job(address, &job, self.now);
                    self.audits.core.handle_job(address, &job, self.now);
                }
                None => self.core.handle_gone(address, self.slot, self.now),
            }
        }
        self.carry_out().await;
        Ok(())
    }

    /// What the chain shows as ours and not ended is live, whatever the journal believes of its end.
    async fn recall(
        &mut self,
        jobs: &BTreeMap<Address, Option<JobData>>,
    ) -> Result<(), DriverError> {
        for (address, job) in jobs {
            let Some(job) = job.filter(|job| {
                let ended = job.status().map_or(true, JobStatus::is_terminal);
                job.provider == self.parts.provider && !ended
            }) else {
                continue;
            };
            let (address, attempt) = (*address, job.attempt);
            let kept = self
                .parts
                .store
                .call(move |store| store.restored(&address, attempt));
            self.core.restore(address, kept.await?);
        }
        Ok(())
    }

    /// Until the chain answers with a time that is believed.
    async fn read_until_it_works(&mut self, known: Vec<Address>) -> First {
        let mut wanted = Wanted {
            provider: self.parts.provider,
            operator: self.parts.operator,
            jobs: known,
            ..Wanted::default()
        };
        loop {
            wanted.expected = Some(self.expected());
            match first_reading(&*self.parts.chain, &wanted).await {
                Ok(first) if self.set_clock(&first.0) => return first,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the chain does not answer; trying again"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

type First = (Snapshot, BTreeMap<Address, Option<JobData>>);

async fn first_reading<C: Chain>(chain: &C, wanted: &Wanted) -> Result<First, ChainError> {
    let snapshot = chain.snapshot(wanted).await?;
    let ours = chain.provider_jobs(&wanted.provider).await?;
    let mut jobs: BTreeMap<Address, Option<JobData>> = snapshot.jobs.iter().copied().collect();
    // Read after the others.
    jobs.extend(ours.into_iter().map(|(address, job)| (address, Some(job))));
    Ok((snapshot, jobs))
}
