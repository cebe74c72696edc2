//! What others may ask of the audits' core.

use std::collections::BTreeSet;

use assay_protocol::{
    Address, JobData, PanelData, UnixSeconds,
    panel::{Phase, SeatState},
};
use serde::{Deserialize, Serialize};

use super::{
    AuditStep, Audits, TryKey,
    case::{Case, Files, Try},
};
use crate::core::{LiveSeat, set_back::within_reach};

/// How many seats and audits stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounts {
    /// Our own jobs under judgement.
    pub defended: usize,
    /// Seats that wait for our commitment.
    pub joined: usize,
    /// Seats whose commitment is not opened yet.
    pub committed: usize,
    /// Seats that are opened and not paid.
    pub revealed: usize,
}

impl Audits {
    /// Audits that are ours, whose next readings matter most.
    pub fn live_jobs(&self) -> Vec<Address> {
        let ours = self.cases.iter().filter(|(_, case)| self.is_ours(case));
        ours.map(|(address, _)| *address)
            .chain(self.restored.keys().copied())
            .collect()
    }

    /// The same for people.
    pub fn live(&self, now: UnixSeconds) -> Vec<LiveSeat> {
        let ours = self.cases.iter().filter(|(_, case)| self.is_ours(case));
        ours.map(|(job, case)| self.line(*job, case, now)).collect()
    }

    fn line(&self, address: Address, case: &Case, now: UnixSeconds) -> LiveSeat {
        let level = case.job.level;
        let primary = case.job.provider == self.me.provider;
        let seat = case.seat(level, &self.me.provider).map(|(_, seat)| seat);
        let panel = case.convened();
        let phase = case.phase(now);
        let role = match (primary, seat) {
            (true, _) => "primary",
            (false, Some(_)) => "auditor",
            (false, None) => "lender",
        };
        let bond = panel
            .filter(|_| seat.is_some())
            .map_or(0, |panel| panel.bond);
        LiveSeat {
            job: address.to_string(),
            level,
            role: role.to_owned(),
            seat: seat.and_then(|seat| Some(seat.state().ok()?.name().to_owned())),
            phase: phase.map(|phase| phase_name(phase).to_owned()),
            deadline: panel
                .zip(phase)
                .and_then(|(panel, phase)| ends(panel, phase)),
            at_stake: if primary { case.job.collateral } else { bond },
            model_digest: hex::encode(case.job.model_digest),
        }
    }

    /// A digest of each audit that is ours.
    pub fn live_digests(&self, of: fn(&JobData) -> [u8; 32]) -> BTreeSet<[u8; 32]> {
        let live = self.live_jobs();
        let jobs = live.iter().filter_map(|address| self.job(address));
        jobs.map(of).collect()
    }

    /// Jobs whose panels may have a seat for us.
    pub fn candidates(&self) -> Vec<Address> {
        let others = self.cases.iter().filter(|(_, case)| !self.is_ours(case));
        others.map(|(address, _)| *address).collect()
    }

    pub fn job(&self, address: &Address) -> Option<&JobData> {
        self.cases.get(address).map(|case| &case.job)
    }

    /// Until when a step of ours must have landed; none if nothing is lost by it.
    pub fn deadline(&self, address: &Address, (step, level, _): TryKey) -> Option<UnixSeconds> {
        let panel = self.cases.get(address)?.panel(level)?;
        match step {
            AuditStep::Commit => Some(UnixSeconds(panel.commit_deadline)),
            AuditStep::Reveal | AuditStep::RevealPrimary => {
                Some(UnixSeconds(panel.reveal_deadline))
            }
            AuditStep::Open
            | AuditStep::Join
            | AuditStep::Resolve
            | AuditStep::Settle
            | AuditStep::Close => None,
        }
    }

    /// Whether any audit is ours or may become so.
    pub fn has_cases(&self) -> bool {
        !self.cases.is_empty() || !self.restored.is_empty()
    }

    /// The chain's time is earlier than was believed: nothing waits for long.
    pub fn within_reach(&mut self, now: UnixSeconds) {
        for case in self.cases.values_mut() {
            case.dues().for_each(|due| within_reach(due, now));
            case.over_since = case.over_since.map(|since| since.min(now));
            case.trial.0 = case.trial.0.min(now);
        }
    }

    /// Whether a preparation's end is waited for.
    pub fn is_preparing(&self, address: &Address) -> bool {
        let case = self.cases.get(address);
        case.is_some_and(|case| case.files == Files::Preparing)
    }

    /// Whether no run and no transaction of ours is without an answer.
    pub fn is_idle(&self) -> bool {
        !self.cases.values().any(Case::is_at_work)
    }

    pub fn counts(&self) -> AuditCounts {
        let mut counts = AuditCounts::default();
        for case in self.cases.values() {
            counts.defended +=
                usize::from(case.is_judged() && case.job.provider == self.me.provider);
            for level in [1, 2] {
                let seat = case.seat(level, &self.me.provider);
                match seat.map(|(_, seat)| seat.state()) {
                    Some(Ok(SeatState::Joined)) => counts.joined += 1,
                    Some(Ok(SeatState::Committed)) => counts.committed += 1,
                    Some(Ok(SeatState::Revealed)) => counts.revealed += 1,
                    Some(Ok(SeatState::Empty | SeatState::Settled) | Err(_)) | None => {}
                }
            }
        }
        counts
    }

    /// Whether a seat of this job may be asked for beside the others. Those that are asked for count,
    /// and those whose files are at hand: many may be at once.
    pub(super) fn has_room(&self, address: &Address, now: UnixSeconds) -> bool {
        let counts = self.counts();
        let asked = |(other, case): &(&Address, &Case)| {
            let ready = matches!(case.files, Files::Ready | Files::Trying | Files::Tried);
            let seated = case.is_seated(&self.me.provider);
            *other != address && !seated && (ready || case.is_asking(&self.me.provider, now))
        };
        let asked = self.cases.iter().filter(asked).count();
        counts.joined + counts.committed + counts.revealed + asked < self.policy.max_seats
    }

    /// Whether the rent of one more panel may be lent: what the operator has must last for reveals.
    pub(super) fn may_lend(&self) -> bool {
        let lent = |case: &&Case| {
            let open =
                |(tried, panel): (&TryKey, &Try)| tried.0 == AuditStep::Open && panel.in_flight;
            self.has_lent(case) || case.tries.iter().any(open)
        };
        self.cases.values().filter(lent).count() < self.policy.max_seats
    }

    /// Whether a panel's rent is owed to us.
    pub(super) fn has_lent(&self, case: &Case) -> bool {
        case.panels.iter().zip(case.closed).any(|(panel, closed)| {
            !closed && panel.is_some_and(|panel| panel.rent_payer == self.me.operator)
        })
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Join => "join",
        Phase::Commit => "commit",
        Phase::Reveal => "reveal",
        Phase::Over => "over",
    }
}

fn ends(panel: &PanelData, phase: Phase) -> Option<i64> {
    match phase {
        Phase::Join => Some(panel.join_deadline),
        Phase::Commit => Some(panel.commit_deadline),
        Phase::Reveal => Some(panel.reveal_deadline),
        Phase::Over => None,
    }
}
