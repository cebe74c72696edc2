//! `assay-worker init`.

use std::{net::SocketAddr, path::PathBuf};

const HELP: &str = "\
At a terminal it asks for what no flag says, each question with a default; without one, or with
--yes, the defaults are taken, and what was assumed is said. Nothing is written before the last
answer; an existing configuration or key is never overwritten.

The suggested price covers the transaction fees of a job and the energy of a run, with a margin.
It is as good as the figures that it is made of: run time is measured on this machine, with the
model that --bench-model names if you know what you will serve.

Examples:
  assay-worker init
  assay-worker init --yes --authority <ADDRESS> --rpc https://api.devnet.solana.com \\
      --public-url https://worker.example --watts 65 --electricity 0.30 --sol-price 150
  assay-worker init --yes --no-benchmark --min-price 20000 --json";

/// What `init` can be told instead of being asked.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = HELP)]
pub struct Init {
    /// Ask nothing: take the defaults for what no flag says.
    #[arg(long, short)]
    pub yes: bool,
    /// What was made and measured, as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// The wallet that registers, or has registered, the provider; may be written into the file later.
    #[arg(long, value_name = "ADDRESS")]
    pub authority: Option<String>,
    /// An RPC endpoint, the preferred one first; may be given often.
    #[arg(long, value_name = "URL")]
    pub rpc: Vec<String>,
    /// Its websocket; made from the first endpoint if not given, "" for none.
    #[arg(long, value_name = "URL")]
    pub websocket: Option<String>,
    /// The url of this worker as requesters will see it.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Where the worker listens; a TLS proxy or tunnel brings requesters here.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// A folder with .onnx files; may be given often.
    #[arg(long, value_name = "FOLDER")]
    pub models: Vec<PathBuf>,
    /// What computes: cpu, cuda, tensorrt, coreml, directml or auto.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Inferences at the same time.
    #[arg(long, value_name = "COUNT")]
    pub concurrency: Option<usize>,
    /// Threads of one inference.
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,
    /// Least price of a job in lamports; taken as it is, nothing is suggested.
    #[arg(long, value_name = "LAMPORTS")]
    pub min_price: Option<u64>,
    /// Power that the machine draws while it runs a model, above what it draws anyway.
    #[arg(long, value_name = "WATTS")]
    pub watts: Option<String>,
    /// Price of a kilowatt hour, in any currency.
    #[arg(long, value_name = "PRICE")]
    pub electricity: Option<String>,
    /// Price of one SOL in the same currency.
    #[arg(long, value_name = "PRICE")]
    pub sol_price: Option<String>,
    /// What you want beyond the costs, in percent of them.
    #[arg(long, value_name = "PERCENT")]
    pub margin: Option<u32>,
    /// Measure with this model, on zeros, instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    pub bench_model: Option<PathBuf>,
    /// Measure nothing.
    #[arg(long, conflicts_with = "bench_model")]
    pub no_benchmark: bool,
}
