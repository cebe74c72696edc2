//! Which audits this worker takes part in.

use std::collections::BTreeSet;

use assay_protocol::{Address, JobData, Lamports, PanelData, ProviderData, panel::BOND_FEES};

use crate::core::{admission::AdmissionPolicy, policy::Identity};

/// What the operator wants of audits.
#[derive(Clone, Debug)]
pub struct AuditPolicy {
    /// Whether to take seats at all; our own jobs are defended in any case.
    pub enabled: bool,
    /// Least fee of a seat.
    pub min_fee: Lamports,
    /// Most seats held at once.
    pub max_seats: usize,
    /// Time kept back to land a commitment; at most a quarter of the commit phase is.
    pub margin_secs: u32,
    /// Provider accounts whose jobs are never audited, beside our own.
    pub siblings: BTreeSet<Address>,
    /// Wallets whose jobs are never audited: our own authority, and those of siblings.
    pub wallets: BTreeSet<Address>,
    /// Digests of the models to run; none for any.
    pub models: Option<BTreeSet<[u8; 32]>>,
    pub max_input_bytes: u32,
    pub max_output_bytes: u32,
    /// Most jobs in audit that are watched for a seat.
    pub watched_jobs: usize,
    pub admission: AdmissionPolicy,
}

impl AuditPolicy {
    /// Whether a seat on this job's panels is wanted and open to us, as far as the accounts tell.
    pub fn wants(&self, me: &Identity, account: &ProviderData, job: &JobData) -> bool {
        let bond = Lamports(job.audit_fee).times(BOND_FEES);
        let affordable = account
            .free_stake()
            .is_ok_and(|free| bond.is_ok_and(|bond| bond <= free));
        let served = |models: &BTreeSet<[u8; 32]>| models.contains(&job.model_digest);
        self.enabled
            && job.audit_fee >= self.min_fee.0
            && !self.siblings.contains(&job.provider)
            && !self.wallets.contains(&job.requester)
            && self.models.as_ref().is_none_or(served)
            && job.input_bytes <= self.max_input_bytes
            && job.output_limit <= self.max_output_bytes
            && affordable
            && account.require_auditor(&me.provider, job, 0).is_ok()
    }

    /// From this moment on a seat commits without the hints rather than not at all.
    pub fn give_up_at(&self, panel: &PanelData) -> i64 {
        panel.commit_deadline.saturating_sub(self.margin(panel))
    }

    /// Last moment at which a run is still worth waiting for.
    pub fn run_until(&self, panel: &PanelData) -> i64 {
        panel.commit_deadline.saturating_sub(self.margin(panel) / 2)
    }

    /// Seconds that a run for a seat has, from the end of the join window on.
    pub fn usable_secs(&self, panel: &PanelData) -> i64 {
        self.run_until(panel).saturating_sub(panel.join_deadline)
    }

    fn margin(&self, panel: &PanelData) -> i64 {
        let window = panel.commit_deadline.saturating_sub(panel.join_deadline);
        i64::from(self.margin_secs).min(window / 4)
    }
}
