//! What the worker decides: which jobs to take, what to do next with each, when to give up.
//!
//! Pure: no input or output, no clock, no randomness. Events come in by `handle_*` together with
//! the chain's time, effects go out by [`Core::poll_command`], the next deadline by
//! [`Core::poll_timeout`]. The chain is the truth: a phase changes the moment the chain shows the
//! change, whatever became of the transaction that was sent for it, and after a restart the same
//! readings lead to the same place.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use assay_protocol::{
    Address, JobData, JobStatus, LAYOUT_VERSION, Lamports, ProviderData, UnixSeconds,
    limits::OPEN_SLOT_AGE,
};

mod acknowledge;
mod admission;
pub mod audit;
mod breaker;
mod capacity;
mod claims;
mod command;
mod conditions;
mod follow;
mod guards;
mod limits;
mod look;
mod measured;
mod policy;
mod promised;
mod seal;
mod set_back;
mod snapshot;
mod standing;
mod steps;
mod windows;
mod work;

#[cfg(test)]
mod tests;

pub use admission::{AdmissionPolicy, TrialRun};
pub use audit::{
    AuditCommand, AuditCounts, AuditIntent, AuditPolicy, AuditReport, AuditStep, Audits, Brought,
    Evidence, Examined, PrimaryOpening, Recalled, SavedSeat, TryKey, brought, is_newer,
};
pub use breaker::{BreakerPolicy, Outcome, PausedModel};
pub use capacity::{Demand, Kind, Turn};
pub use claims::Tried;
pub use command::{
    AcknowledgeError, Acknowledgement, Action, Body, Command, Computed, Fresh, Intent,
    PrepareFault, Report, RunFault, SavedResult, SessionStep, Step, Submitted,
};
pub use guards::{Funds, LEAST_FREE_DISK};
pub use limits::{LimitPolicy, LimitReport, Limits, Sample};
pub use look::Counts;
pub use measured::{Measured, Size, Took};
pub use policy::{Identity, Policy, Refusal};
pub use snapshot::{LiveJob, LiveSeat, Snapshot};
pub use standing::{Pause, Reason, Standing};

pub use windows::Window;

use admission::Admission;
use breaker::Breaker;
use seal::seal;
use work::{Phase, Work};

/// What the journal remembers of a job that had not ended when the worker stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The attempt that was ours.
    pub attempt: u8,
    pub result: Option<SavedResult>,
    pub acknowledged: Option<[u8; 32]>,
    /// Slot of the first reading that did not find the account.
    pub missing_since: Option<u64>,
}

pub struct Core {
    me: Identity,
    policy: Policy,
    account: Option<ProviderData>,
    work: BTreeMap<Address, Work>,
    /// How many of them each requester has.
    watched: BTreeMap<Address, usize>,
    restored: BTreeMap<Address, Restored>,
    commands: VecDeque<Command>,
    standing: Standing,
    admission: Admission,
    breaker: Breaker,
    limits: Limits,
    /// Of the operator's key.
    balance: Option<Lamports>,
    /// Transactions that seats and audits still take.
    owed_elsewhere: u64,
    /// Requests for an engine so far.
    asked: u64,
}

impl Core {
    /// Takes no work before [`Core::start`]: first the journal and the chain must agree.
    pub fn new(me: Identity, policy: Policy) -> Self {
        let mut standing = Standing::default();
        standing.add(
            Pause::Starting,
            "journal and chain are being brought together".into(),
            UnixSeconds::default(),
        );
        Self {
            admission: Admission::new(policy.admission.clone()),
            breaker: Breaker::new(policy.breaker),
            limits: Limits::new(policy.limits),
            balance: None,
            owed_elsewhere: 0,
            asked: 0,
            me,
            policy,
            account: None,
            work: BTreeMap::new(),
            watched: BTreeMap::new(),
            restored: BTreeMap::new(),
            commands: VecDeque::new(),
            standing,
        }
    }

    /// Takes over what the journal remembers; the next reading of the job decides what it means.
    pub fn restore(&mut self, job: Address, restored: Restored) {
        self.restored.insert(job, restored);
    }

    /// From now on new jobs are taken, unless something else stands against it.
    pub fn start(&mut self, now: UnixSeconds) {
        self.resume(Pause::Starting, now);
    }

    /// Takes no new jobs until this reason is gone; goes on with those that are ours. Whether it is
    /// news.
    pub fn pause(&mut self, pause: Pause, detail: String, now: UnixSeconds) -> bool {
        let news = self.standing.add(pause, detail, now);
        if !self.standing.is_short() {
            self.drop_candidates();
        }
        news
    }

    /// This reason is gone. Whether it was there.
    pub fn resume(&mut self, pause: Pause, now: UnixSeconds) -> bool {
        let known = self.standing.remove(pause);
        self.take_work(now);
        known
    }

    /// Open jobs come back with the next listing; what was prepared for them is memory. Jobs that
    /// are not wanted stay remembered: one that was lost must not be taken again.
    fn drop_candidates(&mut self) {
        let candidates: Vec<Address> = self
            .work
            .iter()
            .filter(|(_, work)| work.is_candidate() && !work.sought)
            .map(|(address, _)| *address)
            .collect();
        for address in candidates {
            self.forget(&address);
            self.commands.push_back(Command::Discard { job: address });
        }
    }

    fn forget(&mut self, address: &Address) {
        let Some(work) = self.work.remove(address) else {
            return;
        };
        if let Some(theirs) = self.watched.get_mut(&work.job.requester) {
            *theirs = theirs.saturating_sub(1);
            if *theirs == 0 {
                self.watched.remove(&work.job.requester);
            }
        }
    }

    /// Whether stopping now leaves no claim unanswered.
    pub fn is_idle(&self) -> bool {
        !self
            .work
            .values()
            .any(|work| work.is_busy() || work.phase == Phase::Sending(Step::Finalize))
    }

    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The provider's account: its stake and class.
    pub fn handle_provider(&mut self, account: &ProviderData, now: UnixSeconds) {
        self.account = Some(*account);
        self.take_work(now);
    }

    /// A reading of a job; older ones than the newest known are ignored.
    pub fn handle_job(&mut self, address: Address, job: &JobData, now: UnixSeconds) {
        if self.see(address, job, now) {
            self.take_work(now);
        }
    }

    /// Whether it shows anything new.
    fn see(&mut self, address: Address, job: &JobData, now: UnixSeconds) -> bool {
        let Ok(status) = job.status() else {
            return false;
        };
        if job.version != LAYOUT_VERSION {
            return false;
        }
        if let Some(work) = self.work.get_mut(&address) {
            work.missing_since = None;
            if !is_newer(job.sequence, work.job.sequence) {
                return false;
            }
            work.job = *job;
            work.touched = now;
            if job.provider == self.me.provider || status.is_terminal() {
                work.sought = false;
            }
        } else {
            let ours = job.provider == self.me.provider && !status.is_terminal();
            let restored = self.restored.remove(&address);
            let open = status == JobStatus::Open && self.standing.is_accepting();
            let room = open && self.has_room(&job.requester);
            if !ours && restored.is_none() && !(open && room) {
                return false;
            }
            let mut work = Work::new(*job, now);
            if let Some(restored) = restored {
                work.ours = Some(restored.attempt);
                work.saved = restored.result;
                work.acknowledged = restored.acknowledged;
            }
            *self.watched.entry(job.requester).or_default() += 1;
            self.work.insert(address, work);
        }
        self.follow(address, status, now);
        true
    }

    /// A reading at `slot` did not find the job's account. A node that lags or answers wrongly
    /// must not cost a settlement: gone is only what two readings miss, both after the moment from
    /// which the account can be closed, and as far apart as an account lives where it was ours and
    /// had not ended.
    pub fn handle_gone(&mut self, address: Address, slot: u64, now: UnixSeconds) {
        if let Some(restored) = self.restored.get_mut(&address) {
            // Its opening slot is not known, but the first reading that missed it came later.
            let since = *restored.missing_since.get_or_insert(slot);
            if slot <= since.saturating_add(OPEN_SLOT_AGE) {
                return;
            }
            let attempt = restored.attempt;
            self.restored.remove(&address);
            self.commands.push_back(Command::Report {
                job: address,
                attempt,
                report: Report::Gone,
            });
        }
        if let Some(work) = self.work.get_mut(&address) {
            if slot <= work.job.open_slot.saturating_add(OPEN_SLOT_AGE) {
                return;
            }
            let since = *work.missing_since.get_or_insert(slot);
            // What has not ended cannot be closed, and its collateral hangs on being followed.
            let owed = work.ours.is_some() && !work.status().is_some_and(JobStatus::is_terminal);
            let patience = if owed { OPEN_SLOT_AGE } else { 0 };
            if slot <= since.saturating_add(patience) {
                return;
            }
            work.sought = false;
            self.report(address, Report::Gone, now);
            self.leave(address, Phase::Over, now);
        }
        self.take_work(now);
    }

    /// Bytes with this digest have arrived; jobs that lacked them are tried at once.
    pub fn handle_blob(&mut self, digest: &[u8; 32], now: UnixSeconds) {
        for work in self.work.values_mut() {
            let lacks = work.job.input_digest == *digest || work.job.model_digest == *digest;
            if lacks && work.phase == Phase::Wanted {
                work.due = now;
            }
        }
        self.handle_time(now);
    }

    pub fn handle_prepared(
        &mut self,
        address: Address,
        result: Result<(), PrepareFault>,
        now: UnixSeconds,
    ) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        if work.phase != Phase::Preparing {
            return;
        }
        let ours = work.is_ours(&self.me.provider, JobStatus::Claimed);
        match result {
            Ok(()) => {
                work.prepared = true;
                work.enter(Phase::Ready, now);
                if ours {
                    self.run(address, now);
                }
            }
            Err(PrepareFault::Never) if ours => {
                self.blame(address, Outcome::Lost, now);
                self.send(address, Step::Release, now);
            }
            Err(PrepareFault::Never) => self.leave(address, Phase::Refused(Refusal::Unfit), now),
            Err(PrepareFault::Later) => {
                work.phase = Phase::Wanted;
                work.back_off(now);
            }
        }
        self.take_work(now);
    }

    /// A run ended. `fresh` is drawn for this call and used if there is an answer to commit to.
    pub fn handle_ran(
        &mut self,
        address: Address,
        attempt: u8,
        result: Result<Computed, RunFault>,
        fresh: Fresh,
        now: UnixSeconds,
    ) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        if work.phase != Phase::Running || work.job.attempt != attempt {
            return;
        }
        work.begun = None;
        match result {
            Ok(computed) => {
                let result = seal(&self.me, &address, &work.job, &computed, fresh);
                work.enter(Phase::Saving, now);
                let body = Arc::clone(&computed.body);
                self.commands.push_back(Command::Save {
                    job: address,
                    result,
                    body,
                });
            }
            // One more try: a crash of the engine may be chance, two are not.
            Err(RunFault::Again) if work.failures == 0 => {
                work.failures = 1;
                self.run(address, now);
            }
            Err(RunFault::Again | RunFault::Never) => {
                self.blame(address, Outcome::Lost, now);
                self.send(address, Step::Release, now);
            }
        }
        self.note_starts(now);
    }

    /// What the journal holds for an attempt after the last [`Command::Save`]; none if it could not
    /// be written. An older result is never replaced: its commitment may be on its way.
    pub fn handle_saved(
        &mut self,
        address: Address,
        attempt: u8,
        journaled: Option<SavedResult>,
        now: UnixSeconds,
    ) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        let saved = journaled.is_some();
        if let Some(result) = journaled {
            work.saved = Some(result);
        }
        if work.phase == Phase::Saving && work.job.attempt == attempt {
            // Without the salt on disk a commitment could not be finalized after a crash.
            if !saved {
                self.blame(address, Outcome::Lost, now);
            }
            let step = if saved { Step::Commit } else { Step::Release };
            self.send(address, step, now);
        }
    }
}
