//! Whether an audited job has one root on one machine, however often and however pressed it runs.
//!
//! `cargo test` runs each model a few times; `make determinism` runs each ten thousand times and
//! writes the tables of docs/determinism.md.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panicking"
)]

#[path = "determinism/jobs.rs"]
mod jobs;
#[path = "determinism/report.rs"]
mod report;
#[path = "determinism/ways.rs"]
mod ways;

use assay_engine::{EngineConfig, Optimization};

use jobs::jobs;
use report::{Report, Row};
use ways::{Setting, Way, roots};

/// Runs of each model in `cargo test`; a multiple of what the ways need to share it.
const FEW: u32 = 40;
/// How often each other setting is run for the comparison with the audited ones.
const OTHERS: u32 = 10;

fn number(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}, and should be a number"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn audited_job_has_one_root_however_it_runs() {
    let runs = number("ASSAY_DETERMINISM_RUNS", FEW);
    let mut rows = Vec::new();
    for job in jobs() {
        let mut row = Row::new(&job);
        for way in Way::ALL {
            let share = way.share(runs);
            let found = roots(&job, way, &EngineConfig::default(), share).await;
            row.add(way, found);
        }
        eprintln!("{row}");
        assert_eq!(row.runs(), runs, "{}: every run is counted", job.name);
        rows.push(row);
    }
    let out = std::env::var_os("ASSAY_DETERMINISM_OUT");
    let mut settings = settings();
    // All of them take a minute, for the tables alone.
    settings.truncate(if out.is_some() { settings.len() } else { 2 });
    let others = others(settings, &rows).await;
    // The tables are written before they are judged: what fails is what people want to see.
    if let Some(file) = out {
        Report {
            rows: &rows,
            others: &others,
        }
        .write(file.as_ref());
    }
    for row in &rows {
        assert_eq!(row.roots().len(), 1, "{row}");
    }
    for (setting, compared) in &others {
        let torn: Vec<&str> = compared.torn.iter().map(String::as_str).collect();
        let repeats = setting.engine.deterministic;
        assert!(
            !repeats || torn.is_empty(),
            "{}: {torn:?} differ from run to run",
            setting.name
        );
    }
}

/// How other settings compare with the audited ones.
#[derive(Debug, Default)]
pub struct Compared {
    pub same: u32,
    /// Models with another root.
    pub other: Vec<String>,
    /// Models with more than one root in this setting alone.
    pub torn: Vec<String>,
}

async fn others(settings: Vec<Setting>, rows: &[Row]) -> Vec<(Setting, Compared)> {
    let mut all = Vec::new();
    for setting in settings {
        let mut compared = Compared::default();
        for (job, row) in jobs().iter().zip(rows) {
            let found = roots(job, Way::Kept, &setting.engine, OTHERS).await;
            let names: Vec<_> = found.keys().copied().collect();
            if names.len() > 1 {
                compared.torn.push(job.name.clone());
            }
            if names.iter().eq(row.roots().keys()) {
                compared.same += 1;
            } else {
                compared.other.push(job.name.clone());
            }
        }
        eprintln!("{}: {compared:?}", setting.name);
        all.push((setting, compared));
    }
    all
}

fn settings() -> Vec<Setting> {
    let with = |name: &str, change: fn(&mut EngineConfig)| {
        let mut engine = EngineConfig::default();
        change(&mut engine);
        Setting {
            name: name.into(),
            engine,
        }
    };
    vec![
        with("2 threads", |engine| engine.threads = 2),
        with("no warm-up", |engine| engine.warm_up = false),
        with("4 threads", |engine| engine.threads = 4),
        with("optimisation extended", |engine| {
            engine.optimization = Optimization::Extended;
        }),
        with("optimisation basic", |engine| {
            engine.optimization = Optimization::Basic
        }),
        with("optimisation off", |engine| {
            engine.optimization = Optimization::Off
        }),
        with("deterministic off", |engine| engine.deterministic = false),
        with("deterministic off, 4 threads", |engine| {
            engine.deterministic = false;
            engine.threads = 4;
        }),
    ]
}
