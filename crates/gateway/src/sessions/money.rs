//! Money into sessions: opening and topping up. Never on the way of a request that can be paid already.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use solana_keypair::Keypair;

use super::{
    Inner,
    attempt::unavailable,
    pool::{Account, LiveLane},
};
use crate::{
    chain::{ChainError, Fate},
    clock,
    funds::opening::{self, Terms},
    lane::Lane,
    providers::Candidate,
    store::{SessionRow, State},
    upstream::UpstreamError,
};

/// A session is topped up ahead of need when less than one part in so many of a deposit is left.
const LOW: u64 = 4;
/// After a top-up ahead of need failed, the next is tried after this long.
const PAUSE: Duration = Duration::from_secs(30);

impl Inner {
    /// Opens a session with a candidate, for requests of this price at least; the place in the pool is taken already.
    pub(super) async fn open(self: Arc<Self>, candidate: Candidate, price: u64) {
        let provider = candidate.provider.account;
        let opened = self.open_lane(&candidate, price).await;
        match &opened {
            Ok(lane) => {
                let (session, deposit) = (lane.account.address, lane.account.deposit());
                tracing::info!(%provider, %session, deposit, "a session is open");
            }
            Err(error) => tracing::warn!(%provider, %error, "a session could not be opened"),
        }
        self.pool.opened(&provider, opened, Instant::now());
    }

    async fn open_lane(
        &self,
        candidate: &Candidate,
        price: u64,
    ) -> Result<LiveLane, UpstreamError> {
        let slot = self
            .chain
            .slot()
            .await
            .map_err(|error| unavailable(&error))?;
        let deposit = self
            .limit
            .deposit(self.config.deposit.max(price), price)
            .map_err(|error| UpstreamError::Payment(error.to_string()))?;
        let terms = Terms {
            cluster: self.cluster,
            requester: self.chain.payer(),
            deposit,
            grace_secs: candidate.min_grace_secs,
            slot,
            now: clock::now(),
        };
        let row = self.send_open(candidate, &terms).await?;
        let lane = revive(&row, Lane::new(row.address, row.operator, None, None));
        lane.account.counted.store(deposit, Ordering::Release);
        Ok(lane)
    }

    async fn send_open(
        &self,
        candidate: &Candidate,
        terms: &Terms,
    ) -> Result<SessionRow, UpstreamError> {
        let unmade = |error: &dyn std::fmt::Display| {
            self.limit.undeposit(terms.deposit);
            unavailable(error)
        };
        let (row, open) =
            opening::open(&candidate.provider, terms).map_err(|error| unmade(&error))?;
        // The key first: whatever happens from here on, the money can be found again.
        let written = row.clone();
        self.store
            .call(move |store| store.add_session(&written))
            .await
            .map_err(|error| unmade(&error))?;
        let session = row.address;
        let (state, reason, result) = match self.chain.submit("session open", vec![open]).await {
            Ok(_) => (State::Open, String::new(), Ok(row)),
            Err(error) if error.sent().is_none() => {
                (State::Failed, error.to_string(), Err(unmade(&error)))
            }
            // The tending looks whether it comes to be; until then its deposit counts.
            Err(error) => {
                self.unsure().insert(session, terms.deposit);
                (State::Opening, String::new(), Err(unavailable(&error)))
            }
        };
        self.store
            .call(move |store| store.set_opened(&session, state, &reason))
            .await
            .map_err(|error| unavailable(&error))?;
        result
    }

    /// Sees to it that a session's deposit reaches `needed` lamports.
    pub(super) async fn top_up(&self, account: &Account, needed: u64) -> Result<(), UpstreamError> {
        let _topping_up = account.topping_up.lock().await;
        let missing = needed.saturating_sub(account.deposit());
        if missing == 0 {
            return Ok(());
        }
        self.add(account, missing).await
    }

    /// Adds a deposit, at least `least` lamports. The caller holds the account's top-up lock.
    async fn add(&self, account: &Account, least: u64) -> Result<(), UpstreamError> {
        let amount = self
            .limit
            .deposit(self.config.deposit.max(least), least)
            .map_err(|error| UpstreamError::Payment(error.to_string()))?;
        let session = account.address;
        // The tending may see it on chain before its sender does: counted once all the same.
        let deposit = account.deposit().saturating_add(amount);
        let top_up = opening::top_up(self.chain.payer(), session, amount);
        if let Err(error) = self.chain.submit("session top-up", vec![top_up]).await {
            match error.sent() {
                // The tending looks what becomes of it; until then it counts.
                Some(sent) => self.top_ups().push((sent, amount)),
                None => self.limit.undeposit(amount),
            }
            return Err(unavailable(&error));
        }
        account.deposit.fetch_max(deposit, Ordering::AcqRel);
        account.counted.fetch_add(amount, Ordering::AcqRel);
        tracing::info!(%session, amount, "topped up");
        Ok(())
    }

    /// A provider sees less in a session than is counted here: what the chain has counts.
    pub(super) fn count_again(self: &Arc<Self>, account: &Arc<Account>) {
        let (inner, account, active) = (Arc::clone(self), Arc::clone(account), self.begin());
        tokio::spawn(async move {
            // What is under way has ended then.
            let _topping_up = account.topping_up.lock().await;
            match inner.chain.sessions(&[account.address]).await {
                Ok(found) => {
                    if let Some(Some(data)) = found.first() {
                        account.deposit.store(data.deposit, Ordering::Release);
                    }
                }
                Err(error) => {
                    tracing::debug!(session = %account.address, %error, "a deposit could not be counted again");
                }
            }
            drop(active);
        });
    }

    /// Asks what became of the top-ups that nobody knows of. One that can no longer land is no deposit; one that landed is
    /// in what is read of its session.
    pub(super) async fn follow_top_ups(&self) -> Result<(), ChainError> {
        let unsure = self.top_ups().clone();
        for (sent, amount) in unsure {
            match self.chain.fate(sent).await? {
                Fate::Open => continue,
                Fate::Landed(_) => {}
                Fate::Failed(_) | Fate::Expired => {
                    tracing::info!(signature = %sent.signature, amount, "a top-up did not land");
                    self.limit.undeposit(amount);
                }
            }
            self.top_ups().retain(|(other, _)| *other != sent);
        }
        Ok(())
    }

    /// Gives a lane back, and tops its session up in the background if little is left.
    pub(super) fn return_lane(self: &Arc<Self>, mut lane: LiveLane) {
        lane.forget_answered();
        let left = lane.account.deposit().saturating_sub(lane.core.due());
        if left < self.config.deposit / LOW && !self.is_draining() {
            tokio::spawn(Arc::clone(self).refill(Arc::clone(&lane.account)));
        }
        self.pool.give_back(lane);
    }

    async fn refill(self: Arc<Self>, account: Arc<Account>) {
        let Ok(_topping_up) = account.topping_up.try_lock() else {
            return;
        };
        let paused =
            |until: &mut Option<Instant>| until.is_some_and(|until| until > Instant::now());
        if paused(&mut account.pause.lock().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        if let Err(error) = self.add(&account, 1).await {
            let session = account.address;
            tracing::warn!(%session, %error, "little is left in a session and it could not be topped up");
            *account.pause.lock().unwrap_or_else(PoisonError::into_inner) =
                Instant::now().checked_add(PAUSE);
        }
    }
}

/// A session of the ledger as a lane.
pub(super) fn revive(row: &SessionRow, core: Lane) -> LiveLane {
    let key = Keypair::new_from_array(row.key);
    let account = Account::new(row.address, row.provider, row.generation, row.deposit);
    LiveLane::new(core, key, account, row.endpoint.clone())
}
