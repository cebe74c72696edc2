//! What the chain takes for each request: arithmetic from its fee for a signature, which nothing here measures.

use assay_worker::config::SessionsConfig;

use crate::{
    report::{Row, Verdict},
    worker::PRICE,
};

/// Lamports for a signature; of a voucher that the Ed25519 program checks as for one of a transaction.
const SIGNATURE: u64 = 5_000;
const OPEN: u64 = SIGNATURE;
/// The operator's signature, and the voucher's.
const SETTLE: u64 = 2 * SIGNATURE;
/// The requester's signature, and that of the last voucher, which it settles too.
const CLOSE_REQUEST: u64 = 2 * SIGNATURE;
const CLOSE: u64 = SIGNATURE;
/// Submission, claim, commitment and finalization, of a job that nobody audits.
const JOB: u64 = 4 * SIGNATURE;

/// Lamports of all fees of a session of so many requests, and how often its worker settles before the end.
fn session(requests: u64, value_at_risk: u64) -> (u64, u64) {
    let settlements = requests
        .saturating_mul(PRICE)
        .checked_div(value_at_risk)
        .unwrap_or_default();
    let fees = settlements
        .saturating_mul(SETTLE)
        .saturating_add(OPEN + CLOSE_REQUEST + CLOSE);
    (fees, settlements)
}

pub fn rows() -> Vec<Row> {
    let value_at_risk = SessionsConfig::default().value_at_risk_lamports;
    let row = |requests: u64| {
        let (fees, settlements) = session(requests, value_at_risk);
        let each = fees as f64 / requests as f64;
        Row {
            what: format!(
                "Fees of the chain for each request, a session of {requests} requests of {PRICE} lamports"
            ),
            bound: String::new(),
            value: format!("{each:.1} lamports; a job {JOB}"),
            absolute: format!(
                "open {OPEN} + {settlements} settlements x {SETTLE} + close request with the last voucher \
                 {CLOSE_REQUEST} + close {CLOSE} = {fees}"
            ),
            verdict: Verdict::Beside,
        }
    };
    vec![row(1_000), row(100_000)]
}
