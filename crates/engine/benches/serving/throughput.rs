//! Eight callers at once: engines on every core beside one session behind a mutex.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use assay_engine::{EngineConfig, Host, HostConfig};

use crate::{
    bare::Bare,
    model::{self, Subject},
    overhead::LIMIT,
    report::{Row, Verdict},
    stats,
};

pub const CALLERS: usize = 8;
const LEAST: f64 = 1.2;

/// Runs a second, by each of the three, for each round.
pub struct Throughput {
    ours: Vec<f64>,
    one_thread: Vec<f64>,
    all_threads: Vec<f64>,
    cores: usize,
}

/// Measures rounds of so long each.
pub async fn measure(subject: &Subject, rounds: usize, length: Duration) -> Result<Throughput> {
    let cores = thread::available_parallelism()?.get();
    let config = EngineConfig {
        concurrency: cores,
        spare: false,
        ..EngineConfig::default()
    };
    let session = |threads| -> Result<Arc<Mutex<Bare>>> {
        let bare = Bare::open(&config, &subject.file, threads)?;
        Ok(Arc::new(Mutex::new(bare)))
    };
    let (one, all) = (session(config.threads)?, session(cores)?);
    let host = Arc::new(Host::new(HostConfig::new(config)?));
    let mut measured = Throughput {
        ours: Vec::new(),
        one_thread: Vec::new(),
        all_threads: Vec::new(),
        cores,
    };
    by_host(&host, subject, length / 4).await?;
    for _ in 0..rounds {
        // There and back, so that what changes with time is nobody's advantage.
        let before = by_host(&host, subject, length / 2).await?;
        measured.one_thread.push(behind_mutex(&one, length)?);
        measured.all_threads.push(behind_mutex(&all, length)?);
        let after = by_host(&host, subject, length / 2).await?;
        measured.ours.push(f64::midpoint(before, after));
    }
    Ok(measured)
}

async fn by_host(host: &Arc<Host>, subject: &Subject, length: Duration) -> Result<f64> {
    let input = Arc::new(model::input_file()?);
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (host, model, input) =
                (Arc::clone(host), subject.model.clone(), Arc::clone(&input));
            tokio::spawn(async move {
                let mut runs = 0_u64;
                while began.elapsed() < length {
                    host.run(&model, &input, LIMIT).await?;
                    runs += 1;
                }
                Ok::<_, anyhow::Error>(runs)
            })
        })
        .collect();
    let mut runs = 0;
    for caller in callers {
        runs += caller.await??;
    }
    Ok(runs as f64 / began.elapsed().as_secs_f64())
}

fn behind_mutex(session: &Arc<Mutex<Bare>>, length: Duration) -> Result<f64> {
    let began = Instant::now();
    let runs = AtomicU64::new(0);
    thread::scope(|scope| {
        let call = || {
            while began.elapsed() < length {
                session
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .run()?;
                runs.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, anyhow::Error>(())
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        callers
            .into_iter()
            .try_for_each(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?)
    })?;
    Ok(runs.into_inner() as f64 / began.elapsed().as_secs_f64())
}

impl Throughput {
    pub fn rows(&self, subject: &Subject) -> [Row; 2] {
        let ours = stats::middle(&self.ours);
        let row = |threads: usize, others: &[f64]| {
            let pairs = self.ours.iter().zip(others);
            let ratios: Vec<f64> = pairs.map(|(ours, other)| ours / other).collect();
            Row {
                what: format!(
                    "Runs a second, {CALLERS} callers, {} model: {} engines of one thread, beside one session of \
                     {threads} behind a mutex",
                    subject.name, self.cores
                ),
                bound: format!("{LEAST}"),
                value: stats::spread(&ratios),
                absolute: format!("{ours:.0}, mutex {:.0}", stats::middle(others)),
                verdict: Verdict::of(stats::middle(&ratios) >= LEAST),
            }
        };
        [row(1, &self.one_thread), row(self.cores, &self.all_threads)]
    }
}
