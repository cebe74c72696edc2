use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{error::Error as Fact, events::JobCancelled};

use super::moment;
use crate::{escrow, state::Job};

#[derive(Accounts)]
pub struct JobCancel {
    /// Gets the whole escrow back.
    #[account(mut)]
    pub requester: Signer,
    #[account(mut)]
    pub job: Account<Job>,
}

impl JobCancel {
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
        let refund = self.job.cancel(now)?;
        escrow::refund(&mut self.job, self.requester.account(), refund)?;
        emit!(JobCancelled {
            slot,
            time: now.0,
            job: *self.job.address(),
            sequence: u64::from(self.job.sequence),
            refund: refund.0,
        });
        Ok(())
    }
}
