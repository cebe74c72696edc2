//! What the measurements may be: the protocol's budgets, and the accepted baseline plus 2 %.

use serde_json::Value;

use super::Bench;

/// Compute units that the protocol grants an instruction (section 9).
pub const INSTRUCTION_UNITS: &[(&str, u64)] = &[
    ("job_create", 6_000),
    ("job_claim", 2_500),
    ("job_commit", 2_000),
    ("job_finalize", 4_000),
    // With the proof before it.
    ("session_settle", 1_800),
];
/// Compute units of a whole unaudited job with its closing.
pub const JOB_UNITS: u64 = 15_000;
/// Compute units that a level-1 audit by two adds to a job.
pub const AUDIT_UNITS: u64 = 40_000;
/// Transactions of a whole unaudited job with its closing.
pub const JOB_TRANSACTIONS: u64 = 4;
/// The program with everything.
pub const PROGRAM_BYTES: u64 = 300_000;
/// A job's account.
pub const JOB_BYTES: u64 = 760;
/// What a measurement may rise above the baseline before somebody has to accept it.
pub const TOLERATED_PERCENT: u64 = 2;

/// One budget and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub what: String,
    pub used: u64,
    pub budget: u64,
}

/// Every budget of the protocol.
pub fn uses(bench: &Bench) -> Vec<Use> {
    let entry = |what: &str, used, budget| Use {
        what: what.to_owned(),
        used,
        budget,
    };
    let units = |name: &str| {
        bench
            .instructions
            .get(name)
            .map_or(u64::MAX, |cost| cost.compute_units)
    };
    let bytes = |name: &str| bench.account_bytes.get(name).copied().unwrap_or(u64::MAX);
    let mut uses: Vec<Use> = INSTRUCTION_UNITS
        .iter()
        .map(|(name, budget)| entry(&format!("{name}, compute units"), units(name), *budget))
        .collect();
    uses.extend([
        entry(
            "whole unaudited job, compute units",
            bench.job.compute_units,
            JOB_UNITS,
        ),
        entry(
            "whole unaudited job, transactions",
            bench.job.transactions,
            JOB_TRANSACTIONS,
        ),
        entry(
            "level-1 audit by two, compute units",
            bench.audit.compute_units,
            AUDIT_UNITS,
        ),
        entry("program, bytes", bench.program_bytes, PROGRAM_BYTES),
        entry("job account, bytes", bytes("Job"), JOB_BYTES),
    ]);
    uses
}

/// Every number of `now` that rose above the baseline by more than is tolerated, and every one that the baseline does
/// not know or that is gone.
pub fn rises(baseline: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", baseline, now, &mut found);
    found
}

fn compare(path: &str, baseline: &Value, now: &Value, found: &mut Vec<String>) {
    if let (Some(baseline), Some(now)) = (baseline.as_object(), now.as_object()) {
        for (key, value) in now {
            let path = format!("{path}/{key}");
            match baseline.get(key) {
                Some(baseline) => compare(&path, baseline, value, found),
                None => found.push(format!("{path} is not in the baseline")),
            }
        }
        let gone = baseline.keys().filter(|key| !now.contains_key(*key));
        found.extend(gone.map(|key| format!("{path}/{key} is only in the baseline")));
        return;
    }
    match (baseline.as_u64(), now.as_u64()) {
        (Some(before), Some(after)) if after * 100 <= before * (100 + TOLERATED_PERCENT) => {}
        (before, after) => found.push(format!("{path} rose from {before:?} to {after:?}")),
    }
}
