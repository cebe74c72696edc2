//! One inference, from prepared files to what is committed and delivered.

use std::{sync::Arc, time::Duration};

use assay_client::{
    delivery::OutputInfo,
    outputs::dtype_name,
    protocol::{JobData, OutputProfile},
};
use assay_engine::{
    Answer, EngineError, Fault, ModelFailure, Outcome, ProfileMismatch, RuntimeFault,
};
use tokio::time::Instant;

use super::{machine::Engines, prepare::Prepared};
use crate::{
    core::{Body, Computed, RunFault},
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
    #[error("no answer in the time that there was, waiting for a free engine included")]
    Late,
    #[error("the outputs cannot be described: {0}")]
    Describe(#[from] serde_json::Error),
}

impl RunError {
    pub fn fault(&self) -> RunFault {
        match self {
            // Nobody claims a job whose model crashes, but what is claimed is tried once more: it may
            // have been chance.
            Self::Engine(EngineError::ModelCrashed { .. }) => RunFault::Again,
            Self::Engine(error) => match error.fault() {
                Fault::Run => RunFault::Again,
                Fault::Job | Fault::Setup => RunFault::Never,
            },
            Self::Late => RunFault::Again,
            Self::NotPrepared | Self::Profile(_) | Self::Describe(_) => RunFault::Never,
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::NotPrepared => "not_prepared",
            Self::Engine(error) => error.code(),
            Self::Profile(_) => "profile_mismatch",
            Self::Late => "run_late",
            Self::Describe(_) => "not_described",
        }
    }
}

pub async fn run(
    host: &dyn Engines,
    prepared: Option<&Prepared>,
    job: &JobData,
    seconds: u64,
    runtime: String,
) -> Result<Computed, RunError> {
    let prepared = prepared.ok_or(RunError::NotPrepared)?;
    // Never zero: a run that ends within the second is still in time.
    let limit = Duration::from_secs(seconds.max(1));
    let started = Instant::now();
    let outcome = host.run(&prepared.model, &prepared.input, limit).await;
    let took = started.elapsed();
    metrics::run(took.as_secs_f64());
    let (outcome, answer) = answer(outcome, job)?;
    let body = Body {
        outputs: answer.outputs.unwrap_or_default(),
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

/// What is committed to. Outputs beyond the job's limit are the canonical error, so that there is an
/// answer to every job; the engine's own limit is never below a claimed job's.
fn answer(
    outcome: Result<Outcome, EngineError>,
    job: &JobData,
) -> Result<(Outcome, Answer), RunError> {
    let profile = OutputProfile(job.output_profile);
    let outcome = match outcome {
        Err(EngineError::Runtime(RuntimeFault::OutputTooLarge { .. })) => too_large(job),
        other => other?,
    };
    let answer = outcome.answer(&profile)?;
    let bytes = answer.outputs.as_ref().map_or(0, Vec::len);
    if u32::try_from(bytes).is_ok_and(|bytes| bytes <= job.output_limit) {
        return Ok((outcome, answer));
    }
    let failed = too_large(job);
    let answer = failed.answer(&profile)?;
    Ok((failed, answer))
}

pub(super) fn too_large(job: &JobData) -> Outcome {
    let limit = job.output_limit;
    Outcome::Failed(ModelFailure {
        message: format!("outputs exceed the job's limit of {limit} bytes"),
    })
}

/// Names, types and shapes, in the model's output order.
pub(super) fn describe(outcome: &Outcome) -> Vec<OutputInfo> {
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

#[cfg(test)]
mod tests {
    use assay_client::protocol::{commitment::error_root, outputs::DType};
    use bytemuck::Zeroable;

    use super::*;
    use assay_engine::Tensor;

    fn job(output_limit: u32) -> JobData {
        let mut job = JobData::zeroed();
        job.output_profile = [OutputProfile::UNUSED; 8];
        job.output_profile[0] = OutputProfile::EXACT;
        job.output_limit = output_limit;
        job
    }

    fn outcome() -> Outcome {
        Outcome::Outputs(vec![Tensor {
            name: "y".into(),
            dtype: DType::U8,
            shape: vec![64],
            data: vec![7; 64],
        }])
    }

    #[test]
    fn outputs_beyond_the_jobs_limit_are_the_canonical_error() {
        let (_, fits) = answer(Ok(outcome()), &job(4_096)).unwrap();
        let bytes = u32::try_from(fits.outputs.unwrap().len()).unwrap();
        assert_eq!(
            answer(Ok(outcome()), &job(bytes)).unwrap().1.root,
            fits.root
        );
        let beyond = EngineError::Runtime(RuntimeFault::OutputTooLarge {
            size: 9_999,
            limit: 9_000,
        });
        for large in [Ok(outcome()), Err(beyond)] {
            let (outcome, answer) = answer(large, &job(bytes - 1)).unwrap();
            assert_eq!((answer.root, answer.outputs), (error_root(), None));
            let message = format!("outputs exceed the job's limit of {} bytes", bytes - 1);
            assert_eq!(answer.failure.map(|failure| failure.message), Some(message));
            assert!(describe(&outcome).is_empty());
        }
    }

    #[test]
    fn engine_that_fails_otherwise_gives_no_answer() {
        let error = RuntimeFault::OutOfMemory {
            reason: "test".into(),
        };
        let error = answer(Err(error.into()), &job(4_096)).unwrap_err();
        assert_eq!(error.fault(), RunFault::Again);
    }
}
