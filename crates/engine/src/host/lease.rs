//! An engine lent to one caller, and how it is got: what the [`Pool`](super::pool::Pool) decides is
//! done here.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Deadline, Inner, Model,
    engine::Engine,
    memory,
    pool::{Order, Pool, PoolLimits, Want, Work},
};
use crate::{
    backend::{ModelRefused, Outcome},
    error::{EngineError, RuntimeFault},
    info::ModelInfo,
    tensor::View,
};

/// Between two looks at what an engine at work holds in memory. What it can take in between is
/// bounded by its sandbox.
const LOOK: Duration = Duration::from_millis(200);

/// The pool, and the engines that it speaks of by number.
pub struct Floor {
    pool: Pool,
    engines: BTreeMap<u64, Known>,
    tickets: BTreeMap<u64, Ticket>,
    /// When the sweeper looks next; none while there is no sweeper.
    sweep: Option<Instant>,
}

/// What is kept of an engine wherever it is.
#[derive(Default)]
struct Known {
    /// Here while nobody has it.
    idle: Option<Box<Engine>>,
    /// From when it has loaded its model.
    info: Option<Arc<ModelInfo>>,
    pid: Option<u32>,
    /// Ends whatever it is used for.
    end: CancellationToken,
}

/// A caller's wish.
#[derive(Default)]
struct Ticket {
    granted: Option<Grant>,
    wake: Option<oneshot::Sender<()>>,
}

/// What a caller gets.
enum Grant {
    Ready(Arc<ModelInfo>),
    Use(u64, Arc<ModelInfo>, Box<Engine>),
    Load(u64),
    Refuse(u64),
}

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

/// What was asked for.
pub enum Granted {
    Info(Arc<ModelInfo>),
    Engine(Lease),
}

impl Floor {
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            pool: Pool::new(limits),
            engines: BTreeMap::new(),
            tickets: BTreeMap::new(),
            sweep: None,
        }
    }

    /// Gives up every engine; those that are idle end when they are dropped, the others are stopped by
    /// the host.
    pub fn clear(&mut self) -> Vec<Engine> {
        let known = mem::take(&mut self.engines).into_iter();
        known
            .filter_map(|(number, known)| {
                self.pool.gone(number);
                known.idle.map(|engine| *engine)
            })
            .collect()
    }

    pub fn reserve(&mut self, memory: u64) {
        self.pool.reserve(memory);
    }

    /// Does what the pool decides. The engines that are given up end when they are dropped, which
    /// is not done under the lock.
    fn step(&mut self, now: Instant) -> Vec<Engine> {
        let mut ended = Vec::new();
        for order in self.pool.step(now) {
            let (ticket, grant) = match order {
                Order::End { engine } => {
                    if let Some(known) = self.engines.remove(&engine) {
                        known.end.cancel();
                        ended.extend(known.idle.map(|engine| *engine));
                    }
                    continue;
                }
                Order::Ready { ticket, engine } => {
                    let info = self
                        .engines
                        .get(&engine)
                        .and_then(|known| known.info.clone());
                    (ticket, info.map(Grant::Ready))
                }
                Order::Use { ticket, engine } => {
                    let known = self.engines.get_mut(&engine);
                    let lent = known.and_then(|known| {
                        let info = known.info.clone()?;
                        Some(Grant::Use(engine, info, known.idle.take()?))
                    });
                    (ticket, lent)
                }
                Order::Load { ticket, engine } => {
                    self.engines.insert(engine, Known::default());
                    (ticket, Some(Grant::Load(engine)))
                }
                Order::Refuse { ticket, needs } => (ticket, Some(Grant::Refuse(needs))),
            };
            if let Some(waiting) = self.tickets.get_mut(&ticket) {
                waiting.granted = grant;
                if let Some(wake) = waiting.wake.take() {
                    // Whoever does not wait any more gives it back when its ticket is dropped.
                    let _ = wake.send(());
                }
            }
        }
        ended
    }
}

/// A ticket that is withdrawn when it is dropped.
struct Waiting<'a> {
    inner: &'a Arc<Inner>,
    ticket: u64,
}

impl Waiting<'_> {
    async fn granted(&self) -> Grant {
        loop {
            let waked = {
                let mut floor = self.inner.floor();
                let ticket = floor.tickets.entry(self.ticket).or_default();
                if let Some(grant) = ticket.granted.take() {
                    return grant;
                }
                let (wake, waked) = oneshot::channel();
                ticket.wake = Some(wake);
                waked
            };
            let _: Result<(), oneshot::error::RecvError> = waked.await;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let ended = {
            let mut floor = self.inner.floor();
            floor.pool.withdraw(self.ticket);
            match floor
                .tickets
                .remove(&self.ticket)
                .and_then(|ticket| ticket.granted)
            {
                Some(Grant::Use(number, _, engine)) => floor.take_back(number, engine),
                Some(Grant::Load(number)) => floor.gone(number),
                Some(Grant::Ready(_) | Grant::Refuse(_)) | None => Vec::new(),
            }
        };
        drop(ended);
    }
}

impl Floor {
    fn take_back(&mut self, number: u64, engine: Box<Engine>) -> Vec<Engine> {
        let now = Instant::now();
        let Some(known) = self.engines.get_mut(&number) else {
            return vec![*engine];
        };
        known.idle = Some(engine);
        self.pool.freed(number, now);
        self.step(now)
    }

    fn gone(&mut self, number: u64) -> Vec<Engine> {
        self.engines.remove(&number);
        self.pool.gone(number);
        self.step(Instant::now())
    }
}

impl Inner {
    pub fn floor(&self) -> MutexGuard<'_, Floor> {
        // Every engine is on it or lent after every statement, so a panic elsewhere does not spoil it.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An engine that has the model loaded, or just what it says of it, as is wanted.
    pub async fn lease(
        self: &Arc<Self>,
        model: &Model,
        (work, want): (Work, Want),
    ) -> Result<Granted, EngineError> {
        let doing = match want {
            Want::Loaded => "load the model",
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

    fn ask(self: &Arc<Self>, model: &Model, wish: (Work, Want)) -> Waiting<'_> {
        let now = Instant::now();
        let size = u64::try_from(model.bytes.len()).unwrap_or(u64::MAX);
        if self.floor().pool.engines_of(&model.digest) == 0 {
            // Another engine is to be made, so it matters what the others hold by now.
            self.measure();
        }
        let (ticket, ended) = {
            let mut floor = self.floor();
            let ticket = floor.pool.ask(model.digest, size, wish, now);
            floor.tickets.insert(ticket, Ticket::default());
            (ticket, floor.step(now))
        };
        drop(ended);
        Waiting {
            inner: self,
            ticket,
        }
    }

    fn measure(&self) {
        let processes: Vec<(u64, u32)> = {
            let floor = self.floor();
            let known = floor.engines.iter();
            known
                .filter_map(|(number, known)| Some((*number, known.pid?)))
                .collect()
        };
        let measured = processes
            .into_iter()
            .filter_map(|(number, process)| Some((number, memory::of(process)?)));
        for (number, memory) in measured.collect::<Vec<_>>() {
            self.floor().pool.measured(number, memory);
        }
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

    fn end_of(&self, number: u64) -> CancellationToken {
        let floor = self.floor();
        let known = floor.engines.get(&number);
        known.map(|known| known.end.clone()).unwrap_or_default()
    }

    /// A process with the model loaded.
    async fn make(&self, model: &Model, number: u64) -> Result<Box<Engine>, EngineError> {
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
    async fn watched<T>(
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
    fn outgrown(&self, model: &Model, needs: u64) -> EngineError {
        self.floor().pool.too_large(model.digest, needs);
        self.too_large(needs)
    }

    fn too_large(&self, needs: u64) -> EngineError {
        let limit = self.memory;
        ModelRefused::Memory { needs, limit }.into()
    }

    /// Sees to it that somebody looks when an idle engine's time is over.
    fn sweep(self: &Arc<Self>) {
        let mut floor = self.floor();
        let Some(wakes) = floor.pool.wakes(Instant::now()) else {
            return;
        };
        let asleep = floor.sweep.replace(wakes);
        if asleep.is_none() {
            tokio::spawn(sweeper(Arc::downgrade(self), wakes));
        } else if asleep.is_some_and(|asleep| wakes < asleep) {
            self.wake_sweeper.notify_one();
        } else {
            floor.sweep = asleep;
        }
    }
}

/// Ends when there is nothing more to look for.
async fn sweeper(host: Weak<Inner>, mut wakes: Instant) {
    loop {
        let Some(woken) = host.upgrade().map(|inner| Arc::clone(&inner.wake_sweeper)) else {
            return;
        };
        tokio::select! {
            () = sleep_until(wakes) => {}
            () = woken.notified() => {}
        }
        let Some(inner) = host.upgrade() else { return };
        let ended = {
            let mut floor = inner.floor();
            let now = Instant::now();
            let ended = floor.step(now);
            floor.sweep = floor.pool.wakes(now);
            match floor.sweep {
                Some(next) => wakes = next,
                None => return,
            }
            ended
        };
        drop(ended);
    }
}

impl Lease {
    /// Has the engine run its model on an input that it takes; the time of that too. After a failure
    /// the lease is to be dropped.
    pub async fn run(
        &mut self,
        inputs: &[View<'_>],
        deadline: Deadline,
    ) -> Result<(Outcome, Duration), EngineError> {
        let doing = "run the model";
        let engine = self.engine.as_mut();
        let engine = engine.ok_or(EngineError::Stopped { doing })?;
        engine.running(true);
        let started = Instant::now();
        let process = engine.pid();
        let running = self.inner.watched(process, engine.run(inputs, deadline));
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
                if want == Want::Loaded {
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
            Want::Loaded => Granted::Info(Arc::clone(&self.info)),
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
