//! The worker of an Assay provider: watches for jobs, runs them, delivers, gets paid.
//!
//! `core` decides and does nothing else. Around it, each role has one module: `chain` talks to RPC
//! nodes, `artifacts` fetches files by digest, `store` keeps the journal, `api` serves requesters,
//! `control` this machine's user; `sessions` serves what is paid with vouchers, with models run by `serving`; `driver` connects them and has models run by `assay-engine`.
//! `command` is what an operator calls.

pub mod api;
pub mod args;
pub mod artifacts;
pub mod chain;
pub mod command;
pub mod config;
pub mod control;
pub mod core;
pub mod driver;
pub mod halt;
pub mod keys;
pub mod logging;
pub mod metrics;
pub mod run;
pub mod serving;
pub mod sessions;
pub mod startup;
pub mod store;

/// Unix seconds of this machine's clock. For signed requests, for logs, and to tell a jump of the
/// chain's clock from a mistake: deadlines are judged by the chain's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one wall clock of the worker"
)]
pub fn wall_clock() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
