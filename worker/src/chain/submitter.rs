//! Brings a transaction to its end: intent, signature, journal, sending, and then either it landed
//! or it never can.
//!
//! The same signed bytes are sent again and again, so it lands at most once. It has expired when
//! the chain's height is past its blockhash and, read after that, its signature is unknown.

use std::{sync::Arc, time::Duration};

use assay_client::{
    Failure,
    budget::Budget,
    protocol::{Address, UnixSeconds},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Hash, Message};
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;

use super::{Chain, ChainError};
use crate::{
    core::{Action, AuditStep, Step, Submitted},
    halt::{Halt, HaltPoint},
    metrics,
    store::{KnownCost, Member, Quote, SentTransaction, Store, StoreError, TransactionEnd},
};

/// What the chain takes for a signature, by its rules of today.
const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// Limits on fees and on how often to look.
#[derive(Clone, Copy, Debug)]
pub struct SubmitterConfig {
    /// Most micro-lamports to offer for a compute unit; 0 offers nothing.
    pub max_unit_price: u64,
    /// Between two looks at a signature.
    pub look_every: Duration,
    /// Between two sendings of the same bytes.
    pub resend_every: Duration,
}

/// What a transaction is for.
#[derive(Clone, Debug)]
pub struct Purpose {
    pub job: Address,
    pub attempt: u8,
    pub action: Action,
    pub instruction: Instruction,
    pub now: UnixSeconds,
}

#[derive(Debug, thiserror::Error)]
enum SubmitError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the operator key could not sign: {0}")]
    Sign(#[from] solana_signer::SignerError),
    #[error("the transaction has {0} bytes and a packet takes 1232")]
    TooLarge(usize),
}

/// Sends for one operator.
pub struct Submitter<C> {
    pub chain: Arc<C>,
    pub store: Store,
    pub operator: Arc<Keypair>,
    pub provider: Address,
    pub config: SubmitterConfig,
    pub halt: Halt,
}

impl<C: Chain> Submitter<C> {
    /// Builds, signs, saves, sends and follows a transaction.
    pub async fn submit(&self, purpose: Purpose) -> Submitted {
        match self.start(&purpose).await {
            Ok(Started::Refused(failure)) => {
                let step = purpose.action.name();
                tracing::info!(job = %purpose.job, step, reason = %failure, "not sent: it would fail");
                metrics::transaction(purpose.action, "refused");
                Submitted::Refused(failure.market())
            }
            Ok(Started::Sent(sent)) => self.follow(&sent).await,
            Err(error) => {
                tracing::warn!(job = %purpose.job, step = purpose.action.name(), %error, "not sent");
                metrics::transaction(purpose.action, "unsent");
                Submitted::Expired
            }
        }
    }

    async fn start(&self, purpose: &Purpose) -> Result<Started, SubmitError> {
        let price = self.unit_price(purpose).await;
        let draft = self.sign(
            Budget::generous(price),
            &purpose.instruction,
            &Hash::default(),
        )?;
        let simulation = self.chain.simulate(&draft.1).await?;
        if let Some(error) = simulation.error {
            return Ok(Started::Refused(Failure::of(&error)));
        }
        let (hash, last_valid_block_height) = self.chain.blockhash().await?;
        let budget = Budget::simulated(simulation.units, price);
        let (signature, bytes) = self.sign(budget, &purpose.instruction, &hash)?;
        if bytes.len() > 1_232 {
            return Err(SubmitError::TooLarge(bytes.len()));
        }
        let member = Member {
            job: purpose.job,
            attempt: purpose.attempt,
            action: purpose.action,
        };
        let priority_fee = budget.priority_fee();
        let sent = SentTransaction {
            signature: signature.into(),
            members: vec![member],
            bytes,
            last_valid_block_height,
            quote: Quote {
                fee: LAMPORTS_PER_SIGNATURE.saturating_add(priority_fee),
                priority_fee,
            },
        };
        let (journaled, now) = (sent.clone(), purpose.now);
        self.store
            .call(move |store| store.save_transaction(&journaled, now))
            .await?;
        if purpose.action == Action::Job(Step::Claim) {
            self.halt.at(HaltPoint::ClaimIntentSaved);
        }
        Ok(Started::Sent(sent))
    }

    /// Sends again and looks, until the end is known. Also what a restart does with the journal's
    /// pending transactions.
    pub async fn follow(&self, sent: &SentTransaction) -> Submitted {
        let mut next_send = tokio::time::Instant::now();
        let mut times = 0;
        loop {
            if tokio::time::Instant::now() >= next_send {
                self.send(sent, times).await;
                times = times.saturating_add(1);
                next_send = tokio::time::Instant::now() + self.config.resend_every;
            }
            match self.look(sent).await {
                Ok(Some(end)) => return self.end(sent, end).await,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "signature not readable; looking again"),
            }
            tokio::time::sleep(self.config.look_every).await;
        }
    }

    async fn send(&self, sent: &SentTransaction, times: u32) {
        // A refusal here proves nothing: the signature's state does.
        if let Err(error) = self.chain.send(&sent.bytes, times).await {
            tracing::debug!(%error, signature = %Signature::from(sent.signature), "sending was answered with an error");
        }
        if times > 0 {
            return;
        }
        let signature = Signature::from(sent.signature);
        for Member { job, action, .. } in &sent.members {
            tracing::debug!(%job, step = action.name(), %signature, "transaction sent");
            if let Some(point) = sent_point(*action) {
                self.halt.at(point);
            }
        }
    }

    async fn look(&self, sent: &SentTransaction) -> Result<Option<End>, ChainError> {
        // Height first: what is unknown after its last block was seen will stay unknown.
        let height = self.chain.block_height().await?.height;
        let states = self.chain.signatures(&[sent.signature], true).await?;
        match states.into_iter().next().flatten() {
            Some(state) if state.confirmed => Ok(Some(match state.error {
                None => End::Landed,
                Some(error) => End::Failed(error),
            })),
            None if height > sent.last_valid_block_height => Ok(Some(End::Expired)),
            Some(_) | None => Ok(None),
        }
    }

    async fn end(&self, sent: &SentTransaction, end: End) -> Submitted {
        let signature = Signature::from(sent.signature);
        let (end, outcome, word) = match end {
            End::Landed => (TransactionEnd::Landed, Submitted::Landed, "landed"),
            End::Failed(error) => {
                let failure = Failure::of(&error);
                let error = failure.to_string();
                let outcome = Submitted::Refused(failure.market());
                (TransactionEnd::Refused { error }, outcome, "failed")
            }
            End::Expired => (TransactionEnd::Expired, Submitted::Expired, "expired"),
        };
        for Member { job, action, .. } in &sent.members {
            let step = action.name();
            match &end {
                TransactionEnd::Landed => {
                    tracing::info!(%job, step, %signature, fee = sent.quote.fee, "transaction landed");
                }
                TransactionEnd::Refused { error } => {
                    tracing::warn!(%job, step, %signature, reason = error, "transaction failed on chain");
                }
                TransactionEnd::Expired => {
                    tracing::warn!(%job, step, %signature, "transaction expired without landing");
                }
            }
            metrics::transaction(*action, word);
        }
        let landed = end != TransactionEnd::Expired;
        let key = sent.signature;
        let noting = move |store: &Store| store.end_transaction(&key, &end);
        if let Err(error) = self.store.call(noting).await {
            tracing::warn!(%signature, %error, "the end of a transaction is not in the journal");
        }
        if landed {
            self.note_cost(key).await;
        }
        outcome
    }

    async fn note_cost(&self, key: [u8; 64]) {
        let cost = match self.chain.cost(&key).await {
            Ok(Some(cost)) => KnownCost::Recorded {
                fee: cost.fee,
                compute_units: cost.compute_units,
                rent: cost.rent,
            },
            // Asked again later.
            Ok(None) | Err(_) => return,
        };
        let noting = move |store: &Store| store.record_cost(&key, &cost);
        if let Err(error) = self.store.call(noting).await {
            tracing::warn!(%error, "the cost of a transaction is not in the journal");
        }
    }

    async fn unit_price(&self, purpose: &Purpose) -> u64 {
        if self.config.max_unit_price == 0 {
            return 0;
        }
        // Advice only: without it, nothing is offered.
        let accounts = [purpose.job, self.provider];
        let mut recent = self.chain.recent_fees(&accounts).await.unwrap_or_default();
        recent.sort_unstable();
        let median = recent.get(recent.len() / 2).copied().unwrap_or(0);
        median.min(self.config.max_unit_price)
    }

    fn sign(
        &self,
        budget: Budget,
        instruction: &Instruction,
        hash: &Hash,
    ) -> Result<(Signature, Vec<u8>), SubmitError> {
        let mut instructions = budget.instructions();
        instructions.push(instruction.clone());
        let message =
            Message::new_with_blockhash(&instructions, Some(&self.operator.pubkey()), hash);
        let message = message.serialize();
        let signature = self.operator.try_sign_message(&message)?;
        // A transaction is its signatures, counted in one byte, and the message.
        let bytes = [&[1], signature.as_ref(), message.as_slice()].concat();
        Ok((signature, bytes))
    }
}

fn sent_point(action: Action) -> Option<HaltPoint> {
    match action {
        Action::Job(Step::Commit) => Some(HaltPoint::CommitSent),
        Action::Job(Step::Finalize) => Some(HaltPoint::FinalizeSent),
        Action::Audit(AuditStep::Join) => Some(HaltPoint::JoinSent),
        Action::Audit(AuditStep::Commit) => Some(HaltPoint::SeatCommitSent),
        Action::Audit(AuditStep::RevealPrimary) => Some(HaltPoint::JobRevealSent),
        Action::Job(Step::Claim | Step::Release)
        | Action::Audit(
            AuditStep::Open
            | AuditStep::Reveal
            | AuditStep::Resolve
            | AuditStep::Settle
            | AuditStep::Close,
        ) => None,
    }
}

enum Started {
    Sent(SentTransaction),
    Refused(Failure),
}

enum End {
    Landed,
    Failed(TransactionError),
    Expired,
}
