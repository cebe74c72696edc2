//! From a result to the commitment that binds it.

use assay_protocol::{Address, JobData, commitment};

use super::{
    command::{Computed, Fresh, SavedResult},
    policy::Identity,
};

/// Binds what was computed to this provider, job and attempt.
pub(super) fn seal(
    me: &Identity,
    address: &Address,
    job: &JobData,
    computed: &Computed,
    fresh: Fresh,
) -> SavedResult {
    let opening = commitment::Opening {
        program_id: &me.program_id,
        job: address,
        attempt: job.attempt,
        role: commitment::Role::Primary,
        provider: &me.provider,
        generation: job.generation,
        salt: &fresh.salt,
        root: &computed.root,
        hints_digest: &computed.hints_digest,
        runtime_class: &job.runtime_class,
    };
    SavedResult {
        attempt: job.attempt,
        generation: job.generation,
        salt: fresh.salt,
        worker_secret: fresh.worker_secret,
        root: computed.root,
        hints_digest: computed.hints_digest,
        commitment: opening.commitment(),
        runtime_class: job.runtime_class,
    }
}
