//! Sessions: requests paid with vouchers, answered by [`Serve`], settled now and then. Nothing of it is audited.
//!
//! `core` decides, `store` keeps, `api` speaks HTTP, `known` reads the chain, `settling` sends. A voucher is kept before
//! its request is served, a receipt before its answer is given.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use assay_client::{protocol::Address, protocol::UnixSeconds};
use axum::http::HeaderName;
use solana_keypair::Keypair;
use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    chain::{Chain, submitter::Submitter},
    config::{ConfigError, SessionsConfig},
    core::Pause,
    driver::Shared,
    metrics,
    serving::Serve,
};

mod answers;
mod api;
mod bodies;
mod core;
mod known;
mod offer;
mod request;
mod rest;
mod settling;
mod store;

#[cfg(test)]
mod tests;

pub use self::core::Left;
pub use api::router;
pub use store::{Income, Kept, SessionStore, SessionStoreError, Write, income};

use self::core::{Channel, LostRun, LostRuns, SettlePolicy, Terms};
use answers::Answers;
use bodies::Bodies;
use known::Lookups;
use offer::Offering;

/// What sessions stand on.
pub struct Ground<C> {
    pub chain: Arc<C>,
    /// Sends settlements, and signs receipts with the same key.
    pub submitter: Arc<Submitter<C>>,
    pub shared: Arc<Shared>,
    pub serve: Arc<dyn Serve>,
    /// Unix seconds of this machine, by which vouchers' ends are judged.
    pub clock: fn() -> i64,
    pub provider: Address,
    /// Of the provider's account.
    pub generation: u64,
    /// Bytes of a body, at most.
    pub body_bytes: u64,
    /// Longest time for a body to come.
    pub body_patience: Duration,
    /// Where a proxy on this machine names its client.
    pub client_header: Option<HeaderName>,
}

/// Every session with this provider, and what serves them.
pub struct Sessions<C> {
    ground: Ground<C>,
    store: SessionStore,
    terms: Terms,
    policy: SettlePolicy,
    poll_every: Duration,
    offering: Offering,
    open: Mutex<BTreeMap<Address, Entry>>,
    lost_runs: Mutex<LostRuns>,
    lookups: Lookups,
    answers: Answers,
    /// Requests at the same time.
    slots: Arc<Semaphore>,
    slots_in_all: u32,
    bodies: Bodies,
    ending: AtomicBool,
    /// Something is to be settled before the next look.
    wake: Notify,
    tasks: TaskTracker,
}

/// A session, and when its account was read; none if it was not since the start.
struct Entry {
    channel: Channel,
    read: Option<Instant>,
    /// The file could not be written when the account changed last.
    unkept: bool,
}

impl Entry {
    const fn new(channel: Channel, read: Option<Instant>) -> Self {
        Self {
            channel,
            read,
            unkept: false,
        }
    }
}

impl<C: Chain> Sessions<C> {
    /// Takes up what was kept. Nothing is asked of the chain yet.
    ///
    /// # Errors
    /// [`ConfigError`] where a model's digest is none.
    pub fn new(
        config: &SessionsConfig,
        ground: Ground<C>,
        store: SessionStore,
        kept: Kept,
    ) -> Result<Arc<Self>, ConfigError> {
        let terms = Terms {
            provider: ground.provider,
            generation: ground.generation,
            min_grace_secs: config.min_grace_secs,
            min_voucher_secs: config.min_voucher_secs,
        };
        let policy = SettlePolicy {
            value_at_risk: config.value_at_risk_lamports,
            margin_secs: config.min_voucher_secs / 2,
            idle_secs: config.settle_idle_secs,
        };
        let (ours, lost): (Vec<_>, Vec<_>) = kept
            .sessions
            .into_iter()
            .partition(|(_, channel)| terms.settles(channel.account()));
        if !lost.is_empty() {
            let lamports = lost.iter().map(|(_, channel)| channel.unsettled());
            let lamports = lamports.fold(0, u64::saturating_add);
            let sessions = lost.len();
            tracing::warn!(
                sessions,
                lamports,
                "sessions of a former account of this provider are not served: their vouchers cannot be settled"
            );
        }
        let open = ours
            .into_iter()
            .map(|(session, channel)| (session, Entry::new(channel, None)));
        Ok(Arc::new(Self {
            store,
            terms,
            policy,
            poll_every: Duration::from_secs(config.poll_secs),
            offering: Offering::new(config)?,
            open: Mutex::new(open.collect()),
            lost_runs: Mutex::new(kept.lost_runs),
            lookups: Lookups::new(ground.client_header.clone()),
            answers: Answers::default(),
            slots: Arc::new(Semaphore::new(config.max_concurrent)),
            slots_in_all: u32::try_from(config.max_concurrent).unwrap_or(u32::MAX),
            bodies: Bodies::new(ground.body_bytes, ground.body_patience),
            ending: AtomicBool::new(false),
            wake: Notify::new(),
            tasks: TaskTracker::new(),
            ground,
        }))
    }

    /// Loads the models and settles what is due, until `stop` is cancelled.
    pub fn start(self: &Arc<Self>, stop: &CancellationToken) {
        let loading = Arc::clone(self);
        let end = stop.clone();
        tokio::spawn(async move {
            let loading = loading.offering.load(&*loading.ground.serve);
            end.run_until_cancelled(loading).await;
        });
        let settling = Arc::clone(self);
        let end = stop.clone();
        tokio::spawn(async move { end.run_until_cancelled(settling.keep()).await });
    }

    fn now(&self) -> UnixSeconds {
        UnixSeconds((self.ground.clock)())
    }

    fn operator(&self) -> &Keypair {
        &self.ground.submitter.operator
    }

    /// Takes no more requests: the process ends, or its operator wants the machine for something else.
    fn is_draining(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
            || self.stands(|pause| match pause {
                Pause::ShuttingDown
                | Pause::Drained
                | Pause::PauseWindow
                | Pause::GpuTemperature
                | Pause::GpuPower
                | Pause::CpuBusy
                | Pause::DiskFull
                // Nothing could be settled.
                | Pause::Funds => true,
                // None of them stands against runs that are paid one by one.
                Pause::Starting
                | Pause::ChainUnreachable
                | Pause::Failures
                | Pause::RuntimeClass => false,
            })
    }

    /// Settles what is worth it, without waiting for a reason.
    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
            || self.stands(|pause| matches!(pause, Pause::ShuttingDown | Pause::Drained))
    }

    fn stands(&self, against: impl Fn(Pause) -> bool) -> bool {
        let snapshot = self.ground.shared.snapshot.borrow();
        snapshot.reasons.iter().any(|reason| against(reason.pause))
    }

    /// Counts a run that was lost against who pays for the session.
    async fn lose_a_run(&self, session: &Address) {
        let payer = self.with(session, |channel| channel.account().requester);
        let Some(payer) = payer else {
            return;
        };
        let lost = LostRun {
            payer,
            at: self.now(),
        };
        metrics::sessions_lost_run();
        let refused = {
            let mut lost_runs = self.lost_runs();
            lost_runs.note(lost);
            lost_runs.check(&payer, lost.at).err()
        };
        if let Some(why) = refused {
            tracing::warn!(%payer, %why, "a requester's sessions are not served for a while");
        }
        if let Err(error) = self.store.write(Write::Lost(lost)).await {
            tracing::warn!(%error, "a lost run is not kept, and forgotten at the next start");
        }
    }

    fn lost_runs(&self) -> MutexGuard<'_, LostRuns> {
        self.lost_runs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, Entry>> {
        // Each step of a channel is whole or leaves it as it was.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, session: &Address, work: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        self.lock()
            .get_mut(session)
            .map(|entry| work(&mut entry.channel))
    }
}
