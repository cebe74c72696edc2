use anchor_lang::prelude::*;
use assay_protocol::{Lamports as Amount, events::StakeDeposited};

use super::moment;
use crate::{
    escrow,
    state::{Market, Provider},
};

#[derive(Accounts)]
pub struct StakeDeposit {
    /// Pays the stake. Nobody else may: a deposit restarts the stake's age.
    #[account(mut)]
    pub authority: Signer,
    pub market: Account<Market>,
    #[account(mut)]
    pub provider: Account<Provider>,
    pub system_program: Program<System>,
}

impl StakeDeposit {
    fn validate(&self) -> Result<()> {
        self.provider.require_authority(self.authority.address())?;
        Ok(())
    }

    pub fn handle(&mut self, amount: u64) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.provider.deposit(Amount(amount), &self.market.params, now)?;
        escrow::deposit(&mut self.authority, &mut self.provider, Amount(amount))?;
        emit!(StakeDeposited {
            slot,
            time: now.0,
            provider: *self.provider.address(),
            sequence: u64::from(self.provider.sequence),
            amount,
            stake: self.provider.stake,
        });
        Ok(())
    }
}
