//! The questions `make sim` asks, and what the markets answered.

mod capture;
mod market;
mod returns;

use serde_json::{Value, json};

pub use capture::{Captured, hypergeometric, sweep as capture};
pub use market::{Cost, Griefing, Mixed, Offline, Thin, thin};
pub use returns::{Return, Wreck, cheat, wreck};

/// Providers of every market but the thin ones, each with the same stake.
pub const PROVIDERS: usize = 60;

/// Every answer.
#[derive(Clone, Debug)]
pub struct Study {
    pub seed: u64,
    /// Jobs of one market.
    pub jobs: u64,
    pub mixed: Mixed,
    pub costs: Vec<Cost>,
    pub returns: Vec<Return>,
    pub wrecks: Vec<Wreck>,
    pub captured: Vec<Captured>,
    pub thin: Vec<Thin>,
    pub offline: Vec<Offline>,
    pub griefing: Vec<Griefing>,
}

impl Study {
    /// Runs everything; `note` hears what is under way.
    pub fn run(seed: u64, jobs: u64, mut note: impl FnMut(&str)) -> Self {
        note("a mixed market");
        let mixed = Mixed::run(seed, 2 * jobs);
        note("what audits cost");
        let costs = market::costs(seed, jobs);
        note("what cheating brings");
        let returns = returns::cheating(seed, jobs);
        note("slashing the honest");
        let wrecks = returns::wrecking(seed, jobs);
        note("captured panels");
        let captured = capture::sweep(seed, jobs * 10);
        note("thin networks");
        let thin = market::thin(seed, jobs / 10);
        let offline = market::offline(seed, jobs / 4);
        let griefing = market::griefing(seed, jobs / 4);
        Self {
            seed,
            jobs,
            mixed,
            costs,
            returns,
            wrecks,
            captured,
            thin,
            offline,
            griefing,
        }
    }

    /// Right answers slashed by a level 2 that was not captured, anywhere: a broken promise.
    pub fn broken_promises(&self) -> u64 {
        self.mixed.tally.sum(|row| row.right_faulted_uncaptured)
            + self
                .wrecks
                .iter()
                .map(|wreck| wreck.uncaptured)
                .sum::<u64>()
    }

    /// Everything as JSON.
    pub fn json(&self) -> Value {
        json!({
            "seed": self.seed,
            "jobs_of_a_market": self.jobs,
            "providers": PROVIDERS,
            "mixed": self.mixed.json(),
            "audit_cost": self.costs.iter().map(Cost::json).collect::<Value>(),
            "return_on_cheating": self.returns.iter().map(Return::json).collect::<Value>(),
            "slashing_the_honest": self.wrecks.iter().map(Wreck::json).collect::<Value>(),
            "captured_panels": self.captured.iter().map(Captured::json).collect::<Value>(),
            "thin_networks": self.thin.iter().map(Thin::json).collect::<Value>(),
            "offline_auditors": self.offline.iter().map(Offline::json).collect::<Value>(),
            "withheld_hints": self.griefing.iter().map(Griefing::json).collect::<Value>(),
        })
    }
}

/// Lamports in units of K.
fn in_ceilings(lamports: i64) -> f64 {
    lamports as f64 / super::CEILING as f64
}

/// `part / whole`, zero of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// To four digits, for files that people compare.
fn rounded(number: f64) -> Value {
    // Adding zero turns a negative zero into zero.
    json!((number * 10_000.0).round() / 10_000.0 + 0.0)
}
