//! One caller: a run by the host, sandbox and all, beside a bare run, call by call.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use assay_engine::{EngineConfig, Host, HostConfig, Outcome};

use crate::{
    bare::Bare,
    model::{self, Subject},
    report::{Row, Verdict},
    stats,
};

/// Longer than any run; only a hang reaches it.
pub const LIMIT: Duration = Duration::from_secs(60);
/// What the host may add at the median, whichever is more.
const SHARE: f64 = 0.03;
const MICROS: f64 = 150.0;
/// What the 99th percentile may be of the bare one's.
const TAIL: f64 = 1.05;

pub struct Overhead {
    bare: Vec<Vec<Duration>>,
    ours: Vec<Vec<Duration>>,
}

/// Measures `rounds` times `calls` calls of each, with a new engine in each round.
pub async fn measure(subject: &Subject, rounds: usize, calls: usize) -> Result<Overhead> {
    let (file, model) = (subject.file.clone(), subject.model.clone());
    // As the worker does it: on a thread of the runtime, which also waits for the engine's answer.
    let measuring = tokio::spawn(async move {
        let mut overhead = Overhead {
            bare: Vec::new(),
            ours: Vec::new(),
        };
        for _ in 0..rounds {
            let config = EngineConfig {
                spare: false,
                ..EngineConfig::default()
            };
            let mut bare = Bare::open(&config, &file, config.threads)?;
            let host = Host::new(HostConfig::new(config)?);
            let input = model::input_file()?;
            let run = || host.run(&model, &input, LIMIT);
            ensure!(
                elements(run().await?)? == model::little_endian(&bare.answer()?),
                "the engine's answer is not the bare session's"
            );
            let (mut without, mut with) = (Vec::new(), Vec::new());
            for call in 0..calls.saturating_add(calls / 10) {
                // Each goes first half of the time, so that neither always finds the other's caches.
                let bare_first = call % 2 == 0;
                let before = bare_first.then(|| bare.timed()).transpose()?;
                let began = Instant::now();
                let outcome = run().await?;
                let took = began.elapsed();
                drop(outcome);
                let bare_took = match before {
                    Some(before) => before,
                    None => bare.timed()?,
                };
                // The first tenth only warms up.
                if call >= calls / 10 {
                    without.push(bare_took);
                    with.push(took);
                }
            }
            overhead.bare.push(without);
            overhead.ours.push(with);
        }
        Ok(overhead)
    });
    measuring.await.context("the measurement panicked")?
}

/// The bytes of the only output.
pub fn elements(outcome: Outcome) -> Result<Vec<u8>> {
    let Outcome::Outputs(outputs) = outcome else {
        anyhow::bail!("the model failed");
    };
    let output = outputs.into_iter().next().context("no output")?;
    Ok(output.data)
}

impl Overhead {
    pub fn rows(&self, subject: &Subject) -> [Row; 2] {
        let calls: usize = self.bare.iter().map(Vec::len).sum();
        let per_round = |per_mille| -> (Vec<f64>, Vec<f64>) {
            let pairs = self.bare.iter().zip(&self.ours);
            pairs
                .map(|(bare, ours)| {
                    let bare = stats::quantile_micros(bare, per_mille);
                    let ours = stats::quantile_micros(ours, per_mille);
                    (ours / bare, ours - bare)
                })
                .unzip()
        };
        let all =
            |times: &[Vec<Duration>], per_mille| stats::quantile_micros(&times.concat(), per_mille);
        let row = |name: &str, bound: &str, per_mille, met: &dyn Fn(f64, f64) -> bool| {
            let (ratios, added) = per_round(per_mille);
            let (ratio, more) = (stats::middle(&ratios), stats::middle(&added));
            let (bare, ours) = (all(&self.bare, per_mille), all(&self.ours, per_mille));
            Row {
                what: format!("{name}, {} model ({} layers)", subject.name, subject.layers),
                bound: bound.into(),
                value: format!("{}; {more:+.0} µs", stats::spread(&ratios)),
                absolute: format!("{ours:.0} µs, bare {bare:.0} µs; {calls} calls each"),
                verdict: Verdict::of(met(ratio, more)),
            }
        };
        [
            row("Median", "1.03, or +150 µs", 500, &|ratio, more| {
                ratio <= 1.0 + SHARE || more <= MICROS
            }),
            row("99th percentile", "1.05", 990, &|ratio, _| ratio <= TAIL),
        ]
    }
}
