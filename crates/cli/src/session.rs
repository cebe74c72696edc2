//! `assay session`: payment channels with providers, for many requests each.

mod close;
mod list;
mod lost;
mod open;
mod receipts;
mod trust;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use assay_client::protocol::Address;
use assay_gateway::{
    chain::{Chain as _, RpcChain},
    reconcile::{Known, reconcile},
    store::{self, Store},
};
use clap::{Args, Subcommand};

use crate::{Ending, context::Context};

pub use close::CloseOptions;
pub use open::OpenOptions;
pub use receipts::ReceiptsOptions;
pub use trust::TrustOptions;

/// Said wherever money goes into a session.
pub const UNAUDITED: &str = "sessions are unaudited: nobody computes their answers again, and a wrong answer is paid \
                             like a right one";

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A session locks a deposit for one provider. Each request carries a voucher for the requests before it, so each side \
risks the price of one request. Sessions are unaudited: nobody computes their answers again. `assay gateway` opens \
and tops up sessions by itself; these commands look after them.")]
pub enum SessionCommand {
    /// Open a session with a provider; the gateway takes it up
    Open(OpenOptions),
    /// List this wallet's sessions, here and on chain, and what they hold
    List(ListOptions),
    /// Pay what is due and get the rest of the deposit back, after the grace time
    Close(CloseOptions),
    /// Ask a provider again that broke the rules too often
    Trust(TrustOptions),
    /// Show, export or verify the receipts of sessions
    Receipts(ReceiptsOptions),
}

#[derive(Args, Debug)]
pub struct ListOptions {
    /// Those that are closed or never opened, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    ledger: LedgerOption,
}

#[derive(Args, Clone, Debug)]
pub struct LedgerOption {
    /// The file of session keys, vouchers and receipts. Default: assay/gateway/ledger.sqlite in $XDG_DATA_HOME or
    /// ~/.local/share
    #[arg(long, env = "ASSAY_LEDGER", value_name = "PATH")]
    pub ledger: Option<PathBuf>,
}

impl LedgerOption {
    pub fn path(&self) -> Result<PathBuf> {
        self.ledger
            .clone()
            .or_else(store::default_path)
            .context("there is no place for the ledger: HOME is not set; give one with --ledger")
    }

    pub fn open(&self) -> Result<Store> {
        Ok(Store::open(&self.path()?)?)
    }
}

/// The ledger beside the chain.
pub struct Books {
    pub store: Store,
    pub chain: RpcChain,
    pub cluster: [u8; 32],
}

impl Books {
    pub async fn open(context: &Context, ledger: &LedgerOption) -> Result<Self> {
        Self::over(context, ledger.open()?).await
    }

    /// Puts an open ledger beside the chain.
    pub async fn over(context: &Context, store: Store) -> Result<Self> {
        let chain = chain(context)?;
        let cluster = chain.cluster().await?;
        Ok(Self {
            store,
            chain,
            cluster,
        })
    }

    /// Every session of the wallet here, as the chain has it now.
    pub async fn sessions(&self) -> Result<Vec<Known>> {
        Ok(reconcile(&self.store, &self.chain, self.cluster).await?)
    }
}

/// Number and sum of a session's last receipt.
pub fn last(store: &Store, session: &Address) -> Result<Option<(u64, u64)>> {
    let last = store.last_receipt(session)?;
    Ok(last.map(|row| (row.signed.receipt.sequence, row.signed.receipt.cumulative)))
}

/// The cluster and wallet of the global options, as the gateway uses them.
pub fn chain(context: &Context) -> Result<RpcChain> {
    if context.options.unsigned {
        anyhow::bail!(
            "sessions are opened and closed with the wallet's key at hand; leave --unsigned out"
        );
    }
    let wallet = context.wallet()?;
    Ok(RpcChain::new(
        context.cluster.url(),
        wallet,
        context.options.priority_fee,
    ))
}

pub async fn run(context: &Context, command: SessionCommand) -> Result<Ending> {
    match command {
        SessionCommand::Open(options) => open::open(context, options).await?,
        SessionCommand::List(options) => list::list(context, &options).await?,
        SessionCommand::Close(options) => close::close(context, options).await?,
        SessionCommand::Trust(options) => trust::trust(context, &options).await?,
        SessionCommand::Receipts(options) => return receipts::receipts(context, options).await,
    }
    Ok(Ending::Done)
}
