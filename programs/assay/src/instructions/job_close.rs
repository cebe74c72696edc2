use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{error::Error as Fact, events::JobClosed};

use super::moment;
use crate::{escrow, state::Job};

#[derive(Accounts)]
pub struct JobClose {
    #[account(mut)]
    pub job: Account<Job>,
    /// CHECK: the job's requester, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub requester: UncheckedAccount,
}

impl JobClose {
    fn validate(&self, slot: u64) -> Result<()> {
        require!(
            address_eq(self.requester.address(), &self.job.requester),
            Fact::JobRequesterMismatch
        );
        self.job.require_closable(slot)?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        let (slot, now) = moment()?;
        self.validate(slot)?;
        emit!(JobClosed {
            slot,
            time: now.0,
            job: *self.job.address(),
            requester: *self.requester.address(),
            sequence: u64::from(self.job.sequence.wrapping_add(1)),
            refund: self.job.refund_due,
        });
        escrow::close(&mut self.job, &self.requester)
    }
}
