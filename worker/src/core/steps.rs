//! From phase to phase: what follows from the chain, from time, from how a transaction ended.

use assay_protocol::{
    Address, BasisPoints, Error, JobStatus, Lamports, UnixSeconds,
    amount::split_price,
    args::{JobCommitArgs, JobFinalizeArgs},
    commitment::secret_hash,
};

use super::{
    Core,
    command::{Command, Intent, Report, Step, Submitted},
    policy::Refusal,
    work::{Phase, Work},
};

/// How long a transaction that landed may stay invisible before its step is looked at again.
const VISIBLE_SECS: i64 = 10;
/// How long an ended job is remembered, so that an old reading does not bring it back.
const MEMORY_SECS: i64 = 3_600;
/// Refusals of a claim that nothing explains, before the job is left alone.
const CLAIM_TRIES: u8 = 3;

impl Core {
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
                self.leave(address, Phase::Stuck, now);
            }
            JobStatus::Settled if mine => {
                let price = Lamports(work.job.price);
                let split = split_price(price, BasisPoints(work.job.fee_bps));
                let earned = split.map_or(Lamports::ZERO, |split| split.earned);
                self.report(address, Report::Settled { price, earned });
                self.leave(address, Phase::Over, now);
            }
            JobStatus::Faulted if mine => {
                self.report(address, Report::Faulted);
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
                self.report(address, Report::Lost);
                self.leave(address, Phase::Over, now);
            }
        }
    }

    fn follow_open(&mut self, address: Address, now: UnixSeconds) {
        let Some(work) = self.work.get(&address) else {
            return;
        };
        if work.ours.is_some_and(|attempt| attempt < work.job.attempt) {
            self.report(address, Report::Lost);
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
            Ok(()) if work.phase == Phase::Preparing => {}
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
        self.report(address, Report::Claimed { price });
        if saved {
            self.send(address, Step::Commit, now);
        } else if prepared {
            self.run(address, now);
        } else if !preparing {
            self.prepare(address, now);
        }
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
            self.report(address, Report::SecretsMissing);
            return self.leave(address, Phase::Stuck, now);
        }
        self.report(address, Report::Committed);
        if acknowledged {
            self.send(address, Step::Finalize, now);
        } else {
            self.leave(address, Phase::Waiting, now);
            self.look(address, now);
        }
    }

    /// Tells how a transaction ended. Told late, when the chain has already shown it, it is old news.
    pub fn handle_submitted(
        &mut self,
        address: Address,
        attempt: u8,
        step: Step,
        outcome: Submitted,
        now: UnixSeconds,
    ) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        if work.phase != Phase::Sending(step) || !work.in_flight || work.job.attempt != attempt {
            return;
        }
        work.in_flight = false;
        match (outcome, step) {
            (Submitted::Landed, _) => work.due = UnixSeconds(now.0.saturating_add(VISIBLE_SECS)),
            (Submitted::Expired, Step::Claim) => {
                work.phase = Phase::Ready;
                work.back_off(now);
            }
            (Submitted::Refused(error), Step::Claim) => refuse_claim(work, error, now),
            (
                Submitted::Expired | Submitted::Refused(_),
                Step::Commit | Step::Finalize | Step::Release,
            ) => {
                work.back_off(now);
            }
        }
        if let Phase::Refused(refusal) = work.phase {
            self.leave(address, Phase::Refused(refusal), now);
        }
        self.take_work(now);
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: UnixSeconds) {
        let addresses: Vec<Address> = self.work.keys().copied().collect();
        for address in addresses {
            self.look(address, now);
        }
        self.take_work(now);
    }

    /// Does what is due for one job.
    fn look(&mut self, address: Address, now: UnixSeconds) {
        let Some(work) = self.work.get(&address) else {
            return;
        };
        let claimed = work.is_ours(&self.me.provider, JobStatus::Claimed);
        let due = work.due <= now;
        let late = self.policy.run_until(&work.job) < now;
        match work.phase {
            Phase::Running if late => {
                self.commands.push_back(Command::StopRun { job: address });
                self.send(address, Step::Release, now);
            }
            Phase::Wanted | Phase::Preparing | Phase::Ready if claimed && late => {
                self.send(address, Step::Release, now);
            }
            Phase::Wanted if claimed && due => self.prepare(address, now),
            Phase::Wanted | Phase::Ready if !claimed && has_closed(work, now) => {
                self.leave(address, Phase::Over, now);
            }
            Phase::Sending(step) if due && !work.in_flight => self.submit(address, step, now),
            Phase::Waiting if window_is_over(work, now) => self.send(address, Step::Finalize, now),
            Phase::Over | Phase::Refused(_) if is_forgettable(work, now) => {
                self.work.remove(&address);
            }
            Phase::Wanted
            | Phase::Preparing
            | Phase::Ready
            | Phase::Refused(_)
            | Phase::Running
            | Phase::Saving
            | Phase::Sending(_)
            | Phase::Waiting
            | Phase::Stuck
            | Phase::Over => {}
        }
    }

    /// The next moment at which [`Core::handle_time`] has something to do.
    pub fn poll_timeout(&self) -> Option<UnixSeconds> {
        let after = |time: UnixSeconds| UnixSeconds(time.0.saturating_add(1));
        self.work
            .values()
            .filter_map(|work| match work.phase {
                Phase::Running => Some(after(self.policy.run_until(&work.job))),
                Phase::Wanted | Phase::Preparing if !work.is_open() => Some(work.due),
                Phase::Wanted => Some(work.due),
                Phase::Ready => Some(work.due.max(self.policy.price_reached_at(&work.job))),
                Phase::Sending(_) if !work.in_flight => Some(work.due),
                Phase::Waiting => work.job.challenge_deadline().ok().map(after),
                Phase::Preparing
                | Phase::Refused(_)
                | Phase::Saving
                | Phase::Sending(_)
                | Phase::Stuck
                | Phase::Over => None,
            })
            .min()
    }

    /// Starts what price, stake and capacity allow, the best paid first.
    pub(super) fn take_work(&mut self, now: UnixSeconds) {
        let Some(account) = self.account.filter(|_| self.taking) else {
            return;
        };
        let mut free = account.free_stake().map_or(0, |free| free.0);
        let (mut busy, mut preparing) = (0, 0);
        for work in self.work.values() {
            busy += usize::from(work.is_busy());
            preparing += usize::from(work.phase == Phase::Preparing);
            if work.phase == Phase::Sending(Step::Claim) && work.is_open() {
                free = free.saturating_sub(work.job.collateral);
            }
        }
        for (address, phase, collateral) in self.offers(now) {
            if phase == Phase::Wanted && preparing < self.policy.preparing_jobs {
                preparing += 1;
                self.prepare(address, now);
            }
            if phase == Phase::Ready && busy < self.policy.concurrent_jobs && collateral <= free {
                busy += 1;
                free = free.saturating_sub(collateral);
                self.send(address, Step::Claim, now);
            }
        }
    }

    /// Open jobs with something to do now, dearest first.
    fn offers(&self, now: UnixSeconds) -> Vec<(Address, Phase, u64)> {
        let mut offers: Vec<_> = self
            .work
            .iter()
            .filter(|(_, work)| work.is_open() && work.due <= now && !has_closed(work, now))
            .filter(|(_, work)| match work.phase {
                Phase::Wanted => true,
                Phase::Ready => self.policy.price_reached_at(&work.job) <= now,
                Phase::Preparing
                | Phase::Refused(_)
                | Phase::Running
                | Phase::Saving
                | Phase::Sending(_)
                | Phase::Waiting
                | Phase::Stuck
                | Phase::Over => false,
            })
            .map(|(address, work)| {
                let price = work.job.price_at(now).unwrap_or(Lamports::ZERO);
                (price, *address, work.phase, work.job.collateral)
            })
            .collect();
        offers.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
        offers
            .into_iter()
            .map(|(_, address, phase, collateral)| (address, phase, collateral))
            .collect()
    }

    pub(super) fn prepare(&mut self, address: Address, now: UnixSeconds) {
        if let Some(work) = self.work.get_mut(&address) {
            // Failures are kept: each try that lacks something waits longer.
            work.phase = Phase::Preparing;
            work.due = now;
            self.commands.push_back(Command::Prepare { job: address });
        }
    }

    /// Runs the model for a job that is claimed by us, if there is still time.
    pub(super) fn run(&mut self, address: Address, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        let until = self.policy.run_until(&work.job);
        if until < now {
            return self.send(address, Step::Release, now);
        }
        work.phase = Phase::Running;
        let attempt = work.job.attempt;
        self.commands.push_back(Command::Run {
            job: address,
            attempt,
            until,
        });
    }

    /// Enters a sending phase and submits at once.
    pub(super) fn send(&mut self, address: Address, step: Step, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        // Claims are tried from another phase each time; their failures add up.
        let failures = if step == Step::Claim {
            work.failures
        } else {
            0
        };
        work.in_flight = false;
        work.enter(Phase::Sending(step), now);
        work.failures = failures;
        self.submit(address, step, now);
    }

    fn submit(&mut self, address: Address, step: Step, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        let attempt = work.job.attempt;
        let intent = match step {
            Step::Claim if work.is_open() => Some(Intent::Claim {
                min_price: self.policy.min_price,
            }),
            Step::Claim => None,
            Step::Commit => commit_args(work, now).map(Intent::Commit),
            Step::Release => in_time_to_commit(work, now).then_some(Intent::Release),
            Step::Finalize => finalize_args(work, now).map(Intent::Finalize),
        };
        match intent {
            Some(intent) => {
                work.in_flight = true;
                self.commands.push_back(Command::Submit {
                    job: address,
                    attempt,
                    intent,
                });
            }
            // The chain will say what becomes of it: an expiry, most likely.
            None => work.enter(Phase::Stuck, now),
        }
    }

    fn enter(&mut self, address: Address, phase: Phase, now: UnixSeconds) {
        if let Some(work) = self.work.get_mut(&address) {
            work.in_flight = false;
            work.enter(phase, now);
        }
    }

    /// Enters a phase in which neither model nor input is needed.
    pub(super) fn leave(&mut self, address: Address, phase: Phase, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        if work.phase == Phase::Running {
            self.commands.push_back(Command::StopRun { job: address });
        }
        work.prepared = false;
        self.enter(address, phase, now);
        self.commands.push_back(Command::Discard { job: address });
    }

    /// Reports what became of an attempt of ours; each piece of news once, none after the end.
    pub(super) fn report(&mut self, address: Address, report: Report) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        let Some(attempt) = work.ours else { return };
        if work
            .reported
            .is_some_and(|last| last == report || last.is_final())
        {
            return;
        }
        work.reported = Some(report);
        self.commands.push_back(Command::Report {
            job: address,
            attempt,
            report,
        });
    }
}

fn refuse_claim(work: &mut Work, error: Option<Error>, now: UnixSeconds) {
    // These pass, or the next reading of the job explains them.
    let passing = [
        Error::ProviderStakeInsufficient,
        Error::JobPriceBelowMinimum,
        Error::JobNotOpen,
        Error::JobClaimDeadlinePassed,
    ];
    let passes = error.is_some_and(|error| passing.contains(&error));
    work.phase = if passes || work.failures + 1 < CLAIM_TRIES {
        Phase::Ready
    } else {
        Phase::Refused(Refusal::ClaimRefused)
    };
    work.back_off(now);
}

/// Whether a claim would come too late.
fn has_closed(work: &Work, now: UnixSeconds) -> bool {
    work.is_open()
        && work
            .job
            .claim_deadline()
            .is_ok_and(|deadline| !deadline.allows(now))
}

fn window_is_over(work: &Work, now: UnixSeconds) -> bool {
    work.job
        .challenge_deadline()
        .is_ok_and(|deadline| !deadline.allows(now))
}

fn in_time_to_commit(work: &Work, now: UnixSeconds) -> bool {
    work.status() == Some(JobStatus::Claimed)
        && work
            .job
            .compute_deadline()
            .is_ok_and(|deadline| deadline.allows(now))
}

fn is_forgettable(work: &Work, now: UnixSeconds) -> bool {
    let old = work.touched.0.saturating_add(MEMORY_SECS) < now.0;
    old && (!work.is_open() || has_closed(work, now))
}

fn commit_args(work: &Work, now: UnixSeconds) -> Option<JobCommitArgs> {
    let result = work.result().filter(|_| in_time_to_commit(work, now))?;
    Some(JobCommitArgs {
        commitment: result.commitment.0,
        worker_secret_hash: secret_hash(&result.worker_secret).0,
        hints_digest: result.hints_digest.0,
        attempt: result.attempt,
    })
}

fn finalize_args(work: &Work, now: UnixSeconds) -> Option<JobFinalizeArgs> {
    // An acknowledged unaudited job is paid even after that.
    let in_time = work
        .job
        .finalize_deadline()
        .is_ok_and(|deadline| deadline.allows(now))
        || (work.acknowledged.is_some() && work.job.is_unaudited());
    let result = work.result().filter(|_| in_time)?;
    Some(JobFinalizeArgs {
        worker_secret: result.worker_secret,
        requester_secret: work.acknowledged.unwrap_or_default(),
        acknowledged: u8::from(work.acknowledged.is_some()),
    })
}
