//! The commands, one module each. They print what was asked for to stdout, and talk on stderr.

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use serde::Serialize;

use crate::{
    args::{Args, Command},
    config::{self, Config, ConfigError, Layers},
    halt::Halt,
    logging, run,
};

pub mod amount;
mod benchmark;
mod class;
mod disputes;
mod doctor;
mod drain;
mod earnings;
mod init;
mod models;
mod open;
mod ps;
mod status;
mod wrap;

/// Wrong usage or configuration, as in sysexits.h.
pub const EX_USAGE: u8 = 64;

/// How a command ends that does not end well.
#[derive(Debug)]
pub enum Ended {
    /// Nothing was touched: what was asked for, or the configuration, is wrong.
    Usage(String),
    Failed(anyhow::Error),
    /// Everything was said already, and not all of it is good.
    Unwell,
}

impl Ended {
    pub fn usage(reason: impl Into<String>) -> Self {
        Self::Usage(reason.into())
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ConfigError> for Ended {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Does what the command line asks for.
pub fn execute(args: Args) -> ExitCode {
    match dispatch(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Usage(reason)) => {
            eprintln!("error: {reason}");
            ExitCode::from(EX_USAGE)
        }
        Err(Ended::Unwell) => ExitCode::FAILURE,
        Err(Ended::Failed(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: Args) -> Result<(), Ended> {
    let config = || read_config(&args);
    match &args.command {
        Command::Init(_) if !args.set.is_empty() || args.log_format.is_some() => Err(Ended::usage(
            "`init` takes no --set and no --log-format: it asks, or takes flags of its own (`--help`); change what it wrote \
             afterwards",
        )),
        Command::Init(flags) => init::show(&args.config, flags),
        Command::Doctor(flags) => doctor::show(&layers(&args), flags),
        Command::CheckConfig => Ok(print_config(&config()?)?),
        Command::Class { json } => class::show(&config()?, *json),
        Command::Run { halt_at } => {
            let config = config()?;
            let recent =
                logging::install(&config.log).map_err(|error| Ended::usage(error.to_string()))?;
            let halt = halt_at.map_or(Halt::Never, Halt::At);
            Ok(block_on(run::run(config, halt, recent))?)
        }
        Command::Status { open: true, .. } => open::show(&config()?),
        Command::Status { json, jobs, .. } => status::show(&config()?, *json, *jobs),
        Command::Ps { json } => ps::show(&config()?, *json),
        Command::Drain { wait, json } => drain::drain(&config()?, *wait, *json),
        Command::Resume { json } => drain::resume(&config()?, *json),
        Command::Disputes { job, json, count } => {
            disputes::show(&config()?, job.as_deref(), *json, *count)
        }
        Command::Earnings(flags) => earnings::show(&config()?, flags),
        Command::Models(action) => models::act(&config()?, action),
        // Only as the very first argument; see `main`.
        Command::Engine => Err(Ended::usage(
            "`engine` takes no other arguments and is started by the worker",
        )),
    }
}

fn layers(args: &Args) -> Layers {
    Layers {
        file: args.config.clone(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        flags: args.set.clone(),
    }
}

fn read_config(args: &Args) -> Result<Config, ConfigError> {
    let mut config = config::load(&layers(args))?;
    if let Some(format) = args.log_format {
        config.log.format = format;
    }
    Ok(config)
}

fn print_config(config: &Config) -> anyhow::Result<()> {
    let text = toml::to_string(config).context("the configuration cannot be printed")?;
    print(&text)?;
    eprintln!("the configuration is valid; above is what is in force");
    Ok(())
}

/// Runs asynchronous work to its end.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// To stdout. Whoever reads it may stop reading.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("stdout cannot be written"),
    }
}
