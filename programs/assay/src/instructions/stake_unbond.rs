use anchor_lang::prelude::*;
use assay_protocol::{Lamports as Amount, events::StakeUnbonded};

use super::moment;
use crate::state::{Market, Provider};

#[derive(Accounts)]
pub struct StakeUnbond {
    pub authority: Signer,
    pub market: Account<Market>,
    #[account(mut)]
    pub provider: Account<Provider>,
}

impl StakeUnbond {
    fn validate(&self) -> Result<()> {
        self.provider.require_authority(self.authority.address())?;
        Ok(())
    }

    pub fn handle(&mut self, amount: u64) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.provider.unbond(Amount(amount), &self.market.params, now)?;
        emit!(StakeUnbonded {
            slot,
            time: now.0,
            provider: *self.provider.address(),
            sequence: u64::from(self.provider.sequence),
            amount,
            unbonding: self.provider.unbonding,
            unbond_at: self.provider.unbond_at,
        });
        Ok(())
    }
}
