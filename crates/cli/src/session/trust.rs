//! `assay session trust`.

use anyhow::Result;
use assay_client::protocol::Address;
use clap::Args;

use super::LedgerOption;
use crate::{context::Context, output};

#[derive(Args, Debug)]
#[command(after_help = "\
A provider that broke the rules three times is not asked any more; 100 paid answers make good for one time.
`assay session list` says who that is and why. A gateway that is running follows within 20 s.

Example:
  assay session trust PROVIDER")]
pub struct TrustOptions {
    /// The provider, or its authority
    provider: Address,
    #[command(flatten)]
    ledger: LedgerOption,
}

pub async fn trust(context: &Context, options: &TrustOptions) -> Result<()> {
    let store = options.ledger.open()?;
    let mut provider = options.provider;
    let mut found = store.trust(&provider)?;
    if !found {
        // Not its account, so perhaps its authority.
        provider = context.cluster.provider(&options.provider).await?.address;
        found = store.trust(&provider)?;
    }
    context.say(if found {
        "everything is forgiven; the gateway asks it again"
    } else {
        "the ledger holds nothing against this provider"
    });
    if context.options.json {
        output::json(&serde_json::json!({ "provider": provider.to_string(), "forgiven": found }))?;
    }
    Ok(())
}
