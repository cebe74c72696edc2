//! What the machine computes, or why that is not known.

use std::sync::Arc;

use assay_engine::{Host, HostConfig};

use crate::{
    args,
    command::{
        benchmark::{Measured, Subject, measure as measure_one},
        block_on,
    },
    config::Config,
};

/// The figures; the first is the one that prices are made of.
#[derive(Debug, Default)]
pub struct Measurement {
    pub measured: Vec<Measured>,
    /// Why there is not everything.
    pub reason: Option<String>,
}

/// Measures what the flags ask for. A machine that cannot compute yet still gets its configuration.
pub fn measure(flags: &args::Init, config: &Config) -> Measurement {
    if flags.no_benchmark {
        return Measurement {
            measured: Vec::new(),
            reason: Some("--no-benchmark".into()),
        };
    }
    eprintln!("\nMeasuring through the engine, some seconds a model ...");
    let mut measured = Vec::new();
    let ended = block_on(all(flags, config, &mut measured));
    let reason = ended.err().map(|error| format!("{error:#}"));
    for figures in &measured {
        eprint!("{}", figures.text());
    }
    if let Some(reason) = &reason {
        eprintln!("! not measured: {reason}");
    }
    Measurement { measured, reason }
}

async fn all(
    flags: &args::Init,
    config: &Config,
    measured: &mut Vec<Measured>,
) -> anyhow::Result<()> {
    let mut engine = config.engine.clone();
    engine.warm_models = engine.concurrency;
    let host = Arc::new(Host::new(HostConfig::new(engine)?));
    let runtime = host.probe().await?.runtime;
    let threads = config.engine.threads;
    let provider = config.engine.provider.name();
    eprintln!("  {provider}, {threads} threads an engine\n  {runtime}");
    let subjects = match &flags.bench_model {
        Some(path) => vec![Subject::file(path)?],
        None => vec![Subject::digits(), Subject::matmul()?],
    };
    for subject in subjects {
        measured.push(measure_one(&host, subject, config.engine.concurrency).await?);
    }
    Ok(())
}
