use anchor_lang::prelude::*;
use assay_protocol::{args::ProviderArgs, events::ProviderUpdated};

use super::moment;
use crate::state::Provider;

#[derive(Accounts)]
pub struct ProviderUpdate {
    pub authority: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
}

impl ProviderUpdate {
    fn validate(&self) -> Result<()> {
        self.provider.require_authority(self.authority.address())?;
        Ok(())
    }

    pub fn handle(&mut self, args: &ProviderArgs) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.provider.configure(args, now)?;
        emit!(ProviderUpdated {
            slot,
            time: now.0,
            provider: *self.provider.address(),
            operator: args.operator,
            sequence: u64::from(self.provider.sequence),
        });
        Ok(())
    }
}
