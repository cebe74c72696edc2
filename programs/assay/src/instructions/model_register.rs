#![expect(unused_variables, reason = "the derive names the instruction's arguments once more than it uses them")]

use anchor_lang::prelude::*;
use assay_protocol::{
    ModelData, args::ModelArgs, events::ModelRegistered, market::PAUSE_REGISTRATIONS,
};

use super::moment;
use crate::state::{Market, Model};

#[derive(Accounts)]
#[instruction(args: ModelArgs)]
pub struct ModelRegister {
    /// Pays the rent and gets it back on close.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// May retire and close the model.
    pub author: Signer,
    pub market: Account<Market>,
    #[account(
        init,
        payer = payer,
        seeds = [b"model", author.address().as_ref(), args.digest.as_ref()],
        bump
    )]
    pub model: Account<Model>,
    pub system_program: Program<System>,
}

impl ModelRegister {
    fn validate(&self) -> Result<()> {
        self.market.require_running(PAUSE_REGISTRATIONS)?;
        Ok(())
    }

    pub fn handle(&mut self, args: &ModelArgs, bump: u8) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let author = *self.author.address();
        self.model.inner = ModelData::new(author, *self.payer.address(), bump, now);
        self.model.describe(args)?;
        emit!(ModelRegistered {
            slot,
            time: now.0,
            model: *self.model.address(),
            author,
            digest: args.digest,
            sequence: u64::from(self.model.sequence),
        });
        Ok(())
    }
}
