//! What the host adds to the memory that ONNX Runtime and the model need anyway.
//!
//! `(engine - bare process) + spare process + growth of this process`: an engine is compared with a
//! process of the same program that holds the same session and nothing else.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use assay_engine::{EngineConfig, EngineState, Host, HostConfig, Model};
use serde::{Deserialize, Serialize};

use crate::{
    bare::Bare,
    model::{self, Subject},
    overhead::LIMIT,
    report::{Row, Verdict},
};

const MOST: i64 = 60_000;
const BOUND: &str = "60 MB";
/// Runs before anything is weighed: buffers then have their size.
const RUNS: usize = 200;

/// Kilobytes.
#[derive(Debug, Serialize, Deserialize)]
struct Weight {
    engine: i64,
    bare: i64,
    spare: i64,
    growth: i64,
}

/// Weighs in a process of its own, which has done nothing else.
pub fn measure(subject: &Subject) -> Result<Row> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Row {
            what: what(subject),
            bound: BOUND.into(),
            value: "engines show their memory to root only".into(),
            absolute: String::new(),
            verdict: Verdict::NotMeasured,
        });
    }
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), &subject.file)?;
    let weighing = Command::new(std::env::current_exe()?)
        .arg("weigh")
        .arg(file.path())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        weighing.status.success(),
        "weighing failed: {}",
        weighing.status
    );
    let weight: Weight = serde_json::from_slice(&weighing.stdout)?;
    Ok(weight.row(subject))
}

/// The process that weighs, and prints what it has found.
pub async fn weigh(file: &Path) -> Result<()> {
    let model = Model::new(fs::read(file)?);
    let mut held = Holder::start(file)?;
    let input = model::input_file()?;
    let before = kilobytes(std::process::id())?;
    let host = Host::new(HostConfig::new(EngineConfig::default())?);
    for _ in 0..RUNS {
        host.run(&model, &input, LIMIT).await?;
    }
    let spare = spare(&host).await?;
    let ps = host.ps();
    let engine = ps.engines.iter().find(|one| one.model.is_some());
    let engine = engine.and_then(|one| one.pid).context("no engine")?;
    let weight = Weight {
        engine: kilobytes(engine)?,
        bare: kilobytes(held.0.id())?,
        spare: kilobytes(spare)?,
        growth: kilobytes(std::process::id())? - before,
    };
    held.0.kill()?;
    held.0.wait()?;
    serde_json::to_writer(io::stdout(), &weight)?;
    Ok(())
}

/// The process that is ready for the next model; it starts while the others work.
async fn spare(host: &Host) -> Result<u32> {
    let looking = async {
        loop {
            let ps = host.ps();
            let mut engines = ps.engines.iter();
            if let Some(pid) =
                engines.find_map(|one| one.pid.filter(|_| one.state == EngineState::Spare))
            {
                return pid;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(LIMIT, looking).await;
    found.context("no spare process came")
}

/// A process that holds a session.
struct Holder(Child);

impl Holder {
    fn start(file: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("hold")
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        let stdout = child.stdout.take().context("no pipe")?;
        BufReader::new(stdout).read_line(&mut ready)?;
        if ready.trim() != "ready" {
            child.kill()?;
            child.wait()?;
            bail!("no session to compare with");
        }
        Ok(Self(child))
    }
}

/// That process: says that it is ready, and ends with its standard input.
pub fn hold(file: &Path) -> Result<()> {
    let config = EngineConfig::default();
    // The file goes once it is read, as it does in an engine.
    let mut bare = Bare::open(&config, &fs::read(file)?, config.threads)?;
    bare.times(RUNS)?;
    println!("ready");
    io::stdout().flush()?;
    let _: usize = io::stdin().read(&mut [0])?;
    Ok(())
}

/// A process's own pages and its share of those that several map.
fn kilobytes(pid: u32) -> Result<i64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(number.context("no Pss")?.trim().parse()?)
}

impl Weight {
    fn row(&self, subject: &Subject) -> Row {
        let Self {
            engine,
            bare,
            spare,
            growth,
        } = self;
        let total = engine - bare + spare + growth;
        let megabytes = |kilobytes: i64| kilobytes as f64 / 1_000.0;
        Row {
            what: what(subject),
            bound: BOUND.into(),
            value: format!("{:.1} MB", megabytes(total)),
            absolute: format!(
                "engine {:.1} MB - bare process {:.1} MB + spare process {:.1} MB + the host's growth {:.1} MB",
                megabytes(*engine),
                megabytes(*bare),
                megabytes(*spare),
                megabytes(*growth)
            ),
            verdict: Verdict::of(total <= MOST),
        }
    }
}

fn what(subject: &Subject) -> String {
    format!("Memory beyond runtime and model, {} model", subject.name)
}
