//! How a job moves: every method that changes its status, and the money that moves with it.

use super::JobData;
use crate::{
    Address,
    amount::{BasisPoints, Lamports, Split, late_slash, release_slash, split_price},
    args::JobCommitArgs,
    digest::is_zero,
    error::{Error, Result},
    limits::MAX_ATTEMPTS,
    status::JobStatus,
    time::UnixSeconds,
};

/// A provider's lost claim: what it pays and what the requester gets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostClaim {
    /// Taken from the stake and burned.
    pub slash: Lamports,
    /// Returned to the requester; zero if the job is open again.
    pub refund: Lamports,
}

/// A settled job: the price's parts and the requester's rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub split: Split,
    pub refund: Lamports,
}

impl JobData {
    /// Gives the job to a provider; returns the price.
    #[inline]
    pub fn claim(
        &mut self,
        provider: Address,
        generation: u64,
        now: UnixSeconds,
    ) -> Result<Lamports> {
        self.require(JobStatus::Open, Error::JobNotOpen)?;
        if !self.claim_deadline()?.allows(now) {
            return Err(Error::JobClaimDeadlinePassed);
        }
        let price = self.price_at(now)?;
        self.ramp_used = self
            .ramp_used
            .saturating_add(now.since(UnixSeconds(self.opened_at)));
        self.provider = provider;
        self.generation = generation;
        self.price = price.0;
        self.claimed_at = now.0;
        self.advance(JobStatus::Claimed)?;
        Ok(price)
    }

    /// Gives a claim back in time, for a quarter of the late slash.
    #[inline]
    pub fn release(&mut self, attempt: u8, now: UnixSeconds) -> Result<LostClaim> {
        self.require(JobStatus::Claimed, Error::JobNotClaimed)?;
        self.require_attempt(attempt)?;
        if !self.compute_deadline()?.allows(now) {
            return Err(Error::JobComputeDeadlinePassed);
        }
        let slash = release_slash(Lamports(self.collateral), Lamports(self.ceiling));
        self.lose_claim(slash, now, now)
    }

    /// Takes a claim away after its compute deadline, for the late slash.
    #[inline]
    pub fn expire_claim(&mut self, now: UnixSeconds) -> Result<LostClaim> {
        self.require(JobStatus::Claimed, Error::JobNotClaimed)?;
        let deadline = self.compute_deadline()?;
        if deadline.allows(now) {
            return Err(Error::JobNotExpired);
        }
        let slash = late_slash(Lamports(self.collateral), Lamports(self.ceiling));
        self.lose_claim(slash, deadline, now)
    }

    /// The next attempt's windows run from `reopened`: a late crank does not lengthen a job's life.
    fn lose_claim(
        &mut self,
        slash: Lamports,
        reopened: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<LostClaim> {
        self.provider = Address::default();
        self.generation = 0;
        self.price = 0;
        self.claimed_at = 0;
        self.attempt = self.attempt.saturating_add(1);
        if self.attempt < MAX_ATTEMPTS {
            self.opened_at = reopened.0;
            self.advance(JobStatus::Open)?;
            return Ok(LostClaim {
                slash,
                refund: Lamports::ZERO,
            });
        }
        let refund = self.end(JobStatus::Expired, now)?;
        Ok(LostClaim { slash, refund })
    }

    /// Fixes the provider's result and its half of the draw.
    #[inline]
    pub fn commit(&mut self, args: &JobCommitArgs, now: UnixSeconds) -> Result<()> {
        self.require(JobStatus::Claimed, Error::JobNotClaimed)?;
        self.require_attempt(args.attempt)?;
        if !self.compute_deadline()?.allows(now) {
            return Err(Error::JobComputeDeadlinePassed);
        }
        if is_zero(&args.commitment)
            || is_zero(&args.worker_secret_hash)
            || is_zero(&args.hints_digest)
        {
            return Err(Error::JobCommitmentMissing);
        }
        self.commitment = args.commitment;
        self.worker_secret_hash = args.worker_secret_hash;
        self.hints_digest = args.hints_digest;
        self.committed_at = now.0;
        self.advance(JobStatus::Committed)
    }

    pub(super) fn settle(&mut self, now: UnixSeconds) -> Result<Settlement> {
        let price = Lamports(self.price);
        let split = split_price(price, BasisPoints(self.fee_bps))?;
        let refund = self.end(JobStatus::Settled, now)?.minus(price)?;
        Ok(Settlement { split, refund })
    }

    /// Faults a provider that committed and never finalized: its whole collateral is slashed.
    #[inline]
    pub fn fault_unfinalized(&mut self, now: UnixSeconds) -> Result<LostClaim> {
        self.require(JobStatus::Committed, Error::JobNotCommitted)?;
        if self.finalize_deadline()?.allows(now) {
            return Err(Error::JobNotExpired);
        }
        let refund = self.end(JobStatus::Faulted, now)?;
        Ok(LostClaim {
            slash: Lamports(self.collateral),
            refund,
        })
    }

    /// Ends an open job that nobody claimed in time; returns the requester's refund.
    #[inline]
    pub fn expire_open(&mut self, now: UnixSeconds) -> Result<Lamports> {
        self.require(JobStatus::Open, Error::JobNotOpen)?;
        if self.claim_deadline()?.allows(now) {
            return Err(Error::JobNotExpired);
        }
        self.end(JobStatus::Expired, now)
    }

    /// Ends an open job for its requester; returns the refund.
    #[inline]
    pub fn cancel(&mut self, now: UnixSeconds) -> Result<Lamports> {
        self.require(JobStatus::Open, Error::JobNotOpen)?;
        self.end(JobStatus::Cancelled, now)
    }

    /// Ends the job and empties its escrow; returns what was in it.
    pub(super) fn end(&mut self, status: JobStatus, now: UnixSeconds) -> Result<Lamports> {
        let escrow = Lamports(self.escrow);
        self.escrow = 0;
        self.ended_at = now.0;
        self.advance(status)?;
        Ok(escrow)
    }

    #[inline]
    pub(super) fn require(&self, status: JobStatus, otherwise: Error) -> Result<()> {
        if self.status == status as u8 {
            Ok(())
        } else {
            Err(otherwise)
        }
    }

    /// The only place that changes the status: asks the table first.
    #[inline]
    pub(super) fn advance(&mut self, next: JobStatus) -> Result<()> {
        if !self.status()?.can_become(next) {
            return Err(Error::JobTransitionForbidden);
        }
        self.status = next as u8;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// Whether the job is still in the attempt that the sender means: a message that arrives after
    /// the claim was lost and won again must not act on the new claim.
    #[inline]
    fn require_attempt(&self, attempt: u8) -> Result<()> {
        if self.attempt == attempt {
            Ok(())
        } else {
            Err(Error::JobAttemptMismatch)
        }
    }
}
