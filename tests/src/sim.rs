//! `make sim`: whole markets of honest and other providers, thousands of jobs long.
//!
//! Jobs, panels, providers, commitments, draws, sortition, comparison, verdicts and money are the rules' own, from
//! `assay_protocol`; only who behaves how is made up here. A seed fixes everything. Jobs run one after the other, so
//! no two of them compete for a stake; requesters never check a result themselves, so nobody but the lot catches a
//! cheat.

mod agent;
mod answer;
mod court;
mod dice;
pub mod study;
mod tally;
#[cfg(test)]
mod tests;
mod town;
mod trial;

use assay_client::protocol::{
    UnixSeconds, commitment::secret_hash, market::MarketParams, terms::JobTerms,
};
use bytemuck::Zeroable;

pub use agent::{Behaviour, Costs};
pub use dice::Dice;
pub use tally::{Row, Tally};
pub use town::{Cohort, Member, Town};

use answer::Answer;

/// K, the most a job costs: 0.01 SOL.
pub const CEILING: u64 = 10_000_000;
const SOL: u64 = 1_000_000_000;

/// One market and what is asked of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub jobs: u64,
    pub cohorts: Vec<Cohort>,
    pub terms: JobTerms,
    pub requester_secret: [u8; 32],
    pub costs: Costs,
    /// Only the first so many providers take jobs; everybody audits.
    pub primaries: usize,
    /// Whether stakes are brought back to where they began after every job.
    pub restock: bool,
    /// Shares of jobs that the requester acknowledges, whose plaintext leaks, and of auditors that come to a panel.
    pub acknowledged: f64,
    pub leak: f64,
    pub awake: f64,
}

impl Scenario {
    /// A market of these providers, audited at this rate with the least collateral that the market allows.
    pub fn new(seed: u64, jobs: u64, audit_bps: u16, cohorts: &[(Behaviour, usize)]) -> Self {
        let requester_secret = [0x5e; 32];
        Self {
            seed,
            jobs,
            cohorts: cohorts
                .iter()
                .map(|(behaviour, count)| Cohort {
                    behaviour: *behaviour,
                    count: *count,
                    stake: 2 * SOL,
                })
                .collect(),
            terms: terms(audit_bps, &requester_secret),
            requester_secret,
            costs: Costs {
                honest: CEILING * 2 / 5,
                cheating: CEILING / 25,
            },
            primaries: usize::MAX,
            restock: true,
            acknowledged: 1.0,
            leak: 0.0,
            awake: 1.0,
        }
    }

    /// Gives everybody this stake, in SOL.
    pub fn stake(&mut self, sol: u64) {
        for cohort in &mut self.cohorts {
            cohort.stake = sol * SOL;
        }
    }

    /// Runs the market.
    pub fn run(&self) -> (Town, Tally) {
        let mut town = Town::new(&self.cohorts, MarketParams::PUBLIC);
        let mut tally = Tally::default();
        let mut last = Answer::truth(&mut Dice::new(self.seed, u64::MAX));
        for number in 0..self.jobs {
            // A month a job: more than its panels' windows and the age that stake needs to audit.
            let now = UnixSeconds((i64::try_from(number).expect("few jobs") + 1) * 30 * 86_400);
            let Some((ending, answer)) = trial::run(self, &mut town, number, now, &last) else {
                break;
            };
            last = answer;
            tally.add(&ending);
            if self.restock {
                town.restock(UnixSeconds(now.0 + 20 * 86_400));
            }
        }
        (town, tally)
    }
}

/// Terms of a job of price 0.005 to 0.01 SOL with a panel of two, at the market's deterrence.
pub fn terms(audit_bps: u16, requester_secret: &[u8; 32]) -> JobTerms {
    let params = MarketParams::PUBLIC;
    let bound = u64::from(params.deterrence_bps) * CEILING / u64::from(audit_bps);
    let terms = JobTerms {
        ceiling: CEILING,
        floor: CEILING / 2,
        collateral: (20 * CEILING).max(bound.saturating_sub(CEILING) + 1),
        audit_fee: CEILING,
        ramp_secs: 60,
        claim_secs: 600,
        compute_secs: 600,
        challenge_secs: 3_600,
        input_bytes: 1_024,
        output_limit: 1_024,
        audit_bps,
        panel_size: 2,
        input_digest: [3; 32],
        requester_secret_hash: secret_hash(requester_secret).0,
        ..JobTerms::zeroed()
    };
    terms
        .check(&params)
        .expect("terms that the public market accepts");
    terms
}
