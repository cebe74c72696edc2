//! The near end of the pipe: starts engines, keeps the useful ones, kills the rest.
//!
//! One child holds one model for all its life, so a model that takes over its process meets no other
//! model's data. It does meet what other requesters give this model: runs follow one another in a child,
//! and for sessions it keeps what it has made of several requesters' inputs at once. Such a model could
//! tell one of them what another asked.
//!
//! All calls are async over tokio's processes; nothing blocks a runtime thread. A call whose future is
//! dropped takes its child with it, so no child is ever left in the middle of an exchange.
//!
//! | module | does |
//! |---|---|
//! | `pool` | decides which engine serves whom, and which ends; knows no process |
//! | `floor`, `sweep` | does what the pool decides, when it is asked and when time has passed |
//! | `lease`, `load` | an engine lent to one caller; how it comes to have a model |
//! | `sequence` | runs that follow from one another, on one engine |
//! | `optimised` | models as they were optimised before, on disk |
//! | `spare` | a process started before it is needed |
//! | `engine`, `control`, `tensors` | one process, the pipe to it, the memory shared with it |
//! | `measure`, `memory`, `roster`, `ps` | what runs took, what processes hold, what they are doing |

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use assay_protocol::Digest;
use bytes::Bytes;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    backend::{ModelRefused, Outcome},
    carry::Carrying,
    config::{EngineConfig, Provider},
    error::EngineError,
    runtime::Runtime,
    sandbox::Confinement,
    settings::Mode,
};
use floor::Floor;
use lease::{Granted, Lease};
use measure::Measurements;
use pool::{PoolLimits, Want};
use roster::Roster;
use spare::Spare;

mod attempts;
mod control;
mod cores;
mod ending;
mod engine;
mod floor;
mod lease;
mod load;
mod measure;
mod memory;
mod optimised;
mod pool;
mod ps;
mod roster;
mod sequence;
mod spare;
mod spawner;
mod sweep;
mod tensors;

pub use measure::{Measured, Sample};
pub use optimised::{OptimisedError, OptimisedModels, kept_of};
pub use pool::Work;
pub use ps::{EngineState, EngineStatus, Ps};
pub use sequence::{Sequence, Step};

const RUN: &str = "run the model";

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
    bytes: Bytes,
}

impl Model {
    /// Takes a `Vec` over without copying it: a model may have gigabytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: Digest::of(&[&bytes]),
            bytes: bytes.into(),
        }
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// The engines of this process.
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    config: HostConfig,
    mode: Mode,
    /// Bytes that all engines together may hold.
    memory: u64,
    floor: Mutex<Floor>,
    spare: Mutex<Spare>,
    wake_sweeper: Arc<Notify>,
    roster: Arc<Roster>,
    times: Mutex<Measurements>,
    optimised: Option<Arc<OptimisedModels>>,
    stop: CancellationToken,
}

impl Host {
    pub fn new(config: HostConfig) -> Self {
        Self::for_mode(config, Mode::default(), None)
    }

    /// The same, but keeps models as they were optimised. Before any engine is started.
    #[must_use]
    pub fn keeping(self, models: OptimisedModels) -> Self {
        let inner = &self.inner;
        Self::for_mode(inner.config.clone(), inner.mode, Some(Arc::new(models)))
    }

    /// The same for work of another kind. Engines of one kind never do the other's.
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Self {
        let inner = &self.inner;
        Self::for_mode(inner.config.clone(), mode, inner.optimised.clone())
    }

    fn for_mode(config: HostConfig, mode: Mode, optimised: Option<Arc<OptimisedModels>>) -> Self {
        let limits = limits(&config.engine);
        let inner = Inner {
            mode,
            memory: limits.memory,
            floor: Mutex::new(Floor::new(limits)),
            spare: Mutex::default(),
            wake_sweeper: Arc::default(),
            roster: Arc::default(),
            times: Mutex::default(),
            optimised,
            stop: CancellationToken::new(),
            config,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Starts an engine to see that ONNX Runtime and the provider's library are there. Returns what
    /// the runtime says of itself, and what holds an engine.
    pub async fn probe(&self) -> Result<Probe, EngineError> {
        let inner = &self.inner;
        let starting = inner.start(inner.deadline());
        let (engine, probe) = inner.unless_stopped("start", starting).await?;
        inner.keep_spare(engine);
        Ok(probe)
    }

    /// Runs a model on a safetensors file. The file is checked first, and an input that does not
    /// fit costs the engine nothing. `limit` bounds the inference alone; loading has its own.
    pub async fn run(
        &self,
        model: &Model,
        input: &[u8],
        limit: Duration,
    ) -> Result<Outcome, EngineError> {
        self.run_for(Work::Claimed, model, input, limit).await
    }

    pub async fn run_for(
        &self,
        work: Work,
        model: &Model,
        input: &[u8],
        limit: Duration,
    ) -> Result<Outcome, EngineError> {
        let lease = self.inner.lease_to_run(work, model).await?;
        let ran = self.inner.run_on(lease, model, (input, (None, 0)), limit);
        ran.await
    }

    /// What every engine is doing, and what the models took that were run here.
    pub fn ps(&self) -> Ps {
        let inner = &self.inner;
        Ps {
            engines: inner
                .roster
                .status(inner.config.engine.provider, inner.mode),
            models: inner.times().all(),
        }
    }

    /// What this model took here; none if it was not loaded since this process began, or long ago.
    pub fn measured(&self, model: &Digest) -> Option<Measured> {
        self.inner.times().of(model)
    }

    /// Returns once the models that were loaded so far are on disk, as far as they are kept.
    pub async fn settled(&self) {
        if let Some(models) = &self.inner.optimised {
            models.settled().await;
        }
    }

    /// Kills every engine, also those at work, and starts no more.
    pub fn kill(&self) {
        self.inner.stop.cancel();
        let idle = self.inner.floor().clear();
        let spare = self.inner.take_spare();
        drop((idle, spare));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Inner {
    async fn lease_to_run(
        self: &Arc<Self>,
        work: Work,
        model: &Model,
    ) -> Result<Lease, EngineError> {
        self.check_size(model)?;
        match self.lease(model, (work, Want::Run)).await? {
            Granted::Engine(lease) => Ok(lease),
            Granted::Info(_) => Err(EngineError::Stopped { doing: RUN }),
        }
    }

    /// `kept` bytes are the run's own of what its engine keeps for sequences.
    async fn run_on(
        &self,
        mut lease: Lease,
        model: &Model,
        (input, (carrying, kept)): (&[u8], (Option<Carrying>, u64)),
        limit: Duration,
    ) -> Result<Outcome, EngineError> {
        let most = self.config.engine.limits.input_bytes;
        let given = |name: &str| Carrying::is_given(carrying.as_ref(), name);
        let inputs = match lease.info().view_given(input, most, given) {
            Ok(inputs) => inputs,
            Err(mismatch) => {
                lease.keep();
                return Err(mismatch.into());
            }
        };
        // None are added meanwhile: the engine is lent.
        let shares = self.floor().pool.keeps_beside(lease.number(), kept);
        let running = lease.run(&inputs, carrying, Deadline::within(limit));
        let ran = self.unless_stopped(RUN, running).await;
        let (outcome, took) = ran.map_err(|error| error.where_memory_is_shared(shares))?;
        lease.keep();
        let input_bytes = u64::try_from(input.len()).unwrap_or(u64::MAX);
        let sample = Sample { input_bytes, took };
        self.times().ran(model.digest, sample);
        Ok(outcome)
    }

    fn check_size(&self, model: &Model) -> Result<(), EngineError> {
        let size = u64::try_from(model.bytes.len()).unwrap_or(u64::MAX);
        let limit = self.config.engine.limits.model_bytes;
        if size > limit {
            return Err(ModelRefused::TooLarge { size, limit }.into());
        }
        Ok(())
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

    fn times(&self) -> MutexGuard<'_, Measurements> {
        // Whole after every statement, so a panic elsewhere does not spoil it.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most that a process may hand out of what it has made of its model; 0 for nothing.
    fn optimised_bytes(&self) -> u64 {
        let kept = self.optimised.as_ref();
        let limit = kept.filter(|_| self.config.engine.provider == Provider::Cpu);
        let limit = limit.map_or(0, |models| models.limit());
        limit.min(self.config.engine.limits.model_bytes)
    }

    fn deadline(&self) -> Deadline {
        Deadline::within(self.config.engine.load_timeout())
    }
}

fn limits(config: &EngineConfig) -> PoolLimits {
    let runs = config.concurrency.max(1);
    PoolLimits {
        runs,
        preparing: config.preparing.max(1),
        instances: if config.instances > 0 {
            config.instances
        } else {
            runs
        },
        idle: config.warm_models,
        memory: config.memory(),
        keep: Duration::from_secs(config.keep_alive_secs),
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

    /// Leaves so much of the time until then, but half of it at most.
    fn leaving(self, time: Duration) -> Self {
        let left = self.at.saturating_duration_since(Instant::now());
        Self::within(left.saturating_sub(time.min(left / 2)))
    }
}
