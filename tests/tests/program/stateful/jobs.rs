//! The book's rules for jobs.

mod end;
mod terms;

use assay_client::{
    address,
    protocol::{Address, Error, JobStatus, args::JobCreateArgs},
};

use super::{
    seal::Seal,
    shadow::{Expected, Job, Outcome, Shadow, possible, rule},
};

pub use end::Reveals;

const PAUSE_JOBS: u8 = 1;
const ATTEMPTS: u8 = 3;
const SLOTS: u64 = 150;
const GRACE: i64 = 86_400;

impl Job {
    pub fn claim_deadline(&self) -> i64 {
        self.opened + i64::from(self.args.terms.claim_secs)
    }

    pub fn compute_deadline(&self) -> i64 {
        self.claimed + i64::from(self.args.terms.compute_secs)
    }

    pub fn challenge_deadline(&self) -> i64 {
        self.committed + i64::from(self.args.terms.challenge_secs)
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
        terms::kept(&args.terms, &self.params)?;
        let fees = u64::from(args.terms.panel_size) * args.terms.audit_fee;
        let escrow = args.terms.ceiling + fees;
        self.pay(&requester, escrow)?;
        let job = Job {
            escrow,
            ..Job::new(requester, secret, args, self)
        };
        self.jobs.insert(account, job);
        Ok(())
    }

    pub fn job(&self, account: &Address) -> Result<Job, Expected> {
        self.jobs.get(account).copied().ok_or(Expected::Refused)
    }

    pub fn job_cancel(&mut self, account: Address, signer: Address) -> Outcome {
        let job = self.job(&account)?;
        rule(job.requester == signer, Error::JobRequesterMismatch)?;
        rule(job.status == JobStatus::Open, Error::JobNotOpen)?;
        self.end(job, &account, JobStatus::Cancelled, job.escrow);
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
    pub(crate) fn own(
        &self,
        account: &Address,
        claimant: &Address,
        signer: Address,
    ) -> Result<Job, Expected> {
        let provider = *self.providers.get(claimant).ok_or(Expected::Refused)?;
        let job = self.job(account)?;
        rule(provider.operator == signer, Error::ProviderOperatorMismatch)?;
        let own = job.holder == Some((*claimant, provider.generation));
        rule(own, Error::JobProviderMismatch)?;
        Ok(job)
    }

    /// Gives the collateral back but for the slash.
    pub(crate) fn unreserve(&mut self, holder: &Address, job: &Job, slash: u64) {
        if let Some(provider) = self.providers.get_mut(holder) {
            provider.free += job.args.terms.collateral - slash;
        }
        self.burned += slash;
    }

    pub(crate) fn lose(&mut self, mut job: Job, account: &Address, slash: u64, reopened: i64) {
        if let Some((holder, _)) = job.holder.take() {
            self.unreserve(&holder, &job, slash);
        }
        job.price = 0;
        job.attempt += 1;
        if job.attempt == ATTEMPTS {
            return self.end(job, account, JobStatus::Expired, job.escrow);
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
        seal: Option<Seal>,
    ) -> Outcome {
        let mut job = self.own(&account, &claimant, signer)?;
        rule(job.status == JobStatus::Claimed, Error::JobNotClaimed)?;
        rule(job.attempt == attempt, Error::JobAttemptMismatch)?;
        rule(
            self.now <= job.compute_deadline(),
            Error::JobComputeDeadlinePassed,
        )?;
        rule(seal.is_some(), Error::JobCommitmentMissing)?;
        job.seal = seal;
        (job.status, job.committed) = (JobStatus::Committed, self.now);
        self.jobs.insert(account, job);
        Ok(())
    }
}
