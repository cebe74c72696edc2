//! What dishonesty brings beyond honesty: the same market run twice, once with the group as it is and once with the
//! same providers honest.

use assay_client::protocol::verdict::Verdict;
use serde_json::{Value, json};

use super::{PROVIDERS, hypergeometric, in_ceilings, rounded, share};
use crate::sim::{Behaviour, CEILING, Scenario, Tally, Town};

/// Cheating with one's own jobs.
#[derive(Clone, Copy, Debug)]
pub struct Return {
    pub audit_bps: u16,
    pub behaviour: Behaviour,
    /// The group's size among the providers.
    pub members: usize,
    pub collateral: u64,
    /// In K, for a job cheated.
    pub per_job: f64,
    /// One standard deviation of what the draws did.
    pub error: f64,
    pub drawn: u64,
    /// Of the drawn cheats: slashed; left without a verdict.
    pub caught: f64,
    pub unresolved: f64,
    /// The share of drawn cheats that should be paid, from the seats alone.
    pub expected_escape: f64,
}

impl Return {
    pub fn share(&self) -> f64 {
        self.members as f64 / PROVIDERS as f64
    }

    pub fn json(&self) -> Value {
        json!({
            "audit_bps": self.audit_bps,
            "behaviour": self.behaviour.name(),
            "share": rounded(self.share()),
            "collateral_in_k": rounded(self.collateral as f64 / CEILING as f64),
            "return_per_job_in_k": rounded(self.per_job),
            "standard_error": rounded(self.error),
            "drawn": self.drawn,
            "caught": rounded(self.caught),
            "unresolved": rounded(self.unresolved),
            "expected_escape": rounded(self.expected_escape),
        })
    }
}

/// A group of the first `members` providers takes every job.
fn compare(scenario: &Scenario, members: usize) -> (Tally, i64) {
    let (strategy, tally) = scenario.run();
    let mut honest = scenario.clone();
    for cohort in &mut honest.cohorts {
        cohort.behaviour = Behaviour::Honest;
    }
    let (baseline, _) = honest.run();
    let profit = |town: &Town| town.profit(members);
    (tally, profit(&strategy) - profit(&baseline))
}

pub fn cheating(seed: u64, jobs: u64) -> Vec<Return> {
    let mut returns = Vec::new();
    for audit_bps in [200_u16, 500, 1_000, 2_500, 10_000] {
        returns.push(cheat(seed, jobs, audit_bps, Behaviour::Cheating, 6));
        for members in [6, 12, 18, 24, 27, 30, 33, 36, 42] {
            returns.push(cheat(seed, jobs, audit_bps, Behaviour::Colluding, members));
        }
    }
    returns
}

pub fn cheat(seed: u64, jobs: u64, audit_bps: u16, behaviour: Behaviour, members: usize) -> Return {
    let cohorts = [
        (behaviour, members),
        (Behaviour::Honest, PROVIDERS - members),
    ];
    let mut scenario = Scenario::new(seed, jobs, audit_bps, &cohorts);
    scenario.primaries = members;
    let (tally, gain) = compare(&scenario, members);
    let row = tally.row(behaviour);
    let at_stake = (scenario.terms.collateral + CEILING) as f64 / CEILING as f64;
    Return {
        audit_bps,
        behaviour,
        members,
        collateral: scenario.terms.collateral,
        per_job: in_ceilings(gain) / tally.jobs as f64,
        error: at_stake * (row.wrong_faulted as f64).sqrt() / tally.jobs as f64,
        drawn: row.wrong_drawn,
        caught: share(row.wrong_faulted, row.wrong_drawn),
        unresolved: share(row.wrong_unresolved, row.wrong_drawn),
        expected_escape: if behaviour.is_group() {
            escape(members)
        } else {
            0.0
        },
    }
}

/// Both seats of level 1 are the group's, or three of level 2's five, which are drawn from the others.
fn escape(members: usize) -> f64 {
    let partners = members - 1;
    let others = PROVIDERS - 1;
    let both = hypergeometric(others, partners, 2, 2);
    let one = hypergeometric(others, partners, 2, 1) - both;
    let none = 1.0 - both - one;
    both + one * hypergeometric(others - 2, partners - 1, 5, 3)
        + none * hypergeometric(others - 2, partners, 5, 3)
}

/// Dissenting against honest providers to have them slashed.
#[derive(Clone, Copy, Debug)]
pub struct Wreck {
    pub behaviour: Behaviour,
    pub members: usize,
    /// Honest jobs drawn, and how many of them were slashed; of these, how many by a level 2 that was not captured.
    pub drawn: u64,
    pub slashed: u64,
    pub uncaptured: u64,
    pub expected: f64,
    /// In K, for a job drawn, to the whole group.
    pub per_drawn: f64,
    pub overruled: u64,
}

impl Wreck {
    pub fn share(&self) -> f64 {
        self.members as f64 / PROVIDERS as f64
    }

    pub fn json(&self) -> Value {
        json!({
            "behaviour": self.behaviour.name(),
            "share": rounded(self.share()),
            "honest_jobs_drawn": self.drawn,
            "honest_slashes": self.slashed,
            "slashed_without_capture": self.uncaptured,
            "expected_slash_share": rounded(self.expected),
            "return_per_drawn_job_in_k": rounded(self.per_drawn),
            "upheld": self.overruled,
        })
    }
}

pub fn wrecking(seed: u64, jobs: u64) -> Vec<Wreck> {
    let groups = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36];
    [Behaviour::Wrecking, Behaviour::Denying]
        .into_iter()
        .flat_map(|behaviour| groups.map(|members| wreck(seed, jobs, behaviour, members)))
        .collect()
}

pub fn wreck(seed: u64, jobs: u64, behaviour: Behaviour, members: usize) -> Wreck {
    let honest = PROVIDERS - members;
    let cohorts = [(Behaviour::Honest, honest), (behaviour, members)];
    let mut scenario = Scenario::new(seed, jobs, 10_000, &cohorts);
    scenario.primaries = honest;
    let (strategy, tally) = scenario.run();
    scenario.cohorts[1].behaviour = Behaviour::Honest;
    let (baseline, _) = scenario.run();
    let group = |town: &Town| town.profit(PROVIDERS) - town.profit(honest);
    let row = tally.row(Behaviour::Honest);
    Wreck {
        behaviour,
        members,
        drawn: row.right_drawn,
        slashed: row.right_faulted,
        uncaptured: row.right_faulted_uncaptured,
        expected: slashed(members),
        per_drawn: in_ceilings(group(&strategy) - group(&baseline)) / row.right_drawn as f64,
        overruled: tally.verdict(Verdict::Upheld),
    }
}

/// At least one seat of level 1, and then three of level 2's five.
fn slashed(members: usize) -> f64 {
    let others = PROVIDERS - 1;
    let both = hypergeometric(others, members, 2, 2);
    let one = hypergeometric(others, members, 2, 1) - both;
    let then = |seated: usize| hypergeometric(others - 2, members.saturating_sub(seated), 5, 3);
    both * then(2) + one * then(1)
}
