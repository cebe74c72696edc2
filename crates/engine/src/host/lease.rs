//! An engine lent to one caller, and how it is got.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Deadline, Inner, Model,
    engine::Engine,
    floor::Grant,
    memory,
    pool::{Want, Work},
};
use crate::{
    backend::Outcome,
    carry::Carrying,
    error::{EngineError, RuntimeFault},
    info::ModelInfo,
    tensor::View,
};

/// An engine with its model loaded. Dropping it ends the engine; [`Lease::keep`] does not.
pub struct Lease {
    inner: Arc<Inner>,
    number: u64,
    engine: Option<Box<Engine>>,
    info: Arc<ModelInfo>,
    /// Says that the engine is to end, for the sake of others.
    end: CancellationToken,
    /// Whether the engine is not given back yet.
    held: bool,
    /// Whether a process was taken for it.
    loaded: bool,
}

/// Longest time in which an engine forgets.
const FORGETS: Duration = Duration::from_secs(10);

/// What was asked for.
pub enum Granted {
    Info(Arc<ModelInfo>),
    Engine(Lease),
}

impl Inner {
    /// An engine that has the model loaded, or just what it says of it, as is wanted.
    pub async fn lease(
        self: &Arc<Self>,
        model: &Model,
        (work, want): (Work, Want),
    ) -> Result<Granted, EngineError> {
        let doing = match want {
            Want::Loaded | Want::Anew => "load the model",
            Want::Run => "run the model",
        };
        self.unless_stopped(doing, async {
            loop {
                let waiting = self.ask(model, (work, want));
                let grant = waiting.granted().await;
                drop(waiting);
                self.sweep();
                match grant {
                    Grant::Ready(info) => return Ok(Granted::Info(info)),
                    Grant::Refuse(needs) => return Err(self.too_large(needs)),
                    // Nobody asked for a certain one: no new one can be had.
                    Grant::Gone => return Err(EngineError::Stopped { doing }),
                    Grant::Load(number) => {
                        let lease = self.lend(number, None);
                        let (end, loading) = (lease.end.clone(), lease.load(model, want));
                        let loaded = end.run_until_cancelled(loading).await;
                        return loaded.unwrap_or(Err(EngineError::GaveWay { doing }));
                    }
                    Grant::Use(number, info, engine) => {
                        let mut lease = self.lend(number, Some((engine, info)));
                        // Idle engines may have ended, for want of memory on this machine say.
                        if lease.is_alive() {
                            return Ok(Granted::Engine(lease));
                        }
                    }
                }
            }
        })
        .await
    }

    fn lend(self: &Arc<Self>, number: u64, engine: Option<(Box<Engine>, Arc<ModelInfo>)>) -> Lease {
        let (engine, info) = engine.unzip();
        Lease {
            inner: Arc::clone(self),
            number,
            engine,
            info: info.unwrap_or_default(),
            end: self.end_of(number),
            held: true,
            loaded: false,
        }
    }

    /// A certain engine; none if it is gone.
    pub async fn lease_at(self: &Arc<Self>, number: u64) -> Result<Option<Lease>, EngineError> {
        self.unless_stopped("run the model", async {
            let waiting = self.ask_at(number);
            let grant = waiting.granted().await;
            drop(waiting);
            let Grant::Use(number, info, engine) = grant else {
                return Ok(None);
            };
            let mut lease = self.lend(number, Some((engine, info)));
            Ok(lease.is_alive().then_some(lease))
        })
        .await
    }

    fn end_of(&self, number: u64) -> CancellationToken {
        let floor = self.floor();
        let known = floor.engines.get(&number);
        known.map(|known| known.end.clone()).unwrap_or_default()
    }
}

impl Lease {
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Has the engine run its model on an input that it takes; the time of that too. After a failure
    /// the lease is to be dropped.
    pub async fn run(
        &mut self,
        inputs: &[View<'_>],
        carrying: Option<Carrying>,
        deadline: Deadline,
    ) -> Result<(Outcome, Duration), EngineError> {
        let doing = "run the model";
        let engine = self.engine.as_mut();
        let engine = engine.ok_or(EngineError::Stopped { doing })?;
        engine.running(true);
        let started = Instant::now();
        let process = engine.pid();
        let running = self
            .inner
            .watched(process, engine.run(inputs, carrying, deadline));
        let running = self.end.run_until_cancelled(running).await;
        let ran = running.ok_or(EngineError::GaveWay { doing })?;
        let outcome = ran.map_err(|held| {
            let limit = self.inner.memory;
            let reason = format!("it held {held} bytes and `engine.memory_bytes` is {limit}");
            RuntimeFault::OutOfMemory { reason }
        })??;
        engine.running(false);
        Ok((outcome, started.elapsed()))
    }

    /// Has the engine drop what it keeps for a sequence. After a failure the lease is to be dropped.
    pub async fn forget(&mut self, sequence: u64) -> Result<(), EngineError> {
        let doing = "forget a sequence";
        let engine = self.engine.as_mut();
        let engine = engine.ok_or(EngineError::Stopped { doing })?;
        let forgetting = engine.forget(sequence, Deadline::within(FORGETS));
        let forgotten = self.end.run_until_cancelled(forgetting).await;
        forgotten.unwrap_or(Err(EngineError::GaveWay { doing }))
    }

    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Gives the engine back, to be used again.
    pub fn keep(mut self) {
        if let Some(engine) = self.engine.take() {
            self.held = false;
            let ended = self.inner.floor().take_back(self.number, engine);
            drop(ended);
            self.inner.sweep();
        }
    }

    fn is_alive(&mut self) -> bool {
        self.engine.as_mut().is_some_and(|engine| engine.is_alive())
    }

    /// Has a process load the model, and puts it where it is wanted.
    async fn load(mut self, model: &Model, want: Want) -> Result<Granted, EngineError> {
        let started = Instant::now();
        self.loaded = true;
        let inner = Arc::clone(&self.inner);
        let engine = inner.make(model, self.number).await?;
        let memory = engine.pid().and_then(memory::of);
        self.info = Arc::new(engine.info.clone());
        self.engine = Some(engine);
        inner
            .times()
            .loaded(model.digest, started.elapsed(), memory);
        if let Some(needs) = memory.filter(|needs| *needs > inner.memory) {
            return Err(inner.outgrown(model, needs));
        }
        let ended = {
            let mut floor = inner.floor();
            let now = Instant::now();
            floor.pool.loaded(self.number, memory, now);
            if let Some(known) = floor.engines.get_mut(&self.number) {
                known.info = Some(Arc::clone(&self.info));
                if want != Want::Run {
                    known.idle = self.engine.take();
                    self.held = false;
                }
            }
            floor.step(now)
        };
        drop(ended);
        inner.sweep();
        Ok(match want {
            Want::Run => Granted::Engine(self),
            Want::Loaded | Want::Anew => Granted::Info(Arc::clone(&self.info)),
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.held {
            // It has failed, or nobody waits for it.
            drop(self.engine.take());
            let ended = self.inner.floor().gone(self.number);
            drop(ended);
        }
        if self.loaded {
            self.inner.replenish();
        }
    }
}
