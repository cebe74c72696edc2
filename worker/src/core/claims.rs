//! Which open jobs are prepared, tried and claimed now.
//!
//! A job is claimed only if its run ends in time beside everything that is promised already: runs of
//! claimed jobs, and of seats that are held. Reveals need no engine and wait for nothing here.

use std::collections::BTreeMap;

use assay_protocol::{Address, Lamports, UnixSeconds};

use super::{
    Core,
    admission::Need,
    capacity::{Demand, Kind, Turn},
    command::{Command, RunFault, Step},
    conditions::has_closed,
    policy::Refusal,
    work::Phase,
};

/// How long before its price is reached a job is prepared.
pub(super) const AHEAD_SECS: i64 = 60;
/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// With an answer, which the shell keeps for the run.
    Answered,
    /// It was stopped at its limit.
    TooLong,
    Failed(RunFault),
}

/// What is taken up already.
#[derive(Default)]
struct Taken {
    free: u64,
    busy: usize,
    /// Of each model among those.
    models: BTreeMap<[u8; 32], usize>,
    preparing: usize,
    held: usize,
    trying: usize,
    /// By requester: being prepared, and prepared.
    requesters: BTreeMap<Address, (usize, usize)>,
    promised: Vec<Demand>,
}

impl Core {
    /// Starts what price, stake and capacity allow, the best paid first.
    pub(super) fn take_work(&mut self, now: UnixSeconds) {
        self.note_starts(now);
        self.follow_breaker(now);
        self.follow_funds(now);
        self.follow_windows(now);
        let Some(account) = self.account.filter(|_| self.standing.is_accepting()) else {
            return;
        };
        let mut taken = self.taken(account.free_stake().map_or(0, |free| free.0), now);
        for (address, phase) in self.offers(now) {
            let Some(work) = self.work.get(&address) else {
                continue;
            };
            let requester = work.job.requester;
            if phase == Phase::Wanted && self.may_prepare(&taken, &requester) {
                taken.preparing += 1;
                taken.requesters.entry(requester).or_default().0 += 1;
                self.prepare(address, now);
            }
            if phase == Phase::Ready {
                self.consider(address, &mut taken, now);
            }
        }
    }

    fn taken(&self, free: u64, now: UnixSeconds) -> Taken {
        let mut taken = Taken {
            free,
            promised: self.demands(now),
            ..Taken::default()
        };
        for work in self.work.values() {
            if work.is_busy() {
                taken.busy += 1;
                *taken.models.entry(work.job.model_digest).or_default() += 1;
            }
            let preparing = usize::from(work.phase == Phase::Preparing);
            let held = usize::from(matches!(work.phase, Phase::Ready | Phase::Trying));
            taken.preparing += preparing;
            taken.held += held;
            taken.trying += usize::from(work.phase == Phase::Trying);
            if preparing + held > 0 {
                let theirs = taken.requesters.entry(work.job.requester).or_default();
                *theirs = (theirs.0 + preparing, theirs.1 + held);
            }
            if work.phase == Phase::Sending(Step::Claim) && work.is_open() {
                taken.free = taken.free.saturating_sub(work.job.collateral);
            }
        }
        taken
    }

    /// What is prepared lies in memory until it is claimed, and slow servers hold a place for long:
    /// nobody gets all places.
    fn may_prepare(&self, taken: &Taken, requester: &Address) -> bool {
        let policy = &self.policy;
        let places = policy.preparing_jobs + policy.concurrent_jobs;
        let (preparing, held) = taken.requesters.get(requester).copied().unwrap_or_default();
        taken.preparing < policy.preparing_jobs
            && taken.preparing + taken.held < places
            && preparing < policy.share(policy.preparing_jobs)
            && preparing + held < policy.share(places)
    }

    /// Claims a prepared job, or tries it first, if everything allows it.
    fn consider(&mut self, address: Address, taken: &mut Taken, now: UnixSeconds) {
        let Some(work) = self.work.get(&address) else {
            return;
        };
        let (collateral, model) = (work.job.collateral, work.job.model_digest);
        let live = taken.models.get(&model).copied().unwrap_or(0);
        let room = taken.busy < self.policy.concurrent_jobs && collateral <= taken.free;
        if !room || !self.breaker.admits(&model, live, taken.busy, now.0) || !self.may_pay(work) {
            return;
        }
        let usable = self.policy.usable_secs(&work.job);
        let need = if work.tried {
            Need::Run(0)
        } else {
            self.admission.need(work.size(), usable)
        };
        let demand = |turn, secs, until| Demand {
            kind: Kind::Job,
            turn,
            from: now.0,
            secs,
            until,
        };
        match need {
            Need::TooSlow => self.leave(address, Phase::Refused(Refusal::TooSlow), now),
            Need::Run(secs) => {
                let pays = self.policy.price_reached_at(&work.job) <= now;
                let run = demand(Turn::Unasked, secs, now.0.saturating_add(usable));
                if pays && self.admission.fits(&taken.promised, run) {
                    taken.busy += 1;
                    *taken.models.entry(model).or_default() += 1;
                    taken.free = taken.free.saturating_sub(collateral);
                    taken.promised.push(run);
                    self.send(address, Step::Claim, now);
                }
            }
            Need::Trial(within) => {
                // Only if it can begin at once: nobody is owed a trial, and it delays nobody.
                let trial = demand(Turn::Asked, within, now.0.saturating_add(within));
                let few = taken.trying < self.admission.most_trials();
                if few && self.admission.fits(&taken.promised, trial) {
                    taken.trying += 1;
                    taken.promised.push(trial);
                    self.try_out(address, within, now);
                }
            }
        }
    }

    fn try_out(&mut self, address: Address, within: i64, now: UnixSeconds) {
        if let Some(work) = self.work.get_mut(&address) {
            self.asked += 1;
            work.ask_engine(Phase::Trying, self.asked, now);
            work.limit = within;
            self.commands.push_back(Command::Try {
                job: address,
                within_secs: within.unsigned_abs(),
            });
        }
    }

    /// A trial ended.
    pub fn handle_tried(&mut self, address: Address, tried: Tried, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        if work.phase != Phase::Trying {
            return;
        }
        match tried {
            Tried::Answered => {
                work.tried = true;
                work.enter(Phase::Ready, now);
            }
            // One more try: a crash of the engine may be chance, two are not.
            Tried::Failed(RunFault::Again) if work.failures == 0 => {
                work.phase = Phase::Ready;
                work.back_off(now);
            }
            Tried::TooLong => self.leave(address, Phase::Refused(Refusal::TooSlow), now),
            Tried::Failed(RunFault::Again | RunFault::Never) => {
                self.leave(address, Phase::Refused(Refusal::Unfit), now);
            }
        }
        self.take_work(now);
    }

    /// Open jobs with something to do now, dearest first.
    fn offers(&self, now: UnixSeconds) -> Vec<(Address, Phase)> {
        let mut offers: Vec<_> = self
            .work
            .iter()
            .filter(|(_, work)| work.is_open() && work.due <= now && !has_closed(work, now))
            .filter(|(_, work)| matches!(work.phase, Phase::Wanted | Phase::Ready))
            // Not long before it pays: prepared jobs that wait keep others out.
            .filter(|(_, work)| {
                self.policy.price_reached_at(&work.job).0 <= now.0.saturating_add(AHEAD_SECS)
            })
            .filter(|(_, work)| !self.breaker.is_paused(&work.job.model_digest, now.0))
            .map(|(address, work)| {
                let price = work.job.price_at(now).unwrap_or(Lamports::ZERO);
                (price, *address, work.phase)
            })
            .collect();
        offers.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
        offers
            .into_iter()
            .map(|(_, address, phase)| (address, phase))
            .collect()
    }
}
