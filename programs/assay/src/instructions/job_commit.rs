use anchor_lang::prelude::*;
use assay_protocol::{args::JobCommitArgs, events::JobCommitted};

use super::moment;
use crate::state::{Job, Provider};

#[derive(Accounts)]
pub struct JobCommit {
    pub operator: Signer,
    pub provider: Account<Provider>,
    #[account(mut)]
    pub job: Account<Job>,
}

impl JobCommit {
    fn validate(&self) -> Result<()> {
        self.provider.require_operator(self.operator.address())?;
        self.job.require_provider(self.provider.address(), self.provider.generation)?;
        Ok(())
    }

    pub fn handle(&mut self, args: &JobCommitArgs) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.job.commit(args, now)?;
        emit!(JobCommitted {
            slot,
            time: now.0,
            job: *self.job.address(),
            provider: *self.provider.address(),
            sequence: u64::from(self.job.sequence),
            commitment: args.commitment,
        });
        Ok(())
    }
}
