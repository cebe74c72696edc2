//! One command, one effect.

use std::sync::Arc;

use assay_client::protocol::{Address, JobData, JobStatus};
use assay_engine::Work;
use futures_util::future::{Either, ready};

use super::{
    Chain, Command, Driver, Effect, HaltPoint, after, audits, journal::Entry, measure::Meter,
    prepare, run,
};
use crate::{
    chain::{instructions, submitter::Purpose},
    core::{Action, Step, Submitted, Tried},
    metrics,
};

impl<C: Chain> Driver<C> {
    /// Carries out everything that the core wants done.
    pub(super) async fn carry_out(&mut self) {
        self.write_entries().await;
        while let Some(command) = self.core.poll_command() {
            match command {
                Command::Prepare { job } => self.prepare(job),
                Command::Submit {
                    job,
                    attempt,
                    intent,
                } => self.submit(job, attempt, intent),
                Command::Run {
                    job,
                    attempt,
                    until,
                } => {
                    let seconds = u64::try_from(until.0.saturating_sub(self.now.0)).unwrap_or(0);
                    self.start_run(job, attempt, seconds);
                }
                Command::Try { job, within_secs } => self.start_trial(job, within_secs),
                Command::StopRun { job } => {
                    self.trials.cancel(&job);
                    if let Some(run) = self.runs.remove(&job) {
                        tracing::warn!(%job, "the run is stopped: its result would come too late");
                        run.cancel();
                    }
                }
                Command::Save { job, result, body } => self.save(job, result, body),
                Command::Discard { job } => {
                    self.trials.cancel(&job);
                    self.preparations.cancel(&job);
                    self.prepared.remove(&job);
                }
                Command::Leave { job, refusal } => {
                    tracing::info!(%job, reason = refusal.name(), "job left alone");
                }
                Command::Report {
                    job,
                    attempt,
                    report,
                } => {
                    let data = self.core.job(&job).copied().map(Box::new);
                    let entry = Entry::Report {
                        attempt,
                        job: data,
                        report,
                    };
                    self.note(job, entry).await;
                }
            }
        }
        self.carry_out_audits().await;
    }

    /// Where files come from, and what they are for.
    pub(super) fn sources(&self, work: Work) -> prepare::Sources<C> {
        prepare::Sources {
            chain: Arc::clone(&self.parts.chain),
            artifacts: Arc::clone(&self.parts.artifacts),
            host: Arc::clone(&self.parts.host),
            work,
            limits: self.parts.engine.limits.clone(),
            room: Arc::clone(&self.room),
            class: self.parts.class,
        }
    }

    fn prepare(&mut self, address: Address) {
        let Some(job) = self.core.job(&address).copied() else {
            return;
        };
        // Jobs for one model share its bytes.
        let same =
            |prepared: &&Arc<prepare::Prepared>| prepared.model.digest().0 == job.model_digest;
        let shared = self
            .prepared
            .values()
            .find(same)
            .map(|prepared| (prepared.model.clone(), Arc::clone(&prepared.model_room)));
        let claimed = job.status() != Ok(JobStatus::Open);
        let sources = self.sources(if claimed {
            Work::Claimed
        } else {
            Work::Preparing
        });
        let auditors = self.auditors.clone();
        let work = async move {
            prepare::prepare(&sources, &job, shared, &auditors)
                .await
                .map(Arc::new)
                .map_err(|error| {
                    metrics::failure(error.code());
                    let again = error.may_pass();
                    tracing::info!(job = %address, reason = %error, again, "job not prepared");
                    error.fault()
                })
        };
        let (number, preparation) = self.preparations.start(address, claimed, work);
        self.spawn(async move { Effect::Prepared(address, number, preparation.await) });
    }

    fn submit(&mut self, address: Address, attempt: u8, intent: crate::core::Intent) {
        let Some(job) = self.core.job(&address).copied() else {
            return;
        };
        let purpose = Purpose {
            job: address,
            attempt,
            action: Action::Job(intent.step()),
            instruction: instructions::job(audits::sender(&self.parts), address, &job, intent),
            proof: None,
            now: self.now,
            // A claim may come second, and an audited job may be drawn.
            steady: job.is_unaudited() && matches!(intent.step(), Step::Commit | Step::Finalize),
        };
        let deadline = match intent.step() {
            Step::Claim => None,
            Step::Commit | Step::Release => job.compute_deadline().ok(),
            Step::Finalize => job.finalize_deadline().ok(),
        };
        let end = if self.unwritten.holds_back(purpose.action) {
            Either::Left(ready(Submitted::Expired))
        } else {
            Either::Right(self.bring(purpose, deadline))
        };
        let chain = Arc::clone(&self.parts.chain);
        self.spawn(async move {
            let outcome = end.await;
            let reading = after(&*chain, outcome, address).await;
            Effect::Submitted {
                job: address,
                attempt,
                step: intent.step(),
                outcome,
                reading,
            }
        });
    }

    fn start_run(&mut self, address: Address, attempt: u8, seconds: u64) {
        let Some(job) = self.core.job(&address).copied() else {
            return;
        };
        let prepared = self.prepared.get(&address).map(Arc::clone);
        let running = self.running(&job);
        let cancel = tokio_util::sync::CancellationToken::new();
        self.runs.insert(address, cancel.clone());
        self.spawn_heavy(async move {
            let run = run::run(&running, prepared.as_deref(), &job, seconds);
            let result = match cancel.run_until_cancelled(run).await {
                Some(Ok(computed)) => Ok(computed),
                Some(Err(error)) => {
                    metrics::failure(error.code());
                    tracing::warn!(job = %address, reason = %error, "run failed");
                    Err(error.fault())
                }
                None => Err(crate::core::RunFault::Never),
            };
            Effect::Ran(address, attempt, result)
        });
    }

    /// What runs of this job work with.
    pub(super) fn running(&self, job: &JobData) -> run::Running {
        run::Running {
            host: Arc::clone(&self.parts.host),
            meter: Meter::new(self.sender.clone(), job),
            energy: self.parts.energy.clone(),
            runtime: self.parts.runtime.clone(),
        }
    }

    fn start_trial(&mut self, address: Address, seconds: u64) {
        let Some(job) = self.core.job(&address).copied() else {
            return;
        };
        let prepared = self.prepared.get(&address).map(Arc::clone);
        let running = self.running(&job);
        let work = async move {
            match run::try_out(&running, prepared.as_deref(), &job, seconds).await {
                Ok(()) => Tried::Answered,
                Err(error) => {
                    metrics::failure(error.code());
                    tracing::info!(job = %address, reason = %error, "the trial of a job failed");
                    error.tried()
                }
            }
        };
        let (number, trial) = self.trials.start(address, true, work);
        self.spawn(async move { Effect::Tried(address, number, trial.await) });
    }

    fn save(
        &mut self,
        job: Address,
        result: crate::core::SavedResult,
        body: Arc<crate::core::Body>,
    ) {
        let (store, now, halt) = (self.parts.store.clone(), self.now, self.parts.halt);
        let attempt = result.attempt;
        // The commitment comes next, and is not simulated.
        self.make_ready();
        self.spawn(async move {
            let saved = store.call(move |store| store.save_result(&job, &result, &body, now)).await;
            halt.at(HaltPoint::ResultSaved);
            let saved = saved
                .inspect_err(|error| tracing::error!(%job, %error, "the result is not in the journal; the job is given back"))
                .ok();
            Effect::Saved(job, attempt, saved)
        });
    }
}
