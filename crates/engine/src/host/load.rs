//! How a process comes to have a model loaded, and how what it holds meanwhile is watched.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Deadline, Host, Inner, Model,
    engine::Engine,
    lease::Granted,
    memory,
    optimised::{Found, Key, OptimisedModels},
    pool::{Want, Work},
    ps::{EngineState, Hex},
};
use crate::{backend::ModelRefused, error::EngineError, info::ModelInfo, shared::Shared};

/// Least time that is left to a model whose kept form does not load.
const LEAST_RESERVE: Duration = Duration::from_secs(2);
/// Between two looks at what an engine at work holds in memory. What it can take in between is
/// bounded by its sandbox.
const LOOK: Duration = Duration::from_millis(200);

impl Host {
    /// Loads and warms up a model, unless it is already, and says what it takes and gives.
    pub async fn load(&self, model: &Model) -> Result<ModelInfo, EngineError> {
        self.load_for(Work::Claimed, model).await
    }

    pub async fn load_for(&self, work: Work, model: &Model) -> Result<ModelInfo, EngineError> {
        self.load_as(model, (work, Want::Loaded)).await
    }

    /// Loads and warms up a model in an engine that has not had it, which shows that this machine can.
    ///
    /// # Errors
    /// Also where there are as many engines with the model as there may be, all of them older.
    pub async fn load_anew(&self, model: &Model) -> Result<ModelInfo, EngineError> {
        self.load_as(model, (Work::Claimed, Want::Anew)).await
    }

    async fn load_as(&self, model: &Model, wish: (Work, Want)) -> Result<ModelInfo, EngineError> {
        self.inner.check_size(model)?;
        match self.inner.lease(model, wish).await? {
            Granted::Info(info) => Ok(ModelInfo::clone(&info)),
            Granted::Engine(lease) => {
                let info = lease.info().clone();
                lease.keep();
                Ok(info)
            }
        }
    }
}

impl Inner {
    /// A process with the model loaded: as it was optimised before, where that was kept and is still
    /// what it was, else as its author made it.
    pub async fn make(&self, model: &Model, number: u64) -> Result<Box<Engine>, EngineError> {
        let deadline = self.deadline();
        let mut engine = self.fresh(deadline).await?;
        self.note(number, &engine);
        let kept = self.kept(model, &engine);
        let began = Instant::now();
        let found = match &kept {
            Some((models, key)) => look_up((models, *key), engine.memory(), deadline).await,
            None => Found::Nothing,
        };
        if matches!(found, Found::Late) {
            engine = self.anew(number, deadline).await?;
        }
        let wanted = !matches!(found, Found::GainsNothing | Found::Late);
        if let Some((models, key)) = &kept
            && let Found::Kept { entry, cold } = found
        {
            // What does not load leaves the model itself as much time as it takes.
            let reserve = cold.map_or(Duration::MAX, |cold| cold.saturating_mul(2));
            let (process, limit) = (engine.pid(), deadline.leaving(reserve.max(LEAST_RESERVE)));
            let loading = engine.load_optimised(model.digest, *entry, limit);
            match self.watched(process, loading).await {
                Ok(Ok(())) => {
                    models.used(*key, began.elapsed());
                    return Ok(engine);
                }
                Ok(Err(error)) => {
                    tracing::warn!(model = %Hex(&model.digest), %error, "an optimised model is dropped");
                    models.reject(key);
                }
                Err(held) => {
                    tracing::warn!(model = %Hex(&model.digest), held, "an optimised model takes too much memory and is dropped");
                    models.reject(key);
                }
            }
            engine = self.anew(number, deadline).await?;
        }
        let Some((models, key)) =
            kept.filter(|(models, key)| wanted && models.wants(key) && self.may_fit(model))
        else {
            self.load_plainly(&mut engine, model, deadline).await?;
            return Ok(engine);
        };
        let process = engine.pid();
        let loading = self.watched(process, engine.load(model, true, deadline));
        let ended = match loading.await {
            Ok(Ok(Some((optimised, cold)))) => {
                models.keep(key, optimised, cold);
                return Ok(engine);
            }
            ended => ended,
        };
        // To keep it takes memory and time. That must not be tried at each load, nor cost the model its
        // place.
        models.give_up(&key);
        if let Ok(loaded) = ended {
            loaded?;
            return Ok(engine);
        }
        drop(engine);
        let deadline = self.deadline();
        let mut engine = self.anew(number, deadline).await?;
        self.load_plainly(&mut engine, model, deadline).await?;
        Ok(engine)
    }

    /// Another process in the place of one that has had a model.
    async fn anew(&self, number: u64, deadline: Deadline) -> Result<Box<Engine>, EngineError> {
        let engine = Box::new(self.start(deadline).await?.0);
        engine.set(EngineState::Loading);
        self.note(number, &engine);
        Ok(engine)
    }

    /// Has the model loaded as its author made it, and nothing kept of it.
    async fn load_plainly(
        &self,
        engine: &mut Engine,
        model: &Model,
        deadline: Deadline,
    ) -> Result<(), EngineError> {
        let process = engine.pid();
        let loading = self.watched(process, engine.load(model, false, deadline));
        loading.await.map_err(|held| self.outgrown(model, held))??;
        Ok(())
    }

    /// Whether what is made of a model could be written at all: it is about as large.
    fn may_fit(&self, model: &Model) -> bool {
        let size = u64::try_from(model.bytes.len()).unwrap_or(u64::MAX);
        size < self.optimised_bytes()
    }

    /// Where the model is kept, or is to be, as this process would optimise it.
    fn kept(&self, model: &Model, engine: &Engine) -> Option<(&Arc<OptimisedModels>, Key)> {
        let (models, runtime) = (self.optimised.as_ref()?, engine.runtime.as_ref()?);
        let config = &self.config.engine;
        let key = Key::new(model.digest, runtime, config, &config.settings(self.mode))?;
        Some((models, key))
    }

    fn note(&self, number: u64, engine: &Engine) {
        if let Some(known) = self.floor().engines.get_mut(&number) {
            known.pid = engine.pid();
        }
    }

    /// What the work of a process comes to, or how much memory it has taken that it may not.
    pub async fn watched<T>(
        &self,
        process: Option<u32>,
        work: impl Future<Output = T>,
    ) -> Result<T, u64> {
        let watching = async {
            loop {
                sleep(LOOK).await;
                let held = process.and_then(memory::resident).unwrap_or_default();
                if held > self.memory {
                    return held;
                }
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            held = watching => Err(held),
        }
    }

    /// Remembers that a model needs more than there is.
    pub fn outgrown(&self, model: &Model, needs: u64) -> EngineError {
        self.floor().pool.too_large(model.digest, needs);
        self.too_large(needs)
    }

    pub fn too_large(&self, needs: u64) -> EngineError {
        let limit = self.memory;
        ModelRefused::Memory { needs, limit }.into()
    }
}

/// What is kept of the model. A disk that does not answer leaves the model itself time to load; who knows
/// what it would make of a second write is not asked to keep it.
async fn look_up(
    (models, key): (&Arc<OptimisedModels>, Key),
    memory: Option<Arc<Shared>>,
    deadline: Deadline,
) -> Found {
    let looking = models.get(key, memory);
    let limit = deadline.leaving(Duration::MAX);
    timeout_at(limit.at, looking).await.unwrap_or_else(|_| {
        let (model, limit) = (Hex(&key.model), limit.limit);
        tracing::warn!(%model, ?limit, "the folder of optimised models does not answer; the model is loaded without");
        Found::Late
    })
}
