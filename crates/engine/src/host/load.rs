//! How a process comes to have a model loaded, and how what it holds meanwhile is watched.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    Inner, Model,
    engine::Engine,
    memory,
    optimised::{Key, OptimisedModels},
    ps::{EngineState, Hex},
};
use crate::{backend::ModelRefused, error::EngineError};

/// Between two looks at what an engine at work holds in memory. What it can take in between is
/// bounded by its sandbox.
const LOOK: Duration = Duration::from_millis(200);

impl Inner {
    /// A process with the model loaded: as it was optimised before, where that was kept and is still
    /// what it was, else as its author made it.
    pub async fn make(&self, model: &Model, number: u64) -> Result<Box<Engine>, EngineError> {
        let deadline = self.deadline();
        let mut engine = self.fresh(deadline).await?;
        self.note(number, &engine);
        let mut kept = self.kept(model, &engine);
        if let Some((models, key)) = &kept
            && let Some(optimised) = models.get(*key).await
        {
            // What does not load leaves the model itself as much time as it takes.
            let (process, half) = (engine.pid(), deadline.first_half());
            let loading = engine.load_optimised(model.digest, &optimised, half);
            match self.watched(process, loading).await {
                Err(held) => return Err(self.outgrown(model, held)),
                Ok(Ok(())) => return Ok(engine),
                Ok(Err(error)) => {
                    tracing::warn!(model = %Hex(&model.digest), %error, "an optimised model is dropped");
                    models.reject(key);
                }
            }
            engine = Box::new(self.start(deadline).await?.0);
            engine.set(EngineState::Loading);
            self.note(number, &engine);
        }
        kept = kept.filter(|(models, key)| models.wants(key));
        let process = engine.pid();
        let loading = self.watched(process, engine.load(model, kept.is_some(), deadline));
        let optimised = loading.await.map_err(|held| self.outgrown(model, held))??;
        if let (Some((models, key)), Some(optimised)) = (kept, optimised) {
            models.keep(key, optimised);
        }
        Ok(engine)
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
