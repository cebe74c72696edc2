use anchor_lang::prelude::*;
use assay_protocol::events::EarningsWithdrawn;

use super::moment;
use crate::{
    escrow,
    state::{Provider, Treasury},
};

#[derive(Accounts)]
pub struct EarningsWithdraw {
    pub authority: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
    #[account(mut)]
    pub treasury: Account<Treasury>,
    /// CHECK: any account the authority names; it only receives.
    #[account(mut, unsafe(dup))]
    pub destination: UncheckedAccount,
}

impl EarningsWithdraw {
    fn validate(&self) -> Result<()> {
        self.provider.require_authority(self.authority.address())?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let (earnings, fees) = self.provider.withdraw_earnings()?;
        self.treasury.collect(fees)?;
        escrow::pay(&self.provider, &self.destination, earnings)?;
        escrow::pay(&self.provider, &self.treasury, fees)?;
        emit!(EarningsWithdrawn {
            slot,
            time: now.0,
            provider: *self.provider.address(),
            destination: *self.destination.address(),
            sequence: u64::from(self.provider.sequence),
            earnings: earnings.0,
            fees: fees.0,
        });
        Ok(())
    }
}
