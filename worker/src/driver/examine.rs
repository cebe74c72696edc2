//! Running another provider's job again: its files, its hints, and the root to compare.

use std::{sync::Arc, time::Duration};

use assay_client::{
    delivery::blob_path,
    protocol::{Address, Digest, JobData, OutputProfile, ProviderData, digest::is_zero, text},
};
use assay_engine::{AuditFault, EngineError, Outcome, RuntimeFault, Work};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, timeout},
};

use super::{
    prepare::{self, PrepareError, Prepared, Sources},
    run::{RunError, Running, describe, too_large},
};
use crate::{
    artifacts::Wanted,
    chain::Chain,
    core::{Body, Examined},
    metrics,
};

/// A job that can be run at once, and its outcome once it was: hints may take longer than the run.
pub struct Examinee {
    prepared: Prepared,
    outcome: OnceCell<Computed>,
}

impl Examinee {
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }
}

/// Engines that audits may use at the same time: one is left to claimed jobs, whose deadlines are
/// nearer and whose models were chosen, while anybody may have a model audited that takes long.
pub fn turns(engines: usize) -> Semaphore {
    Semaphore::new(engines.saturating_sub(1).clamp(1, Semaphore::MAX_PERMITS))
}

/// Longest time to get ready for a seat that we do not hold: whoever serves slowly must not keep us
/// from the other panels for the whole time that they may be joined.
pub fn patience(job: &JobData) -> Duration {
    Duration::from_secs(u64::from(job.panel_join_secs / 4)).max(LEAST_PATIENCE)
}

const LEAST_PATIENCE: Duration = Duration::from_secs(10);
/// For loading the model again, and for a turn.
const GRACE: Duration = Duration::from_secs(5);

/// Longest run of one try: half of the time that is left, or what the primary had, if that is more.
/// A model that never ends must not have our other seats wait until their bonds are lost.
fn run_limit(job: &JobData, left: Duration) -> Duration {
    let granted = Duration::from_secs(u64::from(job.compute_secs));
    (left / 2).max(granted).min(left)
}

/// Fetches what a seat needs, from the job's uris or else from the primary's worker, before the
/// seat is asked for.
pub async fn prepare<C: Chain>(
    sources: &Sources<C>,
    job: &JobData,
    operator: &Address,
) -> Result<Examinee, PrepareError> {
    let primary = primary(sources, job).await?;
    if primary.operator == *operator {
        return Err(PrepareError::OwnOperator);
    }
    let endpoint = endpoint(&primary);
    let prepared = prepare::files(sources, job, None, endpoint.as_deref()).await?;
    Ok(Examinee {
        prepared,
        outcome: OnceCell::new(),
    })
}

async fn primary<C: Chain>(
    sources: &Sources<C>,
    job: &JobData,
) -> Result<ProviderData, PrepareError> {
    let account = sources.chain.provider(&job.provider).await?;
    account.ok_or(PrepareError::PrimaryGone)
}

fn endpoint(primary: &ProviderData) -> Option<String> {
    let endpoint = text::read(&primary.endpoint, primary.endpoint_len);
    (!endpoint.is_empty()).then(|| endpoint.trim_end_matches('/').to_owned())
}

/// What a run came to.
struct Computed {
    outcome: Outcome,
    compute_ms: u64,
    energy_mj: Option<u64>,
}

/// What a run comes to, once it is its turn.
async fn in_turn<T>(
    turns: &Semaphore,
    within: Duration,
    run: impl Future<Output = T>,
) -> Result<T, RunError> {
    let taken = async {
        let _turn = turns.acquire().await;
        run.await
    };
    timeout(within, taken).await.map_err(|_| RunError::Late)
}

/// Runs the model, unless that was done: before a seat is asked for, or when it is held.
async fn compute<'a>(
    running: &Running,
    turns: &Semaphore,
    examinee: &'a Examinee,
    job: &JobData,
    wait: Duration,
    limit: Option<Duration>,
) -> Result<&'a Computed, RunError> {
    let begun = Instant::now();
    let computed = examinee.outcome.get_or_try_init(|| async {
        let Prepared { model, input, .. } = &examinee.prepared;
        let (outcome, took, energy_mj) = in_turn(turns, wait, async {
            let started = Instant::now();
            let left = wait.saturating_sub(begun.elapsed());
            // A run without a limit of its own is for a seat that is held.
            let work = limit.map_or(Work::Audit, |_| Work::Preparing);
            let limit = limit.unwrap_or_else(|| run_limit(job, left));
            let measured = running.energy.begin();
            let outcome = running.host.run_for(work, model, input, limit).await;
            let took = started.elapsed();
            let energy_mj = measured.end().await;
            let Running { host, meter, .. } = running;
            meter.note(&**host, model, &outcome, took).await;
            (outcome, took, energy_mj)
        })
        .await?;
        metrics::run(took.as_secs_f64());
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Ok::<_, RunError>(Computed {
            outcome: within_limit(outcome, job)?,
            compute_ms: took,
            energy_mj,
        })
    });
    computed.await
}

/// Runs the model before a seat is asked for, and keeps the outcome.
pub async fn try_out(
    running: &Running,
    turns: &Semaphore,
    examinee: Option<&Examinee>,
    job: &JobData,
    limit: Duration,
) -> Result<(), RunError> {
    let examinee = examinee.ok_or(RunError::NotPrepared)?;
    // A moment more than the run itself: what takes too long is to be told from what waited.
    let wait = limit.saturating_add(GRACE);
    compute(running, turns, examinee, job, wait, Some(limit)).await?;
    Ok(())
}

/// Runs the model, unless that was done, and compares under the primary's hints.
pub async fn run<C: Chain>(
    sources: &Sources<C>,
    running: &Running,
    turns: &Semaphore,
    examinee: Option<&Examinee>,
    job: &JobData,
    [run_within, hints_within]: [Duration; 2],
) -> Result<Examined, RunError> {
    let examinee = examinee.ok_or(RunError::NotPrepared)?;
    let begun = Instant::now();
    let computed = compute(running, turns, examinee, job, run_within, None).await?;
    let outcome = &computed.outcome;
    let profile = OutputProfile(job.output_profile);
    let body = body(computed, &profile, running.runtime.clone())?;
    // Without floats on a grid there is nothing to shift, and no hint to fetch.
    let expected = match outcome.audit(&profile, &[]) {
        Ok(root) => return Ok(Examined::Root { root, body }),
        Err(AuditFault::Hints { expected, .. }) => expected,
        Err(AuditFault::Profile(mismatch)) => return Err(mismatch.into()),
    };
    let left = hints_within.saturating_sub(begun.elapsed());
    let fetching = hints(sources, job, expected);
    let least = Duration::from_secs(1);
    let Ok(Some(hints)) = timeout(left.max(least), fetching).await else {
        return Ok(Examined::HintsMissing { body });
    };
    match outcome.audit(&profile, &hints) {
        Ok(root) => Ok(Examined::Root { root, body }),
        Err(AuditFault::Hints { expected, found }) => {
            tracing::warn!(
                expected,
                found,
                "the primary's hints have the wrong length; committing to that"
            );
            Ok(Examined::HintsWrong { body })
        }
        Err(AuditFault::Profile(mismatch)) => Err(mismatch.into()),
    }
}

/// The outcome under the job's own rule: outputs beyond its limit are the canonical error.
fn within_limit(outcome: Result<Outcome, EngineError>, job: &JobData) -> Result<Outcome, RunError> {
    let outcome = match outcome {
        Err(EngineError::Runtime(RuntimeFault::OutputTooLarge { .. })) => {
            return Ok(too_large(job));
        }
        other => other?,
    };
    let file = outcome.answer(&OutputProfile(job.output_profile))?.outputs;
    let bytes = file.map_or(0, |file| file.len());
    if u32::try_from(bytes).is_ok_and(|bytes| bytes <= job.output_limit) {
        Ok(outcome)
    } else {
        Ok(too_large(job))
    }
}

/// What is kept, and handed to the requester where that is the auditors' task.
fn body(
    computed: &Computed,
    profile: &OutputProfile,
    runtime: String,
) -> Result<Arc<Body>, RunError> {
    let outcome = &computed.outcome;
    let answer = outcome.answer(profile)?;
    Ok(Arc::new(Body {
        outputs: answer.outputs.unwrap_or_default(),
        hints: Vec::new(),
        outputs_json: serde_json::to_string(&describe(outcome))?,
        model_error: answer.failure.map(|failure| failure.message),
        runtime,
        compute_ms: computed.compute_ms,
        energy_mj: computed.energy_mj,
    }))
}

/// The primary's hints, from its worker; none if they cannot be had now.
async fn hints<C: Chain>(sources: &Sources<C>, job: &JobData, expected: usize) -> Option<Vec<u8>> {
    if is_zero(&job.hints_digest) {
        return None;
    }
    let digest = Digest(job.hints_digest);
    if digest == Digest::of(&[]) {
        return Some(Vec::new());
    }
    let primary = primary(sources, job).await;
    let primary = primary
        .inspect_err(|error| tracing::info!(%error, "the primary cannot be asked for its hints"))
        .ok()?;
    let wanted = Wanted {
        digest,
        size: u64::try_from(expected).unwrap_or(u64::MAX),
        uri: format!("{}{}", endpoint(&primary)?, blob_path(&digest)),
        limit: sources.limits.output_bytes,
    };
    let fetched = sources.artifacts.hints(&wanted).await;
    fetched
        .inspect_err(|error| tracing::info!(%error, "the primary's hints are not at hand"))
        .ok()
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::{commitment::error_root, outputs::DType};
    use assay_engine::Tensor;
    use bytemuck::Zeroable;

    use super::*;

    fn job(output_limit: u32) -> JobData {
        let mut job = JobData::zeroed();
        job.output_profile = [OutputProfile::UNUSED; 8];
        job.output_profile[0] = OutputProfile::EXACT;
        job.output_limit = output_limit;
        job
    }

    #[tokio::test]
    async fn audits_leave_an_engine_to_claimed_jobs_and_do_not_wait_for_ever() {
        for (engines, at_once) in [(0, 1), (1, 1), (2, 1), (4, 3)] {
            assert_eq!(turns(engines).available_permits(), at_once, "{engines}");
        }
        let (turns, within) = (turns(2), Duration::from_millis(10));
        let held = turns.acquire().await.unwrap();
        let late = in_turn(&turns, within, async { 1 }).await;
        assert!(matches!(late, Err(RunError::Late)));
        assert_eq!(late.unwrap_err().fault(), crate::core::RunFault::Again);
        drop(held);
        let within = Duration::from_secs(60);
        assert_eq!(in_turn(&turns, within, async { 1 }).await.unwrap(), 1);
        assert_eq!(turns.available_permits(), 1);
    }

    #[test]
    fn model_that_never_ends_leaves_time_to_other_seats() {
        let mut job = job(0);
        job.compute_secs = 60;
        let limit = |job: &JobData, left| run_limit(job, Duration::from_secs(left)).as_secs();
        assert_eq!(limit(&job, 600), 300);
        assert_eq!(limit(&job, 100), 60, "the primary had no more");
        assert_eq!(limit(&job, 30), 30);
        job.compute_secs = 3_600;
        assert_eq!(limit(&job, 4_000), 3_600);
    }

    #[test]
    fn no_single_audit_takes_the_whole_join_window_to_get_ready_for() {
        let mut job = job(0);
        job.panel_join_secs = 600;
        assert_eq!(patience(&job), Duration::from_secs(150));
        job.panel_join_secs = 10;
        assert_eq!(patience(&job), LEAST_PATIENCE);
    }

    /// As the primary's own rule, or honest parties would differ.
    #[test]
    fn outputs_beyond_the_jobs_limit_are_the_canonical_error() {
        let outcome = || {
            Outcome::Outputs(vec![Tensor {
                name: "y".into(),
                dtype: DType::U8,
                shape: vec![64],
                data: vec![7; 64],
            }])
        };
        let profile = OutputProfile(job(0).output_profile);
        let bytes = outcome().answer(&profile).unwrap().outputs.unwrap().len();
        let bytes = u32::try_from(bytes).unwrap();
        let root = |outcome, limit| {
            let outcome = within_limit(outcome, &job(limit)).unwrap();
            outcome.audit(&profile, &[]).unwrap()
        };
        assert_eq!(
            root(Ok(outcome()), bytes),
            outcome().answer(&profile).unwrap().root
        );
        assert_eq!(root(Ok(outcome()), bytes - 1), error_root());
        let beyond = EngineError::Runtime(RuntimeFault::OutputTooLarge { size: 9, limit: 8 });
        assert_eq!(root(Err(beyond), bytes), error_root());
    }
}
