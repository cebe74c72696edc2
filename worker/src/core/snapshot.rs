//! How the worker stands at one moment, for people and for other programs.

use assay_protocol::{Address, JobStatus, UnixSeconds};
use serde::{Deserialize, Serialize};

use super::{
    AuditCounts, Audits, Core, Counts, PausedModel, Reason,
    work::{Phase, Work},
};
use crate::core::command::Step;

/// Everything that the status page, `ps` and scripts are told. Amounts in lamports, times in unix
/// seconds of the chain's clock, keys in base58, digests in hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The chain's clock at the last reading.
    pub now: i64,
    /// Takes new jobs and seats.
    pub accepting: bool,
    /// Why not.
    pub reasons: Vec<Reason>,
    /// Stopping now leaves no claim and no seat unanswered.
    pub idle: bool,
    pub counts: Counts,
    pub audits: AuditCounts,
    /// Of the operator's key, at the last look.
    pub operator_lamports: Option<u64>,
    /// Models whose jobs are left alone after failures.
    pub paused_models: Vec<PausedModel>,
    /// Of the provider's account; none until it was read.
    pub stake: Option<Stake>,
    /// Jobs that are ours, and those that are being looked at more closely.
    pub jobs: Vec<LiveJob>,
    /// Audits of ours: as primary, with a seat, or owed a panel's rent.
    pub seats: Vec<LiveSeat>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stake {
    /// All of it.
    pub stake: u64,
    /// Behind nothing and not on its way out: what new work may reserve.
    pub free: u64,
    pub reserved: u64,
    pub unbonding: u64,
    /// Earned and not yet withdrawn by the authority.
    pub earnings: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveJob {
    pub job: String,
    pub attempt: u8,
    /// Ours on chain, or only looked at.
    pub ours: bool,
    pub phase: String,
    pub requester: String,
    pub model_digest: String,
    /// What it is paid; the ceiling while it is open.
    pub price: u64,
    pub collateral: u64,
    /// When the chain waits no longer for what comes next: the claim, the commit, the finalizing.
    pub deadline: Option<i64>,
    /// How long its run takes by what was measured, without the safety margin.
    pub estimate_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSeat {
    pub job: String,
    pub level: u8,
    /// `primary`, `auditor` or `lender`.
    pub role: String,
    /// Of our seat: `joined`, `committed`, `revealed`, `settled`.
    pub seat: Option<String>,
    /// What the panel waits for: `join`, `commit`, `reveal`, `over`; none without a panel.
    pub phase: Option<String>,
    pub deadline: Option<i64>,
    /// Of the seat; the collateral for the primary.
    pub at_stake: u64,
    pub model_digest: String,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Trying => "trying",
            Self::Refused(_) => "refused",
            Self::Running => "running",
            Self::Saving => "saving",
            Self::Sending(Step::Claim) => "claiming",
            Self::Sending(Step::Commit) => "committing",
            Self::Sending(Step::Finalize) => "finalizing",
            Self::Sending(Step::Release) => "releasing",
            Self::Waiting => "waiting",
            Self::Audited => "audited",
            Self::Stuck => "stuck",
            Self::Over => "over",
        }
    }
}

impl Core {
    /// The provider's account as it was last read.
    pub fn stake(&self) -> Option<Stake> {
        self.account.as_ref().map(|account| Stake {
            stake: account.stake,
            free: account.free_stake().map_or(0, |free| free.0),
            reserved: account.reserved,
            unbonding: account.unbonding,
            earnings: account.earnings,
        })
    }

    /// Jobs that are ours, and those that are prepared or about to be.
    pub fn live(&self) -> Vec<LiveJob> {
        let shown = |work: &&Work| {
            work.is_live() || matches!(work.phase, Phase::Preparing | Phase::Ready | Phase::Trying)
        };
        let live = self.work.iter().map(|(job, work)| (*job, work));
        live.filter(|(_, work)| shown(work))
            .map(|(job, work)| self.line(job, work))
            .collect()
    }

    fn line(&self, job: Address, work: &Work) -> LiveJob {
        let data = &work.job;
        let status = work.status();
        let deadline = match status {
            Some(JobStatus::Open) => data.claim_deadline().ok(),
            Some(JobStatus::Claimed) => data.compute_deadline().ok(),
            Some(JobStatus::Committed) => data.finalize_deadline().ok(),
            Some(
                JobStatus::Auditing
                | JobStatus::Appealing
                | JobStatus::Settled
                | JobStatus::Faulted
                | JobStatus::Cancelled
                | JobStatus::Expired
                | JobStatus::Unresolved,
            )
            | None => None,
        };
        LiveJob {
            job: job.to_string(),
            attempt: data.attempt,
            ours: data.provider == self.me.provider && !work.is_open(),
            phase: work.phase.name().to_owned(),
            requester: data.requester.to_string(),
            model_digest: hex::encode(data.model_digest),
            price: if work.is_open() {
                data.ceiling
            } else {
                data.price
            },
            collateral: data.collateral,
            deadline: deadline.map(|deadline| deadline.0),
            estimate_ms: self.admission.estimate_ms(work.size()),
        }
    }
}

impl Snapshot {
    /// Of both cores.
    pub fn of(core: &Core, audits: &Audits, now: UnixSeconds) -> Self {
        Self {
            now: now.0,
            accepting: core.standing().is_accepting(),
            reasons: core.standing().reasons().cloned().collect(),
            idle: core.live_jobs().is_empty() && audits.live_jobs().is_empty(),
            counts: core.counts(),
            audits: audits.counts(),
            paused_models: core.breaker.paused_models(now.0),
            operator_lamports: core.balance.map(|balance| balance.0),
            stake: core.stake(),
            jobs: core.live(),
            seats: audits.live(now),
        }
    }
}
