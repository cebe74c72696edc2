//! `assay-worker models`.

use clap::Subcommand;

const PULL_HELP: &str = "\
The file is checked by its sha256, and looked at as the engine does before it loads one; what is
refused is not kept. It may run beside the worker, which finds the model at once. A pull that broke
off goes on where it was.

Run it as the user that the worker runs as, or the worker cannot read the file.

Examples:
  assay-worker models pull 3SVz...                   the address of a registered model
  assay-worker models pull b1e7e8...                 every registration of this sha256 is tried
  assay-worker models pull b1e7e8... --size 27104    asks IPFS by digest, and no chain
  assay-worker models pull b1e7e8... --uri https://example.org/m.onnx --size 27104
  assay-worker models pull ./digits.onnx";

const SHOW_HELP: &str = "\
The model is loaded by a real engine in its sandbox. Exit status: 0, or 1 if the engine refuses it.

Examples:
  assay-worker models show b1e7e8...
  assay-worker models show ./digits.onnx --json";

const RM_HELP: &str = "\
Refused without --force: what a live job or audit needs, what policy.models lists, and anything
while a worker runs, which may be about to claim a job for it.

Examples:
  assay-worker models rm b1e7e8...";

#[derive(Clone, Debug, Subcommand)]
pub enum Models {
    /// Bring a model into the cache, checked
    Pull(Pull),
    /// List the models in the cache
    List {
        /// JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Remove a model from the cache
    Rm(Remove),
    /// Show what a model takes and gives, and who registered it
    Show(Show),
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = PULL_HELP)]
pub struct Pull {
    /// A registered model's address, a file's sha256, or a file.
    #[arg(value_name = "ADDRESS|SHA256|FILE")]
    pub model: String,
    /// Where the file of this sha256 is; the chain is not asked.
    #[arg(long, requires = "size", value_name = "URI")]
    pub uri: Option<String>,
    /// How many bytes the file of this sha256 has.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub size: Option<u64>,
    /// JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = RM_HELP)]
pub struct Remove {
    /// The file's sha256.
    #[arg(value_name = "SHA256")]
    pub model: String,
    /// Remove it whoever needs it: a job that is claimed for it may be lost with its collateral.
    #[arg(long)]
    pub force: bool,
    /// JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = SHOW_HELP)]
pub struct Show {
    /// A registered model's address, a file's sha256, or a file.
    #[arg(value_name = "ADDRESS|SHA256|FILE")]
    pub model: String,
    /// JSON on stdout.
    #[arg(long)]
    pub json: bool,
}
