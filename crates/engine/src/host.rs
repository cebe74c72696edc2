//! The near end of the pipe: starts engines, keeps the useful ones, kills the rest.
//!
//! One child holds one model, so a model that takes over its process meets no other job's data.
//! All calls are async over tokio's processes; nothing blocks a runtime thread. A call whose future
//! is dropped takes its child with it, so no child is ever left in the middle of an exchange.

use std::{
    collections::VecDeque,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use assay_protocol::Digest;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    backend::{ModelRefused, Outcome},
    config::EngineConfig,
    error::EngineError,
    frame::{Request, Response},
    info::ModelInfo,
    runtime::Runtime,
    sandbox::Confinement,
    settings::Mode,
    tensor::{Tensor, from_safetensors},
};
use engine::Engine;
use measure::Measurements;
use roster::Roster;

mod attempts;
mod ending;
mod engine;
mod measure;
mod memory;
mod ps;
mod roster;
mod spawner;

pub use measure::{Measured, Sample};
pub use ps::{EngineState, EngineStatus, Ps};

/// How to start an engine.
#[derive(Clone, Debug)]
pub struct HostConfig {
    pub engine: EngineConfig,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

impl HostConfig {
    /// Starts `engine.program`, or else this very executable, with the argument `engine`; its `main`
    /// must give such a start to [`child_main`](crate::child_main) before anything else.
    pub fn new(engine: EngineConfig) -> std::io::Result<Self> {
        let program = match &engine.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
        Ok(Self {
            engine,
            program,
            arguments: vec!["engine".into()],
        })
    }
}

/// What an engine says of itself before it has seen a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub runtime: Runtime,
    pub confinement: Confinement,
}

/// A model's bytes, under the digest that names them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Model {
    digest: Digest,
    bytes: Arc<[u8]>,
}

impl Model {
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: Digest::of(&[&bytes]),
            bytes,
        }
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// The engines of this process.
pub struct Host {
    config: HostConfig,
    mode: Mode,
    /// One permit an engine at work.
    slots: Semaphore,
    /// Engines with a model loaded and nothing to do, the least recently used first.
    warm: Mutex<VecDeque<Engine>>,
    roster: Arc<Roster>,
    times: Mutex<Measurements>,
    stop: CancellationToken,
}

impl Host {
    pub fn new(config: HostConfig) -> Self {
        let slots = Semaphore::new(config.engine.concurrency.max(1));
        Self {
            config,
            mode: Mode::default(),
            slots,
            warm: Mutex::default(),
            roster: Arc::default(),
            times: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    /// The same for work of another kind. Engines of one kind never do the other's.
    pub fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Starts and ends an engine to see that ONNX Runtime and the provider's library are there.
    /// Returns what the runtime says of itself, and what holds an engine.
    pub async fn probe(&self) -> Result<Probe, EngineError> {
        let _slot = self.slot("start").await?;
        let (_, probe) = self
            .unless_stopped("start", self.start(self.deadline()))
            .await?;
        Ok(probe)
    }

    /// Loads and warms up a model, unless it is already, and says what it takes and gives.
    pub async fn load(&self, model: &Model) -> Result<ModelInfo, EngineError> {
        let _slot = self.slot("load the model").await?;
        let engine = self.engine_for(model).await?;
        let info = engine.info.clone();
        self.keep(engine);
        Ok(info)
    }

    /// Runs a model on a safetensors file. The file is checked first, and an input that does not
    /// fit costs the engine nothing. `limit` bounds the inference alone; loading has its own.
    pub async fn run(
        &self,
        model: &Model,
        input: &[u8],
        limit: Duration,
    ) -> Result<Outcome, EngineError> {
        let _slot = self.slot("run the model").await?;
        let mut engine = self.engine_for(model).await?;
        if let Err(mismatch) = engine
            .info
            .check_input(input, self.config.engine.limits.input_bytes)
        {
            self.keep(engine);
            return Err(mismatch.into());
        }
        engine.running(true);
        let started = Instant::now();
        let call = engine.call(
            "run the model",
            &Request::Run,
            input,
            Deadline::within(limit),
        );
        let (response, body) = self.unless_stopped("run the model", call).await?;
        engine.running(false);
        if let Response::Outputs | Response::Failed { .. } = response {
            let sample = Sample {
                input_bytes: u64::try_from(input.len()).unwrap_or(u64::MAX),
                took: started.elapsed(),
            };
            self.times().ran(model.digest, sample);
        }
        match response {
            Response::Outputs => {
                let outputs = ordered(&engine.info, &body)
                    .map_err(|reason| engine.nonsense("run the model", &reason))?;
                self.keep(engine);
                Ok(Outcome::Outputs(outputs))
            }
            Response::Failed { failure } => {
                self.keep(engine);
                Ok(Outcome::Failed(failure))
            }
            Response::Mismatch { mismatch } => {
                self.keep(engine);
                Err(mismatch.into())
            }
            // What ran out or broke may still be broken: the next run gets a new process.
            Response::Fault { fault } => Err(fault.into()),
            other @ (Response::Started { .. }
            | Response::Loaded { .. }
            | Response::Refused { .. }
            | Response::Attempted { .. }) => {
                Err(engine.nonsense("run the model", &format!("{other:?}")))
            }
        }
    }

    /// What every engine is doing, and what the models took that were run here.
    pub fn ps(&self) -> Ps {
        Ps {
            engines: self.roster.status(self.config.engine.provider, self.mode),
            models: self.times().all(),
        }
    }

    /// What this model took here; none if it was not loaded since this process began, or long ago.
    pub fn measured(&self, model: &Digest) -> Option<Measured> {
        self.times().of(model)
    }

    /// Kills every engine, also those at work, and starts no more.
    pub fn kill(&self) {
        self.stop.cancel();
        self.warm().clear();
    }

    async fn slot(
        &self,
        doing: &'static str,
    ) -> Result<tokio::sync::SemaphorePermit<'_>, EngineError> {
        let permit = self.unless_stopped(doing, async {
            self.slots
                .acquire()
                .await
                .map_err(|_| EngineError::Stopped { doing })
        });
        permit.await
    }

    /// A warm engine with this model, or a new one.
    async fn engine_for(&self, model: &Model) -> Result<Engine, EngineError> {
        if let Some(engine) = self.take_warm(model.digest) {
            return Ok(engine);
        }
        let size = u64::try_from(model.bytes.len()).unwrap_or(u64::MAX);
        let limit = self.config.engine.limits.model_bytes;
        if size > limit {
            return Err(ModelRefused::TooLarge { size, limit }.into());
        }
        let (deadline, started) = (self.deadline(), Instant::now());
        let doing = "load the model";
        let fresh = async {
            let (mut engine, _) = self.start(deadline).await?;
            let (response, _) = engine
                .call(doing, &Request::Load, &model.bytes, deadline)
                .await?;
            match response {
                Response::Loaded { info, placement } => {
                    engine.loaded(model.digest, info, placement);
                    let memory = engine.pid().and_then(memory::of);
                    self.times().loaded(model.digest, started.elapsed(), memory);
                    Ok(engine)
                }
                Response::Refused { refused } => Err(refused.into()),
                Response::Fault { fault } => Err(fault.into()),
                other @ (Response::Started { .. }
                | Response::Outputs
                | Response::Failed { .. }
                | Response::Mismatch { .. }
                | Response::Attempted { .. }) => Err(engine.nonsense(doing, &format!("{other:?}"))),
            }
        };
        self.unless_stopped(doing, fresh).await
    }

    async fn start(&self, deadline: Deadline) -> Result<(Engine, Probe), EngineError> {
        let mut engine = Engine::spawn(&self.config, &self.roster)?;
        let request = Request::Start {
            config: self.config.engine.clone(),
            mode: self.mode,
        };
        match engine.call("start", &request, &[], deadline).await?.0 {
            Response::Started {
                runtime,
                confinement,
            } => Ok((
                engine,
                Probe {
                    runtime,
                    confinement,
                },
            )),
            Response::Fault { fault } => Err(fault.into()),
            other @ (Response::Loaded { .. }
            | Response::Outputs
            | Response::Failed { .. }
            | Response::Refused { .. }
            | Response::Mismatch { .. }
            | Response::Attempted { .. }) => Err(engine.nonsense("start", &format!("{other:?}"))),
        }
    }

    async fn unless_stopped<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        self.stop
            .run_until_cancelled(work)
            .await
            .unwrap_or(Err(EngineError::Stopped { doing }))
    }

    fn take_warm(&self, digest: Digest) -> Option<Engine> {
        let mut warm = self.warm();
        warm.retain_mut(Engine::is_alive);
        let position = warm.iter().position(|engine| engine.digest == digest)?;
        warm.remove(position)
    }

    fn keep(&self, engine: Engine) {
        let mut warm = self.warm();
        warm.push_back(engine);
        while warm.len() > self.config.engine.warm_models || self.stop.is_cancelled() {
            if warm.pop_front().is_none() {
                break;
            }
        }
    }

    fn warm(&self) -> MutexGuard<'_, VecDeque<Engine>> {
        // The queue is whole after every statement, so a panic elsewhere does not spoil it.
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn times(&self) -> MutexGuard<'_, Measurements> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deadline(&self) -> Deadline {
        Deadline::within(self.config.engine.load_timeout())
    }
}

/// A moment, and the limit it came from, for the message.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    fn within(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            at: now.checked_add(limit).unwrap_or(now),
            limit,
        }
    }
}

/// The outputs in the model's order, if they are exactly those that it announced.
fn ordered(info: &ModelInfo, file: &[u8]) -> Result<Vec<Tensor>, String> {
    let mut given = from_safetensors(file).map_err(|error| error.to_string())?;
    if given.len() != info.outputs.len() {
        return Err(format!(
            "{} outputs where the model has {}",
            given.len(),
            info.outputs.len()
        ));
    }
    let mut outputs = Vec::with_capacity(given.len());
    for output in &info.outputs {
        let matches = |tensor: &Tensor| tensor.name == output.name && tensor.dtype == output.dtype;
        let Some(position) = given.iter().position(matches) else {
            return Err(format!("no output `{}` of its type", output.name));
        };
        outputs.push(given.swap_remove(position));
    }
    Ok(outputs)
}
