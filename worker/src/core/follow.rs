//! What follows from a new reading of a job.

use assay_protocol::{
    Address, BasisPoints, JobData, JobStatus, Lamports, UnixSeconds, amount::split_price,
};

use super::{
    Core,
    command::{Report, Step},
    policy::Refusal,
    work::Phase,
};

impl Core {
    /// Readings of many jobs at once, before any of them is chosen.
    pub fn handle_jobs(&mut self, jobs: &[(Address, JobData)], now: UnixSeconds) {
        for (address, job) in jobs {
            self.see(*address, job, now);
        }
        self.take_work(now);
    }

    /// Acts on a new reading of a job.
    pub(super) fn follow(&mut self, address: Address, status: JobStatus, now: UnixSeconds) {
        let Some(work) = self.work.get(&address) else {
            return;
        };
        let provider = self.me.provider;
        let mine = work.job.provider == provider;
        match status {
            JobStatus::Open => self.follow_open(address, now),
            JobStatus::Claimed if mine => self.follow_claimed(address, now),
            JobStatus::Committed if mine => self.follow_committed(address, now),
            JobStatus::Auditing | JobStatus::Appealing if mine => {
                self.follow_audited(address, now);
            }
            JobStatus::Unresolved if mine => {
                self.report(address, Report::Unresolved, now);
                self.leave(address, Phase::Over, now);
            }
            JobStatus::Settled if mine => {
                let price = Lamports(work.job.price);
                let split = split_price(price, BasisPoints(work.job.fee_bps));
                let earned = split.map_or(Lamports::ZERO, |split| split.earned);
                self.report(address, Report::Settled { price, earned }, now);
                self.leave(address, Phase::Over, now);
            }
            JobStatus::Faulted if mine => {
                self.report(address, Report::Faulted, now);
                self.leave(address, Phase::Over, now);
            }
            JobStatus::Claimed
            | JobStatus::Committed
            | JobStatus::Auditing
            | JobStatus::Appealing
            | JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => {
                self.report(address, Report::Lost, now);
                self.leave(address, Phase::Over, now);
            }
        }
    }

    pub(super) fn follow_open(&mut self, address: Address, now: UnixSeconds) {
        let Some(work) = self.work.get(&address) else {
            return;
        };
        if work.ours.is_some_and(|attempt| attempt < work.job.attempt) {
            self.report(address, Report::Lost, now);
            return self.leave(address, Phase::Refused(Refusal::LostBefore), now);
        }
        if work.phase == Phase::Sending(Step::Claim) && work.in_flight {
            return; // It may still land in this attempt; its end will be told.
        }
        let class = self
            .account
            .map_or([0; 32], |account| account.runtime_class);
        match self.policy.judge(&work.job, &self.me.provider, &class) {
            Err(refusal) => self.leave(address, Phase::Refused(refusal), now),
            Ok(()) if matches!(work.phase, Phase::Preparing | Phase::Trying) => {}
            Ok(()) => {
                let phase = if work.prepared {
                    Phase::Ready
                } else {
                    Phase::Wanted
                };
                self.enter(address, phase, now);
            }
        }
    }

    fn follow_claimed(&mut self, address: Address, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        work.ours = Some(work.job.attempt);
        let price = Lamports(work.job.price);
        let (saved, prepared) = (work.result().is_some(), work.prepared);
        let preparing = work.phase == Phase::Preparing;
        self.report(address, Report::Claimed { price }, now);
        if saved {
            self.send(address, Step::Commit, now);
        } else if prepared {
            self.run(address, now);
        } else if !preparing {
            self.prepare(address, now);
        }
    }

    /// The verdict is the audits' matter; the job waits for its end here.
    fn follow_audited(&mut self, address: Address, now: UnixSeconds) {
        if let Some(work) = self.work.get_mut(&address) {
            work.ours = Some(work.job.attempt);
        }
        self.report(address, Report::Audited, now);
        self.leave(address, Phase::Audited, now);
    }

    fn follow_committed(&mut self, address: Address, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        work.ours = Some(work.job.attempt);
        let commitment = work.job.commitment;
        let known = work
            .result()
            .is_some_and(|result| result.commitment.0 == commitment);
        let acknowledged = work.acknowledged.is_some();
        if !known {
            self.report(address, Report::SecretsMissing, now);
            return self.leave(address, Phase::Stuck, now);
        }
        self.report(address, Report::Committed, now);
        if acknowledged {
            self.send(address, Step::Finalize, now);
        } else {
            self.leave(address, Phase::Waiting, now);
            self.look(address, now);
        }
    }
}
