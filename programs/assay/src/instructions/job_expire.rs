use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{
    JobStatus, Lamports as Amount, UnixSeconds, error::Error as Fact, events::JobExpired,
    job::LostClaim,
};

use super::moment;
use crate::{
    escrow,
    state::{Job, Provider},
};

#[derive(Accounts)]
pub struct JobExpire {
    #[account(mut)]
    pub job: Account<Job>,
    /// CHECK: the job's requester, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub requester: UncheckedAccount,
    /// The job's provider, where it has one.
    #[account(mut)]
    pub provider: Option<Account<Provider>>,
    /// CHECK: the incinerator, checked by address; it only receives.
    #[account(mut, unsafe(dup), address = escrow::INCINERATOR)]
    pub incinerator: UncheckedAccount,
}

impl JobExpire {
    fn validate(&self) -> Result<()> {
        require!(
            address_eq(self.requester.address(), &self.job.requester),
            Fact::JobRequesterMismatch
        );
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let provider = self.job.provider;
        let status = self.job.status()?;
        let lost = match status {
            JobStatus::Open => {
                let refund = self.job.expire_open(now)?;
                LostClaim { slash: Amount::ZERO, refund }
            }
            JobStatus::Claimed | JobStatus::Committed => self.lose_provider(status, now)?,
            JobStatus::Auditing
            | JobStatus::Appealing
            | JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => return Err(Fact::JobNotExpirable.into()),
        };
        escrow::refund(&mut self.job, self.requester.account(), lost.refund)?;
        // An open job has no provider: whoever's account was passed in tells nothing.
        let stake = match &self.provider {
            Some(account) if address_eq(account.address(), &provider) => account.stake,
            _ => 0,
        };
        emit!(JobExpired {
            slot,
            time: now.0,
            job: *self.job.address(),
            provider,
            sequence: u64::from(self.job.sequence),
            slash: lost.slash.0,
            refund: lost.refund.0,
            stake,
            status: u64::from(self.job.status),
        });
        Ok(())
    }

    /// Takes the job from its provider: late if it is still claimed, at fault if it had committed.
    fn lose_provider(&mut self, status: JobStatus, now: UnixSeconds) -> Result<LostClaim> {
        let provider = self.provider.as_mut().ok_or(Fact::ProviderMissing)?;
        self.job.require_provider(provider.address(), provider.generation)?;
        let lost = if status == JobStatus::Claimed {
            provider.jobs_late = provider.jobs_late.saturating_add(1);
            self.job.expire_claim(now)?
        } else {
            provider.jobs_faulted = provider.jobs_faulted.saturating_add(1);
            self.job.fault_unfinalized(now)?
        };
        provider.unreserve(Amount(self.job.collateral), lost.slash)?;
        escrow::pay(provider, &self.incinerator, lost.slash)?;
        Ok(lost)
    }
}
