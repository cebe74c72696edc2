//! How the book ends a job, or sends it before a panel.

use assay_client::protocol::{Address, Digest, Error, JobStatus};
use assay_tests::WORKER_SECRET;

use super::{
    super::shadow::{Expected, Job, Outcome, Shadow, possible, rule},
    GRACE, SLOTS,
};

/// A panel's seed is the first hash this many slots after it was convened.
const AHEAD: u64 = 8;

impl Job {
    /// Whether both secrets together draw the job for audit.
    fn is_drawn(&self, account: &Address) -> bool {
        let parts: [&[u8]; 5] = [
            b"assay/draw/1",
            account.as_ref(),
            &[self.attempt],
            &WORKER_SECRET,
            &self.secret,
        ];
        let seed = Digest::of(&parts).0;
        let point = u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]]);
        (u64::from(point) * 10_000) >> 32 < u64::from(self.args.terms.audit_bps)
    }
}

impl Shadow {
    /// Ends the job: this much of what it holds is the requester's.
    pub(crate) fn end(&mut self, mut job: Job, account: &Address, status: JobStatus, refund: u64) {
        (job.status, job.escrow, job.bond) = (status, 0, 0);
        let balance = self.balance(&job.requester);
        if refund > 0 && balance + refund < self.rents.wallet {
            job.refund_due = refund;
        } else {
            self.credit(&job.requester, refund);
        }
        self.jobs.insert(*account, job);
    }

    /// Asks for a panel of this level.
    pub(crate) fn convene(&mut self, mut job: Job, account: &Address, level: u8) {
        job.status = if level == 1 {
            JobStatus::Auditing
        } else {
            JobStatus::Appealing
        };
        (job.level, job.convened, job.target) = (level, self.now, self.slot + AHEAD);
        self.jobs.insert(*account, job);
    }

    /// Pays the primary, less the market's fee.
    pub(crate) fn reward(&mut self, holder: &Address, job: &Job, paid: u64) {
        let fee = u128::from(paid) * u128::from(job.params.fee_bps) / 10_000;
        let fee = u64::try_from(fee).expect("a part of a u64");
        if let Some(provider) = self.providers.get_mut(holder) {
            provider.earnings += paid - fee;
            provider.fees += fee;
        }
    }

    pub fn job_dispute(&mut self, account: Address, signer: Address) -> Outcome {
        let mut job = self.job(&account)?;
        rule(job.requester == signer, Error::JobRequesterMismatch)?;
        rule(job.status == JobStatus::Committed, Error::JobNotCommitted)?;
        rule(job.args.terms.audit_bps > 0, Error::JobUnaudited)?;
        rule(
            self.now <= job.challenge_deadline(),
            Error::JobChallengeWindowPassed,
        )?;
        job.bond = 5 * job.args.terms.audit_fee;
        self.pay(&signer, job.bond)?;
        self.convene(job, &account, 2);
        Ok(())
    }

    pub fn job_finalize(
        &mut self,
        account: Address,
        claimant: Address,
        signer: Address,
        requester: Address,
        reveals: Reveals,
    ) -> Outcome {
        let mut job = self.own(&account, &claimant, signer)?;
        rule(job.requester == requester, Error::JobRequesterMismatch)?;
        rule(job.status == JobStatus::Committed, Error::JobNotCommitted)?;
        let in_time = self.now <= job.challenge_deadline() + GRACE;
        let audited = job.args.terms.audit_bps > 0;
        rule(
            in_time || (reveals.acknowledged && !audited),
            Error::JobFinalizeDeadlinePassed,
        )?;
        rule(reveals.worker, Error::JobWorkerSecretMismatch)?;
        if reveals.acknowledged {
            rule(reveals.requester, Error::JobRequesterSecretMismatch)?;
        } else {
            rule(
                self.now > job.challenge_deadline(),
                Error::JobChallengeWindowOpen,
            )?;
        }
        job.acknowledged = reveals.acknowledged;
        if audited && (!reveals.acknowledged || job.is_drawn(&account)) {
            self.convene(job, &account, 1);
            return Ok(());
        }
        self.unreserve(&claimant, &job, 0);
        self.reward(&claimant, &job, job.price);
        self.end(job, &account, JobStatus::Settled, job.escrow - job.price);
        Ok(())
    }

    pub fn job_expire(
        &mut self,
        account: Address,
        requester: Address,
        named: Option<Address>,
    ) -> Outcome {
        let job = self.job(&account)?;
        possible(named.is_none_or(|named| self.providers.contains_key(&named)))?;
        rule(job.requester == requester, Error::JobRequesterMismatch)?;
        let live = matches!(job.status, JobStatus::Claimed | JobStatus::Committed);
        rule(
            live || job.status == JobStatus::Open,
            Error::JobNotExpirable,
        )?;
        if live {
            let named = named.ok_or(Expected::Fact(Error::ProviderMissing))?;
            let holds = job.holder.is_some_and(|(holder, _)| holder == named);
            rule(holds, Error::JobProviderMismatch)?;
        }
        let terms = job.args.terms;
        match job.status {
            JobStatus::Open => {
                rule(self.now > job.claim_deadline(), Error::JobNotExpired)?;
                self.end(job, &account, JobStatus::Expired, job.escrow);
            }
            JobStatus::Claimed => {
                let deadline = job.compute_deadline();
                rule(self.now > deadline, Error::JobNotExpired)?;
                self.lose(job, &account, terms.ceiling.min(terms.collateral), deadline);
            }
            _ => {
                rule(
                    self.now > job.challenge_deadline() + GRACE,
                    Error::JobNotExpired,
                )?;
                if let Some((holder, _)) = job.holder {
                    self.unreserve(&holder, &job, terms.collateral);
                }
                self.end(job, &account, JobStatus::Faulted, job.escrow);
            }
        }
        Ok(())
    }

    pub fn job_close(&mut self, account: Address, requester: Address) -> Outcome {
        let job = self.job(&account)?;
        rule(job.requester == requester, Error::JobRequesterMismatch)?;
        let ended = job.status.is_terminal();
        rule(ended, Error::JobNotTerminal)?;
        let panels = self.live_panels(&account).count();
        rule(panels == 0, Error::JobPanelsLive)?;
        rule(
            self.slot - job.args.open_slot > SLOTS,
            Error::JobSlotTooRecent,
        )?;
        self.credit(&requester, self.rents.job + job.refund_due + job.gift);
        self.jobs.remove(&account);
        Ok(())
    }
}

/// Which secrets a finalization shows, and whether they are the right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reveals {
    pub worker: bool,
    pub requester: bool,
    pub acknowledged: bool,
}
