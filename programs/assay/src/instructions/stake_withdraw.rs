use anchor_lang::prelude::*;
use assay_protocol::events::StakeWithdrawn;

use super::moment;
use crate::{escrow, state::Provider};

#[derive(Accounts)]
pub struct StakeWithdraw {
    pub authority: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
    /// CHECK: any account the authority names; it only receives.
    #[account(mut, unsafe(dup))]
    pub destination: UncheckedAccount,
}

impl StakeWithdraw {
    fn validate(&self) -> Result<()> {
        self.provider.require_authority(self.authority.address())?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let amount = self.provider.withdraw_stake(now)?;
        escrow::pay(&self.provider, &self.destination, amount)?;
        emit!(StakeWithdrawn {
            slot,
            time: now.0,
            provider: *self.provider.address(),
            destination: *self.destination.address(),
            sequence: u64::from(self.provider.sequence),
            amount: amount.0,
            stake: self.provider.stake,
        });
        Ok(())
    }
}
