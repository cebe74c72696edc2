//! How a process comes to have a model loaded, and how what it holds meanwhile is watched.

use std::time::Duration;

use tokio::time::sleep;

use super::{Inner, Model, engine::Engine, memory};
use crate::{backend::ModelRefused, error::EngineError};

/// Between two looks at what an engine at work holds in memory. What it can take in between is
/// bounded by its sandbox.
const LOOK: Duration = Duration::from_millis(200);

impl Inner {
    /// A process with the model loaded.
    pub async fn make(&self, model: &Model, number: u64) -> Result<Box<Engine>, EngineError> {
        let deadline = self.deadline();
        let mut engine = self.fresh(deadline).await?;
        let process = engine.pid();
        if let Some(known) = self.floor().engines.get_mut(&number) {
            known.pid = process;
        }
        let loading = self.watched(process, engine.load(model, deadline));
        loading.await.map_err(|held| self.outgrown(model, held))??;
        Ok(engine)
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
