//! `cargo bench -p assay-worker --bench sessions`: what sessions cost in time and money.
//!
//! Client, gateway, worker and engine are processes of their own and speak over loopback, as they do on one machine.
//! The chain is not on the way of a request: accounts of sessions lie in a folder here, written by the gateway's own
//! open transaction or by the measurement. Whatever is compared is measured in turns on the same cores. `--check` fails
//! on a missed bound, `ASSAY_BENCH_WRITE=FILE` puts the table between the marks of that file, `--quick` is for looking
//! whether it works.

#[path = "sessions/accounts.rs"]
mod accounts;
#[path = "../../crates/engine/benches/serving/chain.rs"]
#[expect(dead_code, reason = "shared with the engine's bench")]
mod chain;
#[path = "sessions/child.rs"]
mod child;
#[path = "sessions/cost.rs"]
mod cost;
#[path = "sessions/gateway.rs"]
mod gateway;
#[path = "sessions/http.rs"]
mod http;
#[path = "sessions/lane.rs"]
mod lane;
#[path = "sessions/latency.rs"]
mod latency;
#[path = "../../crates/engine/benches/serving/options.rs"]
mod options;
#[path = "sessions/plain.rs"]
mod plain;
#[path = "sessions/python.rs"]
mod python;
#[path = "../../crates/engine/benches/serving/report.rs"]
mod report;
#[path = "../../crates/engine/benches/serving/stats.rs"]
mod stats;
#[path = "sessions/subject.rs"]
mod subject;
#[path = "sessions/throughput.rs"]
mod throughput;
#[path = "../../crates/engine/benches/serving/uvicorn.rs"]
mod uvicorn;
#[path = "sessions/voucher.rs"]
mod voucher;
#[path = "sessions/worker.rs"]
mod worker;

use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use assay_engine::child_main;

use options::{Options, block_on};
use report::Report;
use subject::Subject;

const PARTS: [&str; 5] = ["latency", "voucher", "throughput", "python", "cost"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["engine", ..] => return child_main(),
        ["worker", rest @ ..] => block_on(worker::serve(rest)),
        ["gateway", rest @ ..] => block_on(gateway::serve(rest)),
        ["plain", rest @ ..] => block_on(plain::serve(rest)),
        rest => {
            Options::read(rest.iter().copied(), &PARTS).and_then(|options| block_on(bench(options)))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sessions: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(options: Options) -> Result<()> {
    let began = Instant::now();
    let say = |what: &str| eprintln!("sessions, {:>3} s: {what}", began.elapsed().as_secs());
    let less = if options.quick { 10 } else { 1 };
    let rounds = if options.quick { 2 } else { 5 };
    let length = Duration::from_millis(1_000) / u32::try_from(less)?;
    let mut report = Report::default();
    if options.wants("latency") {
        let of = [("2 ms", 2_000, 400), ("10 ms", 10_000, 100)];
        for (name, micros, calls) in of {
            say(&format!("latency, {name} model"));
            let subject = Subject::calibrated(name, Duration::from_micros(micros)).await?;
            let latency = latency::measure(&subject, rounds, calls / less).await?;
            report.add(latency.rows(&subject));
        }
    }
    if options.wants("voucher") {
        say("vouchers");
        report.add([voucher::measure(20_000 / less)?]);
    }
    if options.wants("throughput") {
        say("throughput");
        report.add(throughput::measure(rounds, length).await?);
    }
    if options.wants("python") {
        say("Python");
        report.add(python::measure(rounds, length).await?);
    }
    if options.wants("cost") {
        report.add(cost::rows());
    }
    options.finish("sessions", &report).await
}
