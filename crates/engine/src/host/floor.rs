//! Who waits for an engine, and where each engine is: what the [`Pool`] decides is done here.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, MutexGuard, PoisonError},
};

use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Inner, Model,
    engine::Engine,
    memory,
    pool::{Order, Pool, PoolLimits, Want, Work},
};
use crate::info::ModelInfo;

/// The pool, and the engines that it speaks of by number.
pub struct Floor {
    pub pool: Pool,
    pub engines: BTreeMap<u64, Known>,
    tickets: BTreeMap<u64, Ticket>,
    /// When the sweeper looks next; none while there is no sweeper.
    pub sweep: Option<Instant>,
}

/// What is kept of an engine wherever it is.
#[derive(Default)]
pub struct Known {
    /// Here while nobody has it.
    pub idle: Option<Box<Engine>>,
    /// From when it has loaded its model.
    pub info: Option<Arc<ModelInfo>>,
    pub pid: Option<u32>,
    /// Ends whatever it is used for.
    pub end: CancellationToken,
}

/// A caller's wish.
#[derive(Default)]
struct Ticket {
    granted: Option<Grant>,
    wake: Option<oneshot::Sender<()>>,
}

/// What a caller gets.
pub enum Grant {
    Ready(Arc<ModelInfo>),
    Use(u64, Arc<ModelInfo>, Box<Engine>),
    Load(u64),
    Refuse(u64),
    /// The engine that was asked for is no more.
    Gone,
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
    pub fn step(&mut self, now: Instant) -> Vec<Engine> {
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
                Order::Gone { ticket } => (ticket, Some(Grant::Gone)),
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

    pub fn take_back(&mut self, number: u64, engine: Box<Engine>) -> Vec<Engine> {
        let now = Instant::now();
        let Some(known) = self.engines.get_mut(&number) else {
            return vec![*engine];
        };
        known.idle = Some(engine);
        self.pool.freed(number, now);
        self.step(now)
    }

    pub fn gone(&mut self, number: u64) -> Vec<Engine> {
        self.engines.remove(&number);
        self.pool.gone(number);
        self.step(Instant::now())
    }
}

/// A ticket that is withdrawn when it is dropped.
pub struct Waiting<'a> {
    inner: &'a Arc<Inner>,
    ticket: u64,
}

impl Waiting<'_> {
    pub async fn granted(&self) -> Grant {
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
                Some(Grant::Ready(_) | Grant::Refuse(_) | Grant::Gone) | None => Vec::new(),
            }
        };
        drop(ended);
    }
}

impl Inner {
    pub fn floor(&self) -> MutexGuard<'_, Floor> {
        // Every engine is on it or lent after every statement, so a panic elsewhere does not spoil it.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ask(self: &Arc<Self>, model: &Model, wish: (Work, Want)) -> Waiting<'_> {
        let now = Instant::now();
        let size = u64::try_from(model.bytes.len()).unwrap_or(u64::MAX);
        if self.floor().pool.engines_of(&model.digest) == 0 {
            // Another engine is to be made, so it matters what the others hold by now.
            self.measure();
        }
        self.waiting(|pool| pool.ask(model.digest, size, wish, now))
    }

    /// The same for a certain engine.
    pub fn ask_at(self: &Arc<Self>, engine: u64) -> Waiting<'_> {
        self.waiting(|pool| pool.ask_at(engine, Instant::now()))
    }

    fn waiting(self: &Arc<Self>, ask: impl FnOnce(&mut Pool) -> u64) -> Waiting<'_> {
        let (ticket, ended) = {
            let mut floor = self.floor();
            let ticket = ask(&mut floor.pool);
            floor.tickets.insert(ticket, Ticket::default());
            (ticket, floor.step(Instant::now()))
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
}
