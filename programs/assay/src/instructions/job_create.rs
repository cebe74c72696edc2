#![expect(unused_variables, reason = "the derive names the instruction's arguments once more than it uses them")]

use anchor_lang::prelude::*;
use assay_protocol::{
    args::JobCreateArgs,
    error::Error as Fact,
    events::JobCreated,
    job::{Opening, check_open_slot},
    market::PAUSE_JOBS,
};

use super::moment;
use crate::{
    escrow,
    state::{Job, Market, Model},
};

#[derive(Accounts)]
#[instruction(args: JobCreateArgs)]
pub struct JobCreate {
    /// Pays the escrow and the rent.
    #[account(mut)]
    pub requester: Signer,
    pub market: Account<Market>,
    pub model: Account<Model>,
    #[account(
        init,
        payer = requester,
        seeds = [
            b"job",
            requester.address().as_ref(),
            args.open_slot_seed(),
            args.index_seed()
        ],
        bump
    )]
    pub job: Account<Job>,
    pub system_program: Program<System>,
}

impl JobCreate {
    fn validate(&self, args: &JobCreateArgs, slot: u64) -> Result<()> {
        self.market.require_running(PAUSE_JOBS)?;
        self.model.require_active()?;
        check_open_slot(args.open_slot, slot)?;
        require!(args.reserved == [0; 4], Fact::TermsBytesInvalid);
        args.terms.check(&self.market.params)?;
        Ok(())
    }

    pub fn handle(&mut self, args: &JobCreateArgs, bump: u8) -> Result<()> {
        let (slot, now) = moment()?;
        self.validate(args, slot)?;
        let terms = &args.terms;
        let escrow = terms.escrow()?;
        let at = Opening {
            requester: *self.requester.address(),
            model: *self.model.address(),
            open_slot: args.open_slot,
            index: args.index,
            bump,
            now,
        };
        self.job.open(&at, terms, &self.market.params, &self.model);
        self.job.escrow = escrow.0;
        escrow::deposit(&mut self.requester, &mut self.job, escrow)?;
        emit!(JobCreated {
            slot,
            time: now.0,
            job: *self.job.address(),
            requester: at.requester,
            model: at.model,
            sequence: u64::from(self.job.sequence),
            escrow: escrow.0,
            ceiling: terms.ceiling,
            audit_bps: u64::from(terms.audit_bps),
        });
        Ok(())
    }
}
