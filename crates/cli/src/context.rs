//! What every command works with: the cluster, the wallet and the global options.

use std::{
    io::{IsTerminal, Write, stderr, stdin},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use assay_chain::Cluster;
use assay_client::{network::is_public_host, protocol::Address};
use solana_keypair::{Keypair, read_keypair_file};
use solana_signer::Signer;

use crate::{args::Global, config::SolanaConfig};

/// Longest wait for one answer.
const WAIT: Duration = Duration::from_secs(30);

pub struct Context {
    pub cluster: Cluster,
    pub options: Global,
    config: SolanaConfig,
}

impl Context {
    /// Whether providers on this machine and in private networks are asked. They are where the cluster is there too.
    pub fn allow_private(&self) -> bool {
        self.options.allow_private
            || reqwest::Url::parse(&self.cluster.url()).is_ok_and(|url| {
                url.host_str()
                    .is_some_and(|host| host == "localhost" || !is_public_host(host))
            })
    }

    pub fn new(options: Global) -> Result<Self> {
        let config = SolanaConfig::load(options.config.as_deref())?;
        let url = config.url(options.url.as_deref())?;
        Ok(Self {
            cluster: Cluster::new(url, WAIT),
            options,
            config,
        })
    }

    /// The wallet that signs.
    pub fn wallet(&self) -> Result<Keypair> {
        let path = self
            .config
            .keypair(self.options.keypair.as_deref())
            .context("no wallet: HOME is not set; give a keypair file with --keypair")?;
        read_wallet(&path)
    }

    /// The address that signs: the wallet's, or the one given for an unsigned transaction.
    pub fn signer(&self) -> Result<Address> {
        match self.options.from {
            Some(address) => Ok(address),
            None => Ok(self.wallet()?.pubkey()),
        }
    }

    /// Says something to the person, unless the output is for a program.
    pub fn say(&self, text: impl std::fmt::Display) {
        eprintln!("{text}");
    }

    /// Asks on the terminal; without a terminal, or with --yes, the answer is yes.
    pub fn confirm(&self, question: &str) -> Result<()> {
        if self.options.yes || !stdin().is_terminal() {
            return Ok(());
        }
        eprint!("{question} [y/N] ");
        stderr().flush()?;
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            bail!("not confirmed; nothing was sent")
        }
    }
}

/// Reads a keypair file of the Solana CLI.
pub fn read_wallet(path: &Path) -> Result<Keypair> {
    if !path.is_file() {
        bail!(
            "the wallet {} does not exist; create one with `solana-keygen new -o {}` or give another with --keypair",
            path.display(),
            path.display()
        );
    }
    read_keypair_file(path).map_err(|error| {
        anyhow!(
            "{} is no keypair file of the Solana CLI: {error}; give another with --keypair",
            path.display()
        )
    })
}
