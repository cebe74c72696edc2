use anchor_lang::prelude::*;
use assay_protocol::{args::PanelCommitArgs, events::PanelCommitted};

use super::moment;
use crate::state::{Panel, Provider};

#[derive(Accounts)]
pub struct PanelCommit {
    pub operator: Signer,
    pub provider: Account<Provider>,
    #[account(mut)]
    pub panel: Account<Panel>,
}

impl PanelCommit {
    fn validate(&self) -> Result<()> {
        self.provider.require_operator(self.operator.address())?;
        Ok(())
    }

    pub fn handle(&mut self, args: &PanelCommitArgs) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let provider = (self.provider.address(), self.provider.generation);
        self.panel.commit(args.seat, provider, &args.commitment, now)?;
        emit!(PanelCommitted {
            slot,
            time: now.0,
            panel: *self.panel.address(),
            provider: *self.provider.address(),
            sequence: u64::from(self.panel.sequence),
            seat: u64::from(args.seat),
            commitment: args.commitment,
        });
        Ok(())
    }
}
