use anchor_lang::prelude::*;
use assay_protocol::{Lamports as Amount, error::Error as Fact, events::JobClaimed};

use super::moment;
use crate::state::{Job, Provider};

#[derive(Accounts)]
pub struct JobClaim {
    pub operator: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
    #[account(mut)]
    pub job: Account<Job>,
}

impl JobClaim {
    fn validate(&self) -> Result<()> {
        self.provider.require_operator(self.operator.address())?;
        self.job.require_eligible(self.provider.address(), &self.provider.runtime_class)?;
        Ok(())
    }

    pub fn handle(&mut self, min_price: u64) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let provider = *self.provider.address();
        let price = self.job.claim(provider, self.provider.generation, now)?;
        require!(price.0 >= min_price, Fact::JobPriceBelowMinimum);
        self.provider.reserve(Amount(self.job.collateral))?;
        emit!(JobClaimed {
            slot,
            time: now.0,
            job: *self.job.address(),
            provider,
            sequence: u64::from(self.job.sequence),
            price: price.0,
            reserved: self.provider.reserved,
            attempt: u64::from(self.job.attempt),
        });
        Ok(())
    }
}
