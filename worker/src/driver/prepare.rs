//! Model and input of a job, fetched, verified and loaded: all before a claim is made.

use std::sync::{Arc, OnceLock};

use assay_client::{
    delivery::blob_path,
    protocol::{Digest, JobData, JobStatus, OutputProfile, text},
};
use assay_engine::{EngineError, Fault, InputMismatch, Limits, Model, ProfileMismatch, Work};

use super::{
    auditors::Auditors,
    machine::Engines,
    memory::{NoRoom, Room, Taken},
    run::Kept,
};
use crate::{
    artifacts::{Artifacts, FetchError, Wanted},
    chain::{Chain, ChainError},
    core::PrepareFault,
};

/// A job that can be run at once.
pub struct Prepared {
    pub model: Model,
    /// As the model's author calls it: text of a stranger.
    pub name: String,
    pub input: Vec<u8>,
    /// Of the model, shared like it.
    pub model_room: Arc<Taken>,
    pub input_room: Taken,
    /// The answer of its trial.
    pub tried: OnceLock<Box<Kept>>,
}

#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("model and input did not come in the time that one seat is worth")]
    Slow,
    #[error("the model's account does not exist any more")]
    ModelGone,
    #[error("the model's account names another file than the job")]
    ModelDiffers,
    #[error("the account of the job's provider does not exist any more")]
    PrimaryGone,
    #[error(
        "the job asks for a runtime class that this machine does not have (`assay-worker class`)"
    )]
    OtherClass,
    #[error("this operator works for the job's provider too: nobody audits itself")]
    OwnOperator,
    #[error(
        "{found} other providers could audit this job now and policy.min_auditors is {needed}: with so few, a panel may \
         stay empty or in one hand"
    )]
    TooFewAuditors { found: usize, needed: usize },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Memory(#[from] NoRoom),
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
            // The wait lets others register, or grow old enough.
            Self::Chain(_) | Self::Slow | Self::TooFewAuditors { .. } | Self::Memory(_) => true,
            Self::Fetch(error) => error.may_pass(),
            Self::Engine(error) => match error.fault() {
                Fault::Job => false,
                Fault::Run | Fault::Setup => true,
            },
            Self::ModelGone
            | Self::ModelDiffers
            | Self::PrimaryGone
            | Self::OtherClass
            | Self::OwnOperator
            | Self::Input(_)
            | Self::Profile(_) => false,
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
            Self::Slow => "slow",
            Self::ModelGone => "model_gone",
            Self::ModelDiffers => "model_differs",
            Self::PrimaryGone => "primary_gone",
            Self::OtherClass => "other_class",
            Self::OwnOperator => "own_operator",
            Self::TooFewAuditors { .. } => "too_few_auditors",
            Self::Fetch(error) => error.code(),
            Self::Memory(_) => "prepared_full",
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
    pub host: Arc<dyn Engines>,
    /// Whose turn it is to load a model.
    pub work: Work,
    pub limits: Limits,
    /// For what is read.
    pub room: Arc<Room>,
    /// Of this machine.
    pub class: [u8; 32],
}

/// A model in memory, and the room that it takes.
pub type Shared = (Model, Arc<Taken>);

/// Everything that a claim needs. `shared` is the job's model, if another job has it at hand.
pub async fn prepare<C: Chain>(
    sources: &Sources<C>,
    job: &JobData,
    shared: Option<Shared>,
    auditors: &Auditors,
) -> Result<Prepared, PrepareError> {
    // Claimed for an account that stated another class: a result that auditors of that class may not
    // find costs the whole collateral, giving the job back a part of it.
    if job.require_class(&sources.class).is_err() {
        return Err(PrepareError::OtherClass);
    }
    // What is claimed has to be done, whoever may audit it.
    if !job.is_unaudited() && job.status() == Ok(JobStatus::Open) {
        auditors.require(&*sources.chain, job).await?;
    }
    files(sources, job, shared, None).await
}

impl Wanted {
    /// The same, from a worker's service.
    fn of(&self, endpoint: &str) -> Self {
        let uri = format!("{endpoint}{}", blob_path(&self.digest));
        Self {
            uri,
            ..self.clone()
        }
    }
}

/// Model and input. `endpoint` is a worker that may have them where no uri leads to them.
pub async fn files<C: Chain>(
    sources: &Sources<C>,
    job: &JobData,
    shared: Option<Shared>,
    endpoint: Option<&str>,
) -> Result<Prepared, PrepareError> {
    let Sources {
        chain,
        artifacts,
        host,
        work,
        limits,
        room,
        class: _,
    } = sources;
    let owed = match work {
        Work::Claimed | Work::Audit => true,
        Work::Preparing => false,
    };
    let account = chain
        .model(&job.model)
        .await?
        .ok_or(PrepareError::ModelGone)?;
    if account.digest != job.model_digest {
        return Err(PrepareError::ModelDiffers);
    }
    // The input first: it is small, and what strangers get wrong most often.
    let wanted = Wanted {
        digest: Digest(job.input_digest),
        size: u64::from(job.input_bytes),
        uri: text::read(&job.input_uri, job.input_uri_len).to_owned(),
        limit: limits.input_bytes,
    };
    let input = match (artifacts.input(&wanted).await, endpoint) {
        (Ok(input), _) => input,
        (Err(_), Some(endpoint)) => artifacts.input(&wanted.of(endpoint)).await?,
        (Err(error), None) => return Err(error.into()),
    };
    let input_room = room.take(length(&input), owed)?;
    let wanted = Wanted {
        digest: Digest(job.model_digest),
        size: account.size,
        uri: text::read(&account.uri, account.uri_len).to_owned(),
        limit: limits.model_bytes,
    };
    let (model, model_room) = match shared {
        Some(shared) => shared,
        None => {
            let wanted = match (artifacts.bring_model(&wanted).await, endpoint) {
                (Ok(()), _) => wanted,
                (Err(_), Some(endpoint)) => {
                    let there = wanted.of(endpoint);
                    artifacts.bring_model(&there).await?;
                    there
                }
                (Err(error), None) => return Err(error.into()),
            };
            // Not before it is on disk: a slow server keeps no room from others.
            let model_room = Arc::new(room.take(wanted.size, owed)?);
            (Model::new(artifacts.model(&wanted).await?), model_room)
        }
    };
    let info = host.load_for(*work, &model).await?;
    info.check_input(&input, limits.input_bytes)?;
    info.check_profile(&OutputProfile(job.output_profile))?;
    Ok(Prepared {
        model,
        name: text::read(&account.name, account.name_len).to_owned(),
        input,
        model_room,
        input_room,
        tried: OnceLock::new(),
    })
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
