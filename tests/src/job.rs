//! A job's way: what its requester, a provider's operator and anybody send.

use assay_client::{
    PROGRAM_ID, address,
    instruction::{
        JobCancel, JobClaim, JobClose, JobCommit, JobCreate, JobExpire, JobFinalize, JobRelease,
    },
    protocol::{
        Address, Digest, JobStatus, UnixSeconds,
        args::{JobCommitArgs, JobCreateArgs, JobFinalizeArgs},
        commitment::{Opening, Role, empty_hints_digest, secret_hash},
        limits::OPEN_SLOT_AGE,
        terms::JobTerms,
    },
};

use crate::{
    Call, Model, Outcome, Provider, SOL, World,
    panel::{ROOT, salt},
};

/// What every worker here reveals at the end.
pub const WORKER_SECRET: [u8; 32] = [0x3c; 32];

/// A job's parties and terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    pub account: Address,
    pub requester: Address,
    pub model: Address,
    /// The requester's acknowledgement.
    pub secret: [u8; 32],
    pub args: JobCreateArgs,
}

impl Job {
    /// The job with other terms, at the same address.
    #[must_use]
    pub fn with_terms(mut self, change: impl FnOnce(&mut JobTerms)) -> Self {
        change(&mut self.args.terms);
        self
    }
}

impl World {
    /// Terms of an unaudited job: up to 0.1 SOL, rising from 0.01 over a minute; 1 SOL of collateral.
    pub fn terms(secret: &[u8; 32]) -> JobTerms {
        JobTerms {
            ceiling: SOL / 10,
            floor: SOL / 100,
            collateral: SOL,
            audit_fee: 0,
            ramp_secs: 60,
            claim_secs: 120,
            compute_secs: 300,
            challenge_secs: 600,
            input_bytes: 320,
            output_limit: 4_096,
            audit_bps: 0,
            panel_size: 0,
            input_uri_len: 0,
            reserved: [0; 4],
            input_digest: Digest::of(&[b"input"]).0,
            requester_secret_hash: secret_hash(secret).0,
            runtime_class: [0; 32],
            exclusive_provider: Address::default(),
            input_uri: [0; 96],
        }
    }

    /// A job yet to be created, by a new wallet, for the first time this slot.
    pub fn new_job(&mut self, model: &Model) -> Job {
        let requester = self.wallet();
        self.new_job_of(requester, model)
    }

    /// A job yet to be created by this requester, at the next index whose address is free and cheap.
    pub fn new_job_of(&mut self, requester: Address, model: &Model) -> Job {
        let secret = Digest::of(&[b"secret", requester.as_ref()]).0;
        let open_slot = self.slot();
        let mut found = address::cheap_job(&requester, open_slot, 0);
        while self.exists(&found.address) {
            found = address::cheap_job(&requester, open_slot, found.index + 1);
        }
        let terms = Self::terms(&secret);
        let args = JobCreateArgs {
            open_slot,
            index: found.index,
            reserved: [0; 4],
            terms,
        };
        Job {
            account: found.address,
            requester,
            model: model.account,
            secret,
            args,
        }
    }

    pub fn job_create(&self, job: &Job) -> Call {
        let Job {
            requester,
            model,
            args,
            ..
        } = *job;
        JobCreate {
            requester,
            model,
            args,
        }
        .into()
    }

    /// Creates a job with the usual terms.
    #[track_caller]
    pub fn do_job_create(&mut self, model: &Model) -> Job {
        let job = self.new_job(model);
        self.do_job_create_as(&job);
        job
    }

    /// Creates a job that the test has prepared.
    #[track_caller]
    pub fn do_job_create_as(&mut self, job: &Job) -> Outcome {
        self.send(self.job_create(job)).accepted()
    }

    pub fn job_cancel(&self, job: &Job) -> Call {
        JobCancel {
            requester: job.requester,
            job: job.account,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_cancel(&mut self, job: &Job) -> Outcome {
        self.send(self.job_cancel(job)).accepted()
    }

    pub fn job_claim(&self, job: &Job, provider: &Provider) -> Call {
        let Provider {
            operator, account, ..
        } = *provider;
        JobClaim {
            operator,
            provider: account,
            job: job.account,
            min_price: 0,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_claim(&mut self, job: &Job, provider: &Provider) -> Outcome {
        self.send(self.job_claim(job, provider)).accepted()
    }

    /// Names the attempt that the job is in.
    pub fn job_release(&self, job: &Job, provider: &Provider) -> Call {
        let operator = provider.operator;
        let Job {
            requester, account, ..
        } = *job;
        JobRelease {
            operator,
            provider: provider.account,
            job: account,
            requester,
            attempt: self.job(&account).attempt,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_release(&mut self, job: &Job, provider: &Provider) -> Outcome {
        self.send(self.job_release(job, provider)).accepted()
    }

    /// What a worker commits to here, in the job's current attempt: [`ROOT`].
    pub fn commit_args(&self, job: &Job) -> JobCommitArgs {
        let data = self.job(&job.account);
        let opening = Opening {
            program_id: &PROGRAM_ID,
            job: &job.account,
            attempt: data.attempt,
            role: Role::Primary,
            provider: &data.provider,
            generation: data.generation,
            salt: &salt(&data.provider),
            root: &Digest(ROOT),
            hints_digest: &empty_hints_digest(),
            runtime_class: &data.runtime_class,
        };
        JobCommitArgs {
            commitment: opening.commitment().0,
            worker_secret_hash: secret_hash(&WORKER_SECRET).0,
            hints_digest: empty_hints_digest().0,
            attempt: data.attempt,
        }
    }

    pub fn job_commit(&self, job: &Job, provider: &Provider) -> Call {
        let Provider {
            operator, account, ..
        } = *provider;
        let args = self.commit_args(job);
        JobCommit {
            operator,
            provider: account,
            job: job.account,
            args,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_commit(&mut self, job: &Job, provider: &Provider) -> Outcome {
        self.send(self.job_commit(job, provider)).accepted()
    }

    fn finalize(job: &Job, provider: &Provider, acknowledged: bool) -> Call {
        let Provider {
            operator, account, ..
        } = *provider;
        let Job {
            requester,
            account: job,
            secret,
            ..
        } = *job;
        let args = JobFinalizeArgs {
            worker_secret: WORKER_SECRET,
            requester_secret: if acknowledged { secret } else { [0; 32] },
            acknowledged: u8::from(acknowledged),
        };
        JobFinalize {
            operator,
            provider: account,
            job,
            requester,
            args,
        }
        .into()
    }

    /// With the requester's acknowledgement.
    pub fn job_finalize(&self, job: &Job, provider: &Provider) -> Call {
        Self::finalize(job, provider, true)
    }

    #[track_caller]
    pub fn do_job_finalize(&mut self, job: &Job, provider: &Provider) -> Outcome {
        self.send(self.job_finalize(job, provider)).accepted()
    }

    /// Without the requester's acknowledgement: allowed only after the challenge window.
    pub fn job_finalize_alone(&self, job: &Job, provider: &Provider) -> Call {
        Self::finalize(job, provider, false)
    }

    /// Names the job's provider where it has one.
    pub fn job_expire(&self, job: &Job) -> Call {
        let provider = self.job(&job.account).provider;
        let provider = (provider != Address::default()).then_some(provider);
        JobExpire {
            job: job.account,
            requester: job.requester,
            provider,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_expire(&mut self, job: &Job) -> Outcome {
        self.send(self.job_expire(job)).accepted()
    }

    pub fn job_close(&self, job: &Job) -> Call {
        JobClose {
            job: job.account,
            requester: job.requester,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_close(&mut self, job: &Job) -> Outcome {
        self.send(self.job_close(job)).accepted()
    }

    // Whole ways.

    /// A job that this provider has claimed.
    #[track_caller]
    pub fn do_claimed_job(&mut self, model: &Model, provider: &Provider) -> Job {
        let job = self.do_job_create(model);
        self.do_job_claim(&job, provider);
        job
    }

    /// A job with this provider's commitment.
    #[track_caller]
    pub fn do_committed_job(&mut self, model: &Model, provider: &Provider) -> Job {
        let job = self.do_claimed_job(model, provider);
        self.do_job_commit(&job, provider);
        job
    }

    /// A job that was acknowledged, settled and paid.
    #[track_caller]
    pub fn do_settled_job(&mut self, model: &Model, provider: &Provider) -> Job {
        let job = self.do_committed_job(model, provider);
        self.do_job_finalize(&job, provider);
        job
    }

    /// The status on chain.
    pub fn status(&self, job: &Job) -> JobStatus {
        self.job(&job.account)
            .status()
            .expect("the program writes known statuses")
    }

    /// Lets time pass until one second after this deadline.
    pub fn pass_deadline(&mut self, deadline: UnixSeconds) {
        self.pass_to(UnixSeconds(deadline.0 + 1));
    }

    /// Lets slots pass until the job's address can never come again.
    pub fn pass_open_slot(&mut self, job: &Job) {
        let free = job.args.open_slot + OPEN_SLOT_AGE + 1;
        self.pass_slots(free.saturating_sub(self.slot()));
    }
}
