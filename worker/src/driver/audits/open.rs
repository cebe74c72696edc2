//! Opening a panel: with the slot hash that its job has named, or another where that is gone.

use std::sync::Arc;

use assay_client::{protocol::JobData, slot_hashes::Search};

use crate::{
    chain::{
        Chain,
        instructions::{self, Sender},
        submitter::{Purpose, Submitter},
    },
    core::Submitted,
};

pub(super) async fn open<C: Chain>(
    chain: &C,
    submitter: &Arc<Submitter<C>>,
    sender: Sender,
    job: &JobData,
    purpose: Purpose,
    level: u8,
) -> Submitted {
    let hashes = match chain.slot_hashes().await {
        Ok(hashes) => hashes,
        Err(error) => {
            tracing::warn!(job = %purpose.job, %error, "slot hashes cannot be read; trying again");
            return Submitted::Expired;
        }
    };
    let address = purpose.job;
    let purpose = match hashes.find(job.target_slot) {
        Search::NotYet => return Submitted::Expired,
        Search::Gone => Purpose {
            instruction: instructions::retarget(address),
            ..purpose
        },
        Search::Found(entry) => Purpose {
            instruction: instructions::open(sender, address, level, entry),
            ..purpose
        },
    };
    submitter.submit(purpose).await
}
