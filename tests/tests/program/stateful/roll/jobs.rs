//! What requesters and operators send.

use assay_client::protocol::{
    Address, Digest, JobStatus, args::JobCreateArgs, commitment::secret_hash, panel::UNAVAILABLE,
    terms::JobTerms,
};
use assay_tests::{SOL, World};

use super::Turn;
use crate::program::stateful::{
    action::Action,
    dice::Dice,
    jobs::Reveals,
    seal::{LIES, Shown, TRUTH},
    shadow::{Job, Provider},
};

impl Turn<'_> {
    pub(super) fn class(&mut self) -> [u8; 32] {
        *self
            .dice
            .pick(&[[7; 32], [7; 32], [7; 32], [8; 32], [0; 32]])
    }

    pub(super) fn terms(&mut self) -> JobTerms {
        let dice = &mut *self.dice;
        let ceiling = match dice.below(10) {
            0 => dice.within(1, 100),
            1..3 => dice.within(1, 20_000),
            _ => dice.within(1, SOL / 20),
        };
        let claim_secs = window(dice);
        let mut terms = JobTerms {
            ceiling,
            floor: dice.within(0, ceiling),
            collateral: dice.within(ceiling, ceiling * 3),
            ramp_secs: dice.secs(0, claim_secs),
            claim_secs,
            compute_secs: window(dice),
            challenge_secs: window(dice),
            exclusive_provider: Address::default(),
            ..World::terms(&[0; 32])
        };
        if dice.percent(85) {
            terms.audit_bps = self.rate;
            terms.panel_size = if dice.percent(50) { 2 } else { 3 };
            terms.audit_fee = dice.within(ceiling, ceiling * 2);
            terms.collateral = dice.within(terms.audit_fee * 20, terms.audit_fee * 25);
        }
        terms
    }

    /// Breaks one term.
    fn spoil(&mut self, terms: &mut JobTerms) {
        match self.dice.below(19) {
            0 => terms.ceiling = 0,
            1 => (terms.ceiling, terms.collateral) = (SOL, SOL),
            2 => terms.floor = terms.ceiling + 1,
            3 => terms.collateral = terms.ceiling - 1,
            4 => terms.ramp_secs = terms.claim_secs + 1,
            5 => terms.claim_secs = 100_000,
            6 => terms.compute_secs = 1,
            7 => terms.challenge_secs = 100_000,
            8 => terms.output_limit = 0,
            9 => terms.requester_secret_hash = [0; 32],
            10 => terms.input_digest = [0; 32],
            11 => terms.audit_bps = *self.dice.pick(&[0, 1, 2, 10_001]),
            12 => terms.panel_size = *self.dice.pick(&[0, 1, 4, 5]),
            13 => terms.audit_fee = terms.ceiling - 1,
            14 => terms.audit_fee = terms.ceiling * 2 + 1,
            15 => terms.audit_fee = 0,
            _ => terms.collateral = (terms.audit_fee * 20).max(terms.ceiling) - 1,
        }
    }

    pub(super) fn create(&mut self) -> Action {
        let requester = *self.dice.pick(&self.cast.requesters);
        let secret = Digest::of(&[&self.dice.next().to_le_bytes()]).0;
        let mut terms = self.terms();
        terms.requester_secret_hash = secret_hash(&secret).0;
        if self.dice.percent(10) {
            terms.exclusive_provider = self.provider().0;
        }
        if self.dice.percent(15) {
            terms.runtime_class = self.class();
        }
        if self.dice.percent(15) {
            self.spoil(&mut terms);
        }
        let back = if self.dice.percent(90) {
            self.dice.below(3)
        } else {
            self.dice.within(140, 160)
        };
        let ahead = u64::from(self.dice.percent(1));
        let mut open_slot = self.book.slot - back + ahead * (back + 1);
        let mut index = self.created;
        if let Some((_, job)) = self.job(&[]).filter(|_| self.dice.percent(3)) {
            // An address that is or was in use.
            if job.requester == requester {
                (open_slot, index) = (job.args.open_slot, job.args.index);
            }
        }
        let retired = self.dice.percent(5);
        let models: Vec<_> = self
            .book
            .models
            .iter()
            .filter(|(_, model)| model.retired_at.is_some() == retired)
            .map(|(account, _)| *account)
            .collect();
        let model = if models.is_empty() {
            self.cast.sink
        } else {
            *self.dice.pick(&models)
        };
        let args = JobCreateArgs {
            open_slot,
            index,
            reserved: [0; 4],
            terms,
        };
        Action::JobCreate {
            requester,
            model,
            secret,
            args,
        }
    }

    /// What somebody sensible does next about a job, if there is anything to be done but to wait.
    pub(super) fn next_step(&mut self) -> Option<Action> {
        let jobs: Vec<(Address, Job)> = self
            .book
            .jobs
            .iter()
            .map(|(account, job)| (*account, *job))
            .collect();
        if jobs.is_empty() {
            return None;
        }
        let (account, job) = *self.dice.pick(&jobs);
        let overdue = self.book.now > self.book.next_deadline(&account, &job);
        let old = self.book.slot > job.args.open_slot + 150;
        let free = old && self.book.live_panels(&account).next().is_none();
        self.focus = Some((account, job));
        let step = match job.status {
            JobStatus::Open | JobStatus::Claimed if overdue => Some(self.expire()),
            JobStatus::Open => Some(self.claim()),
            JobStatus::Claimed => Some(self.commit()),
            JobStatus::Committed => Some(self.finalize()),
            JobStatus::Auditing | JobStatus::Appealing => None,
            JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => free.then(|| self.close()),
        };
        self.focus = None;
        step
    }

    pub(super) fn claim(&mut self) -> Action {
        let (job, found) = self.some_job(&[JobStatus::Open]);
        let (provider, held) = self.claimant(&found);
        let least = match self.dice.below(12) {
            0 => found.price_at(self.book.now.max(found.opened)) + 1,
            1 => found.price_at(self.book.now.max(found.opened)),
            _ => 0,
        };
        Action::JobClaim {
            job,
            provider,
            signer: self.key(held.operator),
            least,
        }
    }

    pub(super) fn commit(&mut self) -> Action {
        let (job, found) = self.some_job(&[JobStatus::Claimed]);
        let (provider, held) = self.holder(&found);
        let attempt = found.attempt ^ u8::from(self.dice.percent(3));
        let root = match self.dice.below(20) {
            0..3 => LIES[0],
            3 => *self.dice.pick(&[UNAVAILABLE, LIES[1]]),
            _ => TRUTH,
        };
        let salt = [0x5a; 32];
        let mut seal = found.primary_seal(&job, Shown { salt, root });
        self.forge(&mut seal);
        Action::JobCommit {
            job,
            provider,
            signer: self.key(held.operator),
            attempt,
            seal: (!self.dice.percent(3)).then_some(seal),
        }
    }

    /// Mostly a provider that may claim.
    fn claimant(&mut self, job: &Job) -> (Address, Provider) {
        let terms = &job.args.terms;
        let fit: Vec<(Address, Provider)> = self
            .book
            .providers
            .iter()
            .filter(|(at, held)| {
                let invited = [Address::default(), **at].contains(&terms.exclusive_provider);
                let classed = [[0; 32], held.class].contains(&terms.runtime_class);
                invited && classed && held.free >= terms.collateral
            })
            .map(|(at, held)| (*at, *held))
            .collect();
        if fit.is_empty() || self.dice.percent(15) {
            return self.provider();
        }
        *self.dice.pick(&fit)
    }

    pub(super) fn finalize(&mut self) -> Action {
        let (job, found) = self.some_job(&[JobStatus::Committed]);
        let (provider, held) = self.holder(&found);
        let reveals = Reveals {
            worker: !self.dice.percent(4),
            requester: !self.dice.percent(6),
            acknowledged: self.dice.percent(75),
        };
        let (signer, requester) = (self.key(held.operator), self.key(found.requester));
        Action::JobFinalize {
            job,
            provider,
            signer,
            requester,
            reveals,
            secret: found.secret,
        }
    }

    pub(super) fn release(&mut self) -> Action {
        let (job, found) = self.some_job(&[JobStatus::Claimed]);
        let (provider, held) = self.holder(&found);
        let attempt = found.attempt ^ u8::from(self.dice.percent(3));
        let (signer, requester) = (self.key(held.operator), self.key(found.requester));
        Action::JobRelease {
            job,
            provider,
            signer,
            requester,
            attempt,
        }
    }

    pub(super) fn cancel(&mut self) -> Action {
        let (job, found) = self.some_job(&[JobStatus::Open]);
        Action::JobCancel {
            job,
            signer: self.key(found.requester),
        }
    }

    pub(super) fn expire(&mut self) -> Action {
        let live = [JobStatus::Open, JobStatus::Claimed, JobStatus::Committed];
        let (job, found) = self.some_job(&live);
        let provider = match self.dice.below(20) {
            0 => None,
            1 => Some(self.provider().0),
            _ => found.holder.map(|(account, _)| account),
        };
        Action::JobExpire {
            job,
            requester: self.key(found.requester),
            provider,
        }
    }

    pub(super) fn close(&mut self) -> Action {
        let ended = [
            JobStatus::Settled,
            JobStatus::Faulted,
            JobStatus::Cancelled,
            JobStatus::Expired,
            JobStatus::Unresolved,
        ];
        let (job, found) = self.some_job(&ended);
        Action::JobClose {
            job,
            requester: self.key(found.requester),
        }
    }
}

/// Mostly time enough, sometimes hardly any.
fn window(dice: &mut Dice) -> u32 {
    if dice.percent(15) {
        dice.secs(2, 20)
    } else {
        dice.secs(60, 200)
    }
}
