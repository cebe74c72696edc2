//! How long a model takes until it can run: for the first time, and again.

use std::time::{Duration, Instant};

use anyhow::Result;
use assay_engine::{EngineConfig, Host, HostConfig, Model, OptimisedModels};

use crate::{
    model::Subject,
    report::{Row, Verdict},
    stats,
};

const MOST: f64 = 0.5;

#[derive(Default)]
pub struct Start {
    cold: Vec<Duration>,
    warm: Vec<Duration>,
    kept: Vec<Duration>,
}

/// Cold: a host that has never seen the model and has started no process. Warm: a host after a restart of its
/// worker, which had loaded the model before; what it has are a spare process and the model on disk as it
/// was optimised. Kept: the engine is still there.
pub async fn measure(subject: &Subject, rounds: usize) -> Result<Start> {
    let mut start = Start::default();
    let folder = tempfile::tempdir()?;
    let keeping = || -> Result<Host> {
        let host = Host::new(HostConfig::new(EngineConfig::default())?);
        Ok(host.keeping(OptimisedModels::open(folder.path(), 1 << 30)?))
    };
    let first = keeping()?;
    first.load(&subject.model).await?;
    first.settled().await;
    drop(first);
    for _ in 0..rounds {
        let bare = EngineConfig {
            spare: false,
            ..EngineConfig::default()
        };
        let host = Host::new(HostConfig::new(bare)?);
        start.cold.push(timed(&host, &subject.model).await?);
        drop(host);
        let host = keeping()?;
        host.probe().await?;
        start.warm.push(timed(&host, &subject.model).await?);
        start.kept.push(timed(&host, &subject.model).await?);
    }
    Ok(start)
}

async fn timed(host: &Host, model: &Model) -> Result<Duration> {
    let began = Instant::now();
    host.load(model).await?;
    Ok(began.elapsed())
}

impl Start {
    pub fn rows(&self, subject: &Subject) -> [Row; 2] {
        let ratios = |times: &[Duration]| -> Vec<f64> {
            let pairs = times.iter().zip(&self.cold);
            pairs
                .map(|(time, cold)| time.as_secs_f64() / cold.as_secs_f64())
                .collect()
        };
        let cold = stats::quantile_micros(&self.cold, 500) / 1_000.0;
        let absolute = |times: &[Duration]| {
            let median = stats::quantile_micros(times, 500) / 1_000.0;
            format!("{median:.3} ms, cold {cold:.1} ms; {} starts", times.len())
        };
        let warm = ratios(&self.warm);
        [
            Row {
                what: format!("Warm start, {} model", subject.name),
                bound: format!("{MOST}"),
                value: stats::spread(&warm),
                absolute: absolute(&self.warm),
                verdict: Verdict::of(stats::middle(&warm) <= MOST),
            },
            Row {
                what: format!(
                    "Start where the engine is still there, {} model",
                    subject.name
                ),
                bound: String::new(),
                value: format!("{:.5}", stats::middle(&ratios(&self.kept))),
                absolute: absolute(&self.kept),
                verdict: Verdict::Beside,
            },
        ]
    }
}
