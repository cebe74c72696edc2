//! The market's rules, and the accounts they change.

use std::collections::BTreeMap;

use assay_protocol::{
    Address, JobStatus, Lamports,
    job::JobPanels,
    panel::{Candidate, PanelOpening},
    sortition::{panel_seed, score},
};
use bytemuck::Zeroable;

use super::super::super::{case::of_mut, *};
use super::{Arena, JOB, PROGRAM, operator};

impl Arena {
    pub(super) fn execute(
        &mut self,
        position: usize,
        intent: AuditIntent,
    ) -> assay_protocol::Result<()> {
        let now = UnixSeconds(self.now);
        let level = intent.level();
        let mut panels = self.panels;
        let mut job = self.job;
        let mut providers = self.providers.clone();
        if let AuditIntent::Open { .. } = intent {
            if self.slot <= job.target_slot {
                return Err(assay_protocol::Error::PanelSlotHashMismatch);
            }
            job.open_panel(job.target_slot, None, now)?;
            let mut panel = PanelData::zeroed();
            let at = PanelOpening {
                job: JOB,
                rent_payer: operator(self.nodes[position].number),
                bump: 255,
                seed: panel_seed(&JOB, level, &[level; 32]),
                now,
            };
            panel.open(&at, &job)?;
            *of_mut(&mut panels, level) = Some(panel);
        } else if let AuditIntent::Resolve { .. } = intent {
            let [level1, level2] = panels.each_mut().map(Option::as_mut);
            let judged = job.resolve(JobPanels { level1, level2 }, self.slot, now)?;
            if judged.status != JobStatus::Appealing {
                let primary = providers.get_mut(&job.provider).unwrap();
                primary.unreserve(Lamports(job.collateral), judged.slash)?;
            }
        } else {
            let panel = of_mut(&mut panels, level);
            let held = panel.as_mut().ok_or(assay_protocol::Error::PanelMissing)?;
            let me = self.nodes[position].me.provider;
            apply(intent, held, &mut job, &mut providers, me, now)?;
            if matches!(intent, AuditIntent::Close { .. }) {
                *panel = None;
            }
        }
        (self.job, self.panels, self.providers) = (job, panels, providers);
        Ok(())
    }
}

fn apply(
    intent: AuditIntent,
    panel: &mut PanelData,
    job: &mut JobData,
    providers: &mut BTreeMap<Address, ProviderData>,
    me: Address,
    now: UnixSeconds,
) -> assay_protocol::Result<()> {
    let bond = Lamports(panel.bond);
    match intent {
        AuditIntent::Join {
            ticket, evicted, ..
        } => {
            let account = providers.get_mut(&me).unwrap();
            account.require_auditor(&me, job, ticket)?;
            let candidate = Candidate {
                provider: me,
                generation: account.generation,
                score: score(&panel.seed, &me, ticket),
            };
            let joined = panel.join(&candidate, now)?;
            account.take_seat(bond)?;
            if joined.evicted != Address::default() {
                assert_eq!(evicted, Some(joined.evicted));
                providers
                    .get_mut(&joined.evicted)
                    .unwrap()
                    .leave_seat(bond)?;
            }
        }
        AuditIntent::Commit { args, .. } => {
            panel.commit(args.seat, (&me, 7), &args.commitment, now)?;
        }
        AuditIntent::Reveal { args, .. } => {
            let opened = (&args.salt, &args.root);
            panel.reveal(args.seat, (&PROGRAM, &JOB), job, opened, now)?;
        }
        AuditIntent::RevealPrimary { args, .. } => {
            job.reveal((&PROGRAM, &JOB), panel, &args, now)?
        }
        AuditIntent::Settle { seat, provider, .. } => {
            let settled = panel.settle_seat(seat, (&provider, 7))?;
            providers
                .get_mut(&provider)
                .unwrap()
                .settle_seat(&settled)?;
        }
        AuditIntent::Close { rent_payer, .. } => {
            assert_eq!(panel.rent_payer, rent_payer);
            panel.require_closable()?;
            job.live_panels -= 1;
            job.sequence += 1;
        }
        AuditIntent::Open { .. } | AuditIntent::Resolve { .. } => unreachable!(),
    }
    Ok(())
}
