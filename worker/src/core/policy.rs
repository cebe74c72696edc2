//! Which jobs this worker wants.

use std::collections::BTreeSet;

use assay_protocol::{Address, JobData, Lamports, UnixSeconds};

use super::{AdmissionPolicy, BreakerPolicy, Funds, LimitPolicy, Window};

/// What the operator wants, and what the worker allows itself at once.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Least price of a job. The price of an open job rises, so a job may be worth waiting for.
    pub min_price: Lamports,
    /// Digests of the models to serve; none for any.
    pub models: Option<BTreeSet<[u8; 32]>>,
    pub max_input_bytes: u32,
    pub max_output_bytes: u32,
    /// Most collateral to put at risk for one job.
    pub max_collateral: Lamports,
    /// Most collateral for each lamport of a job's ceiling.
    pub max_collateral_ratio: u32,
    /// The same for a job that may be audited, which needs many times its ceiling.
    pub max_audited_ratio: u32,
    /// Take jobs that may be drawn for audit.
    pub audited: bool,
    /// Longest wait for the pay of a job that its requester does not acknowledge.
    pub max_challenge_secs: u32,
    /// Least time from claim to commit.
    pub min_compute_secs: u32,
    /// Time kept back to land the commit; at most a quarter of the job's compute window is.
    pub commit_margin_secs: u32,
    /// Take only jobs reserved for this provider.
    pub exclusive_only: bool,
    /// Most jobs claimed and not yet committed.
    pub concurrent_jobs: usize,
    /// Most jobs whose model and input are being fetched.
    pub preparing_jobs: usize,
    /// Most jobs remembered; the rest is looked at when others are gone.
    pub watched_jobs: usize,
    /// Most of those places that one requester gets, in hundredths.
    pub requester_percent: usize,
    pub admission: AdmissionPolicy,
    pub breaker: BreakerPolicy,
    pub funds: Funds,
    /// Heat, power and what others use.
    pub limits: LimitPolicy,
    /// Hours without new work.
    pub pauses: Vec<Window>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub program_id: Address,
    pub provider: Address,
    /// Pays fees, and the rent of panels that it opens.
    pub operator: Address,
}

/// Why a job is not wanted. Stays true as long as the attempt lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    ReservedForAnother,
    NotReservedForUs,
    ClassMismatch,
    ModelNotListed,
    CeilingBelowMinimum,
    CollateralTooHigh,
    CollateralOutOfProportion,
    ChallengeWindowTooLong,
    InputTooLarge,
    OutputTooLarge,
    ComputeWindowTooShort,
    /// Jobs that may be drawn for audit are off.
    Audited,
    /// A job that was lost once is left to others.
    LostBefore,
    /// Its run would not end in time; or none like it has.
    TooSlow,
    /// Model or input do not fit; the log of the preparation says how.
    Unfit,
    /// The program refused the claim for a reason that does not pass.
    ClaimRefused,
}

impl Refusal {
    pub fn name(self) -> &'static str {
        match self {
            Self::ReservedForAnother => "reserved_for_another",
            Self::NotReservedForUs => "not_reserved_for_us",
            Self::ClassMismatch => "class_mismatch",
            Self::ModelNotListed => "model_not_listed",
            Self::CeilingBelowMinimum => "ceiling_below_minimum",
            Self::CollateralTooHigh => "collateral_too_high",
            Self::CollateralOutOfProportion => "collateral_out_of_proportion",
            Self::ChallengeWindowTooLong => "challenge_window_too_long",
            Self::InputTooLarge => "input_too_large",
            Self::OutputTooLarge => "output_too_large",
            Self::ComputeWindowTooShort => "compute_window_too_short",
            Self::Audited => "audited",
            Self::LostBefore => "lost_before",
            Self::TooSlow => "too_slow",
            Self::Unfit => "unfit",
            Self::ClaimRefused => "claim_refused",
        }
    }
}

impl Policy {
    /// What can be told from the job alone.
    pub fn judge(
        &self,
        job: &JobData,
        provider: &Address,
        class: &[u8; 32],
    ) -> Result<(), Refusal> {
        let exclusive = job.exclusive_provider;
        let ratio = if job.is_unaudited() {
            self.max_collateral_ratio
        } else {
            self.max_audited_ratio
        };
        let refused = [
            (
                exclusive != Address::default() && exclusive != *provider,
                Refusal::ReservedForAnother,
            ),
            (
                self.exclusive_only && exclusive != *provider,
                Refusal::NotReservedForUs,
            ),
            (job.require_class(class).is_err(), Refusal::ClassMismatch),
            (!self.serves(&job.model_digest), Refusal::ModelNotListed),
            (job.ceiling < self.min_price.0, Refusal::CeilingBelowMinimum),
            (
                job.collateral > self.max_collateral.0,
                Refusal::CollateralTooHigh,
            ),
            (
                job.collateral > job.ceiling.saturating_mul(u64::from(ratio)),
                Refusal::CollateralOutOfProportion,
            ),
            (
                job.challenge_secs > self.max_challenge_secs,
                Refusal::ChallengeWindowTooLong,
            ),
            (
                job.input_bytes > self.max_input_bytes,
                Refusal::InputTooLarge,
            ),
            (
                job.output_limit > self.max_output_bytes,
                Refusal::OutputTooLarge,
            ),
            (
                job.compute_secs < self.min_compute_secs,
                Refusal::ComputeWindowTooShort,
            ),
            (!job.is_unaudited() && !self.audited, Refusal::Audited),
        ];
        refused
            .into_iter()
            .find(|(applies, _)| *applies)
            .map_or(Ok(()), |(_, why)| Err(why))
    }

    fn serves(&self, digest: &[u8; 32]) -> bool {
        self.models
            .as_ref()
            .is_none_or(|models| models.contains(digest))
    }

    /// What one requester may take of so many places: at least one.
    pub(super) fn share(&self, places: usize) -> usize {
        places
            .saturating_mul(self.requester_percent)
            .div_ceil(100)
            .clamp(1, places.max(1))
    }

    /// Seconds from a claim to the last moment at which its run is worth waiting for.
    pub fn usable_secs(&self, job: &JobData) -> i64 {
        i64::from(job.compute_secs).saturating_sub(i64::from(self.margin(job)))
    }

    fn margin(&self, job: &JobData) -> u32 {
        self.commit_margin_secs.min(job.compute_secs / 4)
    }

    /// Last moment at which a run is still worth waiting for; after it the job is given back.
    pub fn run_until(&self, job: &JobData) -> UnixSeconds {
        let margin = self.margin(job);
        let deadline = job
            .compute_deadline()
            .map_or(job.claimed_at, |deadline| deadline.0);
        UnixSeconds(deadline.saturating_sub(i64::from(margin)))
    }

    /// When the rising price of an open job reaches the minimum. Exact: one second earlier the
    /// price is still below it.
    pub fn price_reached_at(&self, job: &JobData) -> UnixSeconds {
        let span = u128::from(job.ceiling.saturating_sub(job.floor));
        let missing = u128::from(self.min_price.0.saturating_sub(job.floor));
        let ramp = u128::from(job.ramp_secs);
        let elapsed = if missing == 0 || span == 0 {
            0
        } else {
            (missing * ramp).div_ceil(span)
        };
        let waiting = elapsed.saturating_sub(u128::from(job.ramp_used));
        UnixSeconds(
            job.opened_at
                .saturating_add(i64::try_from(waiting).unwrap_or(i64::MAX)),
        )
    }
}
