//! Reading the chain, again and again: the truth that everything else only hints at.

use std::sync::{Arc, atomic::Ordering};

use assay_client::protocol::{Address, JobData, ProviderData, UnixSeconds};
use tokio::time::Instant;

use super::{Chain, ChainError, Driver, Effect};
use crate::{chain::Clock, metrics};

/// Lamports below which the operator should be given more: a thousand transactions.
const LOW_BALANCE: u64 = 5_000_000;
/// Polls between two looks at the operator's balance.
const BALANCE_EVERY: u64 = 30;

/// One reading of the chain.
pub struct Reading {
    pub clock: Clock,
    pub provider: Option<ProviderData>,
    pub open: Vec<(Address, JobData)>,
    pub live: Vec<(Address, Option<JobData>)>,
    pub balance: Option<u64>,
}

impl<C: Chain> Driver<C> {
    /// Reads the chain in the background.
    pub(super) fn poll(&mut self) {
        self.polling = true;
        self.polls = self.polls.wrapping_add(1);
        let accepting = self.parts.shared.accepting.load(Ordering::Relaxed);
        let (chain, provider) = (Arc::clone(&self.parts.chain), self.parts.provider);
        let operator = (self.polls % BALANCE_EVERY == 1).then_some(self.parts.operator);
        let live = self.core.live_jobs();
        self.spawn(async move {
            Effect::Polled(
                read(&*chain, provider, live, accepting, operator)
                    .await
                    .map(Box::new),
            )
        });
    }

    pub(super) fn polled(&mut self, reading: Result<Box<Reading>, ChainError>) {
        self.polling = false;
        self.next_poll = Instant::now() + self.parts.times.poll_every;
        let reachable = reading.is_ok();
        match reading {
            Ok(reading) => {
                if !self.reachable {
                    tracing::info!("the chain answers again");
                }
                self.observe(&reading);
            }
            Err(error) => {
                metrics::poll_failure();
                if self.reachable {
                    tracing::warn!(%error, "the chain does not answer; trying on");
                }
            }
        }
        self.reachable = reachable;
        self.parts.shared.ready.store(reachable, Ordering::Relaxed);
    }

    fn observe(&mut self, reading: &Reading) {
        // Nodes differ by moments; time does not go back for us.
        self.now = self.now.max(reading.clock.time);
        self.slot = self.slot.max(reading.clock.slot);
        metrics::chain_time(self.now.0);
        match &reading.provider {
            Some(provider) => self.core.handle_provider(provider, self.now),
            None => tracing::warn!("the provider's account is gone; nothing can be claimed"),
        }
        for (address, job) in &reading.live {
            match job {
                Some(job) => self.core.handle_job(*address, job, self.now),
                None => self
                    .core
                    .handle_gone(*address, reading.clock.slot, self.now),
            }
        }
        for (address, job) in &reading.open {
            self.core.handle_job(*address, job, self.now);
        }
        if let Some(balance) = reading.balance {
            metrics::operator_balance(balance);
            if balance < LOW_BALANCE {
                tracing::warn!(operator = %self.parts.operator, lamports = balance, "the operator runs out of lamports for fees; send it some");
            }
            self.drop_old_files();
        }
        self.core.handle_time(self.now);
    }

    fn drop_old_files(&self) {
        let (store, retention) = (
            self.parts.store.clone(),
            self.parts.times.retention.as_secs(),
        );
        let before = self
            .now
            .0
            .saturating_sub(i64::try_from(retention).unwrap_or(i64::MAX));
        tokio::spawn(async move {
            match store
                .call(move |store| store.drop_files(UnixSeconds(before)))
                .await
            {
                Ok(0) => {}
                Ok(count) => tracing::debug!(count, "outputs of old jobs dropped"),
                Err(error) => tracing::warn!(%error, "old outputs could not be dropped"),
            }
        });
    }
}

async fn read<C: Chain>(
    chain: &C,
    provider: Address,
    live: Vec<Address>,
    accepting: bool,
    operator: Option<Address>,
) -> Result<Reading, ChainError> {
    // The clock first: a job read later is never older than the time it is judged by.
    let clock = chain.clock().await?;
    let account = chain.provider(&provider).await?;
    let jobs = if live.is_empty() {
        Vec::new()
    } else {
        chain.jobs(&live).await?
    };
    let open = if accepting {
        chain.open_jobs().await?
    } else {
        Vec::new()
    };
    let balance = match operator {
        Some(operator) => Some(chain.balance(&operator).await?),
        None => None,
    };
    Ok(Reading {
        clock,
        provider: account,
        open,
        live: jobs,
        balance,
    })
}
