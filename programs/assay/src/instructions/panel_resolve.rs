use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{
    JobStatus, Lamports as Amount,
    amount::{BasisPoints, Split, split_price},
    error::Error as Fact,
    events::PanelResolved,
    job::JobPanels,
    verdict::Resolution,
};

use super::moment;
use crate::{
    escrow,
    state::{Job, Panel, Provider},
};

#[derive(Accounts)]
pub struct PanelResolve {
    #[account(mut)]
    pub job: Account<Job>,
    /// The job's own provider.
    #[account(mut)]
    pub provider: Account<Provider>,
    /// CHECK: the job's requester, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub requester: UncheckedAccount,
    /// The level-1 panel, where it was opened.
    #[account(mut)]
    pub panel1: Option<Account<Panel>>,
    /// The level-2 panel, where it was opened.
    #[account(mut)]
    pub panel2: Option<Account<Panel>>,
    /// CHECK: the incinerator, checked by address; it only receives.
    #[account(mut, unsafe(dup), address = escrow::INCINERATOR)]
    pub incinerator: UncheckedAccount,
}

impl PanelResolve {
    fn validate(&self) -> Result<()> {
        self.job.require_convened()?;
        self.job.require_provider(self.provider.address(), self.provider.generation)?;
        require!(
            address_eq(self.requester.address(), &self.job.requester),
            Fact::JobRequesterMismatch
        );
        self.require_panel(self.panel1.as_ref(), 1)?;
        self.require_panel(self.panel2.as_ref(), 2)
    }

    /// A panel that exists must be there, and one that does not cannot.
    fn require_panel(&self, panel: Option<&Account<Panel>>, level: u8) -> Result<()> {
        match (panel, self.job.has_panel(level)) {
            (Some(panel), true) => Ok(panel.require_job(self.job.address(), level)?),
            (None, false) => Ok(()),
            (None, true) => Err(Fact::PanelMissing.into()),
            (Some(_), false) => Err(Fact::PanelUnexpected.into()),
        }
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let level = u64::from(self.job.level);
        let bonds = [bonds(self.panel1.as_ref()), bonds(self.panel2.as_ref())];
        let panels = JobPanels {
            level1: self.panel1.as_mut().map(|panel| &mut panel.inner),
            level2: self.panel2.as_mut().map(|panel| &mut panel.inner),
        };
        let resolved = self.job.resolve(panels, slot, now)?;
        let mut payouts = Amount::ZERO;
        let mut split = Split { fee: Amount::ZERO, earned: Amount::ZERO };
        if resolved.status != JobStatus::Appealing {
            split = split_price(resolved.paid, BasisPoints(self.job.fee_bps))?;
            self.book(&resolved, split)?;
            payouts = self.distribute(&resolved, bonds)?;
        }
        emit!(PanelResolved {
            slot,
            time: now.0,
            job: *self.job.address(),
            provider: *self.provider.address(),
            sequence: u64::from(self.job.sequence),
            level,
            verdict: resolved.verdict as u64,
            status: resolved.status as u64,
            refund: resolved.refund.0,
            paid: resolved.paid.0,
            fee: split.fee.0,
            bonus: resolved.bonus.0,
            slash: resolved.slash.0,
            payouts: payouts.0,
            burned: resolved.burned.0,
            stake: self.provider.stake,
            earnings: self.provider.earnings,
        });
        Ok(())
    }

    /// The primary's part: its collateral is free or gone, its price earned.
    fn book(&mut self, resolved: &Resolution, split: Split) -> Result<()> {
        self.provider.unreserve(Amount(self.job.collateral), resolved.slash)?;
        if resolved.status == JobStatus::Settled {
            self.provider.earn(split)?;
            self.provider.earn_bonus(resolved.bonus)?;
        }
        if resolved.status == JobStatus::Faulted {
            self.provider.jobs_faulted = self.provider.jobs_faulted.saturating_add(1);
        }
        Ok(())
    }

    /// Everything the verdict is about is brought together in the job and goes out from there; what
    /// is left of it burns. Returns what went to the panels.
    fn distribute(&mut self, resolved: &Resolution, [bonds1, bonds2]: [Amount; 2]) -> Result<Amount> {
        collect(self.panel1.as_ref(), &self.job, bonds1)?;
        collect(self.panel2.as_ref(), &self.job, bonds2)?;
        escrow::pay(&self.provider, &self.job, resolved.slash)?;
        escrow::pay(&self.job, &self.provider, resolved.paid.plus(resolved.bonus)?)?;
        let payouts1 = endow(&self.job, self.panel1.as_ref())?;
        let payouts2 = endow(&self.job, self.panel2.as_ref())?;
        escrow::pay(&self.job, &self.incinerator, resolved.burned)?;
        escrow::refund(&mut self.job, self.requester.account(), resolved.refund)?;
        Ok(payouts1.plus(payouts2)?)
    }
}

fn bonds(panel: Option<&Account<Panel>>) -> Amount {
    panel.map_or(Amount::ZERO, |panel| Amount(panel.bonds))
}

fn collect(panel: Option<&Account<Panel>>, job: &Account<Job>, bonds: Amount) -> Result<()> {
    panel.map_or(Ok(()), |panel| escrow::pay(panel, job, bonds))
}

/// Moves a panel's payouts to it.
fn endow(job: &Account<Job>, panel: Option<&Account<Panel>>) -> Result<Amount> {
    let payouts = bonds(panel);
    if let Some(panel) = panel {
        escrow::pay(job, panel, payouts)?;
    }
    Ok(payouts)
}
