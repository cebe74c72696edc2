//! `assay-worker doctor`.

const HELP: &str = "\
Every check is one line: \u{2713} good, ! worth a look, \u{2717} broken, - not looked at and why. What is
broken has the command or setting that mends it below. No check stops the others, and nothing is
changed; it may run beside the worker.

Exit status: 0 if nothing is broken, 1 if something is.

Examples:
  assay-worker doctor
  assay-worker doctor --send            also lands a transaction; costs its fee
  assay-worker doctor --json | jq '.checks[] | select(.state == \"broken\")'";

#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(after_help = HELP)]
pub struct Doctor {
    /// JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Send a transfer of 0 lamports from the operator to itself, and time its landing. Costs its fee.
    #[arg(long)]
    pub send: bool,
    /// Longest wait for any one answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub patience: u64,
}
