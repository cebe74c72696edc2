use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{
    Lamports as Amount, UnixSeconds, args::JobFinalizeArgs, error::Error as Fact,
    events::{JobAudited, JobSettled},
    job::{Finalized, Settlement},
};

use super::moment;
use crate::{
    escrow,
    state::{Job, Provider},
};

#[derive(Accounts)]
pub struct JobFinalize {
    pub operator: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
    #[account(mut)]
    pub job: Account<Job>,
    /// CHECK: the job's requester, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub requester: UncheckedAccount,
}

impl JobFinalize {
    fn validate(&self) -> Result<()> {
        self.provider.require_operator(self.operator.address())?;
        self.job.require_provider(self.provider.address(), self.provider.generation)?;
        require!(
            address_eq(self.requester.address(), &self.job.requester),
            Fact::JobRequesterMismatch
        );
        Ok(())
    }

    pub fn handle(&mut self, args: &JobFinalizeArgs) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let job = *self.job.address();
        match self.job.finalize(&job, args, slot, now)? {
            Finalized::Settled(settled) => self.settle(args, &settled, (slot, now)),
            Finalized::Audited => {
                emit!(JobAudited {
                    slot,
                    time: now.0,
                    job,
                    provider: *self.provider.address(),
                    sequence: u64::from(self.job.sequence),
                    target_slot: self.job.target_slot,
                    acknowledged: u64::from(args.is_acknowledged()),
                });
                Ok(())
            }
        }
    }

    #[inline]
    fn settle(
        &mut self,
        args: &JobFinalizeArgs,
        settled: &Settlement,
        (slot, now): (u64, UnixSeconds),
    ) -> Result<()> {
        self.provider.unreserve(Amount(self.job.collateral), Amount::ZERO)?;
        self.provider.earn(settled.split)?;
        escrow::pay(&self.job, &self.provider, Amount(self.job.price))?;
        escrow::refund(&mut self.job, self.requester.account(), settled.refund)?;
        emit!(JobSettled {
            slot,
            time: now.0,
            job: *self.job.address(),
            provider: *self.provider.address(),
            sequence: u64::from(self.job.sequence),
            price: self.job.price,
            fee: settled.split.fee.0,
            refund: settled.refund.0,
            earnings: self.provider.earnings,
            acknowledged: u64::from(args.is_acknowledged()),
        });
        Ok(())
    }
}
