//! What goes on beside the requests: what became of requests in doubt, and what the chain says of the sessions.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use assay_client::session::SignedReceipt;

use super::{Active, Inner, StartError, money::revive, pool::LiveLane};
use crate::{
    clock,
    funds::Hold,
    lane::{Lane, Resolved},
    reconcile::{Known, ReconcileError, reconcile},
    store::{ReceiptRow, State, StoreError},
};

/// How often the chain is asked about the sessions.
const TEND: Duration = Duration::from_secs(20);
/// Before a provider is asked what became of a request: first soon, for it may just have noticed the end.
const FIRST_ASK: Duration = Duration::from_millis(20);
/// Each further time after five times as long, up to this.
const LAST_ASK: Duration = Duration::from_mins(1);
/// Once it is asked more seldom than this, nobody waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);

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
    async fn look(self: &Arc<Self>) -> Result<(), StartError> {
        let known = reconcile(&self.store, self.chain.as_ref(), self.cluster)
            .await
            .map_err(StartError::from)?;
        self.adopt(known).await
    }

    /// Takes up sessions that are good and new here, follows the deposits of the others, and lets go of those that end.
    pub(super) async fn adopt(self: &Arc<Self>, known: Vec<Known>) -> Result<(), StartError> {
        for Known { row, .. } in known {
            let account = self.pool.account(&row.address);
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
                    let lane = revive(&row, core);
                    match row.doubt {
                        Some(doubt) => {
                            self.pool.enter(&lane.account);
                            let hold = self.limit.take_over(doubt.max_price);
                            self.settle_doubt(lane, hold);
                        }
                        None => self.pool.add(lane),
                    }
                }
                (State::Closing | State::Closed, Some(account)) => self.pool.end(&account),
                (State::Opening | State::Broken | State::Failed, Some(_))
                | (
                    State::Opening | State::Broken | State::Closing | State::Closed | State::Failed,
                    None,
                ) => {}
            }
        }
        Ok(())
    }

    /// Finds out in the background whether the lane's request is charged. Until then the lane rests.
    pub(super) fn settle_doubt(self: &Arc<Self>, lane: LiveLane, hold: Hold) {
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let active = inner.begin();
            inner.find_out(lane, hold, active).await;
        });
    }

    async fn find_out(self: &Arc<Self>, mut lane: LiveLane, hold: Hold, active: Active) {
        let session = lane.account.address;
        let mut wait = FIRST_ASK;
        let mut active = Some(active);
        let standing = loop {
            tokio::time::sleep(wait).await;
            match self.wire.standing(&lane.endpoint, &session).await {
                Ok(standing) => break standing,
                Err(error) => tracing::debug!(%session, %error, "a request stays in doubt"),
            }
            wait = wait.saturating_mul(5).min(LAST_ASK);
            if wait > PATIENCE {
                // The end of the gateway does not wait for a provider that is gone: the ledger keeps the doubt.
                active = None;
            }
        };
        match lane.core.resolve(&standing) {
            Ok(Resolved::Free) => {
                let cleared = self.store.call(move |store| store.clear_doubt(&session));
                match cleared.await {
                    Ok(()) => self.return_lane(lane),
                    Err(error) => self.unwritten(&lane, &error),
                }
            }
            Ok(Resolved::Charged(signed)) => {
                // An error is told by the ledger itself; nobody waits for this answer any more.
                let _ = self.charged(lane, &signed, hold).await;
            }
            Err(claim) => self.lied(&lane, &claim.to_string()).await,
        }
        drop(active);
    }

    /// The provider broke the rules: nothing more is paid in this session.
    pub(super) async fn lied(&self, lane: &LiveLane, why: &str) {
        let provider = &lane.account.provider;
        self.directory
            .note(provider, crate::providers::Outcome::Failed);
        self.retire(lane, State::Broken, why).await;
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
    pub(super) async fn free(self: &Arc<Self>, mut lane: LiveLane) {
        lane.core.refused();
        let session = lane.account.address;
        let cleared = self.store.call(move |store| store.clear_doubt(&session));
        match cleared.await {
            Ok(()) => self.return_lane(lane),
            Err(error) => self.unwritten(&lane, &error),
        }
    }

    /// The ledger could not be written: the lane rests, and the next start takes it up as the ledger has it.
    pub(super) fn unwritten(&self, lane: &LiveLane, error: &StoreError) {
        let session = lane.account.address;
        tracing::error!(%session, %error, "a session rests until the gateway is started again");
        self.pool.retire(&lane.account);
    }
}
