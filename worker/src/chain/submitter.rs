//! Brings a transaction to its end: intent, signature, journal, sending, and then either it landed
//! or it never can.
//!
//! The same signed bytes are sent again and again, so it lands at most once. It has expired when
//! the chain is past its blockhash, by two endpoints or by a margin, and, read after that, its
//! signature is unknown also in old blocks.

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

use super::{Chain, ChainError};
use crate::{
    core::{Action, AuditStep, Step, Submitted},
    halt::{Halt, HaltPoint},
    metrics,
    store::{Member, Quote, SentTransaction, Store, StoreError, TransactionEnd},
};
pub use memory::Memory;

mod follow;
mod memory;

#[cfg(test)]
mod tests;

/// What the chain takes for a signature, by its rules of today.
const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// Limits on fees and on how often to look.
#[derive(Clone, Copy, Debug)]
pub struct SubmitterConfig {
    /// Most micro-lamports to offer for a compute unit; 0 offers nothing.
    pub max_unit_price: u64,
    /// Which of the recent offers is made, in percent.
    pub fee_percentile: u8,
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
    /// Nobody else can come first, and it always takes the same course: what the last one of its kind
    /// used, it will use, and it need not be simulated.
    pub steady: bool,
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
    pub memory: Memory,
}

impl<C: Chain> Submitter<C> {
    /// Builds, signs, saves, sends and follows a transaction.
    pub async fn submit(self: &Arc<Self>, purpose: Purpose) -> Submitted {
        match self.start(&purpose).await {
            Ok(Started::Refused(failure)) => {
                let step = purpose.action.name();
                tracing::info!(job = %purpose.job, step, reason = %failure, "not sent: it would fail");
                metrics::transaction(purpose.action, "refused");
                Submitted::Refused(failure.market())
            }
            Ok(Started::Sent(sent)) => self.follow_new(sent).await,
            Err(error) => {
                tracing::warn!(job = %purpose.job, step = purpose.action.name(), %error, "not sent");
                metrics::transaction(purpose.action, "unsent");
                Submitted::Expired
            }
        }
    }

    async fn start(&self, purpose: &Purpose) -> Result<Started, SubmitError> {
        let key = (purpose.job, purpose.action.name());
        let SubmitterConfig {
            fee_percentile,
            max_unit_price,
            ..
        } = self.config;
        let price = self
            .memory
            .unit_price(
                &*self.chain,
                self.provider,
                key,
                fee_percentile,
                max_unit_price,
            )
            .await;
        let known = self.memory.units(purpose.action);
        let (budget, per_signature) = match known.filter(|_| purpose.steady) {
            // What the last one of its kind used, and half as much again.
            Some(units) => (
                Budget::simulated(units.saturating_add(units / 2).saturating_add(4_000), price),
                LAMPORTS_PER_SIGNATURE,
            ),
            None => {
                let draft = Budget::generous(price);
                let (_, bytes) = self.sign(draft, &purpose.instruction, &Hash::default())?;
                let simulation = self.chain.simulate(&bytes).await?;
                if let Some(error) = simulation.error {
                    return Ok(Started::Refused(Failure::of(&error)));
                }
                if purpose.steady {
                    self.memory.keep_units(purpose.action, simulation.units);
                }
                let told = simulation
                    .fee
                    .map(|fee| fee.saturating_sub(draft.priority_fee()));
                (
                    Budget::simulated(simulation.units, price),
                    told.unwrap_or(LAMPORTS_PER_SIGNATURE),
                )
            }
        };
        let (hash, last_valid_block_height) = self.memory.blockhash(&*self.chain).await?;
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
                fee: per_signature.saturating_add(priority_fee),
                priority_fee,
            },
        };
        let (journaled, now) = (sent.clone(), purpose.now);
        let saving = move |store: &Store| store.save_transaction(&journaled, now);
        if let Err(error) = self.store.call(saving).await {
            // It may be there all the same, and was never sent: no restart is to send it. The next try must
            // not have the same signature.
            self.memory.forget_blockhash().await;
            self.note_end(sent.signature, TransactionEnd::Expired).await;
            return Err(error.into());
        }
        if purpose.action == Action::Job(Step::Claim) {
            self.halt.at(HaltPoint::ClaimIntentSaved);
        }
        Ok(Started::Sent(sent))
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
