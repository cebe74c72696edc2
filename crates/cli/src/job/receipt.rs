//! What a requester keeps: enough to check the result again, without the chain and without the provider.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use assay_client::{
    PROGRAM_ID,
    delivery::{Delivery, Verified},
    protocol::JobData,
};
use serde::Serialize;

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
    pub came_back_lamports: u64,
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
        transactions: &'a [Sent],
    ) -> Self {
        use assay_client::protocol::{BasisPoints, Lamports, amount::split_price};
        let share = split_price(Lamports(job.price), BasisPoints(job.fee_bps))
            .map_or(0, |split| split.fee.0);
        Self {
            version: 1,
            program: PROGRAM_ID.to_string(),
            cluster,
            job: view,
            price_lamports: job.price,
            market_share_lamports: share,
            came_back_lamports: job.ceiling.saturating_sub(job.price),
            delivery,
            root: hex::encode(verified.root.0),
            hints_digest: hex::encode(verified.hints_digest.0),
            commitment: hex::encode(verified.commitment.0),
            acknowledged,
            transactions,
        }
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| {
            format!(
                "cannot write the receipt {}; choose another with --receipt",
                path.display()
            )
        })
    }
}
