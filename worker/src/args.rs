//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{config::LogFormat, halt::HaltPoint};

mod doctor;
mod earnings;
mod init;
mod models;

pub use doctor::Doctor;
pub use earnings::{Earnings, Grouping};
pub use init::Init;
pub use models::{Models, Pull, Remove, Show};

const EXAMPLES: &str = "\
Begin:
  assay-worker init                                  asks, measures, writes worker.toml and operator.json
  assay provider register ...                        init prints the exact commands
  assay-worker check-config
  assay-worker run

Settings are read from the file, then from ASSAY_WORKER_* variables, then from --set:
  ASSAY_WORKER_CHAIN__POLL_MS=500 assay-worker run --set policy.min_price_lamports=10000

Exit status: 0 done, 1 failed, 64 wrong usage or configuration, 130 stopped by a second signal.";

/// Earns by running ONNX models for the Assay market on Solana.
#[derive(Debug, Parser)]
#[command(name = "assay-worker", version, after_help = EXAMPLES)]
pub struct Args {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "ASSAY_WORKER_CONFIG",
        default_value = "worker.toml",
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// Overrides one setting; may be given often.
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
    /// Overrides log.format.
    #[arg(long, global = true, value_enum)]
    pub log_format: Option<LogFormat>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at this machine, measure it, and write a configuration and a new operator key
    Init(Box<Init>),
    /// Read the configuration from all its sources, check it, print what is in force
    CheckConfig,
    /// Print the runtime class of this machine as set up, and the facts that it stands for
    Class {
        /// JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Examine this machine and everything that the worker needs; each fault with its fix
    Doctor(Doctor),
    /// Take jobs until stopped; one signal finishes what is claimed, a second stops at once
    Run {
        /// Stop dead at this point of the first job that reaches it (for crash tests).
        #[arg(long, hide = true, value_name = "POINT")]
        halt_at: Option<HaltPoint>,
    },
    /// Show stake, live jobs, earnings and the last jobs
    Status {
        /// JSON on stdout.
        #[arg(long)]
        json: bool,
        /// How many of the last jobs to show.
        #[arg(long, default_value_t = 10)]
        jobs: u32,
        /// Instead, open the running worker's page in a browser; prints its link.
        #[arg(long, conflicts_with_all = ["json", "jobs"])]
        open: bool,
    },
    /// Show what the running worker has loaded and works on
    Ps {
        /// Everything that the worker knows, as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Take no new work, also after a restart; claimed jobs and held seats go on to their end
    Drain {
        /// Return once nothing is at stake any more.
        #[arg(long)]
        wait: bool,
        /// The worker's state after it, as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Take work again after `drain`
    Resume {
        /// The worker's state after it, as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Show audits of our jobs and of our seats: roots, deadlines, and what each verdict brings
    Disputes {
        /// Only this job.
        job: Option<String>,
        /// JSON on stdout.
        #[arg(long)]
        json: bool,
        /// How many of the last ones to show.
        #[arg(long, default_value_t = 10)]
        count: u32,
    },
    /// Show what jobs and audits brought and cost, by day, week, month, model or job
    Earnings(Earnings),
    /// Bring models into the cache beside a running worker, list, examine and remove them
    #[command(subcommand)]
    Models(Models),
    /// Runs models for another process of this program.
    #[command(hide = true)]
    Engine,
}
