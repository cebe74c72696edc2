use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{UnixSeconds, error::Error as Fact, events::ModelClosed};

use super::moment;
use crate::{
    escrow,
    state::{Market, Model},
};

#[derive(Accounts)]
pub struct ModelClose {
    pub author: Signer,
    pub market: Account<Market>,
    #[account(mut)]
    pub model: Account<Model>,
    /// CHECK: the model's recorded rent payer, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
}

impl ModelClose {
    fn validate(&self, now: UnixSeconds) -> Result<()> {
        self.model.require_author(self.author.address())?;
        require!(
            address_eq(self.rent_payer.address(), &self.model.rent_payer),
            Fact::RentPayerMismatch
        );
        self.model.require_closable(&self.market.params, now)?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        let (slot, now) = moment()?;
        self.validate(now)?;
        emit!(ModelClosed {
            slot,
            time: now.0,
            model: *self.model.address(),
            sequence: u64::from(self.model.sequence.wrapping_add(1)),
        });
        escrow::close(&mut self.model, &self.rent_payer)
    }
}
