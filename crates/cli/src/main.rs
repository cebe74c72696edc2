//! `assay`: the command line of the Assay market.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the job ended
//! without settling, 4 a delivery did not verify. `assay verify` answers 1 for fraud and 2 for `cannot tell`.

mod amount;
mod args;
mod calibrate;
mod chat;
mod config;
mod context;
mod delivery;
mod engine;
mod explain;
mod gateway;
mod input;
mod job;
mod localnet;
mod market;
mod model;
mod onnx;
mod output;
mod package;
mod plain;
mod provider;
mod session;
mod stake;
mod transaction;
mod verify;
mod view;

use std::process::ExitCode;

use assay_gateway::templates;
use clap::Parser;

use args::{Cli, Command};
use context::Context;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    /// The job ended, and its requester got the money back.
    Unsettled,
    /// What was delivered is not what the provider committed to.
    Unverified,
    /// What the provider committed to is not what the model gives here.
    Fraud,
    /// The files at hand do not suffice for a verdict.
    CannotTell,
}

impl Ending {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "settled",
            Self::Unsettled => "unsettled",
            Self::Unverified => "unverified",
            Self::Fraud => "fraud",
            Self::CannotTell => "cannot_tell",
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::SUCCESS,
            Ending::Unsettled => Self::from(3),
            Ending::Unverified => Self::from(4),
            Ending::Fraud => Self::FAILURE,
            Ending::CannotTell => Self::from(2),
        }
    }
}

fn main() -> ExitCode {
    // Before anything else: such a child has an empty environment and owns its pipes.
    match std::env::args_os().nth(1) {
        Some(child) if child == "engine" => assay_engine::child_main(),
        Some(child) if child == templates::ARGUMENT => templates::child_main(),
        Some(_) | None => serve(Cli::parse()),
    }
}

#[tokio::main]
async fn serve(cli: Cli) -> ExitCode {
    match run(cli).await {
        Ok(ending) => ending.into(),
        Err(error) => {
            explain::report(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Ending> {
    let context = Context::new(cli.global)?;
    match cli.command {
        Command::Job(command) => job::run(&context, command).await,
        Command::Market(command) => market::run(&context, command).await,
        Command::Provider(command) => provider::run(&context, command).await,
        Command::Session(command) => session::run(&context, command).await,
        Command::Chat(options) => chat::run(&context, options).await,
        Command::Gateway(options) => gateway::run(&context, options).await,
        Command::Stake(command) => stake::run(&context, command).await,
        Command::Model(command) => model::run(&context, command).await,
        Command::Verify(options) => verify::run(&context, options).await,
        Command::Localnet(options) => localnet::run(&context, options).await,
    }
}
