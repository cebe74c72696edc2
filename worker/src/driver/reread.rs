//! One job, read outside of the turn.

use assay_client::protocol::{Address, JobData};

use super::{Chain, Submitted};

/// A job as just read; none if it does not exist.
pub type JobReading = Option<Box<JobData>>;

/// What a job is like after a transaction for it. What landed is told by a websocket, or the next
/// reading comes early for it; what else became of the job is read at once.
pub(super) async fn after<C: Chain>(
    chain: &C,
    outcome: Submitted,
    job: Address,
) -> Option<JobReading> {
    match outcome {
        Submitted::Landed => None,
        Submitted::Refused(_) | Submitted::Expired => reread(chain, job).await,
    }
}

/// Reads one job again; none if that failed.
pub(super) async fn reread<C: Chain>(chain: &C, job: Address) -> Option<JobReading> {
    let jobs = chain.jobs(&[job]).await.ok()?;
    let (_, job) = jobs.into_iter().next()?;
    Some(job.map(Box::new))
}
