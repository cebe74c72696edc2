//! Whole markets: who prospers in a mixed one, what audits cost, what happens where auditors are few or gone.

use std::collections::BTreeMap;

use assay_client::protocol::verdict::Verdict;
use serde_json::{Value, json};

use super::{PROVIDERS, in_ceilings, rounded, share};
use crate::sim::{Behaviour, CEILING, Scenario, Tally, Town};

/// A market of every behaviour, stakes never refilled.
#[derive(Clone, Debug)]
pub struct Mixed {
    pub audit_bps: u16,
    pub town: Town,
    pub tally: Tally,
}

impl Mixed {
    pub fn run(seed: u64, jobs: u64) -> Self {
        let audit_bps = 1_000;
        let cohorts = [
            (Behaviour::Honest, 40),
            (Behaviour::Lazy, 5),
            (Behaviour::Copying, 5),
            (Behaviour::Offline, 4),
            (Behaviour::Cheating, 6),
        ];
        let mut scenario = Scenario::new(seed, jobs, audit_bps, &cohorts);
        scenario.restock = false;
        scenario.stake(4);
        scenario.acknowledged = 0.99;
        scenario.leak = 0.2;
        scenario.awake = 0.9;
        let (town, tally) = scenario.run();
        Self {
            audit_bps,
            town,
            tally,
        }
    }

    /// Members of a behaviour: how many, their profit and their stake's remainder, both for one of them, in K.
    pub fn cohort(&self, behaviour: Behaviour) -> (usize, f64, f64) {
        let members: Vec<_> = self
            .town
            .members
            .iter()
            .filter(|member| member.behaviour == behaviour)
            .collect();
        let count = members.len().max(1);
        let profit: i64 = members.iter().map(|member| member.profit()).sum();
        let left: u64 = members.iter().map(|member| member.data.stake).sum();
        (
            members.len(),
            in_ceilings(profit) / count as f64,
            left as f64 / CEILING as f64 / count as f64,
        )
    }

    pub fn json(&self) -> Value {
        let cohorts: BTreeMap<_, _> = Behaviour::ALL
            .into_iter()
            .filter(|behaviour| self.cohort(*behaviour).0 > 0)
            .map(|behaviour| (behaviour.name(), self.cohort_json(behaviour)))
            .collect();
        json!({
            "audit_bps": self.audit_bps,
            "jobs": self.tally.jobs,
            "drawn": self.tally.drawn,
            "verdicts": self.tally.verdicts,
            "level_2_panels": self.tally.appeals,
            "level_2_captured": self.tally.captured,
            "cheats": self.tally.sum(|row| row.wrong),
            "cheats_drawn": self.tally.sum(|row| row.wrong_drawn),
            "cheats_slashed": self.tally.sum(|row| row.wrong_faulted),
            "cheats_unresolved": self.tally.sum(|row| row.wrong_unresolved),
            "honest_slashes": self.tally.sum(|row| row.right_faulted),
            "truthful_auditors_bonds_lost": self.tally.sum(|row| row.truthful_lost),
            "audit_fees_share_of_turnover": rounded(share(self.tally.fees, self.tally.turnover)),
            "providers": cohorts,
        })
    }

    fn cohort_json(&self, behaviour: Behaviour) -> Value {
        let (members, profit, left) = self.cohort(behaviour);
        let row = self.tally.row(behaviour);
        json!({
            "members": members,
            "jobs": row.jobs,
            "late": row.late,
            "wrong": row.wrong,
            "wrong_drawn": row.wrong_drawn,
            "wrong_slashed": row.wrong_faulted,
            "right_drawn": row.right_drawn,
            "right_slashed": row.right_faulted,
            "seats": row.seats,
            "seats_paid": row.seats_paid,
            "seats_lost": row.seats_lost,
            "profit_each_in_k": rounded(profit),
            "stake_left_each_in_k": rounded(left),
        })
    }
}

/// What requesters pay for audits in an honest market.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub audit_bps: u16,
    pub collateral: u64,
    pub drawn: u64,
    pub share_of_turnover: f64,
    pub honest_slashes: u64,
}

impl Cost {
    pub fn json(&self) -> Value {
        json!({
            "audit_bps": self.audit_bps,
            "collateral_in_k": rounded(self.collateral as f64 / CEILING as f64),
            "drawn": self.drawn,
            "share_of_turnover": rounded(self.share_of_turnover),
            "honest_slashes": self.honest_slashes,
        })
    }
}

pub fn costs(seed: u64, jobs: u64) -> Vec<Cost> {
    [200_u16, 500, 1_000, 2_500, 5_000, 10_000]
        .map(|audit_bps| {
            let scenario = Scenario::new(seed, jobs, audit_bps, &[(Behaviour::Honest, PROVIDERS)]);
            let (_, tally) = scenario.run();
            Cost {
                audit_bps,
                collateral: scenario.terms.collateral,
                drawn: tally.drawn,
                share_of_turnover: share(tally.fees, tally.turnover),
                honest_slashes: tally.sum(|row| row.right_faulted),
            }
        })
        .into()
}

/// One cheating provider and a few honest auditors; every job drawn.
#[derive(Clone, Copy, Debug)]
pub struct Thin {
    pub auditors: usize,
    pub cheats: u64,
    /// Shares of the cheats.
    pub slashed: f64,
    pub unresolved: f64,
    pub paid: f64,
    /// Of as many honest jobs.
    pub honest_slashed: u64,
    pub honest_unpaid: u64,
}

impl Thin {
    pub fn json(&self) -> Value {
        json!({
            "auditors": self.auditors,
            "cheats": self.cheats,
            "slashed": rounded(self.slashed),
            "unresolved": rounded(self.unresolved),
            "paid": rounded(self.paid),
            "honest_slashed": self.honest_slashed,
            "honest_unpaid": self.honest_unpaid,
        })
    }
}

pub fn thin(seed: u64, jobs: u64) -> Vec<Thin> {
    (0..=8)
        .map(|auditors| {
            let (cheats, honest) = both(seed, jobs, &[(Behaviour::Honest, auditors)]);
            Thin {
                auditors,
                cheats: cheats.wrong_drawn,
                slashed: share(cheats.wrong_faulted, cheats.wrong_drawn),
                unresolved: share(cheats.wrong_unresolved, cheats.wrong_drawn),
                paid: paid(&cheats),
                honest_slashed: honest.right_faulted,
                honest_unpaid: honest.right_unresolved,
            }
        })
        .collect()
}

fn paid(row: &crate::sim::Row) -> f64 {
    share(
        row.wrong_drawn - row.wrong_faulted - row.wrong_unresolved,
        row.wrong_drawn,
    )
}

/// One provider, cheating in the first run and honest in the second, before these auditors; every job drawn.
fn both(
    seed: u64,
    jobs: u64,
    auditors: &[(Behaviour, usize)],
) -> (crate::sim::Row, crate::sim::Row) {
    let run = |primary: Behaviour| {
        let cohorts: Vec<_> = [(primary, 1)]
            .into_iter()
            .chain(auditors.iter().copied())
            .collect();
        let mut scenario = Scenario::new(seed, jobs, 10_000, &cohorts);
        scenario.primaries = 1;
        scenario.run().1.row(primary)
    };
    (run(Behaviour::Cheating), run(Behaviour::Honest))
}

/// Auditors that take seats and vanish.
#[derive(Clone, Copy, Debug)]
pub struct Offline {
    pub offline: usize,
    pub slashed: f64,
    pub unresolved: f64,
    pub paid: f64,
    pub honest_slashed: u64,
    pub honest_unpaid: u64,
}

impl Offline {
    pub fn share(&self) -> f64 {
        self.offline as f64 / PROVIDERS as f64
    }

    pub fn json(&self) -> Value {
        json!({
            "share": rounded(self.share()),
            "cheats_slashed": rounded(self.slashed),
            "cheats_unresolved": rounded(self.unresolved),
            "cheats_paid": rounded(self.paid),
            "honest_slashed": self.honest_slashed,
            "honest_unpaid": self.honest_unpaid,
        })
    }
}

pub fn offline(seed: u64, jobs: u64) -> Vec<Offline> {
    [0, 6, 12, 24, 36, 48, 57]
        .map(|offline| {
            let auditors = [
                (Behaviour::Offline, offline),
                (Behaviour::Honest, PROVIDERS - 1 - offline),
            ];
            let (cheats, honest) = both(seed, jobs, &auditors);
            Offline {
                offline,
                slashed: share(cheats.wrong_faulted, cheats.wrong_drawn),
                unresolved: share(cheats.wrong_unresolved, cheats.wrong_drawn),
                paid: paid(&cheats),
                honest_slashed: honest.right_faulted,
                honest_unpaid: honest.right_unresolved,
            }
        })
        .into()
}

/// A group that computes honestly and hides its hints from level 1: what that brings it, and costs the auditors.
#[derive(Clone, Copy, Debug)]
pub struct Griefing {
    pub members: usize,
    pub drawn: u64,
    pub upheld: u64,
    /// In K, for a job drawn, to the group beyond what honesty would have brought.
    pub group: f64,
    pub truthful_lost: u64,
    /// In K, for a job drawn, to all other providers.
    pub others: f64,
}

impl Griefing {
    pub fn share(&self) -> f64 {
        self.members as f64 / PROVIDERS as f64
    }

    pub fn json(&self) -> Value {
        json!({
            "share": rounded(self.share()),
            "drawn": self.drawn,
            "upheld": self.upheld,
            "group_per_drawn_job_in_k": rounded(self.group),
            "truthful_seats_that_lost": self.truthful_lost,
            "other_providers_per_drawn_job_in_k": rounded(self.others),
        })
    }
}

pub fn griefing(seed: u64, jobs: u64) -> Vec<Griefing> {
    [1, 3, 6, 9, 12, 18, 24]
        .map(|members| grief(seed, jobs, members))
        .into()
}

fn grief(seed: u64, jobs: u64, members: usize) -> Griefing {
    let cohorts = [
        (Behaviour::Withholding, members),
        (Behaviour::Honest, PROVIDERS - members),
    ];
    let mut scenario = Scenario::new(seed, jobs, 10_000, &cohorts);
    scenario.primaries = members;
    let (strategy, tally) = scenario.run();
    scenario.cohorts[0].behaviour = Behaviour::Honest;
    let (baseline, _) = scenario.run();
    let per_drawn = |gain: i64| in_ceilings(gain) / tally.drawn as f64;
    let others = |town: &Town| town.profit(PROVIDERS) - town.profit(members);
    Griefing {
        members,
        drawn: tally.drawn,
        upheld: tally.verdict(Verdict::Upheld),
        group: per_drawn(strategy.profit(members) - baseline.profit(members)),
        truthful_lost: tally.sum(|row| row.truthful_lost),
        others: per_drawn(others(&strategy) - others(&baseline)),
    }
}
