//! What holds of one job at a moment, and what is sent for it then.

use assay_protocol::{
    Error, JobStatus, UnixSeconds,
    args::{JobCommitArgs, JobFinalizeArgs},
    commitment::secret_hash,
};

use super::{
    policy::Refusal,
    work::{Phase, Work},
};

/// How long an ended job is remembered, so that an old reading does not bring it back.
const MEMORY_SECS: i64 = 3_600;
/// Refusals of a claim that nothing explains, before the job is left alone.
const CLAIM_TRIES: u8 = 3;

pub(super) fn refuse_claim(work: &mut Work, error: Option<Error>, now: UnixSeconds) {
    // These pass, or the next reading of the job explains them.
    let passing = [
        Error::ProviderStakeInsufficient,
        Error::JobPriceBelowMinimum,
        Error::JobNotOpen,
        Error::JobClaimDeadlinePassed,
    ];
    let passes = error.is_some_and(|error| passing.contains(&error));
    work.phase = if passes || work.failures + 1 < CLAIM_TRIES {
        Phase::Ready
    } else {
        Phase::Refused(Refusal::ClaimRefused)
    };
    work.back_off(now);
}

/// Whether a claim would come too late.
pub(super) fn has_closed(work: &Work, now: UnixSeconds) -> bool {
    work.is_open()
        && work
            .job
            .claim_deadline()
            .is_ok_and(|deadline| !deadline.allows(now))
}

pub(super) fn window_is_over(work: &Work, now: UnixSeconds) -> bool {
    work.job
        .challenge_deadline()
        .is_ok_and(|deadline| !deadline.allows(now))
}

pub(super) fn in_time_to_commit(work: &Work, now: UnixSeconds) -> bool {
    work.status() == Some(JobStatus::Claimed)
        && work
            .job
            .compute_deadline()
            .is_ok_and(|deadline| deadline.allows(now))
}

pub(super) fn is_forgettable(work: &Work, now: UnixSeconds) -> bool {
    let old = work.touched.0.saturating_add(MEMORY_SECS) < now.0;
    old && (!work.is_open() || has_closed(work, now))
}

pub(super) fn commit_args(work: &Work, now: UnixSeconds) -> Option<JobCommitArgs> {
    let result = work.result().filter(|_| in_time_to_commit(work, now))?;
    Some(JobCommitArgs {
        commitment: result.commitment.0,
        worker_secret_hash: secret_hash(&result.worker_secret).0,
        hints_digest: result.hints_digest.0,
        attempt: result.attempt,
    })
}

pub(super) fn finalize_args(work: &Work, now: UnixSeconds) -> Option<JobFinalizeArgs> {
    // An acknowledged unaudited job is paid even after that.
    let in_time = work
        .job
        .finalize_deadline()
        .is_ok_and(|deadline| deadline.allows(now))
        || (work.acknowledged.is_some() && work.job.is_unaudited());
    let result = work.result().filter(|_| in_time)?;
    Some(JobFinalizeArgs {
        worker_secret: result.worker_secret,
        requester_secret: work.acknowledged.unwrap_or_default(),
        acknowledged: u8::from(work.acknowledged.is_some()),
    })
}
