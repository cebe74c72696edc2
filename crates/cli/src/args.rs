//! What a person can type.

use std::path::PathBuf;

use assay_client::protocol::Address;
use clap::{Args, Parser, Subcommand};

use crate::{
    chat, chat::ChatOptions, gateway::GatewayOptions, job::JobCommand, localnet::LocalnetOptions,
    market::MarketCommand, model::ModelCommand, provider::ProviderCommand, session::SessionCommand,
    stake::StakeCommand, verify, verify::VerifyOptions,
};

/// Pay for the inference of ONNX models by staked providers, on Solana.
///
/// A requester locks a price for one inference; a staked provider runs it, commits to the result on chain and hands
/// it over; this tool checks the result against the commitment before it acknowledges it. A job can be audited by lot:
/// drawn providers run it again and compare within the model's tolerance.
#[derive(Debug, Parser)]
#[command(
    name = "assay",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  A market of your own, in one terminal:
    assay localnet
  Pay for one inference (quote, confirm, wait, verify, receipt):
    assay job run --model models/digits.onnx --input models/digits/sample-3.png --max-price 0.001
  See what is going on:
    assay market show
    assay job list --all

Cluster and wallet come from the Solana CLI's config (`solana config get`); --url and --keypair override them. \
Amounts are SOL (0.001) unless they say lamports (1000000lamports). Times are 30s, 5m, 2h or 1d.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the job ended without settling (the money came back, less what \
auditors earned), 4 the delivery did not verify or never came (it was not acknowledged).";

/// Options that every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Cluster: a URL, or localhost, devnet, testnet, mainnet-beta (or l, d, t, m)
    #[arg(
        short,
        long,
        global = true,
        env = "ASSAY_URL",
        value_name = "URL_OR_MONIKER"
    )]
    pub url: Option<String>,
    /// Wallet: a keypair file of the Solana CLI
    #[arg(short, long, global = true, env = "ASSAY_KEYPAIR", value_name = "PATH")]
    pub keypair: Option<PathBuf>,
    /// The Solana CLI's config file
    #[arg(short = 'C', long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Print JSON on stdout instead of tables; lamports, unix seconds, hex
    #[arg(long, global = true)]
    pub json: bool,
    /// Show each transaction's signature, compute units and fee
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Do not ask; overwrite the files that --out and --receipt name
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Ask providers in private networks and on this machine too, as on a local cluster
    #[arg(long, global = true)]
    pub allow_private: bool,
    /// Priority fee in micro-lamports a compute unit
    #[arg(long, global = true, default_value_t = 0, value_name = "MICROLAMPORTS")]
    pub priority_fee: u64,
    /// Print the transaction unsigned (base64) instead of sending it, for a cold key or a multisig
    #[arg(long, global = true)]
    pub unsigned: bool,
    /// Address that will sign and pay, when its key is not here; needs --unsigned
    #[arg(long, global = true, requires = "unsigned", value_name = "ADDRESS")]
    pub from: Option<Address>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Pay for inferences and watch them
    #[command(subcommand)]
    Job(JobCommand),
    /// Answer requests on this machine by way of sessions with providers, and pay for them
    Gateway(GatewayOptions),
    /// Talk to a model behind a gateway
    #[command(after_help = chat::EXAMPLES)]
    Chat(ChatOptions),
    /// Look after the sessions that this wallet pays
    #[command(subcommand)]
    Session(SessionCommand),
    /// Register models and look them up
    #[command(subcommand)]
    Model(ModelCommand),
    /// Register as a provider, withdraw earnings
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Move a provider's stake in and out
    #[command(subcommand)]
    Stake(StakeCommand),
    /// Look at the market; run it, if it is yours
    #[command(subcommand)]
    Market(MarketCommand),
    /// Run a job's model again on this machine and compare: match, within tolerance, or fraud
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyOptions),
    /// Run a local chain with the market on it, until Ctrl-C
    Localnet(LocalnetOptions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn from_without_unsigned_is_refused() {
        let address = Address::default().to_string();
        let refused = Cli::try_parse_from(["assay", "--from", &address, "market", "show"]);
        assert!(refused.is_err());
        let taken =
            Cli::try_parse_from(["assay", "--unsigned", "--from", &address, "market", "show"]);
        assert!(taken.is_ok());
    }
}
