//! Following a job whose account is gone.

use anyhow::{Result, anyhow};
use assay_client::protocol::{JobData, JobStatus};

use super::{Follower, LOOKS_BETWEEN_QUESTIONS};
use crate::job::fate::fate;

impl Follower<'_> {
    /// There is no account. It may be closed, which anyone may do to an ended job, or a node may lag.
    pub(super) async fn gone(&mut self) -> Result<Option<JobData>> {
        let Some(last) = self.last else {
            self.endure(anyhow!(
                "there is no job at {}; check the address and --url",
                self.job
            ))?;
            return Ok(None);
        };
        if self.closed {
            return Ok(Some(last));
        }
        if last.status().is_ok_and(JobStatus::is_terminal) {
            self.closed = true;
            return Ok(Some(last));
        }
        if !self.looks.is_multiple_of(LOOKS_BETWEEN_QUESTIONS) {
            return Ok(None);
        }
        match fate(self.context, &self.job).await {
            Ok(Some(fate)) => {
                self.closed = true;
                self.resolved = fate.resolved;
                return Ok(Some(fate.apply(last)));
            }
            Ok(None) => self.endure(anyhow!(self.lost(&last)))?,
            Err(error) => self.endure(error.context(self.lost(&last)))?,
        }
        Ok(None)
    }

    /// What is known of a job whose account is gone and whose transactions do not say why.
    fn lost(&self, last: &JobData) -> String {
        let status = last.status().map_or("unknown", JobStatus::name);
        let result = if self.result.is_some() {
            format!(
                "its verified result is kept, see {}",
                self.keep.receipt.display()
            )
        } else {
            "no result was fetched".to_owned()
        };
        let acknowledged = if self.acknowledged {
            "acknowledged"
        } else {
            "not acknowledged"
        };
        format!(
            "the account of the job {} is gone and its transactions do not say how it ended; it was last seen \
             {status}, {acknowledged}, and {result}",
            self.job
        )
    }
}
