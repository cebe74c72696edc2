use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{error::Error as Fact, events::JobDisputed};

use super::moment;
use crate::{escrow, state::Job};

#[derive(Accounts)]
pub struct JobDispute {
    /// Pays the bond: five audit fees.
    #[account(mut)]
    pub requester: Signer,
    #[account(mut)]
    pub job: Account<Job>,
    pub system_program: Program<System>,
}

impl JobDispute {
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
        let bond = self.job.dispute(slot, now)?;
        escrow::deposit(&mut self.requester, &mut self.job, bond)?;
        emit!(JobDisputed {
            slot,
            time: now.0,
            job: *self.job.address(),
            requester: self.job.requester,
            sequence: u64::from(self.job.sequence),
            target_slot: self.job.target_slot,
            bond: bond.0,
        });
        Ok(())
    }
}
