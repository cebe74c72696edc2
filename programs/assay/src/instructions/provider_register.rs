use anchor_lang::prelude::*;
use assay_protocol::{
    ProviderData, args::ProviderArgs, events::ProviderRegistered, market::PAUSE_REGISTRATIONS, provider::Registration,
};

use super::moment;
use crate::state::{Market, Provider};

#[derive(Accounts)]
pub struct ProviderRegister {
    /// Pays the rent and gets it back on deregistration.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Cold key that will hold the provider.
    pub authority: Signer,
    pub market: Account<Market>,
    #[account(init, payer = payer, seeds = [b"provider", authority.address().as_ref()], bump)]
    pub provider: Account<Provider>,
    pub system_program: Program<System>,
}

impl ProviderRegister {
    fn validate(&self) -> Result<()> {
        self.market.require_running(PAUSE_REGISTRATIONS)?;
        Ok(())
    }

    pub fn handle(&mut self, args: &ProviderArgs, bump: u8) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let authority = *self.authority.address();
        let at = Registration {
            authority,
            rent_payer: *self.payer.address(),
            bump,
            generation: slot,
            now,
        };
        self.provider.inner = ProviderData::new(&at, &self.market.params);
        self.provider.configure(args, now)?;
        emit!(ProviderRegistered {
            slot,
            time: now.0,
            provider: *self.provider.address(),
            authority,
            operator: args.operator,
            sequence: u64::from(self.provider.sequence),
            generation: slot,
        });
        Ok(())
    }
}
