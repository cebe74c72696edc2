use anchor_lang::prelude::*;
use assay_protocol::events::ModelRetired;

use super::moment;
use crate::state::Model;

#[derive(Accounts)]
pub struct ModelRetire {
    pub author: Signer,
    #[account(mut)]
    pub model: Account<Model>,
}

impl ModelRetire {
    fn validate(&self) -> Result<()> {
        self.model.require_author(self.author.address())?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.model.retire(now)?;
        emit!(ModelRetired {
            slot,
            time: now.0,
            model: *self.model.address(),
            sequence: u64::from(self.model.sequence),
        });
        Ok(())
    }
}
