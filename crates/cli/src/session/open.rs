//! `assay session open`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use assay_client::{
    account::Layout as _,
    protocol::{Address, SessionData, limits::MAX_GRACE_SECS},
};
use assay_gateway::{
    chain::Chain as _,
    funds::opening::{self, Terms},
    lane::wire::{Bounds, Wire},
    providers::Directory,
    store::State,
};
use clap::Args;

use super::{Books, LedgerOption, UNAUDITED};
use crate::{
    amount::{Amount, Span, exact},
    context::Context,
    output,
};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  assay session open PROVIDER --deposit 0.01
  assay gateway --max-spend 0.01            # goes on with it")]
pub struct OpenOptions {
    /// The provider, or its authority
    provider: Address,
    /// SOL to lock; what is not spent comes back at the close
    #[arg(long, default_value = "0.01", value_name = "SOL")]
    deposit: Amount,
    /// Time between your close request and the close, 1d to 30d; the provider's least by default
    #[arg(long, value_name = "TIME")]
    grace: Option<Span>,
    #[command(flatten)]
    ledger: LedgerOption,
}

pub async fn open(context: &Context, options: OpenOptions) -> Result<()> {
    let books = Books::open(context, &options.ledger).await?;
    let account = context.cluster.provider(&options.provider).await?.address;
    let wire = Wire::new(Bounds {
        patience: PATIENCE,
        allow_private: context.allow_private(),
        ..Bounds::default()
    })?;
    let directory = Directory::new(
        Arc::new(super::chain(context)?),
        wire,
        BTreeSet::from([account]),
    );
    let (provider, offer) = directory.provider(&account).await?.ok_or_else(|| {
        anyhow!("the provider {account} has no endpoint, so no session with it is of use")
    })?;
    let offer = offer.map_err(|why| {
        anyhow!(
            "the provider {account} makes no offer for sessions at {}: {}; nothing was sent",
            provider.endpoint,
            crate::plain::plain(&why)
        )
    })?;
    let grace = options.grace.map_or(0, |grace| grace.0);
    if offer.min_grace_secs > MAX_GRACE_SECS || grace > MAX_GRACE_SECS {
        bail!(
            "a grace time is at most {}; {} was asked for",
            Span(MAX_GRACE_SECS),
            Span(grace.max(offer.min_grace_secs))
        );
    }
    let rent = context.cluster.rent(SessionData::SIZE).await?;
    let slot = books.chain.slot().await?;
    let terms = Terms {
        cluster: books.cluster,
        requester: books.chain.payer(),
        deposit: options.deposit.0,
        grace_secs: grace.max(offer.min_grace_secs),
        slot,
        now: context.cluster.clock().await?.time.0,
    };
    let (row, open) = opening::open(&provider, &terms)?;
    context.say(format_args!(
        "session    {}\nprovider   {account} at {}\ndeposit    {}\nrent       {} (comes back with the close)\n\
         grace      {} from a close request to the close\n{UNAUDITED}",
        row.address,
        crate::plain::plain(&provider.endpoint),
        exact(options.deposit.0),
        Amount(rent),
        Span(row.grace_secs),
    ));
    context.confirm("open it?")?;
    let signed = context.sign("session open", &[open]).await?;
    let signed = signed.context("the session was not sent")?;
    // The key first: whatever happens from here on, the money can be found again.
    books.store.add_session(&row)?;
    let session = row.address;
    if let Err(error) = context.land("session open", &signed).await {
        match context.cluster.find::<SessionData>(&session).await {
            // A node can lose sight of a transaction that landed; the account says that it did.
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                return Err(error.context(format!(
                    "the session {session} was sent, and it is unknown whether it is open; its key is kept, and \
                     `assay session list` tells later"
                )));
            }
        }
    }
    books.store.set_opened(&session, State::Open, "")?;
    context.say("open; `assay gateway` goes on with it");
    if context.options.json {
        return output::json(&serde_json::json!({
            "session": session.to_string(),
            "provider": account.to_string(),
            "deposit_lamports": row.deposit,
            "grace_secs": row.grace_secs,
            "audited": false,
        }));
    }
    output::line(session)
}
