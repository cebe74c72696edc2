use anchor_lang::prelude::*;
use assay_protocol::{args::JobRevealArgs, events::JobRevealed};

use super::moment;
use crate::state::{Job, Panel};

#[derive(Accounts)]
pub struct JobReveal {
    #[account(mut)]
    pub job: Account<Job>,
    /// The panel that is at work; its phase decides.
    pub panel: Account<Panel>,
}

impl JobReveal {
    pub fn handle(&mut self, args: &JobRevealArgs) -> Result<()> {
        let (slot, now) = moment()?;
        let job = *self.job.address();
        self.job.reveal((&crate::ID, &job), &self.panel, args, now)?;
        emit!(JobRevealed {
            slot,
            time: now.0,
            job,
            provider: self.job.provider,
            sequence: u64::from(self.job.sequence),
            root: args.root,
        });
        Ok(())
    }
}
