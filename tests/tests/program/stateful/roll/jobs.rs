//! What requesters and operators send.

use assay_client::protocol::{
    Address, Digest, JobStatus, args::JobCreateArgs, commitment::secret_hash, terms::JobTerms,
};
use assay_tests::{SOL, World};

use super::Turn;
use crate::program::stateful::{action::Action, dice::Dice, jobs::Reveals};

impl Turn<'_> {
    pub(super) fn class(&mut self) -> [u8; 32] {
        *self
            .dice
            .pick(&[[7; 32], [7; 32], [7; 32], [8; 32], [0; 32]])
    }

    pub(super) fn terms(&mut self) -> JobTerms {
        let dice = &mut *self.dice;
        let ceiling = if dice.percent(30) {
            dice.within(1, 20_000)
        } else {
            dice.within(1, SOL / 2)
        };
        let claim_secs = window(dice);
        JobTerms {
            ceiling,
            floor: dice.within(0, ceiling),
            collateral: dice.within(ceiling, ceiling * 3),
            ramp_secs: dice.secs(0, claim_secs),
            claim_secs,
            compute_secs: window(dice),
            challenge_secs: window(dice),
            exclusive_provider: Address::default(),
            ..World::terms(&[0; 32])
        }
    }

    /// Breaks one term.
    fn spoil(&mut self, terms: &mut JobTerms) {
        match self.dice.below(13) {
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
            11 => terms.audit_bps = 100,
            _ => terms.panel_size = 2,
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
        if self.dice.percent(8) {
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

    pub(super) fn claim(&mut self) -> Action {
        let (job, found) = self.some_job(&[JobStatus::Open]);
        let (provider, held) = self.provider();
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
        let whole = !self.dice.percent(3);
        Action::JobCommit {
            job,
            provider,
            signer: self.key(held.operator),
            attempt,
            whole,
        }
    }

    pub(super) fn finalize(&mut self) -> Action {
        let (job, found) = self.some_job(&[JobStatus::Committed]);
        let (provider, held) = self.holder(&found);
        let reveals = Reveals {
            worker: !self.dice.percent(4),
            requester: !self.dice.percent(6),
            acknowledged: self.dice.percent(60),
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
    if dice.percent(20) {
        dice.secs(2, 30)
    } else {
        dice.secs(200, 600)
    }
}
