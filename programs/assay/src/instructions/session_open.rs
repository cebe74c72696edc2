#![expect(unused_variables, reason = "the derive names the instruction's arguments once more than it uses them")]

use anchor_lang::prelude::*;
use assay_protocol::{
    Lamports as Amount, args::SessionOpenArgs, events::SessionOpened, market::PAUSE_SESSIONS, session::SessionOpening,
};

use super::moment;
use crate::{
    escrow,
    state::{Market, Provider, Session},
};

#[derive(Accounts)]
#[instruction(args: SessionOpenArgs)]
pub struct SessionOpen {
    /// Pays the deposit and the rent.
    #[account(mut)]
    pub requester: Signer,
    pub market: Account<Market>,
    pub provider: Account<Provider>,
    #[account(
        init,
        payer = requester,
        seeds = [
            b"session",
            requester.address().as_ref(),
            provider.address().as_ref(),
            args.open_slot_seed(),
            args.index_seed()
        ],
        bump
    )]
    pub session: Account<Session>,
    pub system_program: Program<System>,
}

impl SessionOpen {
    fn validate(&self) -> Result<()> {
        self.market.require_running(PAUSE_SESSIONS)?;
        Ok(())
    }

    pub fn handle(&mut self, args: &SessionOpenArgs, bump: u8) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let at = SessionOpening {
            requester: *self.requester.address(),
            provider: *self.provider.address(),
            generation: self.provider.generation,
            bump,
            fee_bps: self.market.params.fee_bps,
        };
        self.session.open(&at, args, slot)?;
        escrow::deposit(&mut self.requester, &mut self.session, Amount(args.deposit))?;
        emit!(SessionOpened {
            slot,
            time: now.0,
            session: *self.session.address(),
            requester: at.requester,
            provider: at.provider,
            sequence: u64::from(self.session.sequence),
            deposit: args.deposit,
            grace_secs: u64::from(args.grace_secs),
        });
        Ok(())
    }
}
