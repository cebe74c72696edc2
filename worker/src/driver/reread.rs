//! One job, read outside of the turn.

use assay_client::protocol::{Address, JobData};

use super::{Chain, Driver, Submitted};

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

impl<C: Chain> Driver<C> {
    /// Takes a reading over, if there is one.
    pub(super) fn read(&mut self, job: Address, reading: Option<JobReading>) {
        match reading {
            Some(Some(data)) => {
                self.parts.submitter.see(job, &data);
                self.core.handle_job(job, &data, self.now);
                self.exchange();
                self.audits.core.handle_job(job, &data, self.now);
            }
            Some(None) => {
                self.core.handle_gone(job, self.slot, self.now);
                self.audits.core.handle_gone(job, self.slot);
            }
            None => {}
        }
    }
}
