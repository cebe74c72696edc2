//! What a requester keeps: enough to check the result again, without the chain and without the provider.

use std::fs;

use anyhow::{Context as _, Result};
use assay_client::{
    PROGRAM_ID,
    delivery::{Delivery, Outcome, Verified},
    protocol::{JobData, JobStatus, OutputProfile, profile::Comparison},
};
use serde::Serialize;

use super::{audit::AuditView, keep::Keep, progress::locked};
use crate::{transaction::Sent, view::JobView};

/// The receipt file.
#[derive(Serialize)]
pub struct Receipt<'a> {
    /// Format of this file.
    pub version: u32,
    pub program: String,
    pub cluster: String,
    /// The job as it ended; it says whether it was unaudited.
    pub job: &'a JobView,
    pub price_lamports: u64,
    pub market_share_lamports: u64,
    /// Of the escrow and, after a dispute, of its bond; absent while it is not known.
    pub came_back_lamports: Option<u64>,
    /// Who audited the job and what they said; absent without an audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<&'a AuditView>,
    /// How each output compares, in the model's order: `exact`, or the exponent of its step.
    pub profile: Vec<String>,
    /// The outputs, beside this file; absent for a model error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs_file: Option<String>,
    /// Opens the commitment: salt, root, digests.
    pub delivery: &'a Delivery,
    /// Recomputed here from the files.
    pub root: String,
    pub hints_digest: String,
    pub commitment: String,
    pub acknowledged: bool,
    pub transactions: &'a [Sent],
}

impl<'a> Receipt<'a> {
    pub fn new(
        cluster: String,
        (job, view): (&JobData, &'a JobView),
        (delivery, verified): (&'a Delivery, &Verified),
        acknowledged: bool,
        audit: Option<&'a AuditView>,
        transactions: &'a [Sent],
    ) -> Self {
        use assay_client::protocol::{BasisPoints, Lamports, amount::split_price};
        let share = split_price(Lamports(job.price), BasisPoints(job.fee_bps))
            .map_or(0, |split| split.fee.0);
        Self {
            version: 2,
            program: PROGRAM_ID.to_string(),
            cluster,
            job: view,
            price_lamports: job.price,
            market_share_lamports: share,
            came_back_lamports: came_back(job, audit),
            audit,
            profile: entries(&OutputProfile(job.output_profile)),
            outputs_file: None,
            delivery,
            root: hex::encode(verified.root.0),
            hints_digest: hex::encode(verified.hints_digest.0),
            commitment: hex::encode(verified.commitment.0),
            acknowledged,
            transactions,
        }
    }

    /// Writes it beside the outputs that it is for.
    pub fn write(mut self, keep: &Keep) -> Result<()> {
        if self.delivery.outcome == Outcome::Outputs {
            // Relative to the receipt where they share a folder, so that both can be moved together.
            let outputs = &keep.outputs;
            let named = if outputs.parent() == keep.receipt.parent() {
                outputs
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            } else {
                Some(outputs.display().to_string())
            };
            self.outputs_file = named;
        }
        let mut text = serde_json::to_string_pretty(&self)?;
        text.push('\n');
        fs::write(&keep.receipt, text).with_context(|| {
            format!(
                "cannot write the receipt {}; choose another with --receipt",
                keep.receipt.display()
            )
        })
    }
}

/// The verdict says it for an audited job; otherwise it is what the price leaves of the escrow.
fn came_back(job: &JobData, audit: Option<&AuditView>) -> Option<u64> {
    match audit {
        Some(audit) => audit.money.map(|money| money.refund),
        None => job
            .status()
            .is_ok_and(JobStatus::is_terminal)
            .then(|| locked(job).saturating_sub(job.price)),
    }
}

/// A profile as `assay model register --profile` takes it.
fn entries(profile: &OutputProfile) -> Vec<String> {
    (0..profile.len())
        .filter_map(|position| profile.get(position))
        .map(|comparison| match comparison {
            Comparison::Exact => "exact".to_owned(),
            Comparison::Grid(exponent) => exponent.to_string(),
        })
        .collect()
}
