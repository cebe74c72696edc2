//! What is said of an audit, and what follows from it elsewhere.

use assay_client::protocol::Address;

use super::super::{Chain, Driver, HaltPoint, journal::Entry};
use crate::{
    core::{AuditReport, Outcome},
    metrics,
};

impl<C: Chain> Driver<C> {
    pub(super) async fn report_audit(&mut self, job: Address, report: AuditReport) {
        metrics::audit_report(&report);
        match report {
            AuditReport::Convened { level } => {
                tracing::info!(%job, level, "our result is audited: a panel is convened");
                self.parts.halt.at(HaltPoint::Audited);
            }
            AuditReport::Joined { level, bond } => {
                tracing::info!(%job, level, bond, "seat taken");
            }
            AuditReport::Evicted { level } => {
                tracing::info!(%job, level, "seat lost to a better ticket; its bond is back");
            }
            AuditReport::Committed { level, unavailable } => {
                tracing::info!(%job, level, unavailable, "seat committed");
            }
            AuditReport::Revealed { level } => tracing::info!(%job, level, "seat revealed"),
            AuditReport::Settled {
                level,
                bond,
                payout,
            } => {
                if payout == 0
                    && let Some(lost) = self.audits.core.job(&job)
                {
                    // Others found something else, or we were silent: what else would fail like it?
                    let model = lost.model_digest;
                    self.core.handle_outcome(model, Outcome::Fault, self.now);
                }
                if payout < bond {
                    tracing::warn!(%job, level, bond, payout, "seat settled: bond lost; `assay-worker disputes` shows why");
                } else {
                    tracing::info!(%job, level, bond, payout, earned = payout.saturating_sub(bond), "seat settled");
                }
            }
            AuditReport::ClosedUnseen { level } => {
                tracing::info!(%job, level, "seat settled and its panel closed before it was read");
            }
            AuditReport::Verdict { verdict, status } => {
                let verdict = assay_client::protocol::verdict::Verdict::from_byte(verdict);
                let verdict = verdict.map_or("unknown", |verdict| verdict.name());
                tracing::info!(%job, verdict, status = status.name(), "a panel has spoken");
            }
            AuditReport::Defended { ours } => {
                tracing::info!(%job, ours, "our job's audit is over");
                if let Ok(earned) = u64::try_from(ours) {
                    self.note(job, Entry::Earned(earned)).await;
                }
            }
            AuditReport::SecretsMissing { level } => tracing::error!(
                %job, level,
                "the chain holds a commitment of ours that this journal cannot open; restore the journal before the reveal deadline"
            ),
            AuditReport::Gone => {
                self.note(job, Entry::AuditGone).await;
                tracing::warn!(%job, "the audited job's account is gone; how it ended was not seen");
            }
        }
    }
}
