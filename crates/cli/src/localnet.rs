//! `assay localnet`: a chain of one's own with the market on it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use assay_client::{PROGRAM_ID, protocol::Address};
use assay_localnet::{AssayConfig, Localnet};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use solana_keypair::{Keypair, write_keypair_file};
use solana_signer::Signer;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
};

use crate::{
    Ending,
    amount::Amount,
    config,
    context::{Context, read_wallet},
    output,
};

/// What every wallet starts with.
const FUNDS: Amount = Amount(100_000_000_000);
const PROGRAM: &str = "target/deploy/assay.so";

/// The chain runs in this process and forgets everything when it ends; the keys stay.
///
/// It deploys the program with the upgradeable loader's own instructions, opens the market with short windows, and
/// funds the wallets. It listens on 127.0.0.1 only.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  assay localnet --port 8899
  assay localnet --port 0 --json        # a free port; prints one JSON object when it is ready")]
pub struct LocalnetOptions {
    /// Port of the JSON-RPC; the websocket takes the next one. 0 takes a free one
    #[arg(long, default_value_t = 8899)]
    port: u16,
    /// The program's file, as `make program` leaves it
    #[arg(long, env = "ASSAY_PROGRAM", default_value = PROGRAM, value_name = "PATH")]
    program: PathBuf,
    /// Folder of the wallets; missing ones are made. Default: ~/.config/assay/localnet
    #[arg(long, value_name = "PATH")]
    keys: Option<PathBuf>,
    /// Further wallets to fund, besides the Solana CLI's own
    #[arg(long, value_name = "ADDRESS")]
    fund: Vec<Address>,
}

/// The wallets of a local market.
struct Wallets {
    folder: PathBuf,
    authority: Keypair,
    provider: Keypair,
    requester: Keypair,
}

impl Wallets {
    fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| {
            format!(
                "cannot make the folder {}; choose another with --keys",
                folder.display()
            )
        })?;
        Ok(Self {
            authority: wallet(&folder, "authority")?,
            provider: wallet(&folder, "provider")?,
            requester: wallet(&folder, "requester")?,
            folder,
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder
            .join(format!("{name}.json"))
            .display()
            .to_string()
    }
}

fn wallet(folder: &Path, name: &str) -> Result<Keypair> {
    let path = folder.join(format!("{name}.json"));
    if path.exists() {
        return read_wallet(&path);
    }
    let key = Keypair::new();
    write_keypair_file(&key, &path)
        .map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
    Ok(key)
}

pub async fn run(context: &Context, options: LocalnetOptions) -> Result<Ending> {
    if !options.program.is_file() {
        bail!(
            "the program {} is not there; build it with `make program`, or name another with --program",
            options.program.display()
        );
    }
    let folder = options
        .keys
        .clone()
        .or_else(|| config::home("assay/localnet"))
        .context("HOME is not set; give a folder with --keys")?;
    let wallets = Wallets::open(folder)?;
    // Listening starts before the chain does, so that no signal is lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let localnet = start(context, &options, &wallets).await?;
    announce(context, &localnet, &wallets)?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    context.say("stopping; the chain forgets everything, the keys stay");
    spawn_blocking(move || drop(localnet)).await?;
    Ok(Ending::Done)
}

async fn start(
    context: &Context,
    options: &LocalnetOptions,
    wallets: &Wallets,
) -> Result<Localnet> {
    let mut config = AssayConfig::new(options.program.clone())?;
    config.port = Some(options.port);
    config.authority = wallets.authority.insecure_clone();
    let mut funded = vec![wallets.provider.pubkey(), wallets.requester.pubkey()];
    funded.extend(&options.fund);
    // The person's own wallet, if there is one, so that everything works without --keypair too.
    funded.extend(context.wallet().ok().map(|own| own.pubkey()));
    funded.sort_unstable();
    funded.dedup();
    config.funded = funded
        .into_iter()
        .map(|address| (address, FUNDS.0))
        .collect();
    let spinner =
        ProgressBar::new_spinner().with_message("starting the chain and deploying the program");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let localnet = spawn_blocking(move || Localnet::start_assay(config)).await?;
    spinner.finish_and_clear();
    Ok(localnet?)
}

fn announce(context: &Context, localnet: &Localnet, wallets: &Wallets) -> Result<()> {
    let (url, ws) = (localnet.rpc_url(), localnet.ws_url());
    if context.options.json {
        return output::json(&json!({
            "rpc_url": url,
            "ws_url": ws,
            "program": PROGRAM_ID.to_string(),
            "authority": wallets.path("authority"),
            "provider": wallets.path("provider"),
            "requester": wallets.path("requester"),
        }));
    }
    output::line(output::facts(&[
        ("JSON-RPC", url.clone()),
        ("websocket", ws.clone()),
        ("program", PROGRAM_ID.to_string()),
        ("market authority", wallets.path("authority")),
        ("a provider's wallet", wallets.path("provider")),
        ("a requester's wallet", wallets.path("requester")),
    ]))?;
    let [provider, requester] = ["provider", "requester"].map(|name| wallets.path(name));
    let authority = wallets.provider.pubkey();
    context.say(format_args!(
        "\n\
        The market is open; each wallet holds {FUNDS}. In a second terminal, a provider:\n\n  \
        export ASSAY_URL={url}\n  \
        assay -k {provider} model register models/digits.onnx --uri file://$PWD/models/digits.onnx\n  \
        assay-worker init --authority {authority}     # prints the operator's address\n  \
        assay -k {provider} provider register --operator OPERATOR --endpoint http://127.0.0.1:8950\n  \
        assay -k {provider} provider fund 0.05\n  \
        assay -k {provider} stake deposit 1\n  \
        assay-worker run --set 'chain.rpc=[\"{url}\"]' --set chain.websocket={ws} --set artifacts.allow_file=true\n\n\
        And in a third, somebody who pays:\n\n  \
        export ASSAY_URL={url}\n  \
        assay -k {requester} job run --model models/digits.onnx --input models/digits/sample-3.png --max-price 0.001\n\n\
        Ctrl-C stops it."
    ));
    Ok(())
}
