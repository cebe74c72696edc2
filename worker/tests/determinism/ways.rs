//! The ways in which one machine comes to run the same job again.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use assay_engine::{EngineConfig, Host, HostConfig};
use assay_protocol::{Digest, OutputProfile};

use crate::jobs::Job;

const LONG: Duration = Duration::from_secs(120);
/// Engines at the same time, where several are.
const ENGINES: u32 = 4;

/// How often each root was found.
pub type Roots = BTreeMap<Digest, u32>;

/// Settings to compare with the audited ones.
pub struct Setting {
    pub name: String,
    pub engine: EngineConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// One process runs it again and again.
    Kept,
    /// Several processes run it at the same time.
    Together,
    /// Every core has other work, twice.
    Busy,
    /// Each run has a process of its own.
    Fresh,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Kept, Self::Together, Self::Busy, Self::Fresh];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "one process",
            Self::Together => "4 at once",
            Self::Busy => "cores busy",
            Self::Fresh => "process each",
        }
    }

    /// Of so many runs. A process takes as long to start as a thousand runs of a small model.
    pub fn share(self, runs: u32) -> u32 {
        let fresh = (runs / 50).max(2);
        let quarter = (runs - fresh) / 4;
        match self {
            Self::Kept => runs - fresh - 2 * quarter,
            Self::Together | Self::Busy => quarter,
            Self::Fresh => fresh,
        }
    }
}

/// The roots of a job under the exact comparison, over so many runs.
pub async fn roots(job: &Job, way: Way, engine: &EngineConfig, runs: u32) -> Roots {
    match way {
        Way::Kept => again(&host(engine, 1), job, runs).await,
        Way::Together => together(&host(engine, ENGINES), job, runs).await,
        Way::Busy => {
            let _load = Load::on_every_core();
            again(&host(engine, 1), job, runs).await
        }
        Way::Fresh => {
            let mut all = Roots::new();
            for run in 0..runs {
                let engine = EngineConfig {
                    warm_up: run % 2 == 0,
                    ..engine.clone()
                };
                add(&mut all, again(&host(&engine, 1), job, 1).await);
            }
            all
        }
    }
}

fn host(engine: &EngineConfig, engines: u32) -> Host {
    let engines = engines as usize;
    Host::new(HostConfig {
        engine: EngineConfig {
            concurrency: engines,
            warm_models: engines,
            ..engine.clone()
        },
        program: PathBuf::from(env!("CARGO_BIN_EXE_assay-worker")),
        arguments: vec!["engine".into()],
    })
}

async fn again(host: &Host, job: &Job, runs: u32) -> Roots {
    let info = host.load(&job.model).await.unwrap();
    let exact = OutputProfile::exact(info.outputs.len()).unwrap();
    let mut found = Roots::new();
    for _ in 0..runs {
        let outcome = host.run(&job.model, &job.input, LONG).await;
        let outcome = outcome.unwrap_or_else(|error| panic!("{}: {error}", job.name));
        let root = outcome.answer(&exact).unwrap().root;
        *found.entry(root).or_default() += 1;
    }
    found
}

async fn together(host: &Host, job: &Job, runs: u32) -> Roots {
    let shares = (0..ENGINES).map(|number| {
        let share = runs / ENGINES + u32::from(number < runs % ENGINES);
        again(host, job, share)
    });
    let mut all = Roots::new();
    for found in futures_util::future::join_all(shares).await {
        add(&mut all, found);
    }
    all
}

fn add(all: &mut Roots, found: Roots) {
    for (root, count) in found {
        *all.entry(root).or_default() += count;
    }
}

/// Threads that do nothing but work; two for each that the machine runs.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn on_every_core() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let count = 2 * thread::available_parallelism().unwrap().get();
        let spin = |stop: Arc<AtomicBool>| {
            thread::spawn(move || {
                let mut sum = 0.0_f64;
                while !stop.load(Ordering::Relaxed) {
                    // Floating point, so that registers are saved and restored under load too.
                    sum = std::hint::black_box(sum.sin() + 1.0);
                }
            })
        };
        let threads = (0..count).map(|_| spin(Arc::clone(&stop))).collect();
        Self { stop, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}
