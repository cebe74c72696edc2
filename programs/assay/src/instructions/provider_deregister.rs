use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{error::Error as Fact, events::ProviderDeregistered};

use super::moment;
use crate::{escrow, state::Provider};

#[derive(Accounts)]
pub struct ProviderDeregister {
    pub authority: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
    /// CHECK: the provider's recorded rent payer, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
}

impl ProviderDeregister {
    fn validate(&self) -> Result<()> {
        self.provider.require_authority(self.authority.address())?;
        require!(
            address_eq(self.rent_payer.address(), &self.provider.rent_payer),
            Fact::RentPayerMismatch
        );
        self.provider.require_empty()?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        emit!(ProviderDeregistered {
            slot,
            time: now.0,
            provider: *self.provider.address(),
            sequence: u64::from(self.provider.sequence.wrapping_add(1)),
        });
        escrow::close(&mut self.provider, &self.rent_payer)
    }
}
