use anchor_lang::prelude::*;
use assay_protocol::{args::PanelRevealArgs, events::PanelRevealed};

use super::moment;
use crate::state::{Job, Panel};

#[derive(Accounts)]
pub struct PanelReveal {
    pub job: Account<Job>,
    #[account(mut)]
    pub panel: Account<Panel>,
}

impl PanelReveal {
    fn validate(&self) -> Result<()> {
        self.panel.require_job(self.job.address(), self.job.level)?;
        Ok(())
    }

    pub fn handle(&mut self, args: &PanelRevealArgs) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let at = (&crate::ID, self.job.address());
        let opened = (&args.salt, &args.root);
        let provider = self.panel.reveal(args.seat, at, &self.job, opened, now)?;
        emit!(PanelRevealed {
            slot,
            time: now.0,
            panel: *self.panel.address(),
            provider,
            sequence: u64::from(self.panel.sequence),
            seat: u64::from(args.seat),
            root: args.root,
        });
        Ok(())
    }
}
