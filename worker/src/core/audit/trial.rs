//! Whether a seat's run will end in time: an auditor has to know it before it joins, for a primary wins
//! by auditors that stay silent.

use std::collections::BTreeSet;

use assay_protocol::{Address, PanelData, UnixSeconds, panel::SeatState};

use super::{
    AuditCommand, Audits,
    case::{Case, Files, SeatWork, back_off, of},
};
use crate::core::{
    admission::Need,
    capacity::{Demand, Kind, Turn},
    claims::Tried,
    command::RunFault,
    measured::{Measured, Size, Took},
};

/// Kept back to land what asks for the seat; at most a quarter of the join window is.
const JOIN_SECS: i64 = 5;
/// Between two trials that failed, as a power of two in seconds; after so many it is given up.
const PATIENCE: u8 = 1;
const TRIALS: u8 = 2;

impl Audits {
    /// Whether the run is known to end in time, engines and all; otherwise it is tried, if that can
    /// be done before the seats are given.
    pub(super) fn can_finish(
        &mut self,
        address: Address,
        panel: &PanelData,
        now: UnixSeconds,
    ) -> bool {
        let Some(case) = self.cases.get(&address) else {
            return false;
        };
        let promised = self.demands(now);
        let usable = self.policy.usable_secs(panel);
        match self.admission.need(case.size(), usable) {
            Need::TooSlow => {
                self.refuse(address);
                false
            }
            Need::Run(secs) => {
                let run = Demand {
                    kind: Kind::Seat,
                    turn: Turn::Unasked,
                    from: panel.join_deadline.max(now.0),
                    secs,
                    until: self.policy.run_until(panel),
                };
                self.admission.fits(&promised, run)
            }
            Need::Trial(within) => {
                let window = panel.join_deadline.saturating_sub(panel.opened_at);
                let left = panel
                    .join_deadline
                    .saturating_sub(JOIN_SECS.min(window / 4));
                let within = within.min(left.saturating_sub(now.0));
                let trial = Demand {
                    kind: Kind::Seat,
                    turn: Turn::Asked,
                    from: now.0,
                    secs: within,
                    until: left,
                };
                let trying = |case: &&Case| case.files == Files::Trying;
                let few = self.cases.values().filter(trying).count() < self.admission.most_trials();
                if few && within > 0 && self.admission.fits(&promised, trial) {
                    self.try_out(address, within, now);
                }
                false
            }
        }
    }

    fn try_out(&mut self, address: Address, within: i64, now: UnixSeconds) {
        if let Some(case) = self.cases.get_mut(&address) {
            case.files = Files::Trying;
            case.trial = (now, within);
            self.commands.push_back(AuditCommand::Try {
                job: address,
                within_secs: within.unsigned_abs(),
            });
        }
    }

    /// A trial ended.
    pub fn handle_tried(&mut self, address: Address, tried: Tried, now: UnixSeconds) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        if case.files != Files::Trying {
            return;
        }
        let again = case.files_failures < TRIALS;
        match tried {
            Tried::Answered => case.files = Files::Tried,
            Tried::Failed(RunFault::Again) if again => {
                case.files = Files::Ready;
                case.files_due = back_off(&mut case.files_failures, PATIENCE, now);
            }
            Tried::TooLong | Tried::Failed(RunFault::Again | RunFault::Never) => {
                self.refuse(address);
            }
        }
        self.follow(address, now);
    }

    /// No seat is taken here. Whoever holds one nevertheless tries on.
    fn refuse(&mut self, address: Address) {
        self.let_go(address);
        if let Some(case) = self.cases.get_mut(&address) {
            case.files = Files::Refused;
        }
    }

    /// A run or a trial was measured.
    pub fn handle_measured(&mut self, size: Size, took: Took, now: UnixSeconds) {
        self.admission.note(size, took, now.0);
    }

    /// Takes over what the journal keeps of a run.
    pub fn restore_measured(&mut self, size: Size, measured: Measured) {
        self.admission.restore(size, measured);
    }

    /// What engines have promised to claimed jobs, and the models that are left alone.
    pub fn handle_jobs(&mut self, demands: Vec<Demand>, paused_models: BTreeSet<[u8; 32]>) {
        self.admission.others = demands;
        self.paused_models = paused_models;
    }

    /// What engines have promised to seats.
    pub fn demands(&self, now: UnixSeconds) -> Vec<Demand> {
        let demands = self.cases.values().flat_map(|case| {
            let seats = [1, 2].map(|level| self.seat_demand(case, level, now));
            seats.into_iter().chain([trial_demand(case, now)]).flatten()
        });
        demands.collect()
    }

    fn seat_demand(&self, case: &Case, level: u8, now: UnixSeconds) -> Option<Demand> {
        let panel = case.panel(level).filter(|_| case.is_judged())?;
        let seat = case.seat(level, &self.me.provider).map(|(_, seat)| seat);
        let asked = level == case.job.level && case.is_asking(&self.me.provider, now);
        let joined = seat.is_some_and(|seat| {
            seat.state == SeatState::Joined as u8 && case.result(level, seat).is_none()
        });
        let waits = case.files != Files::Tried && *of(&case.work, level) != SeatWork::Saving;
        let until = self.policy.run_until(panel);
        if !(joined || asked) || !waits || until < now.0 {
            return None;
        }
        let usable = self.policy.usable_secs(panel);
        Some(Demand {
            kind: Kind::Seat,
            turn: if panel.join_deadline <= now.0 {
                Turn::Begun
            } else {
                Turn::Unasked
            },
            from: panel.join_deadline.max(now.0),
            secs: self.admission.counted(case.size(), usable),
            until,
        })
    }

    /// Transactions that seats and audits of ours may still take.
    pub fn owed(&self) -> u64 {
        let owed = |case: &Case| {
            let primary = case.job.provider == self.me.provider;
            let seats: u64 = [1, 2]
                .into_iter()
                .map(|level| {
                    let seat = case.seat(level, &self.me.provider);
                    match seat.map(|(_, seat)| seat.state()) {
                        // Commit, reveal, resolve and settle.
                        Some(Ok(SeatState::Joined)) => 4,
                        Some(Ok(SeatState::Committed)) => 3,
                        Some(Ok(SeatState::Revealed)) => 2,
                        Some(Ok(SeatState::Empty | SeatState::Settled) | Err(_)) | None => 0,
                    }
                })
                .sum();
            // Open, reveal, resolve and close.
            seats + if primary { 4 } else { 0 }
        };
        let ours = self.cases.values().filter(|case| self.is_ours(case));
        ours.map(owed).sum()
    }
}

fn trial_demand(case: &Case, now: UnixSeconds) -> Option<Demand> {
    let (since, limit) = case.trial;
    let passed = now.0.saturating_sub(since.0);
    (case.files == Files::Trying).then_some(Demand {
        kind: Kind::Seat,
        turn: Turn::Begun,
        from: now.0,
        secs: limit.saturating_sub(passed).max(1),
        until: i64::MAX,
    })
}
