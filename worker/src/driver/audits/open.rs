//! Opening a panel: with the slot hash that its job has named, or another where that is gone.

use assay_client::{protocol::JobData, slot_hashes::Search};

use crate::{
    chain::{
        Chain,
        instructions::{self, Sender},
        submitter::{Purpose, Submitter},
    },
    core::Submitted,
};

/// Slots that may pass between the reading and the landing. Every slot moves the hash by one place,
/// and the program takes one place only, so each try guesses another number.
const GUESSES: [u16; 4] = [1, 0, 2, 3];

pub(super) async fn open<C: Chain>(
    chain: &C,
    submitter: &Submitter<C>,
    sender: Sender,
    job: &JobData,
    purpose: Purpose,
    level: u8,
    attempt: u16,
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
        Search::Found(entry) => {
            let guess = GUESSES
                .get(usize::from(attempt) % GUESSES.len())
                .copied()
                .unwrap_or(0);
            let later = entry.saturating_add(guess);
            Purpose {
                instruction: instructions::open(sender, address, level, later),
                draft: Some(instructions::open(sender, address, level, entry)),
                ..purpose
            }
        }
    };
    submitter.submit(purpose).await
}
