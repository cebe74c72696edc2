//! One inference, from prepared files to what is committed and delivered.

use std::{sync::Arc, time::Duration};

use assay_client::{
    delivery::OutputInfo,
    outputs::dtype_name,
    protocol::{JobData, OutputProfile},
};
use tokio::time::Instant;

use super::prepare::Prepared;
use crate::{
    core::{Body, Computed, Fresh, RunFault},
    engine::{EngineError, Fault, Host, Outcome, ProfileMismatch},
    metrics,
};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("model and input are not at hand any more")]
    NotPrepared,
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Profile(#[from] ProfileMismatch),
    #[error("the outputs have {found} bytes and the job accepts {limit}")]
    OutputTooLarge { found: usize, limit: u32 },
    #[error("the outputs cannot be described: {0}")]
    Describe(#[from] serde_json::Error),
}

impl RunError {
    pub fn fault(&self) -> RunFault {
        match self {
            Self::Engine(error) => match error.fault() {
                Fault::Run => RunFault::Again,
                Fault::Job | Fault::Setup => RunFault::Never,
            },
            Self::NotPrepared
            | Self::Profile(_)
            | Self::OutputTooLarge { .. }
            | Self::Describe(_) => RunFault::Never,
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::NotPrepared => "not_prepared",
            Self::Engine(error) => error.code(),
            Self::Profile(_) => "profile_mismatch",
            Self::OutputTooLarge { .. } => "output_too_large",
            Self::Describe(_) => "not_described",
        }
    }
}

pub async fn run(
    host: &Host,
    prepared: Option<&Prepared>,
    job: &JobData,
    seconds: u64,
    runtime: String,
) -> Result<Computed, RunError> {
    let prepared = prepared.ok_or(RunError::NotPrepared)?;
    // Never zero: a run that ends within the second is still in time.
    let limit = Duration::from_secs(seconds.max(1));
    let started = Instant::now();
    let outcome = host.run(&prepared.model, &prepared.input, limit).await?;
    let took = started.elapsed();
    metrics::run(took.as_secs_f64());
    let answer = outcome.answer(&OutputProfile(job.output_profile))?;
    let outputs = answer.outputs.unwrap_or_default();
    if u32::try_from(outputs.len()).map_or(true, |found| found > job.output_limit) {
        return Err(RunError::OutputTooLarge {
            found: outputs.len(),
            limit: job.output_limit,
        });
    }
    let body = Body {
        outputs,
        hints: answer.hints,
        outputs_json: serde_json::to_string(&describe(&outcome))?,
        model_error: answer.failure.map(|failure| failure.message),
        runtime,
        compute_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(Computed {
        root: answer.root,
        hints_digest: answer.hints_digest,
        body: Arc::new(body),
    })
}

/// Names, types and shapes, in the model's output order.
fn describe(outcome: &Outcome) -> Vec<OutputInfo> {
    match outcome {
        Outcome::Outputs(tensors) => tensors
            .iter()
            .map(|tensor| OutputInfo {
                name: tensor.name.clone(),
                dtype: dtype_name(tensor.dtype).to_owned(),
                shape: tensor
                    .shape
                    .iter()
                    .map(|size| u64::try_from(*size).unwrap_or(u64::MAX))
                    .collect(),
            })
            .collect(),
        Outcome::Failed(_) => Vec::new(),
    }
}

/// New randomness for one commitment.
pub fn fresh() -> Result<Fresh, getrandom::Error> {
    let (mut salt, mut worker_secret) = ([0; 32], [0; 32]);
    getrandom::fill(&mut salt)?;
    getrandom::fill(&mut worker_secret)?;
    Ok(Fresh {
        salt,
        worker_secret,
    })
}
