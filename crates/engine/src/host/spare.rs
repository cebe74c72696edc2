//! A process that is started before it is needed, so that a load does not wait for it.
//!
//! It has loaded ONNX Runtime and has seen no model. It is given one model and never a second.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Deadline, Inner, Probe, engine::Engine, memory, ps::EngineState};
use crate::error::EngineError;

#[derive(Default)]
pub enum Spare {
    #[default]
    None,
    Starting,
    Ready(Box<Engine>),
}

impl Inner {
    /// A process that has seen no model: the spare one if there is one.
    pub async fn fresh(&self, deadline: Deadline) -> Result<Box<Engine>, EngineError> {
        if let Some(mut engine) = self.take_spare()
            && engine.is_alive()
        {
            engine.set(EngineState::Loading);
            return Ok(engine);
        }
        Ok(Box::new(self.start(deadline).await?.0))
    }

    pub async fn start(&self, deadline: Deadline) -> Result<(Engine, Probe), EngineError> {
        let mut engine = Engine::spawn(
            &self.config,
            &self.roster,
            self.mode,
            self.optimised_bytes(),
        )?;
        engine.share(deadline).await?;
        let probe = engine
            .start(&self.config.engine, self.mode, deadline)
            .await?;
        Ok((engine, probe))
    }

    pub fn take_spare(&self) -> Option<Box<Engine>> {
        let mut spare = self.spare();
        // One that is being started is not waited for.
        if !matches!(*spare, Spare::Ready(_)) {
            return None;
        }
        let Spare::Ready(engine) = std::mem::take(&mut *spare) else {
            return None;
        };
        drop(spare);
        self.floor().reserve(0);
        Some(engine)
    }

    /// Keeps a process for the next model, if there is none yet.
    pub fn keep_spare(&self, engine: Engine) {
        let mut spare = self.spare();
        let wanted = self.config.engine.spare && !self.stop.is_cancelled();
        if !wanted || matches!(*spare, Spare::Ready(_)) {
            return;
        }
        let memory = engine.pid().and_then(memory::of);
        engine.set(EngineState::Spare);
        *spare = Spare::Ready(Box::new(engine));
        drop(spare);
        self.floor().reserve(memory.unwrap_or_default());
    }

    /// Starts a process for the next model, unless there is one. Where it does not start, the next
    /// load will say why.
    pub fn replenish(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        {
            let mut spare = self.spare();
            let wanted = self.config.engine.spare && !self.stop.is_cancelled();
            if !wanted || !matches!(*spare, Spare::None) {
                return;
            }
            *spare = Spare::Starting;
        }
        let (host, stop) = (Arc::downgrade(self), self.stop.clone());
        runtime.spawn(stop.run_until_cancelled_owned(async move {
            let Some(inner) = host.upgrade() else { return };
            let started = inner.start(inner.deadline()).await;
            *inner.spare() = Spare::None;
            match started {
                Ok((engine, _)) => inner.keep_spare(engine),
                Err(error) => tracing::debug!(%error, "no spare engine"),
            }
        }));
    }

    pub fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
