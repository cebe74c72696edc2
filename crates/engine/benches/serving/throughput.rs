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

/// Runs a second, for each round.
#[derive(Default)]
pub struct Throughput {
    /// As many engines as callers.
    many: Vec<f64>,
    /// As many engines as cores.
    few: Vec<f64>,
    one_thread: Vec<f64>,
    all_threads: Vec<f64>,
    cores: usize,
}

/// Measures rounds of so long for each.
pub async fn measure(subject: &Subject, rounds: usize, length: Duration) -> Result<Throughput> {
    let cores = thread::available_parallelism()?.get();
    let threads = EngineConfig::default().threads;
    let (one, all) = (session(subject, threads)?, session(subject, cores)?);
    let (many, few) = (host(CALLERS)?, host(cores)?);
    let mut measured = Throughput {
        cores,
        ..Throughput::default()
    };
    by_host(&many, subject, length / 4).await?;
    by_host(&few, subject, length / 4).await?;
    for _ in 0..rounds {
        // There and back, so that what changes with time is nobody's advantage.
        let before = by_host(&many, subject, length / 2).await?;
        let one_before = behind_mutex(&one, length / 2)?;
        measured.all_threads.push(behind_mutex(&all, length)?);
        measured.few.push(by_host(&few, subject, length).await?);
        let one_after = behind_mutex(&one, length / 2)?;
        let after = by_host(&many, subject, length / 2).await?;
        measured.many.push(f64::midpoint(before, after));
        measured
            .one_thread
            .push(f64::midpoint(one_before, one_after));
    }
    Ok(measured)
}

fn host(engines: usize) -> Result<Arc<Host>> {
    let config = EngineConfig {
        concurrency: engines,
        spare: false,
        ..EngineConfig::default()
    };
    Ok(Arc::new(Host::new(HostConfig::new(config)?)))
}

fn session(subject: &Subject, threads: usize) -> Result<Arc<Mutex<Bare>>> {
    let bare = Bare::open(&EngineConfig::default(), &subject.file, threads)?;
    Ok(Arc::new(Mutex::new(bare)))
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
    pub fn rows(&self, subject: &Subject) -> [Row; 3] {
        let row = |(engines, ours): (usize, &[f64]), (threads, others): (usize, &[f64])| {
            let pairs = ours.iter().zip(others);
            let ratios: Vec<f64> = pairs.map(|(ours, other)| ours / other).collect();
            Row {
                what: format!(
                    "Runs a second, {CALLERS} callers, {} model: {engines} engines of one thread, beside one session \
                     of {threads} behind a mutex",
                    subject.name
                ),
                bound: format!("{LEAST}"),
                value: stats::spread(&ratios),
                absolute: format!(
                    "{:.0}, mutex {:.0}",
                    stats::middle(ours),
                    stats::middle(others)
                ),
                verdict: Verdict::of(stats::middle(&ratios) >= LEAST),
            }
        };
        let (many, few) = ((CALLERS, &*self.many), (self.cores, &*self.few));
        let (one, all) = ((1, &*self.one_thread), (self.cores, &*self.all_threads));
        [row(many, one), row(many, all), row(few, one)]
    }
}
