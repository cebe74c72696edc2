//! Carries out what the core asks for and tells it what happened. One task owns the core; each
//! effect runs in a task of its own and answers through one queue.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use assay_client::{
    PROGRAM_ID,
    protocol::{Address, Digest, JobData, UnixSeconds},
};
use assay_engine::EngineConfig;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    artifacts::Artifacts,
    chain::{Chain, ChainError, ChainTime, submitter::Submitter},
    core::{
        AcknowledgeError, AuditPolicy, Audits, Command, Computed, Core, Identity, Policy,
        PrepareFault, RunFault, Sample, SavedResult, Size, Step, Submitted, Took, Tried,
    },
    halt::{Halt, HaltPoint},
    metrics,
    store::{Store, StoreError},
};

mod acknowledge;
mod admission;
mod auditors;
mod audits;
mod effects;
mod energy;
mod examine;
mod gather;
mod journal;
mod machine;
mod measure;
mod memory;
mod pace;
mod poll;
mod preparations;
mod prepare;
mod reread;
mod restart;
mod run;
mod shared;
mod stop;
mod tasks;
#[cfg(test)]
mod tests;
mod told;

pub use acknowledge::AcknowledgeFailure;
pub use admission::Answer;
use auditors::Auditors;
pub use audits::AuditEffect;
use audits::Auditing;
pub use energy::EnergyMeter;
use gather::Gathering;
use journal::Unwritten;
pub use machine::{Engines, Random, Threads};
use memory::Room;
use poll::{Listing, Reading};
use preparations::Preparations;
use prepare::Prepared;
pub use reread::JobReading;
use reread::{after, reread};
pub use shared::{Names, Shared};
use told::{Told, ToldReading};

/// What an effect or the world tells the driver.
pub enum Input {
    /// A job as a websocket shows it: a reason to read it.
    Job(Address, Box<JobData>),
    /// Whether a websocket tells of every change from now on.
    Hints(bool),
    /// Bytes with this digest were handed over.
    Blob(Digest),
    /// A requester's secret, not yet checked; the answer goes back once it is on disk.
    Acknowledge {
        job: Address,
        secret: [u8; 32],
        reply: oneshot::Sender<Result<(), AcknowledgeFailure>>,
    },
    /// What the machine's sensors show.
    Sensed(Sample),
    /// The operator wants no new work, also after a restart, until it wants some again.
    Drain(Answer),
    Resume(Answer),
    #[doc(hidden)]
    Effect(Effect),
}

/// How an effect ended.
pub enum Effect {
    Polled(Result<Box<Reading>, ChainError>),
    Told(ToldReading),
    Listed(Listing),
    /// With the preparation's number; no result if it was cancelled.
    Prepared(Address, u64, Option<Result<Arc<Prepared>, PrepareFault>>),
    /// None if it was stopped.
    Tried(Address, u64, Option<Tried>),
    Measured(Size, Took),
    Ran(Address, u8, Result<Computed, RunFault>),
    Saved(Address, u8, Option<SavedResult>),
    Submitted {
        job: Address,
        attempt: u8,
        step: Step,
        outcome: Submitted,
        reading: Option<JobReading>,
    },
    Audit(AuditEffect),
    /// An acknowledgement came before the commitment was seen; the job was read again for it.
    Reread {
        job: Address,
        reading: Option<JobReading>,
        secret: [u8; 32],
        reply: oneshot::Sender<Result<(), AcknowledgeFailure>>,
    },
}

/// Times that the driver keeps.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// While something is due or no websocket is alive.
    pub poll_every: Duration,
    /// While nothing is due.
    pub idle_poll: Duration,
    /// Between two lists of all jobs while a websocket is alive.
    pub idle_list: Duration,
    /// How long an only endpoint must insist on a time that jumped.
    pub clock_patience: Duration,
    /// How long a shutdown waits for acknowledgements.
    pub shutdown: Duration,
    pub retention: Duration,
    /// Most bytes of outputs and hints that are kept for that long.
    pub kept_bytes: u64,
}

/// Everything the driver works with.
pub struct Parts<C> {
    pub chain: Arc<C>,
    pub store: Store,
    pub artifacts: Arc<Artifacts>,
    pub host: Arc<dyn Engines>,
    pub threads: Threads,
    pub random: Random,
    /// Unix seconds of this machine, by which a jump of the chain's clock is judged.
    pub clock: fn() -> i64,
    /// Bytes free on a folder's disk; none if they cannot be read.
    pub free_disk: fn(&Path) -> Option<u64>,
    pub engine: EngineConfig,
    /// What the runtime says of itself.
    pub runtime: String,
    /// The runtime class that this machine has.
    pub class: [u8; 32],
    pub energy: EnergyMeter,
    pub submitter: Arc<Submitter<C>>,
    pub operator: Address,
    pub provider: Address,
    pub policy: Policy,
    pub audit: AuditPolicy,
    /// Least number of others that could audit a job before it is claimed.
    pub min_auditors: usize,
    pub times: Times,
    pub shared: Arc<Shared>,
    pub halt: Halt,
}

#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it was doing would never be answered; a restart takes it up again.
    #[error("a task of the worker failed: {0}; start the worker again and report this")]
    Task(#[from] tokio::task::JoinError),
}

pub struct Driver<C> {
    parts: Parts<C>,
    core: Core,
    audits: Auditing,
    now: UnixSeconds,
    time: ChainTime,
    /// Of the newest reading of the chain's clock.
    slot: u64,
    inputs: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Input>,
    tasks: JoinSet<()>,
    prepared: BTreeMap<Address, Arc<Prepared>>,
    preparations: Preparations,
    /// For what is prepared, of jobs and of audits.
    room: Arc<Room>,
    auditors: Auditors,
    runs: BTreeMap<Address, CancellationToken>,
    trials: Preparations,
    gathering: Gathering,
    told: Told,
    unwritten: Unwritten,
    polling: bool,
    listing: bool,
    last_poll: Instant,
    last_list: Option<Instant>,
    /// The next reading is not later than this.
    urgent: Option<Instant>,
    polls: u64,
    reachable: bool,
    hinted: bool,
}

impl<C: Chain> Driver<C> {
    pub fn new(
        parts: Parts<C>,
        sender: mpsc::Sender<Input>,
        inputs: mpsc::Receiver<Input>,
    ) -> Self {
        let me = Identity {
            program_id: PROGRAM_ID,
            provider: parts.provider,
            operator: parts.operator,
        };
        let core = Core::new(me, parts.policy.clone());
        let audits = Audits::new(me, parts.audit.clone());
        Self {
            preparations: Preparations::new(parts.policy.preparing_jobs, parts.threads),
            room: Room::beside(parts.engine.memory()),
            trials: Preparations::new(parts.policy.concurrent_jobs, parts.threads),
            auditors: Auditors::new(parts.min_auditors, parts.provider),
            audits: Auditing::new(
                audits,
                [0; 2].map(|_| Preparations::new(parts.policy.preparing_jobs, parts.threads)),
                parts.engine.concurrency,
            ),
            time: ChainTime::new(parts.times.clock_patience),
            parts,
            core,
            now: UnixSeconds::default(),
            slot: 0,
            inputs,
            sender,
            tasks: JoinSet::new(),
            prepared: BTreeMap::new(),
            runs: BTreeMap::new(),
            gathering: Gathering::default(),
            told: Told::default(),
            unwritten: Unwritten::default(),
            polling: false,
            listing: false,
            last_poll: Instant::now(),
            last_list: None,
            urgent: Some(Instant::now()),
            polls: 0,
            reachable: true,
            hinted: false,
        }
    }

    /// Reconciles, then works until `stop` is cancelled and nothing is left unanswered.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), DriverError> {
        if stop
            .run_until_cancelled(self.reconcile())
            .await
            .transpose()?
            .is_none()
        {
            return Ok(());
        }
        self.parts.shared.ready.store(true, Ordering::Relaxed);
        self.core.start(self.now);
        if self.publish().accepting {
            tracing::info!("ready: taking jobs");
        }
        let mut draining_until = None;
        loop {
            self.carry_out().await;
            self.send_gathered();
            self.read_told();
            self.exchange();
            metrics::counts(&self.core.counts());
            self.publish();
            if draining_until.is_some_and(|until| self.may_end(until)) {
                break;
            }
            // In this order: a full queue of hints keeps neither the next reading nor the end waiting.
            tokio::select! {
                biased;
                () = stop.cancelled(), if draining_until.is_none() => {
                    draining_until = Some(Instant::now() + self.parts.times.shutdown);
                    self.shut_down();
                }
                () = tokio::time::sleep_until(self.next_poll()), if !self.polling => self.poll(),
                () = self.told.wait() => {}
                Some(ended) = self.tasks.join_next() => ended?,
                Some(input) = self.inputs.recv() => self.take(input).await,
            }
        }
        self.write_what_is_left().await;
        self.say_what_is_left();
        self.parts.host.kill();
        Ok(())
    }

    async fn take(&mut self, input: Input) {
        self.run_on();
        match input {
            Input::Hints(alive) => self.hear(alive),
            Input::Job(address, job) => self.hear_of(address, &job),
            Input::Blob(digest) => self.core.handle_blob(&digest.0, self.now),
            Input::Acknowledge { job, secret, reply } => {
                self.acknowledge(job, secret, reply, true).await
            }
            Input::Sensed(sample) => self.sense(&sample),
            Input::Drain(reply) => self.set_drained(true, reply).await,
            Input::Resume(reply) => self.set_drained(false, reply).await,
            Input::Effect(effect) => self.take_effect(effect).await,
        }
    }

    async fn take_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Polled(reading) => self.polled(reading),
            Effect::Told(reading) => self.told(reading),
            Effect::Listed(listing) => self.listed(listing),
            Effect::Prepared(job, number, result) => {
                let wanted = self.preparations.finish(&job, number);
                if let Some(result) = result.filter(|_| wanted && self.core.is_preparing(&job)) {
                    let result = result.map(|prepared| {
                        self.parts.shared.names.note(&prepared);
                        self.prepared.insert(job, prepared);
                    });
                    self.core.handle_prepared(job, result, self.now);
                }
            }
            Effect::Tried(job, number, tried) => {
                let wanted = self.trials.finish(&job, number);
                if let Some(tried) = tried.filter(|_| wanted) {
                    self.core.handle_tried(job, tried, self.now);
                }
            }
            Effect::Measured(size, took) => self.measured(size, took),
            Effect::Ran(job, attempt, result) => {
                self.runs.remove(&job);
                match machine::fresh(self.parts.random) {
                    Ok(fresh) => self.core.handle_ran(job, attempt, result, fresh, self.now),
                    Err(error) => {
                        tracing::error!(%job, %error, "no randomness for a salt; the job is given back");
                        let fresh = crate::core::Fresh {
                            salt: [0; 32],
                            worker_secret: [0; 32],
                        };
                        self.core
                            .handle_ran(job, attempt, Err(RunFault::Never), fresh, self.now);
                    }
                }
            }
            Effect::Saved(job, attempt, saved) => {
                self.core.handle_saved(job, attempt, saved, self.now)
            }
            Effect::Submitted {
                job,
                attempt,
                step,
                outcome,
                reading,
            } => {
                self.read(job, reading);
                if outcome == Submitted::Landed && self.core.is_sending(&job) {
                    self.read_soon();
                }
                self.core
                    .handle_submitted(job, attempt, step, outcome, self.now);
            }
            Effect::Audit(effect) => self.take_audit_effect(effect),
            Effect::Reread {
                job,
                reading,
                secret,
                reply,
            } => {
                self.read(job, reading);
                self.carry_out().await;
                self.acknowledge(job, secret, reply, false).await;
            }
        }
    }
}
