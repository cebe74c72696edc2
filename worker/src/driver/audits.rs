//! One command of the audits' core, one effect.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use assay_client::{address, protocol::Address};
use assay_engine::Work;
use futures_util::future::{Either, ready};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Chain, Effect, HaltPoint, JobReading, Parts, after,
    examine::{self, Examinee},
    journal::Entry,
    machine,
    preparations::Preparations,
    prepare::PrepareError,
};
use crate::{
    chain::{
        instructions::{self, Sender},
        submitter::Purpose,
    },
    core::{
        Action, AuditCommand, AuditIntent, Audits, Body, Examined, Fresh, PrepareFault, Recalled,
        RunFault, SavedSeat, Submitted, Tried, TryKey,
    },
    metrics,
};

mod open;
mod report;

/// How an effect of an audit ended.
pub enum AuditEffect {
    Recalled(Address, u8, Option<Recalled>),
    Prepared(Address, u64, Option<Result<Arc<Examinee>, PrepareFault>>),
    /// None if it was stopped.
    Tried(Address, u64, Option<Tried>),
    Ran(Address, u8, Result<Examined, RunFault>),
    Saved(Address, u8, Option<SavedSeat>),
    Submitted {
        job: Address,
        key: TryKey,
        outcome: Submitted,
        reading: Option<JobReading>,
    },
}

/// The driver's part for audits.
pub(super) struct Auditing {
    pub core: Audits,
    examinees: BTreeMap<Address, Arc<Examinee>>,
    preparations: Preparations,
    trials: Preparations,
    runs: BTreeMap<Address, CancellationToken>,
    /// Runs at the same time.
    turns: Arc<Semaphore>,
    /// A panel's address takes a search; each is made once.
    addresses: BTreeMap<Address, [Address; 2]>,
}

impl Auditing {
    pub fn new(core: Audits, [preparations, trials]: [Preparations; 2], engines: usize) -> Self {
        Self {
            core,
            examinees: BTreeMap::new(),
            preparations,
            trials,
            runs: BTreeMap::new(),
            turns: Arc::new(examine::turns(engines)),
            addresses: BTreeMap::new(),
        }
    }

    /// Jobs with the addresses of their panels.
    pub fn with_panels(&mut self, jobs: Vec<Address>) -> Vec<(Address, [Address; 2])> {
        let find = |job: &Address| [1, 2].map(|level| address::panel(job, level));
        jobs.into_iter()
            .map(|job| {
                (
                    job,
                    *self.addresses.entry(job).or_insert_with(|| find(&job)),
                )
            })
            .collect()
    }
}

impl<C: Chain> super::Driver<C> {
    /// Carries out everything that the audits' core wants done.
    pub(super) async fn carry_out_audits(&mut self) {
        while let Some(command) = self.audits.core.poll_command() {
            match command {
                AuditCommand::Recall { job, attempt } => self.recall_audit(job, attempt),
                AuditCommand::Prepare { job } => self.prepare_audit(job),
                AuditCommand::Try { job, within_secs } => self.try_audit(job, within_secs),
                AuditCommand::Run {
                    job,
                    level,
                    until,
                    hints_until,
                } => {
                    let until = [until, hints_until].map(|until| {
                        let seconds = u64::try_from(until.0.saturating_sub(self.now.0));
                        // Never zero: what ends within the second is still in time.
                        Duration::from_secs(seconds.unwrap_or(0).max(1))
                    });
                    self.run_audit(job, level, until);
                }
                AuditCommand::Discard { job } => {
                    self.audits.trials.cancel(&job);
                    self.audits.preparations.cancel(&job);
                    self.audits.examinees.remove(&job);
                }
                AuditCommand::Save { job, result, body } => self.save_seat(job, result, body),
                AuditCommand::Keep { job, evidence } => {
                    let me = self.parts.provider;
                    self.note(job, Entry::Audit { evidence, me }).await;
                }
                AuditCommand::Submit { job, intent } => self.submit_audit(job, intent),
                AuditCommand::Report { job, report } => self.report_audit(job, report).await,
                AuditCommand::Forget { job } => {
                    self.audits.trials.cancel(&job);
                    self.audits.preparations.cancel(&job);
                    self.audits.examinees.remove(&job);
                    self.audits.addresses.remove(&job);
                    if let Some(run) = self.audits.runs.remove(&job) {
                        run.cancel();
                    }
                }
            }
        }
        metrics::audits(&self.audits.core.counts());
    }

    pub(super) fn take_audit_effect(&mut self, effect: AuditEffect) {
        let now = self.now;
        match effect {
            AuditEffect::Recalled(job, attempt, recalled) => {
                self.audits
                    .core
                    .handle_recalled(job, attempt, recalled, now);
            }
            AuditEffect::Prepared(job, number, result) => {
                let wanted = self.audits.preparations.finish(&job, number);
                let waited = wanted && self.audits.core.is_preparing(&job);
                if let Some(result) = result.filter(|_| waited) {
                    let result = result.map(|examinee| {
                        self.parts.shared.names.note(examinee.prepared());
                        self.audits.examinees.insert(job, examinee);
                    });
                    self.audits.core.handle_prepared(job, result, now);
                }
            }
            AuditEffect::Tried(job, number, tried) => {
                let wanted = self.audits.trials.finish(&job, number);
                if let Some(tried) = tried.filter(|_| wanted) {
                    self.audits.core.handle_tried(job, tried, now);
                }
            }
            AuditEffect::Ran(job, level, result) => {
                self.audits.runs.remove(&job);
                let (result, fresh) = match machine::fresh(self.parts.random) {
                    Ok(fresh) => (result, fresh),
                    Err(error) => {
                        tracing::error!(%job, %error, "no randomness for a salt; trying again");
                        let fresh = Fresh {
                            salt: [0; 32],
                            worker_secret: [0; 32],
                        };
                        (Err(RunFault::Again), fresh)
                    }
                };
                self.audits.core.handle_ran(job, level, result, fresh, now);
            }
            AuditEffect::Saved(job, level, saved) => {
                self.audits.core.handle_saved(job, level, saved, now);
            }
            AuditEffect::Submitted {
                job,
                key,
                outcome,
                reading,
            } => {
                self.read(job, reading);
                if outcome == Submitted::Landed {
                    self.read_soon();
                }
                self.audits.core.handle_submitted(job, key, outcome, now);
            }
        }
    }

    fn recall_audit(&mut self, job: Address, attempt: u8) {
        let store = self.parts.store.clone();
        self.spawn(async move {
            let recalled = store.call(move |store| store.recall(&job, attempt)).await;
            let recalled = recalled
                .inspect_err(|error| tracing::error!(%job, %error, "the journal does not say what was committed to"))
                .ok();
            Effect::Audit(AuditEffect::Recalled(job, attempt, recalled))
        });
    }

    fn prepare_audit(&mut self, address: Address) {
        let Some(job) = self.audits.core.job(&address).copied() else {
            return;
        };
        let operator = self.parts.operator;
        let seated = self.audits.core.live_jobs().contains(&address);
        let (work, patience) = if seated {
            (Work::Audit, Duration::MAX)
        } else {
            (Work::Preparing, examine::patience(&job))
        };
        let sources = self.sources(work);
        let work = async move {
            let preparing = examine::prepare(&sources, &job, &operator);
            let prepared = timeout(patience, preparing).await;
            let prepared = prepared.unwrap_or(Err(PrepareError::Slow)).map(Arc::new);
            prepared.map_err(|error| {
                metrics::failure(error.code());
                let again = error.may_pass();
                tracing::info!(job = %address, reason = %error, again, "audit not prepared");
                error.fault()
            })
        };
        let (number, preparation) = self.audits.preparations.start(address, seated, work);
        self.spawn(async move {
            Effect::Audit(AuditEffect::Prepared(address, number, preparation.await))
        });
    }

    fn try_audit(&mut self, address: Address, seconds: u64) {
        let Some(job) = self.audits.core.job(&address).copied() else {
            return;
        };
        let examinee = self.audits.examinees.get(&address).map(Arc::clone);
        let (running, turns) = (self.running(&job), Arc::clone(&self.audits.turns));
        let limit = Duration::from_secs(seconds);
        let work = async move {
            let trial = examine::try_out(&running, &turns, examinee.as_deref(), &job, limit);
            match trial.await {
                Ok(()) => Tried::Answered,
                Err(error) => {
                    metrics::failure(error.code());
                    tracing::info!(job = %address, reason = %error, "the trial for a seat failed");
                    error.tried()
                }
            }
        };
        let (number, trial) = self.audits.trials.start(address, true, work);
        self.spawn(async move { Effect::Audit(AuditEffect::Tried(address, number, trial.await)) });
    }

    /// `within`: for the run, and for the hints.
    fn run_audit(&mut self, address: Address, level: u8, within: [Duration; 2]) {
        let Some(job) = self.audits.core.job(&address).copied() else {
            return;
        };
        let examinee = self.audits.examinees.get(&address).map(Arc::clone);
        let (sources, running) = (self.sources(Work::Audit), self.running(&job));
        let turns = Arc::clone(&self.audits.turns);
        let cancel = CancellationToken::new();
        self.audits.runs.insert(address, cancel.clone());
        self.spawn_heavy(async move {
            let examinee = examinee.as_deref();
            let run = examine::run(&sources, &running, &turns, examinee, &job, within);
            let result = match cancel.run_until_cancelled(run).await {
                Some(Ok(examined)) => Ok(examined),
                Some(Err(error)) => {
                    metrics::failure(error.code());
                    tracing::warn!(job = %address, level, reason = %error, "audit run failed");
                    Err(error.fault())
                }
                None => Err(RunFault::Again),
            };
            Effect::Audit(AuditEffect::Ran(address, level, result))
        });
    }

    fn save_seat(&mut self, job: Address, result: SavedSeat, body: Arc<Body>) {
        let (store, now, halt) = (self.parts.store.clone(), self.now, self.parts.halt);
        let level = result.level;
        self.spawn(async move {
            let saving = move |store: &crate::store::Store| {
                store.save_seat(&job, &result, &body, now)
            };
            let saved = store.call(saving).await;
            halt.at(HaltPoint::SeatResultSaved);
            let saved = saved
                .inspect_err(|error| tracing::error!(%job, %error, "the seat's result is not in the journal; trying again"))
                .ok();
            Effect::Audit(AuditEffect::Saved(job, level, saved))
        });
    }

    fn submit_audit(&mut self, address: Address, intent: AuditIntent) {
        let Some(job) = self.audits.core.job(&address).copied() else {
            return;
        };
        let sender = sender(&self.parts);
        let purpose = Purpose {
            job: address,
            attempt: job.attempt,
            action: Action::Audit(intent.step()),
            instruction: instructions::audit(sender, address, intent),
            proof: None,
            now: self.now,
            steady: false,
        };
        let opening = match intent {
            AuditIntent::Open { level } => Some(level),
            AuditIntent::Join { .. }
            | AuditIntent::Commit { .. }
            | AuditIntent::Reveal { .. }
            | AuditIntent::RevealPrimary { .. }
            | AuditIntent::Resolve { .. }
            | AuditIntent::Settle { .. }
            | AuditIntent::Close { .. } => None,
        };
        let chain = Arc::clone(&self.parts.chain);
        let end = match opening {
            _ if self.unwritten.holds_back(purpose.action) => {
                Either::Left(Either::Left(ready(Submitted::Expired)))
            }
            Some(level) => {
                let (chain, submitter) = (Arc::clone(&chain), Arc::clone(&self.parts.submitter));
                Either::Left(Either::Right(async move {
                    open::open(&*chain, &submitter, sender, &job, purpose, level).await
                }))
            }
            None => {
                let deadline = self.audits.core.deadline(&address, intent.key());
                Either::Right(self.bring(purpose, deadline))
            }
        };
        self.spawn(async move {
            let outcome = end.await;
            let reading = after(&*chain, outcome, address).await;
            Effect::Audit(AuditEffect::Submitted {
                job: address,
                key: intent.key(),
                outcome,
                reading,
            })
        });
    }
}

pub(super) fn sender<C>(parts: &Parts<C>) -> Sender {
    Sender {
        operator: parts.operator,
        provider: parts.provider,
    }
}
