//! One inference, from prepared files to what is committed and delivered.

use std::{sync::Arc, time::Duration};

use assay_client::{
    delivery::OutputInfo,
    outputs::dtype_name,
    protocol::{JobData, OutputProfile, limits::MAX_OUTPUTS},
};
use assay_engine::{
    Answer, EngineError, Fault, ModelFailure, Outcome, ProfileMismatch, RuntimeFault,
};
use tokio::time::Instant;

use super::{
    energy::EnergyMeter,
    machine::Engines,
    measure::{self, Meter},
    prepare::Prepared,
};
use crate::{
    core::{Body, Computed, RunFault, Tried},
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

    /// What it means for a job that was only tried.
    pub fn tried(&self) -> Tried {
        let too_long = matches!(self, Self::Engine(error) if measure::is_too_long(error));
        if too_long {
            Tried::TooLong
        } else {
            Tried::Failed(self.fault())
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

/// An answer that was computed before its job was claimed. A commitment binds it to provider, attempt
/// and salt, all of which are chosen after it; the answer itself depends on the terms alone.
pub struct Kept {
    terms: Terms,
    computed: Computed,
}

/// Everything of a job that its answer depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Terms {
    model_digest: [u8; 32],
    input_digest: [u8; 32],
    output_profile: [i16; MAX_OUTPUTS],
    output_limit: u32,
    runtime_class: [u8; 32],
}

impl Terms {
    fn of(job: &JobData) -> Self {
        Self {
            model_digest: job.model_digest,
            input_digest: job.input_digest,
            output_profile: job.output_profile,
            output_limit: job.output_limit,
            runtime_class: job.runtime_class,
        }
    }
}

/// What runs work with.
pub struct Running {
    pub host: Arc<dyn Engines>,
    pub meter: Meter,
    pub energy: EnergyMeter,
    pub runtime: String,
}

/// The answer to a claimed job: the one of its trial, or a new one.
pub async fn run(
    running: &Running,
    prepared: Option<&Prepared>,
    job: &JobData,
    seconds: u64,
) -> Result<Computed, RunError> {
    let prepared = prepared.ok_or(RunError::NotPrepared)?;
    let kept = prepared.tried.get();
    match kept.filter(|kept| kept.terms == Terms::of(job)) {
        Some(kept) => Ok(kept.computed.clone()),
        None => compute(running, prepared, job, seconds).await,
    }
}

/// Runs a job that is not claimed, and keeps its answer.
pub async fn try_out(
    running: &Running,
    prepared: Option<&Prepared>,
    job: &JobData,
    seconds: u64,
) -> Result<(), RunError> {
    let prepared = prepared.ok_or(RunError::NotPrepared)?;
    let computed = compute(running, prepared, job, seconds).await?;
    let terms = Terms::of(job);
    // One that is there already is as good.
    let _ = prepared.tried.set(Box::new(Kept { terms, computed }));
    Ok(())
}

async fn compute(
    running: &Running,
    prepared: &Prepared,
    job: &JobData,
    seconds: u64,
) -> Result<Computed, RunError> {
    let Running {
        host,
        meter,
        energy,
        runtime,
    } = running;
    // Never zero: a run that ends within the second is still in time.
    let limit = Duration::from_secs(seconds.max(1));
    let measured = energy.begin();
    let started = Instant::now();
    let outcome = host.run(&prepared.model, &prepared.input, limit).await;
    let took = started.elapsed();
    let energy_mj = measured.end().await;
    meter.note(&**host, &prepared.model, &outcome, took).await;
    metrics::run(took.as_secs_f64());
    let (outcome, answer) = answer(outcome, job)?;
    let body = Body {
        outputs: answer.outputs.unwrap_or_default(),
        hints: answer.hints,
        outputs_json: serde_json::to_string(&describe(&outcome))?,
        model_error: answer.failure.map(|failure| failure.message),
        runtime: runtime.clone(),
        compute_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        energy_mj,
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
mod tests;
