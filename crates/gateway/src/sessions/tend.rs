//! What goes on beside the requests: what the chain says of the sessions, and what the ledger does.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use assay_client::session::SignedReceipt;

use super::{
    Inner, StartError,
    attempt::{LAGGING, unavailable},
    money::revive,
    pool::LiveLane,
};
use crate::{
    clock,
    funds::Hold,
    lane::Lane,
    reconcile::{Known, ReconcileError, reconcile},
    store::{ReceiptRow, State, Store, StoreError},
    upstream::UpstreamError,
};

/// How often the chain is asked about the sessions.
const TEND: Duration = Duration::from_secs(20);
/// Follows the chain until the sessions are dropped.
pub(super) async fn tend(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(TEND).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        if let Err(error) = inner.look().await {
            tracing::debug!(%error, "going on without a look at the chain");
        }
    }
}

impl Inner {
    pub(super) async fn look(self: &Arc<Self>) -> Result<(), StartError> {
        // Before the sessions are read, which then show what landed.
        self.follow_top_ups().await?;
        let known = reconcile(&self.store, self.chain.as_ref(), self.cluster)
            .await
            .map_err(StartError::from)?;
        self.adopt(known).await?;
        self.follow_bans().await
    }

    /// The command line may have lifted a ban.
    pub(super) async fn follow_bans(&self) -> Result<(), StartError> {
        let banned = self.store.call(Store::banned).await;
        self.directory.ban(banned.map_err(ReconcileError::from)?);
        Ok(())
    }

    /// Takes up sessions that are good and new here, follows the deposits of the others, and lets go of those that end.
    pub(super) async fn adopt(self: &Arc<Self>, known: Vec<Known>) -> Result<(), StartError> {
        for Known { row, .. } in known {
            let account = self.pool.account(&row.address);
            if row.state != State::Opening
                && let Some(deposit) = self.unsure().remove(&row.address)
                && row.state == State::Failed
            {
                self.limit.undeposit(deposit);
            }
            match (row.state, account) {
                (State::Open, Some(account)) => {
                    // A top-up that has just landed may not be in what was read.
                    account.deposit.fetch_max(row.deposit, Ordering::AcqRel);
                }
                (State::Open, None) => {
                    let session = row.address;
                    let last = self
                        .store
                        .call(move |store| store.last_receipt(&session))
                        .await
                        .map_err(ReconcileError::from)?
                        .map(|row| row.signed);
                    let core = Lane::new(row.address, row.operator, last, row.doubt);
                    let lane = revive(&row, core).adopted(row.worth);
                    match row.doubt {
                        Some(doubt) if self.pool.enter(&lane.account) => {
                            let hold = self.limit.take_over(doubt.max_price);
                            self.settle_doubt(lane, hold);
                        }
                        Some(_) => {}
                        None => self.pool.add(lane),
                    }
                }
                (State::Closing, Some(account)) => self.pool.end(&account),
                (State::Closed, Some(account)) => {
                    self.pool.end(&account);
                    let back = account.comes_back(row.paid.max(row.settled));
                    self.limit.undeposit(back);
                }
                (State::Opening | State::Broken | State::Failed, Some(_))
                | (
                    State::Opening | State::Broken | State::Closing | State::Closed | State::Failed,
                    None,
                ) => {}
            }
        }
        Ok(())
    }

    /// An accepted receipt is written down before the answer is passed on; then the lane is free again.
    pub(super) async fn charged(
        self: &Arc<Self>,
        lane: LiveLane,
        signed: &SignedReceipt,
        hold: Hold,
    ) -> Result<(), UpstreamError> {
        hold.spend(signed.receipt.price);
        match self.keep(&lane, signed).await {
            Ok(()) => {
                self.return_lane(lane);
                Ok(())
            }
            Err(error) => {
                self.unwritten(&lane, &error);
                Err(unavailable(&error))
            }
        }
    }

    /// Writes an accepted receipt down.
    pub(super) async fn keep(
        &self,
        lane: &LiveLane,
        signed: &SignedReceipt,
    ) -> Result<(), StoreError> {
        let row = ReceiptRow {
            signed: *signed,
            operator: *lane.core.operator(),
            received_at: clock::now(),
        };
        self.store.call(move |store| store.add_receipt(&row)).await
    }

    /// The provider does not charge the request; the lane is free again.
    pub(super) async fn free(self: &Arc<Self>, lane: LiveLane) {
        if let Some(lane) = self.cleared(lane).await {
            self.return_lane(lane);
        }
    }

    /// Nor does it charge this one, but another of the session is under way there: the lane is free again after a while.
    pub(super) async fn rest(self: &Arc<Self>, lane: LiveLane) {
        if let Some(lane) = self.cleared(lane).await {
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(LAGGING).await;
                inner.return_lane(lane);
            });
        }
    }

    async fn cleared(&self, mut lane: LiveLane) -> Option<LiveLane> {
        lane.core.refused();
        let session = lane.account.address;
        let cleared = self.store.call(move |store| store.clear_doubt(&session));
        match cleared.await {
            Ok(()) => Some(lane),
            Err(error) => {
                self.unwritten(&lane, &error);
                None
            }
        }
    }

    /// The ledger could not be written: the lane rests, and the next start takes it up as the ledger has it.
    pub(super) fn unwritten(&self, lane: &LiveLane, error: &StoreError) {
        let session = lane.account.address;
        tracing::error!(%session, %error, "a session rests until the gateway is started again");
        self.pool.retire(&lane.account);
    }
}
