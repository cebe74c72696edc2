//! `make bench`: what the engine's host costs in time and memory, beside ONNX Runtime without it.
//!
//! Everything that is compared is measured in this one run on the same cores, in turns, so that the
//! ratios hold although the machine's own speed changes. `--check` fails on a missed bound,
//! `ASSAY_BENCH_WRITE=FILE` puts the table between the marks of that file, and `--quick` is for
//! looking whether it works: its figures mean little.

#[path = "serving/bare.rs"]
mod bare;
#[path = "serving/chain.rs"]
mod chain;
#[path = "serving/http.rs"]
mod http;
#[path = "serving/memory.rs"]
mod memory;
#[path = "serving/model.rs"]
mod model;
#[path = "serving/options.rs"]
mod options;
#[path = "serving/overhead.rs"]
mod overhead;
#[path = "serving/python.rs"]
mod python;
#[path = "serving/report.rs"]
mod report;
#[path = "serving/start.rs"]
mod start;
#[path = "serving/stats.rs"]
mod stats;
#[path = "serving/throughput.rs"]
mod throughput;
#[path = "serving/uvicorn.rs"]
mod uvicorn;

use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use assay_engine::{EngineConfig, child_main};

use model::Subject;
use options::{Options, block_on};
use report::Report;

const PARTS: [&str; 5] = ["overhead", "throughput", "http", "memory", "start"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments = arguments.iter().map(String::as_str);
    let first = arguments.clone().next().unwrap_or_default();
    if first == "engine" {
        return child_main();
    }
    let path = || {
        let path = env::args_os().nth(2).map(PathBuf::from);
        path.context("no file was named")
    };
    let done = match first {
        "hold" => path().and_then(|file| memory::hold(&file)),
        "serve" => path().and_then(|file| block_on(http::serve(&file))),
        "weigh" => path().and_then(|file| block_on(memory::weigh(&file))),
        _ => Options::read(arguments, &PARTS).and_then(|options| block_on(bench(options))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serving: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(options: Options) -> Result<()> {
    let began = Instant::now();
    let say = |what: &str| eprintln!("serving, {:>3} s: {what}", began.elapsed().as_secs());
    let config = EngineConfig::default();
    say("making models for this machine");
    let millis = |micros| Duration::from_micros(micros);
    let subjects = [
        (Subject::calibrated("0.2 ms", millis(200), &config)?, 4_000),
        (Subject::calibrated("2 ms", millis(2_000), &config)?, 1_000),
        (Subject::calibrated("10 ms", millis(10_000), &config)?, 400),
    ];
    let [(small, _), (medium, _), (large, _)] = &subjects;
    let less = if options.quick { 10 } else { 1 };
    let rounds = if options.quick { 2 } else { 5 };
    let mut report = Report::default();
    if options.wants("overhead") {
        for (subject, calls) in &subjects {
            say(&format!("overhead, {} model", subject.name));
            report.add(
                overhead::measure(subject, rounds, calls / less)
                    .await?
                    .rows(subject),
            );
        }
    }
    if options.wants("throughput") {
        for subject in [small, medium] {
            say(&format!("throughput, {} model", subject.name));
            let length = Duration::from_secs(2) / u32::try_from(less)?;
            report.add(
                throughput::measure(subject, rounds, length)
                    .await?
                    .rows(subject),
            );
        }
    }
    if options.wants("http") {
        say(&format!("HTTP, {} model", small.name));
        let length = Duration::from_secs(2) / u32::try_from(less)?;
        report.add(python::measure(small, rounds, length).await?);
    }
    if options.wants("memory") {
        for subject in [small, large] {
            say(&format!("memory, {} model", subject.name));
            report.add([memory::measure(subject)?]);
        }
    }
    if options.wants("start") {
        for subject in [small, large] {
            say(&format!("starts, {} model", subject.name));
            report.add(start::measure(subject, rounds * 2).await?.rows(subject));
        }
    }
    options.finish("serving", &report).await
}
