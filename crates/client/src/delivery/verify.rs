//! A requester's check of what it received against what is on chain.

use assay_protocol::{
    Address, Digest, JobData, JobStatus, OutputProfile,
    commitment::{Opening, Role, empty_hints_digest, error_root},
};
use thiserror::Error;

use super::{Delivery, Outcome};
use crate::{
    outputs::{self, OutputsError, digest},
    program::PROGRAM_ID,
};

/// Why a delivery is not what the provider committed to. Nothing was acknowledged then.
#[derive(Debug, Error)]
pub enum MismatchError {
    #[error("the job is {status}, so there is no commitment to check against", status = .0.name())]
    NotCommitted(JobStatus),
    #[error("the job's status is not known to this client; update it")]
    Status,
    #[error("the delivery's {field} is not what the chain says")]
    Field { field: &'static str },
    #[error("the delivery's salt and digests do not open the commitment on chain")]
    Commitment,
    #[error("the {what} file does not have the digest that the delivery names")]
    File { what: &'static str },
    #[error("the outputs have {found} bytes, the job accepts {limit}")]
    TooLarge { found: usize, limit: u32 },
    #[error("the outputs do not give the committed root")]
    Root,
    #[error("the outputs do not give the committed hints")]
    Hints,
    #[error(transparent)]
    Outputs(#[from] OutputsError),
}

/// What a requester received for one job.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub delivery: &'a Delivery,
    /// The safetensors file; empty for a model error.
    pub outputs: &'a [u8],
    pub hints: &'a [u8],
}

/// A delivery that was recomputed and is what the provider committed to on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub root: Digest,
    pub hints_digest: Digest,
    pub commitment: Digest,
}

/// Recomputes root, hints and commitment from the files and compares them with the job's account.
///
/// # Errors
/// The first thing that differs.
pub fn verify(
    address: &Address,
    job: &JobData,
    received: &Received<'_>,
) -> Result<Verified, MismatchError> {
    let status = job.status().map_err(|_| MismatchError::Status)?;
    let committed = matches!(
        status,
        JobStatus::Committed | JobStatus::Auditing | JobStatus::Appealing | JobStatus::Settled
    );
    if !committed {
        return Err(MismatchError::NotCommitted(status));
    }
    compare_fields(address, job, received.delivery)?;
    let (root, hints_digest) = recompute(job, received)?;
    let opening = Opening {
        program_id: &PROGRAM_ID,
        job: address,
        attempt: job.attempt,
        role: Role::Primary,
        provider: &job.provider,
        generation: job.generation,
        salt: &received.delivery.salt,
        root: &root,
        hints_digest: &hints_digest,
        runtime_class: &job.runtime_class,
    };
    let commitment = opening.commitment();
    if commitment.0 != job.commitment {
        return Err(MismatchError::Commitment);
    }
    Ok(Verified {
        root,
        hints_digest,
        commitment,
    })
}

fn compare_fields(
    address: &Address,
    job: &JobData,
    delivery: &Delivery,
) -> Result<(), MismatchError> {
    let fields = [
        ("job", delivery.job == *address),
        ("attempt", delivery.attempt == job.attempt),
        ("provider", delivery.provider == job.provider),
        ("generation", delivery.generation == job.generation),
        ("runtime class", delivery.runtime_class == job.runtime_class),
        (
            "worker secret hash",
            delivery.worker_secret_hash == job.worker_secret_hash,
        ),
        ("hints digest", delivery.hints_digest == job.hints_digest),
        ("commitment", delivery.commitment == job.commitment),
    ];
    match fields.into_iter().find(|(_, equal)| !equal) {
        Some((field, _)) => Err(MismatchError::Field { field }),
        None => Ok(()),
    }
}

/// Root and hints digest, from the files alone.
fn recompute(job: &JobData, received: &Received<'_>) -> Result<(Digest, Digest), MismatchError> {
    let Received {
        delivery,
        outputs,
        hints,
    } = received;
    if digest(outputs).0 != delivery.outputs_digest {
        return Err(MismatchError::File { what: "outputs" });
    }
    if digest(hints).0 != delivery.hints_digest {
        return Err(MismatchError::File { what: "hints" });
    }
    if u32::try_from(outputs.len()).map_or(true, |found| found > job.output_limit) {
        return Err(MismatchError::TooLarge {
            found: outputs.len(),
            limit: job.output_limit,
        });
    }
    let (root, hints_digest) = match delivery.outcome {
        Outcome::ModelError => (error_root(), empty_hints_digest()),
        Outcome::Outputs => {
            let order: Vec<&str> = delivery
                .outputs
                .iter()
                .map(|output| output.name.as_str())
                .collect();
            let canonical =
                outputs::canonical(outputs, &order, &OutputProfile(job.output_profile))?;
            (canonical.root, canonical.hints_digest())
        }
    };
    if root.0 != delivery.root {
        return Err(MismatchError::Root);
    }
    if hints_digest.0 != delivery.hints_digest {
        return Err(MismatchError::Hints);
    }
    Ok((root, hints_digest))
}
