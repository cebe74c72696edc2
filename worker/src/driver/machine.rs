//! What the driver takes from the machine that it runs on; a simulation gives its own.

use std::{panic::resume_unwind, time::Duration};

use assay_client::protocol::Digest;
use assay_engine::{EngineError, Host, Measured, Model, ModelInfo, Outcome, Sequence, Step, Work};
use futures_util::future::BoxFuture;
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::core::Fresh;

/// What runs models.
pub trait Engines: Send + Sync {
    fn load<'a>(&'a self, model: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>>;
    /// The same in an engine that has not had the model: that another one has it shows nothing of this machine.
    fn load_anew<'a>(&'a self, model: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        self.load(model)
    }
    /// `limit` bounds the inference alone.
    fn run<'a>(
        &'a self,
        model: &'a Model,
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>>;
    /// The same for those whose turn depends on what depends on it.
    fn load_for<'a>(
        &'a self,
        _: Work,
        model: &'a Model,
    ) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        self.load(model)
    }
    fn run_for<'a>(
        &'a self,
        _: Work,
        model: &'a Model,
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        self.run(model, input, limit)
    }
    /// Room for a sequence of runs; none if there is too little memory. Engines that keep nothing have none.
    fn sequence(&self, bytes: u64) -> Option<Sequence> {
        let _ = bytes;
        None
    }
    /// The next run of a sequence; none if what it goes on from is lost.
    fn run_step<'a>(
        &'a self,
        model: &'a Model,
        at: (&'a Sequence, Step),
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Option<Outcome>, EngineError>> {
        let _ = (model, at, input, limit);
        Box::pin(async { Ok(None) })
    }
    /// What the engines measured of a model's loads and runs.
    fn measured(&self, model: &Digest) -> Option<Measured> {
        let _ = model;
        None
    }
    /// Ends every engine and starts no more.
    fn kill(&self);
}

impl Engines for Host {
    fn load<'a>(&'a self, model: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        Box::pin(self.load(model))
    }

    fn load_anew<'a>(&'a self, model: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        Box::pin(self.load_anew(model))
    }

    fn run<'a>(
        &'a self,
        model: &'a Model,
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        Box::pin(self.run(model, input, limit))
    }

    fn load_for<'a>(
        &'a self,
        work: Work,
        model: &'a Model,
    ) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        Box::pin(self.load_for(work, model))
    }

    fn run_for<'a>(
        &'a self,
        work: Work,
        model: &'a Model,
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        Box::pin(self.run_for(work, model, input, limit))
    }

    fn sequence(&self, bytes: u64) -> Option<Sequence> {
        self.sequence(bytes)
    }

    fn run_step<'a>(
        &'a self,
        model: &'a Model,
        at: (&'a Sequence, Step),
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Option<Outcome>, EngineError>> {
        Box::pin(self.run_step(model, at, input, limit))
    }

    fn measured(&self, model: &Digest) -> Option<Measured> {
        self.measured(model)
    }

    fn kill(&self) {
        self.kill();
    }
}

/// Where work runs that reads and hashes large files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// On threads that may block: it keeps nothing else waiting.
    Many,
    /// On the thread of everything else: the order in a simulation depends on no scheduler.
    One,
}

impl Threads {
    /// What the work comes to; none if the runtime ends before it does.
    pub async fn run<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        if self == Self::One {
            return Some(work.await);
        }
        let runtime = Handle::current();
        match spawn_blocking(move || runtime.block_on(work)).await {
            Ok(result) => Some(result),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => None,
            },
        }
    }
}

/// Fills its argument with what nobody can guess.
pub type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// New randomness for one commitment.
pub fn fresh(random: Random) -> Result<Fresh, getrandom::Error> {
    let (mut salt, mut worker_secret) = ([0; 32], [0; 32]);
    random(&mut salt)?;
    random(&mut worker_secret)?;
    Ok(Fresh {
        salt,
        worker_secret,
    })
}
