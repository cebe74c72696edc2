//! What others may ask of the core.

use std::collections::BTreeSet;

use assay_protocol::{Address, JobData, JobStatus};
use serde::{Deserialize, Serialize};

use super::{Core, is_newer, policy::Refusal, standing::Standing, work::Phase};

/// How many jobs stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Open jobs that may be claimed.
    pub candidates: usize,
    /// Claimed, or about to be, and not yet committed.
    pub busy: usize,
    /// Committed and not yet settled.
    pub committed: usize,
    /// Ours, but nothing more can be done for them.
    pub stuck: usize,
}

impl Core {
    /// Whether new work is taken, and why not.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The newest reading of a job this worker watches.
    pub fn job(&self, address: &Address) -> Option<&JobData> {
        self.work.get(address).map(|work| &work.job)
    }

    /// Whether the chain has not shown yet what was last sent for a job.
    pub fn is_sending(&self, address: &Address) -> bool {
        let work = self.work.get(address);
        work.is_some_and(|work| matches!(work.phase, Phase::Sending(_)))
    }

    /// Whether a preparation's end is waited for.
    pub fn is_preparing(&self, address: &Address) -> bool {
        let work = self.work.get(address);
        work.is_some_and(|work| work.phase == Phase::Preparing)
    }

    /// Jobs that are ours and not at an end, whose next readings matter most.
    pub fn live_jobs(&self) -> Vec<Address> {
        let restored = self.restored.keys().copied();
        self.work
            .iter()
            .filter(|(_, work)| work.is_live())
            .map(|(key, _)| *key)
            .chain(restored)
            .collect()
    }

    /// Whether it is worth a reading that a stranger shows this job.
    pub fn minds(&self, address: &Address, job: &JobData) -> bool {
        let open = job.status() == Ok(JobStatus::Open);
        if let Some(work) = self.work.get(address) {
            let matters = open || work.is_live() || work.is_candidate();
            return matters && is_newer(job.sequence, work.job.sequence);
        }
        let ours = job.provider == self.me.provider
            && job.status().is_ok_and(|status| !status.is_terminal());
        let wanted = || {
            let room = self.standing.is_accepting() && self.has_room(&job.requester);
            let class = self
                .account
                .map_or([0; 32], |account| account.runtime_class);
            room && self.policy.judge(job, &self.me.provider, &class).is_ok()
        };
        ours || self.restored.contains_key(address) || (open && wanted())
    }

    /// A digest of each job that is ours and not at an end.
    pub fn live_digests(&self, of: fn(&JobData) -> [u8; 32]) -> BTreeSet<[u8; 32]> {
        let live = self.live_jobs();
        let jobs = live.iter().filter_map(|address| self.job(address));
        jobs.map(of).collect()
    }

    /// Whether one more open job of this requester may be watched: nobody gets all places.
    pub(super) fn has_room(&self, requester: &Address) -> bool {
        let places = self.policy.watched_jobs;
        let theirs = self.watched.get(requester).copied().unwrap_or(0);
        self.work.len() < places && theirs < self.policy.share(places)
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for work in self.work.values() {
            if work.is_busy() {
                counts.busy += 1;
            } else {
                match work.phase {
                    Phase::Wanted | Phase::Preparing | Phase::Ready | Phase::Trying => {
                        counts.candidates += 1;
                    }
                    Phase::Waiting | Phase::Audited | Phase::Sending(_) => counts.committed += 1,
                    Phase::Stuck => counts.stuck += 1,
                    Phase::Running | Phase::Saving | Phase::Refused(_) | Phase::Over => {}
                }
            }
        }
        counts
    }

    /// Why a job is not wanted, for logs.
    pub fn refusal(&self, job: &Address) -> Option<Refusal> {
        match self.work.get(job)?.phase {
            Phase::Refused(refusal) => Some(refusal),
            Phase::Wanted
            | Phase::Preparing
            | Phase::Ready
            | Phase::Trying
            | Phase::Running
            | Phase::Saving
            | Phase::Sending(_)
            | Phase::Waiting
            | Phase::Audited
            | Phase::Stuck
            | Phase::Over => None,
        }
    }
}
