//! One job as this worker knows it.

use assay_protocol::{Address, JobData, JobStatus, UnixSeconds};

use super::{
    command::{Report, SavedResult, Step},
    measured::Size,
    policy::Refusal,
};

/// Where the worker stands with a job. What is on chain stands in [`Work::job`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Wanted, not yet examined.
    Wanted,
    /// Model and input are being fetched and checked.
    Preparing,
    /// Runs once before it is claimed.
    Trying,
    /// Can be claimed, as soon as price, stake and capacity allow.
    Ready,
    /// Not wanted in this attempt.
    Refused(Refusal),
    /// Ours: the model runs.
    Running,
    /// Ours: the result is on its way to the journal.
    Saving,
    /// A transaction is under way or due: see [`Work::due`].
    Sending(Step),
    /// Committed; waits for the acknowledgement or the end of the challenge window.
    Waiting,
    /// A panel judges it; the audits' core acts for it.
    Audited,
    /// Ours on chain, but nothing more can be done for it.
    Stuck,
    /// Ended, or in other hands.
    Over,
}

#[derive(Debug)]
pub(super) struct Work {
    /// The newest reading, by sequence number.
    pub job: JobData,
    pub phase: Phase,
    /// What the journal holds.
    pub saved: Option<SavedResult>,
    pub acknowledged: Option<[u8; 32]>,
    /// Model and input are at hand.
    pub prepared: bool,
    /// The shell has its answer already.
    pub tried: bool,
    /// Seconds that its trial may take.
    pub limit: i64,
    /// Since when it is in this phase.
    pub since: UnixSeconds,
    /// Which of all requests for an engine its run's or trial's is: they are served in this order.
    pub asked: u64,
    /// Since when an engine is thought to be at its run or trial; none while it waits for one.
    pub begun: Option<UnixSeconds>,
    /// Whether a transaction is under way, and the attempt that it was sent for.
    pub in_flight: bool,
    pub sent_for: u8,
    /// Not before this moment: the next try of whatever failed last.
    pub due: UnixSeconds,
    /// Failed tries in a row.
    pub failures: u8,
    /// The attempt that was or is ours, and what was last reported of it.
    pub ours: Option<u8>,
    pub reported: Option<Report>,
    /// The attempt whose failure was counted.
    pub blamed: Option<u8>,
    /// When the chain last showed a change.
    pub touched: UnixSeconds,
    /// Slot of the first of the readings in a row that did not find the account.
    pub missing_since: Option<u64>,
    /// A claim of ours landed and no reading has shown it: it may be ours.
    pub sought: bool,
}

impl Work {
    pub fn new(job: JobData, now: UnixSeconds) -> Self {
        Self {
            job,
            phase: Phase::Wanted,
            saved: None,
            acknowledged: None,
            prepared: false,
            tried: false,
            limit: 0,
            since: now,
            asked: 0,
            begun: None,
            in_flight: false,
            sent_for: 0,
            due: now,
            failures: 0,
            ours: None,
            reported: None,
            blamed: None,
            touched: now,
            missing_since: None,
            sought: false,
        }
    }

    /// What its run is measured as.
    pub fn size(&self) -> Size {
        Size::of(self.job.model_digest, self.job.input_bytes)
    }

    pub fn status(&self) -> Option<JobStatus> {
        self.job.status().ok()
    }

    pub fn is_open(&self) -> bool {
        self.status() == Some(JobStatus::Open)
    }

    pub fn is_ours(&self, provider: &Address, status: JobStatus) -> bool {
        self.status() == Some(status) && self.job.provider == *provider
    }

    /// The journal's result, if it is for the attempt on chain.
    pub fn result(&self) -> Option<&SavedResult> {
        self.saved.as_ref().filter(|saved| {
            saved.attempt == self.job.attempt && saved.generation == self.job.generation
        })
    }

    /// Whether it is claimed, or about to be, and not yet committed.
    pub fn is_busy(&self) -> bool {
        match self.phase {
            Phase::Running | Phase::Saving => true,
            Phase::Sending(step) => match step {
                Step::Claim | Step::Commit | Step::Release => true,
                Step::Finalize => false,
            },
            // Claimed before a restart: its model or input is not there yet.
            Phase::Wanted | Phase::Preparing | Phase::Ready => !self.is_open(),
            Phase::Trying
            | Phase::Refused(_)
            | Phase::Waiting
            | Phase::Audited
            | Phase::Stuck
            | Phase::Over => false,
        }
    }

    /// Whether it is ours, or about to be, and not at an end.
    pub fn is_live(&self) -> bool {
        self.is_busy()
            || self.sought
            || matches!(
                self.phase,
                Phase::Waiting | Phase::Audited | Phase::Stuck | Phase::Sending(_)
            )
    }

    /// Whether it is open and only looked at.
    pub fn is_candidate(&self) -> bool {
        let looked_at = matches!(
            self.phase,
            Phase::Wanted | Phase::Preparing | Phase::Ready | Phase::Trying
        );
        self.is_open() && looked_at
    }

    /// Asks for an engine, as the so manieth of all.
    pub fn ask_engine(&mut self, phase: Phase, asked: u64, now: UnixSeconds) {
        (self.phase, self.since) = (phase, now);
        (self.asked, self.begun) = (asked, None);
    }

    /// Whether it uses an engine, or waits for one.
    pub fn is_at_engine(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Trying)
    }

    /// Notes a failure and when to try again: 1, 2, 4 ... at most 32 seconds later.
    pub fn back_off(&mut self, now: UnixSeconds) {
        let wait = 1_i64 << self.failures.min(5);
        self.failures = self.failures.saturating_add(1);
        self.due = UnixSeconds(now.0.saturating_add(wait));
    }

    /// Enters a phase with a clean slate.
    pub fn enter(&mut self, phase: Phase, now: UnixSeconds) {
        self.phase = phase;
        self.since = now;
        self.begun = None;
        self.failures = 0;
        self.due = now;
    }
}
