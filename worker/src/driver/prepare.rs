//! Model and input of a job, fetched, verified and loaded: all before a claim is made.

use std::sync::{Arc, OnceLock};

use assay_client::{
    delivery::blob_path,
    protocol::{Digest, JobData, JobStatus, OutputProfile, text},
};
use assay_engine::{EngineError, Fault, InputMismatch, Limits, Model, ProfileMismatch, Work};

use super::{auditors::Auditors, machine::Engines, run::Kept};
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
            Self::Chain(_) | Self::Slow | Self::TooFewAuditors { .. } => true,
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
    /// Of this machine.
    pub class: [u8; 32],
}

/// Everything that a claim needs. `shared` is the job's model, if another job has it at hand.
pub async fn prepare<C: Chain>(
    sources: &Sources<C>,
    job: &JobData,
    shared: Option<Model>,
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
    shared: Option<Model>,
    endpoint: Option<&str>,
) -> Result<Prepared, PrepareError> {
    let Sources {
        chain,
        artifacts,
        host,
        work,
        limits,
        class: _,
    } = sources;
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
    let wanted = Wanted {
        digest: Digest(job.model_digest),
        size: account.size,
        uri: text::read(&account.uri, account.uri_len).to_owned(),
        limit: limits.model_bytes,
    };
    let model = match shared {
        Some(model) => model,
        None => Model::new(match (artifacts.model(&wanted).await, endpoint) {
            (Ok(model), _) => model,
            (Err(_), Some(endpoint)) => artifacts.model(&wanted.of(endpoint)).await?,
            (Err(error), None) => return Err(error.into()),
        }),
    };
    let info = host.load_for(*work, &model).await?;
    info.check_input(&input, limits.input_bytes)?;
    info.check_profile(&OutputProfile(job.output_profile))?;
    Ok(Prepared {
        model,
        name: text::read(&account.name, account.name_len).to_owned(),
        input,
        tried: OnceLock::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use assay_engine::{EngineConfig, Host, HostConfig};
    use bytemuck::Zeroable;

    use super::*;
    use crate::{
        artifacts::{Cache, FetchSettings, NetworkPolicy},
        chain::{Endpoints, RpcChain},
    };

    /// Sources where nothing answers.
    fn nothing(folder: &std::path::Path, class: [u8; 32]) -> Sources<RpcChain> {
        let cache = |name| Cache::open(name, &folder.join(name), 1_000).unwrap();
        let fetch = FetchSettings {
            network: NetworkPolicy::default(),
            gateways: vec![],
            timeout: Duration::from_secs(5),
            connections: 1,
        };
        let endpoints = Endpoints {
            urls: vec!["http://127.0.0.1:9".into()],
            timeout: Duration::from_secs(5),
            genesis: String::new(),
            per_second: 10,
        };
        let host = HostConfig::new(EngineConfig::default()).unwrap();
        Sources {
            chain: Arc::new(RpcChain::new(&endpoints).unwrap()),
            artifacts: Arc::new(
                Artifacts::new(cache("models"), cache("blobs"), vec![], fetch).unwrap(),
            ),
            host: Arc::new(Host::new(host)),
            work: Work::Preparing,
            limits: Limits::default(),
            class,
        }
    }

    #[tokio::test]
    async fn job_of_a_class_that_is_not_this_machines_is_never_run() {
        let folder = tempfile::tempdir().unwrap();
        let sources = nothing(folder.path(), [7; 32]);
        let auditors = Auditors::new(0, Address::default());
        let mut job = JobData::zeroed();
        job.status = JobStatus::Claimed as u8;
        for (class, is_other) in [([8; 32], true), ([7; 32], false), ([0; 32], false)] {
            job.runtime_class = class;
            let error = prepare(&sources, &job, None, &auditors)
                .await
                .map(|_| ())
                .unwrap_err();
            assert_eq!(
                matches!(error, PrepareError::OtherClass),
                is_other,
                "{error}"
            );
            let never = error.fault() == PrepareFault::Never;
            assert_eq!(never, is_other, "{error}");
        }
    }
}
