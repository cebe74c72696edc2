//! Models run on this machine, for the commands that re-run or measure them.
//!
//! As in the worker, a model runs in a child process without keys: this executable with the argument `engine`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use assay_engine::{EngineConfig, Host, HostConfig, Sandbox};
use clap::Args;

/// Options of every command that runs models.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Engine options")]
pub struct EngineOptions {
    /// ONNX Runtime's shared library [default: what `make bootstrap` installed]
    #[arg(long, env = "ORT_DYLIB_PATH", value_name = "FILE")]
    pub runtime: Option<PathBuf>,
}

/// The worker's own defaults, so that a result here is what an honest worker would find.
pub fn config(options: &EngineOptions) -> EngineConfig {
    EngineConfig {
        // One model is run, and nothing is waited for.
        spare: false,
        // An empty variable means unset, as it does to the engine itself.
        library: options
            .runtime
            .clone()
            .filter(|path| !path.as_os_str().is_empty()),
        // Whoever re-runs a job chose it, and must be able to on systems that have no sandbox.
        sandbox: Sandbox::BestEffort,
        ..EngineConfig::default()
    }
}

/// A host whose engines nothing has been asked of yet: a missing library shows on its first use.
pub fn host_with(config: EngineConfig) -> Result<Host> {
    let config = HostConfig::new(config).context("this executable cannot be found again")?;
    Ok(Host::new(config))
}
