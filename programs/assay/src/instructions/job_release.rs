use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{Lamports as Amount, error::Error as Fact, events::JobReleased};

use super::moment;
use crate::{
    escrow,
    state::{Job, Provider},
};

#[derive(Accounts)]
pub struct JobRelease {
    pub operator: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
    #[account(mut)]
    pub job: Account<Job>,
    /// CHECK: the job's requester, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub requester: UncheckedAccount,
    /// CHECK: the incinerator, checked by address; it only receives.
    #[account(mut, unsafe(dup), address = escrow::INCINERATOR)]
    pub incinerator: UncheckedAccount,
}

impl JobRelease {
    fn validate(&self) -> Result<()> {
        self.provider.require_operator(self.operator.address())?;
        self.job.require_provider(self.provider.address(), self.provider.generation)?;
        require!(
            address_eq(self.requester.address(), &self.job.requester),
            Fact::JobRequesterMismatch
        );
        Ok(())
    }

    pub fn handle(&mut self, attempt: u8) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let lost = self.job.release(attempt, now)?;
        self.provider.unreserve(Amount(self.job.collateral), lost.slash)?;
        self.provider.jobs_released = self.provider.jobs_released.saturating_add(1);
        escrow::pay(&self.provider, &self.incinerator, lost.slash)?;
        escrow::refund(&mut self.job, self.requester.account(), lost.refund)?;
        emit!(JobReleased {
            slot,
            time: now.0,
            job: *self.job.address(),
            provider: *self.provider.address(),
            sequence: u64::from(self.job.sequence),
            slash: lost.slash.0,
            refund: lost.refund.0,
            stake: self.provider.stake,
            status: u64::from(self.job.status),
        });
        Ok(())
    }
}
