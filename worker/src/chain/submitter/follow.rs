//! From sending to the end: landed, failed in a block, or never to land any more.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use assay_client::{
    Failure,
    protocol::{Address, JobData, JobStatus, UnixSeconds},
};
use futures_util::future::join_all;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use tokio::time::Instant;

use super::{Submitter, sent_point};
use crate::{
    chain::{Chain, ChainError, Height, Sending},
    core::{Action, Step, Submitted},
    metrics,
    store::{KnownCost, Member, SentTransaction, Store, TransactionEnd},
};

/// No blockhash expires sooner after it was asked for, however quick the chain becomes.
const LEAST_LIFE: Duration = Duration::from_secs(20);
/// Blocks beyond the last one that a single endpoint must show: its height alone is not proof.
const MARGIN: u64 = 32;
/// How long what is not urgent waits: the state of what a reading has already shown, to be read with others',
/// and what the journal did not take.
const LATER: Duration = Duration::from_secs(10);
/// Looks that are left out while a websocket most likely tells it before.
const LEFT_OUT: u32 = 4;
/// Costs that are asked for at once, of transactions in this many seconds.
const OWED: u32 = 8;
const OWED_FOR: i64 = 7 * 86_400;

pub(super) enum End {
    Landed,
    Failed(TransactionError),
    Expired,
}

impl<C: Chain> Submitter<C> {
    /// Follows what was under way when the worker stopped.
    pub async fn follow(&self, sent: &SentTransaction) -> Submitted {
        self.memory.begin(sent.signature);
        // How old it is, is not known: its height must tell alone.
        self.send(sent, 0).await;
        let none = Duration::ZERO;
        let end = self.until_its_end(sent, None, [none, none]).await;
        self.end(sent, end).await
    }

    /// Follows what was just signed. Ends early when a reading shows its effect; what is to be noted
    /// of it is found out later, together with others.
    pub(super) async fn follow_new(self: &Arc<Self>, sent: SentTransaction) -> Submitted {
        let signed = Instant::now();
        self.memory.begin(sent.signature);
        let keys: Vec<_> = sent.members.iter().map(Member::key).collect();
        if keys.is_empty() {
            return Submitted::Expired;
        }
        // Of several, one alone may have come about otherwise: a dispute looks like a draw.
        let shown: Vec<_> = keys.iter().map(|key| self.memory.wait_for(*key)).collect();
        let shown = join_all(shown.iter().map(|member| member.notified()));
        let first = if self.memory.hinted.load(Ordering::Relaxed) {
            self.config.look_every.saturating_mul(LEFT_OUT)
        } else {
            self.config.look_every
        };
        let first = if self.send(&sent, 0).await == Some(Sending::AlreadyProcessed) {
            Duration::ZERO
        } else {
            first
        };
        let waits = [first, self.config.resend_every];
        let ended = tokio::select! {
            biased;
            end = self.until_its_end(&sent, Some(signed), waits) => Some(end),
            _ = shown => None,
        };
        for key in keys {
            self.memory.wait_no_more(key);
        }
        match ended {
            Some(end) => self.end(&sent, end).await,
            None => {
                let submitter = Arc::clone(self);
                tokio::spawn(async move {
                    // Sent again only if it is not known after all.
                    let waits = [LATER, LATER * 2];
                    let end = submitter.until_its_end(&sent, Some(signed), waits).await;
                    submitter.end(&sent, end).await
                });
                Submitted::Landed
            }
        }
    }

    /// A reading of a job, which may show what was sent for it.
    pub fn see(&self, address: Address, job: &JobData) {
        let Ok(status) = job.status() else { return };
        let ours = job.provider == self.provider;
        let show = |step: Step| self.memory.show((address, Action::Job(step).name()));
        match status {
            JobStatus::Claimed if ours => show(Step::Claim),
            JobStatus::Committed if ours => show(Step::Commit),
            JobStatus::Settled | JobStatus::Auditing if ours => show(Step::Finalize),
            // An old reading shows an open job too.
            JobStatus::Open
            | JobStatus::Claimed
            | JobStatus::Committed
            | JobStatus::Auditing
            | JobStatus::Appealing
            | JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => {}
        }
    }

    /// Looks and sends again until the end is known. It was sent once; `waits` until the first look and
    /// the second sending.
    async fn until_its_end(
        &self,
        sent: &SentTransaction,
        signed: Option<Instant>,
        [mut wait, resend]: [Duration; 2],
    ) -> End {
        let mut next_send = Instant::now() + resend;
        let mut times = 1;
        loop {
            tokio::time::sleep(wait).await;
            wait = self.config.look_every;
            match self.look(sent).await {
                Ok(Some(end)) => return end,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "signature not readable; looking again"),
            }
            if Instant::now() < next_send {
                continue;
            }
            if signed.is_none_or(|signed| signed.elapsed() >= LEAST_LIFE) {
                match self.late_end(sent).await {
                    Ok(Some(end)) => return end,
                    Ok(None) => {}
                    Err(error) => tracing::debug!(%error, "expiry not known; looking again"),
                }
            }
            if self.send(sent, times).await == Some(Sending::AlreadyProcessed) {
                wait = Duration::ZERO;
            }
            times = times.saturating_add(1);
            next_send = Instant::now() + self.config.resend_every;
        }
    }

    async fn send(&self, sent: &SentTransaction, times: u32) -> Option<Sending> {
        // A refusal here proves nothing: the signature's state does.
        let answer = self.chain.send(&sent.bytes, times).await;
        let signature = Signature::from(sent.signature);
        if let Err(error) = &answer {
            tracing::debug!(%error, %signature, "sending was answered with an error");
        }
        if times == 0 {
            for Member { job, action, .. } in &sent.members {
                tracing::debug!(%job, step = action.name(), %signature, "transaction sent");
                if let Some(point) = sent_point(*action) {
                    self.halt.at(point);
                }
            }
        }
        answer.ok()
    }

    async fn look(&self, sent: &SentTransaction) -> Result<Option<End>, ChainError> {
        let fresh = self.config.look_every / 2;
        let state = self.memory.state(&*self.chain, &sent.signature, fresh);
        Ok(state.await?.filter(|state| state.confirmed).map(end_of))
    }

    /// How it ended, if it can land no more. A height alone is not believed: nodes have told wrong ones.
    /// Two endpoints must be past the last block, or one by a margin; read after that, the signature
    /// must be unknown also in old blocks, and the jobs themselves must be readable.
    pub(super) async fn late_end(&self, sent: &SentTransaction) -> Result<Option<End>, ChainError> {
        let Height { height, agreed } = self.chain.block_height().await?;
        let beyond = |margin| height > sent.last_valid_block_height.saturating_add(margin);
        if !beyond(if agreed { 0 } else { MARGIN }) {
            return Ok(None);
        }
        let states = self.chain.signatures(&[sent.signature], true).await?;
        match states.into_iter().next().flatten() {
            Some(state) if state.confirmed => return Ok(Some(end_of(state))),
            // What has not been confirmed so long after its last block was dropped with its fork.
            Some(_) if !(agreed && beyond(MARGIN)) => return Ok(None),
            Some(_) | None => {}
        }
        let is_session = |member: &Member| matches!(member.action, Action::Session(_));
        let (sessions, jobs): (Vec<_>, Vec<_>) =
            sent.members.iter().partition(|one| is_session(one));
        let addresses = |members: Vec<&Member>| -> Vec<Address> {
            members.into_iter().map(|member| member.job).collect()
        };
        if !jobs.is_empty() {
            self.chain.jobs(&addresses(jobs)).await?;
        }
        if !sessions.is_empty() {
            let sessions = addresses(sessions).into_iter();
            let sessions: Vec<_> = sessions.map(|session| (session, None)).collect();
            self.chain.sessions(&sessions).await?;
        }
        Ok(Some(End::Expired))
    }

    async fn end(&self, sent: &SentTransaction, end: End) -> Submitted {
        self.memory.end(&sent.signature);
        let signature = Signature::from(sent.signature);
        let (end, outcome, word) = match end {
            End::Landed => (TransactionEnd::Landed, Submitted::Landed, "landed"),
            End::Failed(error) => {
                let failure = Failure::of(&error);
                let error = failure.to_string();
                let outcome = Submitted::Refused(failure.market());
                (TransactionEnd::Refused { error }, outcome, "failed")
            }
            End::Expired => {
                self.memory.forget_blockhash().await;
                (TransactionEnd::Expired, Submitted::Expired, "expired")
            }
        };
        if end != TransactionEnd::Landed && sent.members.len() > 1 {
            self.memory.set_apart(sent.members.iter().map(Member::key));
        }
        for member in &sent.members {
            let Member { job, action, .. } = member;
            let step = action.name();
            match &end {
                TransactionEnd::Landed => {
                    self.memory.forget_failures(member.key());
                    tracing::info!(%job, step, %signature, fee = sent.quote.fee, "transaction landed");
                }
                TransactionEnd::Refused { error } => {
                    // Perhaps for a lack of units.
                    self.memory.forget_units(*action);
                    tracing::warn!(%job, step, %signature, reason = error, "transaction failed on chain");
                }
                TransactionEnd::Expired => {
                    self.memory.note_expiry(member.key());
                    tracing::warn!(%job, step, %signature, "transaction expired without landing");
                }
            }
            metrics::transaction(*action, word);
        }
        let landed = end != TransactionEnd::Expired;
        self.note_end(sent, end).await;
        if landed {
            self.note_cost(sent).await;
        }
        outcome
    }

    /// Notes how a transaction ended, later and again if the journal does not take it now: until then it is
    /// one whose end nobody knows, and its fee is in no sum.
    pub(super) async fn note_end(&self, sent: &SentTransaction, end: TransactionEnd) {
        let unsaved = self.memory.take_unsaved(&sent.signature);
        let noted = Arc::new((sent.clone(), end));
        let noting = move || {
            let noted = Arc::clone(&noted);
            move |store: &Store| {
                let (sent, end) = &*noted;
                if let Some(at) = unsaved {
                    store.save_transaction(sent, at)?;
                }
                store.end_transaction(&sent.signature, end)
            }
        };
        let Err(error) = self.store.call(noting()).await else {
            return;
        };
        let signature = Signature::from(sent.signature);
        tracing::warn!(%signature, %error, "the end of a transaction is not in the journal; trying on");
        let store = self.store.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LATER).await;
                match store.call(noting()).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%signature, %error, "still not in the journal"),
                }
            }
        });
    }

    /// Steps of jobs and sessions move none of the operator's lamports but the fee, which follows from what was
    /// signed; now and then the chain's record is compared. Audits lend rent: theirs is always read.
    async fn note_cost(&self, sent: &SentTransaction) {
        let fee_only =
            |member: &Member| matches!(member.action, Action::Job(_) | Action::Session(_));
        if sent.members.iter().all(fee_only) && !self.memory.is_sample() {
            return self.keep_cost(sent.signature, KnownCost::Quoted).await;
        }
        if let Some(cost) = self.recorded(&sent.signature).await {
            if let KnownCost::Recorded { fee, .. } = cost
                && fee != sent.quote.fee
                && !self.memory.distrusts_quotes.swap(true, Ordering::Relaxed)
            {
                tracing::warn!(
                    computed = sent.quote.fee,
                    fee,
                    "the chain takes other fees than were computed; each is asked for from now on"
                );
            }
            self.keep_cost(sent.signature, cost).await;
        }
    }

    /// None if the node does not tell it, or not yet: it stays owed.
    async fn recorded(&self, signature: &[u8; 64]) -> Option<KnownCost> {
        let cost = self.chain.cost(signature).await.ok()??;
        Some(KnownCost::Recorded {
            fee: cost.fee,
            compute_units: cost.compute_units,
            rent: cost.rent,
        })
    }

    async fn keep_cost(&self, key: [u8; 64], cost: KnownCost) {
        let noting = move |store: &Store| store.record_cost(&key, &cost);
        if let Err(error) = self.store.call(noting).await {
            tracing::warn!(%error, "the cost of a transaction is not in the journal");
        }
    }

    /// Asks for costs that nodes have not told yet.
    pub async fn ask_for_costs(&self, now: UnixSeconds) {
        let since = UnixSeconds(now.0.saturating_sub(OWED_FOR));
        let asking = move |store: &Store| store.owed_costs(since, OWED);
        for signature in self.store.call(asking).await.unwrap_or_default() {
            if let Some(cost) = self.recorded(&signature).await {
                self.keep_cost(signature, cost).await;
            }
        }
    }
}

fn end_of(state: crate::chain::SignatureState) -> End {
    match state.error {
        None => End::Landed,
        Some(error) => End::Failed(error),
    }
}
