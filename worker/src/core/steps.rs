//! From phase to phase: what follows from time and from how a transaction ended.

use assay_protocol::{Address, JobStatus, UnixSeconds};

use super::{
    Core,
    breaker::Outcome,
    claims::AHEAD_SECS,
    command::{Command, Intent, Report, Step, Submitted},
    conditions::{
        commit_args, finalize_args, has_closed, in_time_to_commit, is_forgettable, refuse_claim,
        window_is_over,
    },
    work::Phase,
};

/// How long a transaction that landed may stay invisible before its step is looked at again.
const VISIBLE_SECS: i64 = 10;
/// So often.
const PATIENCE: u8 = 3;

impl Core {
    /// Tells how a transaction ended. Told late, when the chain has already shown it, it is old news.
    pub fn handle_submitted(
        &mut self,
        address: Address,
        attempt: u8,
        step: Step,
        outcome: Submitted,
        now: UnixSeconds,
    ) {
        let provider = self.me.provider;
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        let unseen = work.job.provider != provider && work.ours.is_none_or(|ours| ours < attempt);
        if (outcome, step) == (Submitted::Landed, Step::Claim) && unseen {
            // A claim names no attempt: sent for one that somebody else got, it may have landed in the next.
            work.sought = work.phase != Phase::Sending(step);
        }
        if work.phase != Phase::Sending(step) || !work.in_flight || work.sent_for != attempt {
            return;
        }
        work.in_flight = false;
        if work.job.attempt != attempt && outcome != Submitted::Landed {
            // It was about an attempt that somebody else got; the job is open again.
            self.follow_open(address, now);
            return self.take_work(now);
        }
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
    pub(super) fn look(&mut self, address: Address, now: UnixSeconds) {
        let Some(work) = self.work.get(&address) else {
            return;
        };
        let claimed = work.is_ours(&self.me.provider, JobStatus::Claimed);
        let due = work.due <= now;
        let late = self.policy.run_until(&work.job) < now;
        match work.phase {
            Phase::Running if late => {
                self.blame(address, Outcome::Lost, now);
                self.commands.push_back(Command::StopRun { job: address });
                self.send(address, Step::Release, now);
            }
            Phase::Wanted | Phase::Preparing | Phase::Ready if claimed && late => {
                self.blame(address, Outcome::Lost, now);
                self.send(address, Step::Release, now);
            }
            Phase::Wanted if claimed && due => self.prepare(address, now),
            Phase::Wanted | Phase::Ready | Phase::Trying if !claimed && has_closed(work, now) => {
                self.leave(address, Phase::Over, now);
            }
            // Whatever has changed since: a claim is sent by `take_work` alone.
            Phase::Sending(Step::Claim) if due && !work.in_flight && work.is_open() => {
                self.unclaim(address, now);
            }
            Phase::Sending(step) if due && !work.in_flight => self.submit(address, step, now),
            Phase::Waiting if window_is_over(work, now) => self.send(address, Step::Finalize, now),
            Phase::Over | Phase::Refused(_) if is_forgettable(work, now) => {
                self.forget(&address);
            }
            Phase::Wanted
            | Phase::Preparing
            | Phase::Ready
            | Phase::Trying
            | Phase::Refused(_)
            | Phase::Running
            | Phase::Saving
            | Phase::Sending(_)
            | Phase::Waiting
            | Phase::Audited
            | Phase::Stuck
            | Phase::Over => {}
        }
    }

    /// A claim that landed is not to be seen: back to where it may be made again. While nothing is
    /// claimed, it is looked for a while longer: whoever stops must not leave it behind.
    fn unclaim(&mut self, address: Address, now: UnixSeconds) {
        let accepting = self.standing.is_accepting();
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        if accepting || work.failures >= PATIENCE {
            work.phase = Phase::Ready;
            work.sought = true;
        } else {
            work.failures += 1;
            work.due = UnixSeconds(now.0.saturating_add(VISIBLE_SECS));
        }
    }

    /// The next moment at which [`Core::handle_time`] has something to do.
    pub fn poll_timeout(&self) -> Option<UnixSeconds> {
        let after = |time: UnixSeconds| UnixSeconds(time.0.saturating_add(1));
        let accepting = self.standing.is_accepting();
        self.work
            .values()
            .filter(|work| accepting || !work.is_candidate())
            .filter_map(|work| match work.phase {
                Phase::Running => Some(after(self.policy.run_until(&work.job))),
                Phase::Wanted | Phase::Preparing if !work.is_open() => Some(work.due),
                Phase::Wanted => {
                    let pays = self.policy.price_reached_at(&work.job).0;
                    Some(work.due.max(UnixSeconds(pays.saturating_sub(AHEAD_SECS))))
                }
                Phase::Ready => Some(work.due.max(self.policy.price_reached_at(&work.job))),
                Phase::Sending(_) if !work.in_flight => Some(work.due),
                Phase::Waiting => work.job.challenge_deadline().ok().map(after),
                Phase::Preparing
                | Phase::Trying
                | Phase::Refused(_)
                | Phase::Saving
                | Phase::Sending(_)
                | Phase::Audited
                | Phase::Stuck
                | Phase::Over => None,
            })
            .min()
    }

    pub(super) fn prepare(&mut self, address: Address, now: UnixSeconds) {
        if let Some(work) = self.work.get_mut(&address) {
            // Failures are kept: each try that lacks something waits longer.
            work.phase = Phase::Preparing;
            work.since = now;
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
        if work.phase == Phase::Trying {
            self.commands.push_back(Command::StopRun { job: address });
        }
        self.asked += 1;
        work.ask_engine(Phase::Running, self.asked, now);
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
        if work.phase == Phase::Preparing {
            self.commands.push_back(Command::Discard { job: address });
        }
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
                (work.in_flight, work.sent_for) = (true, attempt);
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

    pub(super) fn enter(&mut self, address: Address, phase: Phase, now: UnixSeconds) {
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
        if matches!(work.phase, Phase::Running | Phase::Trying) {
            self.commands.push_back(Command::StopRun { job: address });
        }
        if let Phase::Refused(refusal) = phase
            && work.phase != phase
        {
            self.commands.push_back(Command::Leave {
                job: address,
                refusal,
            });
        }
        work.prepared = false;
        work.tried = false;
        self.enter(address, phase, now);
        self.commands.push_back(Command::Discard { job: address });
    }

    /// Reports what became of an attempt of ours; each piece of news once, none after the end.
    pub(super) fn report(&mut self, address: Address, report: Report, now: UnixSeconds) {
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
        match report {
            Report::Committed => self.blame(address, Outcome::Good, now),
            Report::Lost => self.blame(address, Outcome::Lost, now),
            Report::Faulted => self.blame(address, Outcome::Fault, now),
            Report::Claimed { .. }
            | Report::Settled { .. }
            | Report::Audited
            | Report::Unresolved
            | Report::SecretsMissing
            | Report::Gone => {}
        }
        self.commands.push_back(Command::Report {
            job: address,
            attempt,
            report,
        });
    }
}
