//! `assay-worker earnings`.

use clap::ValueEnum;

const HELP: &str = "\
Read from the journal alone: it may run beside the worker, and asks no chain. Amounts in CSV and
JSON are whole lamports. `net` is what the job changed of stake, earnings and the operator's
balance together: earned + audit fees - slashes - bonds lost - transaction fees - rent that has
not come back. Energy is not in it: it is paid elsewhere.

A day begins at midnight UTC.

Examples:
  assay-worker earnings                            sums of the last days, weeks or months
  assay-worker earnings --by model --since 2026-11-01
  assay-worker earnings --by job --csv > jobs.csv  one line a job and attempt";

/// What lines add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Grouping {
    Job,
    #[default]
    Day,
    Week,
    Month,
    Model,
}

#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = HELP)]
pub struct Earnings {
    /// What each line adds up.
    #[arg(long, value_enum, default_value_t)]
    pub by: Grouping,
    /// From this day on: 2026-11-27, or 7d for the last seven days.
    #[arg(long, value_name = "DAY")]
    pub since: Option<String>,
    /// Before this day.
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// CSV on stdout.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Power that the machine draws while it runs a model, for the energy's estimate.
    #[arg(long, value_name = "WATTS")]
    pub watts: Option<String>,
}
