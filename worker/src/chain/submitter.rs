//! Brings a transaction to its end: intent, signature, journal, sending, and then either it landed
//! or it never can.
//!
//! The same signed bytes are sent again and again, so it lands at most once. It has expired when
//! the chain is past its blockhash, by two endpoints or by a margin, and, read after that, its
//! signature is unknown also in old blocks.

use std::{sync::Arc, time::Duration};

use assay_client::{
    Failure,
    budget::{Budget, LAMPORTS_PER_SIGNATURE, PACKET_BYTES},
    protocol::{Address, UnixSeconds},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Hash, Message};
use solana_signature::Signature;
use solana_signer::Signer;

use super::{Chain, ChainError, Simulation};
use crate::{
    core::{Action, AuditStep, SessionStep, Step, Submitted},
    halt::{Halt, HaltPoint},
    metrics,
    store::{Member, Quote, SentTransaction, Store, StoreError, TransactionEnd},
};
pub use batch::Asked;
pub use memory::Memory;

mod batch;
mod follow;
mod memory;

#[cfg(test)]
mod tests;

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
    /// What must be directly before it: a voucher's signature, for the precompile.
    pub proof: Option<Instruction>,
    pub now: UnixSeconds,
    /// Nobody else can come first, and it always takes the same course: what the last one of its kind
    /// used, it will use, and it need not be simulated.
    pub steady: bool,
}

impl Purpose {
    fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        self.proof.iter().chain([&self.instruction])
    }

    fn member(&self) -> Member {
        Member {
            job: self.job,
            attempt: self.attempt,
            action: self.action,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SubmitError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the operator key could not sign: {0}")]
    Sign(#[from] solana_signer::SignerError),
    #[error("the transaction has {0} bytes and a packet takes {PACKET_BYTES}")]
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
        self.bring(purpose, false).await
    }

    /// The same, sent whatever endpoints say: for what is owed, when there is no time to ask again.
    pub async fn insist(self: &Arc<Self>, purpose: Purpose) -> Submitted {
        self.bring(purpose, true).await
    }

    async fn bring(self: &Arc<Self>, purpose: Purpose, insist: bool) -> Submitted {
        match self.start(std::slice::from_ref(&purpose), insist).await {
            Ok(Started::Refused { failure, .. }) => {
                let step = purpose.action.name();
                tracing::info!(job = %purpose.job, step, reason = %failure, "not sent: it would fail");
                metrics::transaction(purpose.action, "refused");
                Submitted::Refused(failure.market())
            }
            Ok(Started::Sent(sent)) => self.follow_new(sent).await,
            Err(error) => {
                unsent(&purpose, &error);
                Submitted::Expired
            }
        }
    }

    /// Asks for a blockhash that is about to be needed, while what is needed before is still under way.
    pub async fn make_ready(&self) {
        if let Err(error) = self.memory.blockhash(&*self.chain).await {
            tracing::debug!(%error, "no blockhash beforehand");
        }
    }

    /// Up to the journal: what it returns may be sent.
    async fn start(&self, purposes: &[Purpose], insist: bool) -> Result<Started, SubmitError> {
        let price = self.price(purposes).await;
        // At the same time: nothing that is simulated waits for its blockhash.
        let hash = self.memory.blockhash(&*self.chain);
        let (planned, hash) = tokio::join!(self.plan(purposes, price, insist), hash);
        let (budget, per_signature) = match planned? {
            Ok(planned) => planned,
            Err(failure) => {
                let before = Budget::generous(price).instructions().len();
                let member = failure.instruction.map(usize::from);
                let member = member.and_then(|position| position.checked_sub(before));
                return Ok(Started::Refused { failure, member });
            }
        };
        let (hash, last_valid_block_height) = hash?;
        let (signature, bytes) = self.sign(budget, purposes, &hash)?;
        if bytes.len() > PACKET_BYTES {
            return Err(SubmitError::TooLarge(bytes.len()));
        }
        let priority_fee = budget.priority_fee();
        let sent = SentTransaction {
            signature: signature.into(),
            members: purposes.iter().map(Purpose::member).collect(),
            bytes,
            last_valid_block_height,
            quote: Quote {
                fee: per_signature.saturating_add(priority_fee),
                priority_fee,
            },
        };
        let now = purposes.iter().map(|purpose| purpose.now).max();
        let (journaled, now) = (sent.clone(), now.unwrap_or_default());
        let saving = move |store: &Store| store.save_transaction(&journaled, now);
        if let Err(error) = self.store.call(saving).await {
            if purposes
                .iter()
                .all(|purpose| purpose.action.needs_no_disk())
            {
                tracing::error!(%error, "a transaction is not in the journal; it is sent, and noted with its end");
                self.memory.note_unsaved(sent.signature, now);
                return Ok(Started::Sent(sent));
            }
            // It may be there all the same, and was never sent: no restart is to send it. The next try must
            // not have the same signature.
            self.memory.forget_blockhash().await;
            self.note_end(&sent, TransactionEnd::Expired).await;
            return Err(error.into());
        }
        let claim = |purpose: &Purpose| purpose.action == Action::Job(Step::Claim);
        if purposes.iter().any(claim) {
            self.halt.at(HaltPoint::ClaimIntentSaved);
        }
        Ok(Started::Sent(sent))
    }

    /// What is offered for a unit: as much as the most urgent of them asks for.
    async fn price(&self, purposes: &[Purpose]) -> u64 {
        let (percentile, most) = (self.config.fee_percentile, self.config.max_unit_price);
        let mut highest = 0;
        for purpose in purposes {
            let (chain, provider, key) = (&*self.chain, self.provider, purpose.member().key());
            let price = self
                .memory
                .unit_price(chain, provider, key, percentile, most);
            highest = price.await.max(highest);
        }
        highest
    }

    /// What the last one of its kind used, and half as much again, where that is enough to know. Of
    /// several in one transaction each could take the others along: they are always simulated.
    fn known_budget(&self, purposes: &[Purpose], price: u64) -> Option<Budget> {
        let [
            Purpose {
                action,
                steady: true,
                ..
            },
        ] = purposes
        else {
            return None;
        };
        let units = self.memory.units(*action)?;
        let units = units.saturating_add(units / 2).saturating_add(4_000);
        Some(Budget::simulated(units, price))
    }

    /// Its budget and the lamports for its signature, or how it would fail.
    async fn plan(
        &self,
        purposes: &[Purpose],
        price: u64,
        insist: bool,
    ) -> Result<Result<(Budget, u64), Failure>, SubmitError> {
        if let Some(budget) = self.known_budget(purposes, price) {
            return Ok(Ok((budget, signatures(purposes))));
        }
        let draft = Budget::generous(price);
        let (_, bytes) = self.sign(draft, purposes, &Hash::default())?;
        let simulation = match self.simulate(purposes, &bytes).await {
            Ok(Simulation {
                error: Some(error), ..
            }) if !insist => return Ok(Err(Failure::of(&error))),
            Err(error) if !insist => return Err(error.into()),
            Ok(simulation) if simulation.error.is_none() => simulation,
            // Nothing is known of the units that it takes.
            Ok(_) | Err(_) => {
                tracing::warn!("sent although no endpoint says that it will land: it is due");
                return Ok(Ok((draft, signatures(purposes))));
            }
        };
        if let [purpose @ Purpose { steady: true, .. }] = purposes {
            self.memory.keep_units(purpose.action, simulation.units);
        }
        let told = simulation
            .fee
            .map(|fee| fee.saturating_sub(draft.priority_fee()));
        Ok(Ok((
            Budget::simulated(simulation.units, price),
            told.unwrap_or_else(|| signatures(purposes)),
        )))
    }

    /// What would become of it. That what is owed would fail is believed if two endpoints say so, where there are two.
    async fn simulate(&self, purposes: &[Purpose], bytes: &[u8]) -> Result<Simulation, ChainError> {
        let simulation = self.chain.simulate(bytes).await?;
        let owed = matches!(purposes, [purpose] if purpose.action.is_owed());
        if simulation.error.is_none() || !owed {
            return Ok(simulation);
        }
        let other = self.chain.simulate_elsewhere(bytes).await;
        Ok(other
            .filter(|other| other.error.is_none())
            .unwrap_or(simulation))
    }

    fn sign(
        &self,
        budget: Budget,
        purposes: &[Purpose],
        hash: &Hash,
    ) -> Result<(Signature, Vec<u8>), SubmitError> {
        let instructions = purposes.iter().flat_map(Purpose::instructions);
        let message = self.message(budget, instructions, hash);
        let signature = self.operator.try_sign_message(&message)?;
        // A transaction is its signatures, counted in one byte, and the message.
        let bytes = [&[1], signature.as_ref(), message.as_slice()].concat();
        Ok((signature, bytes))
    }

    fn message<'a>(
        &self,
        budget: Budget,
        instructions: impl Iterator<Item = &'a Instruction>,
        hash: &Hash,
    ) -> Vec<u8> {
        let mut all = budget.instructions();
        all.extend(instructions.cloned());
        Message::new_with_blockhash(&all, Some(&self.operator.pubkey()), hash).serialize()
    }
}

/// Lamports for the operator's signature and for those that the precompile checks.
fn signatures(purposes: &[Purpose]) -> u64 {
    let proofs = purposes.iter().filter(|purpose| purpose.proof.is_some());
    let count = u64::try_from(proofs.count()).unwrap_or(u64::MAX);
    LAMPORTS_PER_SIGNATURE.saturating_mul(count.saturating_add(1))
}

fn unsent(purpose: &Purpose, error: &SubmitError) {
    let step = purpose.action.name();
    tracing::warn!(job = %purpose.job, step, %error, "not sent");
    metrics::transaction(purpose.action, "unsent");
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
        )
        | Action::Session(SessionStep::Settle | SessionStep::Close) => None,
    }
}

enum Started {
    Sent(SentTransaction),
    Refused {
        failure: Failure,
        /// Whose instruction fails, where it is one of theirs.
        member: Option<usize>,
    },
}
