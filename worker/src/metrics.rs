//! Every metric's name and labels, in one place. No label can take more than a handful of values.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::core::{Action, AuditCounts, AuditReport, Counts, Pause, Report, Standing};

/// Reports of jobs, by `report`.
pub const JOBS: &str = "assay_worker_jobs_total";
/// Lamports earned by settled jobs.
pub const EARNED: &str = "assay_worker_earned_lamports_total";
/// Steps that were to be taken on chain, by `step` and `outcome`: a transaction of several counts for each.
pub const TRANSACTIONS: &str = "assay_worker_transactions_total";
/// What happened in audits, by `report`.
pub const AUDITS: &str = "assay_worker_audits_total";
/// Lamports earned by settled seats, and lost with their bonds.
pub const AUDIT_EARNED: &str = "assay_worker_audit_earned_lamports_total";
pub const AUDIT_LOST: &str = "assay_worker_audit_lost_lamports_total";
/// Seats and defended jobs now, by `state`.
pub const SEATS_NOW: &str = "assay_worker_seats";
/// Jobs now, by `state`.
pub const JOBS_NOW: &str = "assay_worker_jobs";
/// Seconds of an inference.
pub const RUN_SECONDS: &str = "assay_worker_run_seconds";
/// Failed preparations and runs, by `code`.
pub const FAILURES: &str = "assay_worker_failures_total";
/// Readings of the chain that failed.
pub const POLL_FAILURES: &str = "assay_worker_poll_failures_total";
/// Readings whose time was not believed.
pub const CLOCKS_DOUBTED: &str = "assay_worker_clock_doubted_total";
/// Requests to RPC endpoints, by `method`.
pub const RPC_CALLS: &str = "assay_worker_rpc_calls_total";
/// Websockets that could not be opened or fell silent.
pub const WEBSOCKET_FAILURES: &str = "assay_worker_websocket_failures_total";
/// Unix seconds of the chain's clock at the last reading.
pub const CHAIN_TIME: &str = "assay_worker_chain_time_seconds";
/// Bytes in a cache, by `cache`.
pub const CACHE_BYTES: &str = "assay_worker_cache_bytes";
/// Bytes free on the disk of `data_dir`.
pub const DISK_FREE: &str = "assay_worker_disk_free_bytes";
/// Lamports that the operator has for fees.
pub const OPERATOR_BALANCE: &str = "assay_worker_operator_lamports";
/// 1 while this keeps the worker from taking new work, else 0, by `reason`.
pub const PAUSED: &str = "assay_worker_paused";
/// Requests of sessions, by `kind` and `outcome`: answered, or the refusal's code.
pub const SESSIONS_REQUESTS: &str = "assay_worker_sessions_requests_total";
/// Lamports of answers' receipts, and of settlements, the market's fee included.
pub const SESSIONS_EARNED: &str = "assay_worker_sessions_earned_lamports_total";
pub const SESSIONS_SETTLED: &str = "assay_worker_sessions_settled_lamports_total";
/// Sessions that are known, and lamports of their vouchers that are not settled.
pub const SESSIONS_OPEN: &str = "assay_worker_sessions";
pub const SESSIONS_UNSETTLED: &str = "assay_worker_sessions_unsettled_lamports";
/// Runs of sessions that used up their time or took their engine along.
pub const SESSIONS_LOST_RUNS: &str = "assay_worker_sessions_lost_runs_total";
/// 1 while what sessions owe cannot be written, and none is served.
pub const SESSIONS_UNWRITTEN: &str = "assay_worker_sessions_unwritten";
/// Requests of sessions that shared a run, or were alone in it.
pub const SESSIONS_RUN_REQUESTS: &str = "assay_worker_sessions_run_requests";
/// Seconds that requests of sessions waited for their run.
pub const SESSIONS_WAIT_SECONDS: &str = "assay_worker_sessions_wait_seconds";

/// Between two times that what was measured is added up. Until then each measurement is kept.
const ADDED_UP_EVERY: Duration = Duration::from_secs(5);

/// Starts collecting, in a runtime; the handle renders the page.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    let adding = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(ADDED_UP_EVERY);
        loop {
            ticks.tick().await;
            adding.run_upkeep();
        }
    });
    describe_counter!(JOBS, "What became of jobs, by report");
    describe_counter!(EARNED, "Lamports earned by settled jobs");
    describe_counter!(
        TRANSACTIONS,
        "Steps on chain, alone or several in a transaction, by step and outcome"
    );
    describe_counter!(AUDITS, "What happened in audits, by report");
    describe_counter!(AUDIT_EARNED, "Lamports earned by settled seats");
    describe_counter!(AUDIT_LOST, "Lamports of bonds lost by settled seats");
    describe_gauge!(SEATS_NOW, "Panel seats and defended jobs now, by state");
    describe_gauge!(JOBS_NOW, "Jobs now, by state");
    describe_histogram!(RUN_SECONDS, "Seconds of an inference");
    describe_counter!(FAILURES, "Failed preparations and runs, by code");
    describe_counter!(POLL_FAILURES, "Readings of the chain that failed");
    describe_counter!(CLOCKS_DOUBTED, "Readings whose time was not believed");
    describe_counter!(RPC_CALLS, "Requests to RPC endpoints, by method");
    describe_counter!(
        WEBSOCKET_FAILURES,
        "Websockets that could not be opened or fell silent"
    );
    describe_gauge!(
        CHAIN_TIME,
        "The chain's clock at the last reading, unix seconds"
    );
    describe_gauge!(CACHE_BYTES, "Bytes in a cache");
    describe_gauge!(DISK_FREE, "Bytes free on the disk of data_dir");
    describe_gauge!(OPERATOR_BALANCE, "Lamports that the operator has for fees");
    describe_gauge!(
        PAUSED,
        "1 while this keeps the worker from taking new work, by reason"
    );
    describe_counter!(
        SESSIONS_REQUESTS,
        "Requests of sessions, by kind and outcome"
    );
    describe_counter!(SESSIONS_EARNED, "Lamports of sessions' answers");
    describe_counter!(SESSIONS_SETTLED, "Lamports of sessions that were settled");
    describe_gauge!(SESSIONS_OPEN, "Sessions that are known");
    describe_gauge!(
        SESSIONS_UNSETTLED,
        "Lamports of sessions' vouchers that are not settled"
    );
    describe_counter!(
        SESSIONS_LOST_RUNS,
        "Runs of sessions that used up their time or took their engine along"
    );
    describe_gauge!(
        SESSIONS_UNWRITTEN,
        "1 while sessions.sqlite cannot be written and no session is served"
    );
    describe_histogram!(SESSIONS_RUN_REQUESTS, "Requests of sessions in a run");
    describe_histogram!(
        SESSIONS_WAIT_SECONDS,
        "Seconds that requests of sessions waited for their run"
    );
    Ok(handle)
}

pub fn sessions_lost_run() {
    counter!(SESSIONS_LOST_RUNS).increment(1);
}

pub fn sessions_unwritten(unwritten: bool) {
    gauge!(SESSIONS_UNWRITTEN).set(f64::from(u8::from(unwritten)));
}

/// A run for sessions begins, of as many requests as there are times that they waited.
pub fn sessions_run(waited: impl ExactSizeIterator<Item = Duration>) {
    let requests = u32::try_from(waited.len()).unwrap_or(u32::MAX);
    histogram!(SESSIONS_RUN_REQUESTS).record(f64::from(requests));
    let seconds = histogram!(SESSIONS_WAIT_SECONDS);
    waited.for_each(|waited| seconds.record(waited.as_secs_f64()));
}

pub fn sessions_request(kind: &'static str, outcome: &'static str) {
    counter!(SESSIONS_REQUESTS, "kind" => kind, "outcome" => outcome).increment(1);
}

pub fn sessions_earned(lamports: u64) {
    counter!(SESSIONS_EARNED).increment(lamports);
}

pub fn sessions_settled(lamports: u64) {
    counter!(SESSIONS_SETTLED).increment(lamports);
}

pub fn sessions_open(sessions: usize, unsettled: u64) {
    let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
    gauge!(SESSIONS_OPEN).set(sessions);
    gauge!(SESSIONS_UNSETTLED).set(unsettled as f64);
}

pub fn transaction(action: Action, outcome: &'static str) {
    counter!(TRANSACTIONS, "step" => action.name(), "outcome" => outcome).increment(1);
}

pub fn report(report: &Report) {
    counter!(JOBS, "report" => report.name()).increment(1);
    if let Report::Settled { earned, .. } = report {
        counter!(EARNED).increment(earned.0);
    }
}

pub fn failure(code: &'static str) {
    counter!(FAILURES, "code" => code).increment(1);
}

pub fn run(seconds: f64) {
    histogram!(RUN_SECONDS).record(seconds);
}

pub fn counts(counts: &Counts) {
    let states = [
        ("candidate", counts.candidates),
        ("busy", counts.busy),
        ("committed", counts.committed),
        ("stuck", counts.stuck),
    ];
    for (state, count) in states {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        gauge!(JOBS_NOW, "state" => state).set(count);
    }
}

pub fn audit_report(report: &AuditReport) {
    counter!(AUDITS, "report" => report.name()).increment(1);
    if let AuditReport::Settled { bond, payout, .. } = report {
        counter!(AUDIT_EARNED).increment(payout.saturating_sub(*bond));
        counter!(AUDIT_LOST).increment(bond.saturating_sub(*payout));
    }
}

pub fn audits(counts: &AuditCounts) {
    let states = [
        ("defended", counts.defended),
        ("joined", counts.joined),
        ("committed", counts.committed),
        ("revealed", counts.revealed),
    ];
    for (state, count) in states {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        gauge!(SEATS_NOW, "state" => state).set(count);
    }
}

pub fn poll_failure() {
    counter!(POLL_FAILURES).increment(1);
}

pub fn clock_doubted() {
    counter!(CLOCKS_DOUBTED).increment(1);
}

pub fn rpc_call(method: &'static str) {
    counter!(RPC_CALLS, "method" => method).increment(1);
}

pub fn websocket_failure() {
    counter!(WEBSOCKET_FAILURES).increment(1);
}

pub fn chain_time(seconds: i64) {
    gauge!(CHAIN_TIME).set(seconds as f64);
}

pub fn operator_balance(lamports: u64) {
    gauge!(OPERATOR_BALANCE).set(lamports as f64);
}

pub fn cache_bytes(cache: &'static str, bytes: u64) {
    gauge!(CACHE_BYTES, "cache" => cache).set(bytes as f64);
}

pub fn disk_free(bytes: u64) {
    gauge!(DISK_FREE).set(bytes as f64);
}

pub fn standing(standing: &Standing) {
    for pause in Pause::ALL {
        gauge!(PAUSED, "reason" => pause.name()).set(f64::from(u8::from(standing.has(pause))));
    }
}
