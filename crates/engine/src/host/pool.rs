//! Which engine serves whom: the pool's decisions, without processes and without a clock.
//!
//! A caller asks with [`Pool::ask`]; after every change [`Pool::step`] says what is to be done, and
//! [`Host`](super::Host) does it. Claimed work and audits come first. Preparing has places of its
//! own, takes no engine that was in use a moment ago, and gives its memory up to claimed work.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use assay_protocol::Digest;
use tokio::time::Instant;

pub use work::{Want, Work};

mod ending;
mod keeping;
mod places;
mod work;

/// An idle engine of this age may be ended for a model that is only being prepared. Between the
/// preparation of a job and its run lies a claim, which takes seconds.
pub const HOLD: Duration = Duration::from_secs(30);
/// Whoever waits for memory is overtaken this long by those who need none.
const OVERTAKEN: Duration = Duration::from_secs(10);

/// Least memory that an engine is taken to need before it was measured, and that is left for a run beside what engines
/// keep.
const LEAST_NEED: u64 = 48 << 20;

#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// Runs at once, loads for them included.
    pub runs: usize,
    /// Loads and runs for preparation at once.
    pub preparing: usize,
    /// Engines with the same model.
    pub instances: usize,
    /// Engines without work.
    pub idle: usize,
    /// Bytes of all engines.
    pub memory: u64,
    /// Time without work after which an engine ends.
    pub keep: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The model is loaded in this engine, which is not lent.
    Ready { ticket: u64, engine: u64 },
    /// This idle engine is lent.
    Use { ticket: u64, engine: u64 },
    /// An engine of this number is to be made and to load the model; it is lent.
    Load { ticket: u64, engine: u64 },
    /// No engine may be so large.
    Refuse { ticket: u64, needs: u64 },
    /// The engine that was asked for is no more, or there can be no new one.
    Gone { ticket: u64 },
    /// This engine is to end: it is idle, or must give way while it prepares.
    End { engine: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For a run that waits for it, or just to have it.
    Loading {
        want: Want,
    },
    Idle,
    Running,
}

#[derive(Clone, Debug)]
struct Engine {
    model: Digest,
    work: Work,
    state: State,
    memory: u64,
    /// Bytes that are reserved for the sequences it keeps.
    kept: u64,
    /// Sequences that it was told to forget and may hold still.
    forgetting: u32,
    used: Instant,
}

#[derive(Clone, Debug)]
struct Waiter {
    ticket: u64,
    model: Digest,
    size: u64,
    work: Work,
    want: Want,
    /// The only engine that will do.
    at: Option<u64>,
    /// The first engine that will do where the model is only to be loaded.
    from: u64,
    since: Instant,
}

/// What a waiter gets, or what it waits for.
enum Decision {
    Now(Order),
    ForMemory,
    ForAnEngine,
}

#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    engines: BTreeMap<u64, Engine>,
    /// In the order in which they are served.
    waiting: Vec<Waiter>,
    /// Memory of an engine after its last load, by model.
    known: BTreeMap<Digest, u64>,
    /// Of the spare process.
    reserved: u64,
    /// For sequences, of all engines.
    kept: u64,
    last: u64,
}

impl Pool {
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            engines: BTreeMap::new(),
            waiting: Vec::new(),
            known: BTreeMap::new(),
            reserved: 0,
            kept: 0,
            last: 0,
        }
    }

    /// Queues a wish for an engine; `size` is the model's file. The next step may grant it.
    pub fn ask(
        &mut self,
        model: Digest,
        size: u64,
        (work, want): (Work, Want),
        now: Instant,
    ) -> u64 {
        let from = match want {
            Want::Loaded | Want::Run => 0,
            Want::Anew => self.first_loading(&model),
        };
        self.queue(Waiter {
            ticket: 0,
            model,
            size,
            work,
            want,
            at: None,
            from,
            since: now,
        })
    }

    fn queue(&mut self, waiter: Waiter) -> u64 {
        let ticket = self.number();
        let mut waiting = self.waiting.iter();
        let behind = waiting.position(|other| other.work > waiter.work);
        let behind = behind.unwrap_or(self.waiting.len());
        self.waiting.insert(behind, Waiter { ticket, ..waiter });
        ticket
    }

    /// Nobody waits for this any more.
    pub fn withdraw(&mut self, ticket: u64) {
        self.waiting.retain(|waiter| waiter.ticket != ticket);
    }

    /// The model is loaded: the engine runs it, or is idle, as was asked for. An order if it is too
    /// large to stay.
    pub fn loaded(&mut self, engine: u64, memory: Option<u64>, now: Instant) {
        let Some(entry) = self.engines.get_mut(&engine) else {
            return;
        };
        if let Some(memory) = memory {
            entry.memory = memory;
            if self.known.len() >= KNOWN {
                self.known.pop_first();
            }
            self.known.insert(entry.model, memory);
        }
        entry.used = now;
        entry.state = match entry.state {
            State::Loading { want: Want::Run } | State::Running => State::Running,
            State::Loading { .. } | State::Idle => State::Idle,
        };
    }

    /// The model needs more than any engine may have; it is not tried again.
    pub fn too_large(&mut self, model: Digest, memory: u64) {
        self.known.insert(model, memory);
    }

    pub fn measured(&mut self, engine: u64, memory: u64) {
        if let Some(entry) = self.engines.get_mut(&engine) {
            // What it keeps is counted by itself, as much as it may become. What of it is used already is not known:
            // the model has not become smaller than it was.
            let loaded = self.known.get(&entry.model).filter(|_| entry.kept > 0);
            let least = loaded.copied().unwrap_or_default();
            entry.memory = memory.saturating_sub(entry.kept).max(least);
        }
    }

    pub fn reserve(&mut self, memory: u64) {
        self.reserved = memory;
    }

    /// The engine has ended its run.
    pub fn freed(&mut self, engine: u64, now: Instant) {
        if let Some(entry) = self.engines.get_mut(&engine) {
            (entry.state, entry.used) = (State::Idle, now);
        }
    }

    pub fn gone(&mut self, engine: u64) {
        self.engines.remove(&engine);
    }

    /// What is to be done now.
    pub fn step(&mut self, now: Instant) -> Vec<Order> {
        let mut orders = Vec::new();
        self.end_idle(now, &mut orders);
        let mut memory_waits_since = None;
        for waiter in std::mem::take(&mut self.waiting) {
            match self.decide(&waiter, memory_waits_since, now, &mut orders) {
                Decision::Now(order) => orders.push(order),
                Decision::ForMemory => {
                    memory_waits_since.get_or_insert(waiter.since);
                    self.waiting.push(waiter);
                }
                Decision::ForAnEngine => self.waiting.push(waiter),
            }
        }
        orders
    }

    /// When a step may have something to do although nothing happened; none if never.
    pub fn wakes(&self, now: Instant) -> Option<Instant> {
        let idle = self.engines.values().filter(|engine| engine.is_idle());
        // What lies beyond the end of time never comes.
        let expiry = idle
            .clone()
            .filter_map(|engine| engine.used.checked_add(self.limits.keep));
        let released = idle.map(|engine| engine.used + HOLD);
        let released = released.filter(|at| !self.waiting.is_empty() && *at > now);
        expiry.chain(released).min()
    }

    pub fn engines_of(&self, model: &Digest) -> usize {
        let of = |engine: &&Engine| engine.model == *model;
        self.engines.values().filter(of).count()
    }

    fn decide(
        &mut self,
        waiter: &Waiter,
        memory_waits_since: Option<Instant>,
        now: Instant,
        orders: &mut Vec<Order>,
    ) -> Decision {
        let ticket = waiter.ticket;
        match waiter.want {
            Want::Loaded | Want::Anew => {
                if let Some(engine) = self.look_at_loaded(waiter, now) {
                    return Decision::Now(Order::Ready { ticket, engine });
                }
            }
            Want::Run if self.has_no_place(waiter.work) => return Decision::ForAnEngine,
            Want::Run => {
                let patient = memory_waits_since
                    .is_none_or(|since| now.saturating_duration_since(since) < OVERTAKEN);
                if let Some(engine) = waiter.at {
                    return self.decide_at(waiter, engine, patient, now);
                }
                if patient && let Some(engine) = self.take_idle(waiter, now) {
                    return Decision::Now(Order::Use { ticket, engine });
                }
            }
        }
        if self.is_coming(waiter) {
            return Decision::ForAnEngine;
        }
        if waiter.want == Want::Anew && self.has_all_instances(&waiter.model) {
            return Decision::Now(Order::Gone { ticket });
        }
        if self.is_full(waiter) {
            return Decision::ForAnEngine;
        }
        let budget = self.limits.memory;
        let known = self.known.get(&waiter.model).copied();
        let least = known.unwrap_or(waiter.size);
        if least > budget {
            let needs = least;
            return Decision::Now(Order::Refuse { ticket, needs });
        }
        if memory_waits_since.is_some() {
            return Decision::ForMemory;
        }
        let estimate = LEAST_NEED.saturating_add(waiter.size.saturating_mul(3));
        let needs = known.unwrap_or(estimate).min(budget);
        let Some(ended) = self.room(needs, waiter.work, now) else {
            return Decision::ForMemory;
        };
        for engine in ended {
            self.engines.remove(&engine);
            orders.push(Order::End { engine });
        }
        let engine = self.begin(waiter, needs, now);
        Decision::Now(Order::Load { ticket, engine })
    }

    /// Where the model is loaded. That engine counts as used: a job will follow.
    fn look_at_loaded(&mut self, waiter: &Waiter, now: Instant) -> Option<u64> {
        let loaded = |(number, engine): &(&u64, &mut Engine)| {
            engine.model == waiter.model
                && **number >= waiter.from
                && matches!(engine.state, State::Idle | State::Running)
        };
        let (number, engine) = self.engines.iter_mut().find(loaded)?;
        engine.used = now;
        Some(*number)
    }

    /// The one that keeps least for sequences, so that these spread; of those the one that was used last: the others
    /// may then grow old.
    fn take_idle(&mut self, waiter: &Waiter, now: Instant) -> Option<u64> {
        let idle = self
            .engines
            .iter_mut()
            .filter(|(_, engine)| engine.model == waiter.model && engine.is_idle());
        let (number, engine) =
            idle.max_by_key(|(_, engine)| (Reverse(engine.kept), engine.used))?;
        (engine.state, engine.work, engine.used) = (State::Running, waiter.work, now);
        Some(*number)
    }

    fn begin(&mut self, waiter: &Waiter, memory: u64, now: Instant) -> u64 {
        let number = self.number();
        let engine = Engine {
            model: waiter.model,
            work: waiter.work,
            state: State::Loading { want: waiter.want },
            memory,
            kept: 0,
            forgetting: 0,
            used: now,
        };
        self.engines.insert(number, engine);
        number
    }

    fn number(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }
}

/// Models whose memory is remembered.
const KNOWN: usize = 512;

impl Engine {
    fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    fn is_preparing(&self) -> bool {
        self.work == Work::Preparing && !self.is_idle()
    }
}

#[cfg(test)]
mod tests;
