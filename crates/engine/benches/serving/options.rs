//! What a bench is told to do, and what becomes of its table.

use std::{env, path::PathBuf};

use anyhow::{Result, bail};
use assay_engine::{EngineConfig, Host, HostConfig};

use crate::report::{self, Report};

pub struct Options {
    check: bool,
    /// For looking whether it works.
    pub quick: bool,
    /// The parts to measure; all if empty.
    only: Vec<String>,
}

impl Options {
    /// Of these parts some may be named.
    pub fn read<'a>(arguments: impl IntoIterator<Item = &'a str>, parts: &[&str]) -> Result<Self> {
        let mut options = Self {
            check: false,
            quick: false,
            only: Vec::new(),
        };
        for argument in arguments {
            match argument {
                // What cargo adds.
                "--bench" => {}
                "--check" => options.check = true,
                "--quick" => options.quick = true,
                part if parts.contains(&part) => options.only.push(part.to_owned()),
                other => bail!("unknown argument {other}; known: --check, --quick, {parts:?}"),
            }
        }
        Ok(options)
    }

    pub fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    /// Prints the table, puts it between the marks of this name where a file is named, and fails on a missed bound if
    /// it is to.
    pub async fn finish(&self, name: &str, report: &Report) -> Result<()> {
        let host = Host::new(HostConfig::new(EngineConfig::default())?);
        let version = host.probe().await?.runtime.version;
        let text = report.text(&format!("ONNX Runtime {version}"));
        println!("{text}");
        if let Some(path) = env::var_os("ASSAY_BENCH_WRITE").map(PathBuf::from) {
            report::write(&path, name, &text)?;
        }
        let missed = report.missed();
        eprintln!("{name}: {missed} bounds missed");
        if self.check && missed > 0 {
            bail!("{missed} bounds are missed");
        }
        Ok(())
    }
}

/// As the worker's commands run.
pub fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}
