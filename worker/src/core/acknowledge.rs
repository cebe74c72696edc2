//! What a requester's secret is worth now.

use assay_protocol::{Address, JobStatus, UnixSeconds, commitment};

use super::{
    Core,
    command::{AcknowledgeError, Acknowledgement, Step},
    work::Phase,
};

impl Core {
    /// Whether an acknowledgement is valid, and whether it is new.
    pub fn check_acknowledgement(
        &self,
        address: &Address,
        secret: &[u8; 32],
    ) -> Result<Acknowledgement, AcknowledgeError> {
        let work = self.work.get(address).filter(|work| work.ours.is_some());
        let work = work.ok_or(AcknowledgeError::Unknown)?;
        if commitment::secret_hash(secret).0 != work.job.requester_secret_hash {
            return Err(AcknowledgeError::SecretMismatch);
        }
        // A job that is judged or over needs no acknowledgement any more.
        let late =
            work.phase == Phase::Audited || work.status().is_some_and(JobStatus::is_terminal);
        if late || work.acknowledged.is_some() {
            return Ok(Acknowledgement::Known);
        }
        if work.is_ours(&self.me.provider, JobStatus::Committed) {
            Ok(Acknowledgement::New {
                attempt: work.job.attempt,
            })
        } else {
            Err(AcknowledgeError::NotCommitted)
        }
    }

    /// A checked acknowledgement is on disk.
    pub fn handle_acknowledged(&mut self, address: Address, secret: [u8; 32], now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        work.acknowledged = Some(secret);
        let committed = work.is_ours(&self.me.provider, JobStatus::Committed);
        if committed && matches!(work.phase, Phase::Waiting | Phase::Stuck) {
            self.send(address, Step::Finalize, now);
        }
    }
}
