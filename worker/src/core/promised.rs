//! What engines have promised to jobs, and how long it takes.

use assay_protocol::{JobStatus, UnixSeconds};

use super::{
    Core,
    capacity::{Demand, Kind, Turn},
    command::Step,
    measured::{Measured, Size, Took},
    work::{Phase, Work},
};

impl Core {
    /// Takes over what the journal keeps of a run.
    pub fn restore_measured(&mut self, size: Size, measured: Measured) {
        self.admission.restore(size, measured);
    }

    /// A run or a trial was measured; returns what is known now, if that is to be kept.
    pub fn handle_measured(
        &mut self,
        size: Size,
        took: Took,
        now: UnixSeconds,
    ) -> Option<Measured> {
        self.admission.note(size, took, now.0)
    }

    /// What the other core has promised: its use of engines, and the transactions that it owes.
    pub fn handle_seats(&mut self, demands: Vec<Demand>, transactions: u64) {
        self.admission.others = demands;
        self.owed_elsewhere = transactions;
    }

    /// Notes which runs have an engine by now: those that were asked for first, as many as there are.
    pub(super) fn note_starts(&mut self, now: UnixSeconds) {
        let seats = self.admission.others.iter();
        let seats = seats.filter(|demand| demand.from <= now.0).count();
        let begun = |work: &&Work| work.is_at_engine() && work.begun.is_some();
        let taken = seats + self.work.values().filter(begun).count();
        let mut waiting: Vec<&mut Work> = self
            .work
            .values_mut()
            .filter(|work| work.is_at_engine() && work.begun.is_none())
            .collect();
        waiting.sort_by_key(|work| work.asked);
        let free = self.policy.admission.engines.saturating_sub(taken);
        for work in waiting.into_iter().take(free) {
            work.begun = Some(now);
        }
    }

    /// What engines have promised to jobs, in the order in which it was asked for.
    pub fn demands(&self, now: UnixSeconds) -> Vec<Demand> {
        // What is not at an engine yet will ask later than what is.
        let order = |work: &Work| match work.is_at_engine() {
            true => (0, work.asked, UnixSeconds::default()),
            false => (1, 0, work.since),
        };
        let mut demands: Vec<_> = self
            .work
            .values()
            .filter_map(|work| Some((order(work), self.demand(work, now)?)))
            .collect();
        demands.sort_by_key(|(order, _)| *order);
        demands.into_iter().map(|(_, demand)| demand).collect()
    }

    fn demand(&self, work: &Work, now: UnixSeconds) -> Option<Demand> {
        let usable = self.policy.usable_secs(&work.job);
        let whole = if work.tried {
            0
        } else {
            self.admission.counted(work.size(), usable)
        };
        let passed = work.begun.map_or(0, |begun| now.0.saturating_sub(begun.0));
        let deadline = self.policy.run_until(&work.job).0;
        // What took longer than it should may take all the time that it has.
        let left = |whole: i64, until: i64| match whole.saturating_sub(passed) {
            left @ 0.. => left,
            ..0 => until.saturating_sub(now.0),
        };
        let (secs, until) = match work.phase {
            Phase::Trying => (work.limit.saturating_sub(passed).max(1), i64::MAX),
            Phase::Running => (left(whole, deadline), deadline),
            Phase::Preparing | Phase::Wanted
                if work.is_ours(&self.me.provider, JobStatus::Claimed) =>
            {
                (whole, deadline)
            }
            Phase::Sending(Step::Claim) => (whole, now.0.saturating_add(usable)),
            Phase::Wanted
            | Phase::Preparing
            | Phase::Ready
            | Phase::Refused(_)
            | Phase::Saving
            | Phase::Sending(_)
            | Phase::Waiting
            | Phase::Audited
            | Phase::Stuck
            | Phase::Over => return None,
        };
        Some(Demand {
            kind: Kind::Job,
            turn: match (work.is_at_engine(), work.begun) {
                (true, Some(_)) => Turn::Begun,
                (true, None) => Turn::Asked,
                (false, _) => Turn::Unasked,
            },
            from: now.0,
            secs,
            until,
        })
    }
}
