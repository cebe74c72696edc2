//! Model and input of a job, fetched, verified and loaded: all before a claim is made.

use std::sync::Arc;

use assay_client::protocol::{Digest, JobData, OutputProfile, text};
use assay_engine::{EngineError, Fault, Host, InputMismatch, Limits, Model, ProfileMismatch};

use crate::{
    artifacts::{Artifacts, FetchError, Wanted},
    chain::{Chain, ChainError},
    core::PrepareFault,
};

/// A job that can be run at once.
pub struct Prepared {
    pub model: Model,
    pub input: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the model's account does not exist any more")]
    ModelGone,
    #[error("the model's account names another file than the job")]
    ModelDiffers,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Input(#[from] InputMismatch),
    #[error(transparent)]
    Profile(#[from] ProfileMismatch),
}

impl PrepareError {
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Chain(_) => true,
            Self::Fetch(error) => error.may_pass(),
            Self::Engine(error) => match error.fault() {
                Fault::Job => false,
                Fault::Run | Fault::Setup => true,
            },
            Self::ModelGone | Self::ModelDiffers | Self::Input(_) | Self::Profile(_) => false,
        }
    }

    pub fn fault(&self) -> PrepareFault {
        if self.may_pass() {
            PrepareFault::Later
        } else {
            PrepareFault::Never
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::Chain(_) => "chain",
            Self::ModelGone => "model_gone",
            Self::ModelDiffers => "model_differs",
            Self::Fetch(error) => error.code(),
            Self::Engine(error) => error.code(),
            Self::Input(_) => "input_mismatch",
            Self::Profile(_) => "profile_mismatch",
        }
    }
}

/// Where everything comes from.
pub struct Sources<C> {
    pub chain: Arc<C>,
    pub artifacts: Arc<Artifacts>,
    pub host: Arc<Host>,
    pub limits: Limits,
}

/// `shared` is the job's model, if another job has it at hand.
pub async fn prepare<C: Chain>(
    sources: &Sources<C>,
    job: &JobData,
    shared: Option<Model>,
) -> Result<Prepared, PrepareError> {
    let Sources {
        chain,
        artifacts,
        host,
        limits,
    } = sources;
    let account = chain
        .model(&job.model)
        .await?
        .ok_or(PrepareError::ModelGone)?;
    if account.digest != job.model_digest {
        return Err(PrepareError::ModelDiffers);
    }
    // The input first: it is small, and what strangers get wrong most often.
    let input = artifacts
        .input(&Wanted {
            digest: Digest(job.input_digest),
            size: u64::from(job.input_bytes),
            uri: text::read(&job.input_uri, job.input_uri_len).to_owned(),
            limit: limits.input_bytes,
        })
        .await?;
    let wanted = Wanted {
        digest: Digest(job.model_digest),
        size: account.size,
        uri: text::read(&account.uri, account.uri_len).to_owned(),
        limit: limits.model_bytes,
    };
    let model = match shared {
        Some(model) => model,
        None => Model::new(artifacts.model(&wanted).await?),
    };
    let info = host.load(&model).await?;
    info.check_input(&input, limits.input_bytes)?;
    info.check_profile(&OutputProfile(job.output_profile))?;
    Ok(Prepared { model, input })
}
