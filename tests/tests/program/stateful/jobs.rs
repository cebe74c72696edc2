//! The book's rules for jobs.

use assay_client::{
    address,
    protocol::{Address, Error, JobStatus, args::JobCreateArgs, terms::JobTerms},
};

use super::shadow::{Expected, Job, Outcome, Shadow, possible, rule};

const PAUSE_JOBS: u8 = 1;
const ATTEMPTS: u8 = 3;
const SLOTS: u64 = 150;
const GRACE: i64 = 86_400;

impl Job {
    fn claim_deadline(&self) -> i64 {
        self.opened + i64::from(self.args.terms.claim_secs)
    }

    fn compute_deadline(&self) -> i64 {
        self.claimed + i64::from(self.args.terms.compute_secs)
    }

    fn challenge_deadline(&self) -> i64 {
        self.committed + i64::from(self.args.terms.challenge_secs)
    }

    /// The moment after which something else may happen to the job; long ago for an ended one.
    pub fn next_deadline(&self) -> i64 {
        match self.status {
            JobStatus::Open => self.claim_deadline(),
            JobStatus::Claimed => self.compute_deadline(),
            JobStatus::Committed => self.challenge_deadline(),
            JobStatus::Auditing
            | JobStatus::Appealing
            | JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => 0,
        }
    }

    pub fn price_at(&self, now: i64) -> u64 {
        let terms = &self.args.terms;
        let (climbed, ramp) = (self.climbed + now - self.opened, i64::from(terms.ramp_secs));
        if climbed >= ramp {
            return terms.ceiling;
        }
        let rise = i128::from(terms.ceiling - terms.floor) * i128::from(climbed) / i128::from(ramp);
        terms.floor + u64::try_from(rise).expect("a part of a u64")
    }
}

fn terms_kept(terms: &JobTerms, shadow: &Shadow) -> Outcome {
    let params = &shadow.params;
    let audited = terms.audit_bps != 0 || terms.panel_size != 0 || terms.audit_fee != 0;
    rule(
        (1..=params.max_ceiling).contains(&terms.ceiling),
        Error::TermsCeilingInvalid,
    )?;
    rule(terms.floor <= terms.ceiling, Error::TermsFloorInvalid)?;
    rule(
        (terms.ceiling..=1 << 49).contains(&terms.collateral),
        Error::TermsCollateralInvalid,
    )?;
    let claim = params.min_claim_secs..=params.max_claim_secs;
    rule(
        claim.contains(&terms.claim_secs),
        Error::TermsClaimWindowInvalid,
    )?;
    rule(terms.ramp_secs <= terms.claim_secs, Error::TermsRampInvalid)?;
    let compute = params.min_compute_secs..=params.max_compute_secs;
    rule(
        compute.contains(&terms.compute_secs),
        Error::TermsComputeWindowInvalid,
    )?;
    let challenge = params.min_challenge_secs..=params.max_challenge_secs;
    rule(
        challenge.contains(&terms.challenge_secs),
        Error::TermsChallengeWindowInvalid,
    )?;
    rule(!audited, Error::TermsPanelInvalid)?;
    rule(
        terms.input_bytes > 0 && terms.output_limit > 0,
        Error::TermsBytesInvalid,
    )?;
    rule(
        terms.requester_secret_hash != [0; 32],
        Error::TermsSecretHashMissing,
    )?;
    rule(
        terms.input_digest != [0; 32],
        Error::TermsInputDigestMissing,
    )
}

impl Shadow {
    pub fn job_create(
        &mut self,
        requester: Address,
        model: Address,
        secret: [u8; 32],
        args: JobCreateArgs,
    ) -> Outcome {
        let account = address::job(&requester, args.open_slot, args.index);
        let retired = self
            .models
            .get(&model)
            .ok_or(Expected::Refused)?
            .retired_at
            .is_some();
        possible(!self.jobs.contains_key(&account))?;
        self.pay(&requester, self.rents.job)?;
        rule(self.paused & PAUSE_JOBS == 0, Error::MarketPaused)?;
        rule(!retired, Error::ModelRetired)?;
        let age = self.slot.checked_sub(args.open_slot);
        rule(age.is_some_and(|age| age <= SLOTS), Error::JobSlotInvalid)?;
        terms_kept(&args.terms, self)?;
        self.pay(&requester, args.terms.ceiling)?;
        let job = Job {
            requester,
            secret,
            args,
            status: JobStatus::Open,
            holder: None,
            attempt: 0,
            opened: self.now,
            claimed: 0,
            committed: 0,
            climbed: 0,
            price: 0,
            escrow: args.terms.ceiling,
            refund_due: 0,
            fee_bps: self.params.fee_bps,
            gift: 0,
        };
        self.jobs.insert(account, job);
        Ok(())
    }

    fn job(&self, account: &Address) -> Result<Job, Expected> {
        self.jobs.get(account).copied().ok_or(Expected::Refused)
    }

    /// Ends the job: `kept` of the escrow is the provider's, the rest the requester's.
    fn end(&mut self, mut job: Job, account: &Address, status: JobStatus, kept: u64) {
        let refund = job.escrow - kept;
        (job.status, job.escrow) = (status, 0);
        let balance = self.balance(&job.requester);
        if refund > 0 && balance + refund < self.rents.wallet {
            job.refund_due = refund;
        } else {
            self.credit(&job.requester, refund);
        }
        self.jobs.insert(*account, job);
    }

    pub fn job_cancel(&mut self, account: Address, signer: Address) -> Outcome {
        let job = self.job(&account)?;
        rule(job.requester == signer, Error::JobRequesterMismatch)?;
        rule(job.status == JobStatus::Open, Error::JobNotOpen)?;
        self.end(job, &account, JobStatus::Cancelled, 0);
        Ok(())
    }

    pub fn job_claim(
        &mut self,
        account: Address,
        claimant: Address,
        signer: Address,
        least: u64,
    ) -> Outcome {
        let mut provider = *self.providers.get(&claimant).ok_or(Expected::Refused)?;
        let mut job = self.job(&account)?;
        let terms = job.args.terms;
        rule(provider.operator == signer, Error::ProviderOperatorMismatch)?;
        let invited = [Address::default(), claimant].contains(&terms.exclusive_provider);
        rule(invited, Error::ProviderNotInvited)?;
        let classed = [[0; 32], provider.class].contains(&terms.runtime_class);
        rule(classed, Error::ProviderClassMismatch)?;
        rule(job.status == JobStatus::Open, Error::JobNotOpen)?;
        rule(
            self.now <= job.claim_deadline(),
            Error::JobClaimDeadlinePassed,
        )?;
        let price = job.price_at(self.now);
        rule(price >= least, Error::JobPriceBelowMinimum)?;
        rule(
            terms.collateral <= provider.free,
            Error::ProviderStakeInsufficient,
        )?;
        provider.free -= terms.collateral;
        job.climbed += self.now - job.opened;
        (job.status, job.price, job.claimed) = (JobStatus::Claimed, price, self.now);
        job.holder = Some((claimant, provider.generation));
        self.providers.insert(claimant, provider);
        self.jobs.insert(account, job);
        Ok(())
    }

    /// The operator's job, if it is.
    fn own(&self, account: &Address, claimant: &Address, signer: Address) -> Result<Job, Expected> {
        let provider = *self.providers.get(claimant).ok_or(Expected::Refused)?;
        let job = self.job(account)?;
        rule(provider.operator == signer, Error::ProviderOperatorMismatch)?;
        let own = job.holder == Some((*claimant, provider.generation));
        rule(own, Error::JobProviderMismatch)?;
        Ok(job)
    }

    /// Gives the collateral back but for the slash.
    fn unreserve(&mut self, holder: &Address, job: &Job, slash: u64) {
        if let Some(provider) = self.providers.get_mut(holder) {
            provider.free += job.args.terms.collateral - slash;
        }
        self.burned += slash;
    }

    fn lose(&mut self, mut job: Job, account: &Address, slash: u64, reopened: i64) {
        if let Some((holder, _)) = job.holder.take() {
            self.unreserve(&holder, &job, slash);
        }
        job.price = 0;
        job.attempt += 1;
        if job.attempt == ATTEMPTS {
            return self.end(job, account, JobStatus::Expired, 0);
        }
        (job.status, job.opened) = (JobStatus::Open, reopened);
        self.jobs.insert(*account, job);
    }

    pub fn job_release(
        &mut self,
        account: Address,
        claimant: Address,
        signer: Address,
        requester: Address,
        attempt: u8,
    ) -> Outcome {
        let job = self.own(&account, &claimant, signer)?;
        rule(job.requester == requester, Error::JobRequesterMismatch)?;
        rule(job.status == JobStatus::Claimed, Error::JobNotClaimed)?;
        rule(job.attempt == attempt, Error::JobAttemptMismatch)?;
        rule(
            self.now <= job.compute_deadline(),
            Error::JobComputeDeadlinePassed,
        )?;
        let slash = job.args.terms.ceiling.min(job.args.terms.collateral) / 4;
        self.lose(job, &account, slash, self.now);
        Ok(())
    }

    pub fn job_commit(
        &mut self,
        account: Address,
        claimant: Address,
        signer: Address,
        attempt: u8,
        whole: bool,
    ) -> Outcome {
        let mut job = self.own(&account, &claimant, signer)?;
        rule(job.status == JobStatus::Claimed, Error::JobNotClaimed)?;
        rule(job.attempt == attempt, Error::JobAttemptMismatch)?;
        rule(
            self.now <= job.compute_deadline(),
            Error::JobComputeDeadlinePassed,
        )?;
        rule(whole, Error::JobCommitmentMissing)?;
        (job.status, job.committed) = (JobStatus::Committed, self.now);
        self.jobs.insert(account, job);
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
        let job = self.own(&account, &claimant, signer)?;
        rule(job.requester == requester, Error::JobRequesterMismatch)?;
        rule(job.status == JobStatus::Committed, Error::JobNotCommitted)?;
        let in_time = self.now <= job.challenge_deadline() + GRACE;
        rule(
            in_time || reveals.acknowledged,
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
        let fee = u128::from(job.price) * u128::from(job.fee_bps) / 10_000;
        let fee = u64::try_from(fee).expect("a part of a u64");
        self.unreserve(&claimant, &job, 0);
        let provider = self.providers.get_mut(&claimant).ok_or(Expected::Refused)?;
        provider.earnings += job.price - fee;
        provider.fees += fee;
        self.end(job, &account, JobStatus::Settled, job.price);
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
                self.end(job, &account, JobStatus::Expired, 0);
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
                self.end(job, &account, JobStatus::Faulted, 0);
            }
        }
        Ok(())
    }

    pub fn job_close(&mut self, account: Address, requester: Address) -> Outcome {
        let job = self.job(&account)?;
        rule(job.requester == requester, Error::JobRequesterMismatch)?;
        let ended = !matches!(
            job.status,
            JobStatus::Open | JobStatus::Claimed | JobStatus::Committed
        );
        rule(ended, Error::JobNotTerminal)?;
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
