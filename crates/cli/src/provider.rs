//! `assay provider`: register, look, earn.

use anyhow::{Context as _, Result, bail};
use assay_chain::Found;
use assay_client::{
    address,
    instruction::{EarningsWithdraw, ProviderDeregister, ProviderRegister, ProviderUpdate},
    protocol::{Address, ProviderData, args::ProviderArgs, text},
};
use clap::{Args, Subcommand};
use solana_system_interface::instruction::transfer;

use crate::{Ending, amount::Amount, context::Context, output, view::ProviderView};

#[derive(Debug, Subcommand)]
pub enum ProviderCommand {
    /// Register the wallet as a provider's authority
    #[command(after_help = "\
Example:
  assay-worker init                         # makes the operator key, prints its address
  assay provider register --operator ADDRESS --endpoint https://worker.example:8800
  assay provider fund 0.05                  # the operator pays the fees of its transactions
  assay stake deposit 1")]
    Register(RegisterOptions),
    /// Change operator, endpoint or runtime class; what is not given stays
    Update(UpdateOptions),
    /// Show a provider
    Show {
        /// The provider or its authority; the wallet's own by default
        address: Option<Address>,
    },
    /// List providers, the largest stake first
    List,
    /// Send SOL to the operator, which pays the fees of its own transactions
    Fund {
        /// SOL
        amount: Amount,
    },
    /// Pay out the earnings; the market's share moves to the treasury
    Withdraw {
        /// Where to; the authority itself by default
        #[arg(long, value_name = "ADDRESS")]
        to: Option<Address>,
    },
    /// Close an empty provider and get the rent back
    Deregister,
}

#[derive(Args, Debug)]
pub struct RegisterOptions {
    /// The worker's hot key: it claims and commits, and can never move money out
    #[arg(long, value_name = "ADDRESS")]
    operator: Address,
    /// Base URL at which requesters reach the worker
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    endpoint: String,
    /// Digest of the facts that decide numeric results, in hex; none by default
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    runtime_class: Option<[u8; 32]>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct UpdateOptions {
    /// The worker's hot key
    #[arg(long, value_name = "ADDRESS")]
    operator: Option<Address>,
    /// Base URL at which requesters reach the worker
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    endpoint: Option<String>,
    /// Digest of the facts that decide numeric results, in hex; zeros for none
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    runtime_class: Option<[u8; 32]>,
}

/// 32 bytes in hex.
pub fn hex32(text: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map(|()| bytes)
        .map_err(|error| format!("64 hex digits were expected: {error}"))
}

/// A base URL; the slash at its end, which paths bring along, is dropped.
fn endpoint(text: &str) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("an endpoint starts with http:// or https://".to_owned())
    }
}

pub async fn run(context: &Context, command: ProviderCommand) -> Result<Ending> {
    match command {
        ProviderCommand::Register(options) => register(context, options).await?,
        ProviderCommand::Update(options) => update(context, options).await?,
        ProviderCommand::Show { address } => {
            let address = address.map_or_else(|| context.signer(), Ok)?;
            let view = ProviderView::new(&context.cluster.provider(&address).await?);
            if context.options.json {
                output::json(&view)?;
            } else {
                output::line(output::facts(&view.facts()))?;
            }
        }
        ProviderCommand::List => list(context).await?,
        ProviderCommand::Fund { amount } => fund(context, amount).await?,
        ProviderCommand::Withdraw { to } => withdraw(context, to).await?,
        ProviderCommand::Deregister => deregister(context).await?,
    }
    Ok(Ending::Done)
}

async fn register(context: &Context, options: RegisterOptions) -> Result<()> {
    let authority = context.signer()?;
    let provider = address::provider(&authority);
    if context
        .cluster
        .find::<ProviderData>(&provider)
        .await?
        .is_some()
    {
        bail!(
            "{authority} is registered already as {provider}; change it with `assay provider update`"
        );
    }
    let args = arguments(
        options.operator,
        options.runtime_class.unwrap_or_default(),
        &options.endpoint,
    )?;
    let register = ProviderRegister {
        payer: authority,
        authority,
        args,
    }
    .instruction();
    if context
        .submit(
            "provider register",
            &address::provider(&authority),
            &[register],
        )
        .await?
    {
        let market = context.cluster.market().await?;
        context.say(format_args!(
            "registered; next, stake at least {}: assay stake deposit {}",
            Amount(market.params.min_stake),
            Amount(market.params.min_stake)
                .to_string()
                .trim_end_matches(" SOL")
                .replace(',', "")
        ));
        context.name(&provider)?;
    }
    Ok(())
}

async fn update(context: &Context, options: UpdateOptions) -> Result<()> {
    let authority = context.signer()?;
    let Found { data, .. } = context.cluster.provider(&authority).await?;
    let endpoint = options
        .endpoint
        .unwrap_or_else(|| text::read(&data.endpoint, data.endpoint_len).to_owned());
    let args = arguments(
        options.operator.unwrap_or(data.operator),
        options.runtime_class.unwrap_or(data.runtime_class),
        &endpoint,
    )?;
    let update = ProviderUpdate { authority, args }.instruction();
    if context
        .submit("provider update", &address::provider(&authority), &[update])
        .await?
    {
        context.say("updated");
    }
    Ok(())
}

fn arguments(operator: Address, runtime_class: [u8; 32], endpoint: &str) -> Result<ProviderArgs> {
    let (endpoint, endpoint_len) = text::write(endpoint).ok().with_context(|| {
        format!(
            "the endpoint {endpoint:?} must be at most 96 printable ASCII characters without spaces"
        )
    })?;
    Ok(ProviderArgs {
        operator,
        runtime_class,
        endpoint,
        endpoint_len,
    })
}

async fn list(context: &Context) -> Result<()> {
    let mut providers: Vec<Found<ProviderData>> = context.cluster.list(&[]).await?;
    providers.sort_by_key(|found| (std::cmp::Reverse(found.data.stake), found.address));
    let views: Vec<ProviderView> = providers.iter().map(ProviderView::new).collect();
    if context.options.json {
        return output::json(&views);
    }
    if views.is_empty() {
        context.say("there are no providers yet; register with `assay provider register`");
        return Ok(());
    }
    output::line(output::table(
        &ProviderView::HEAD,
        views.iter().map(ProviderView::row).collect(),
    ))
}

async fn fund(context: &Context, amount: Amount) -> Result<()> {
    let authority = context.signer()?;
    let Found { data, .. } = context.cluster.provider(&authority).await?;
    let send = transfer(&authority, &data.operator, amount.0);
    if context
        .submit("provider fund", &address::provider(&authority), &[send])
        .await?
    {
        let balance = context.cluster.balance(&data.operator).await?;
        context.say(format_args!(
            "{amount} sent; the operator {} holds {}",
            data.operator,
            Amount(balance)
        ));
    }
    Ok(())
}

async fn withdraw(context: &Context, to: Option<Address>) -> Result<()> {
    let authority = context.signer()?;
    let destination = to.unwrap_or(authority);
    let Found { data, .. } = context.cluster.provider(&authority).await?;
    let withdraw = EarningsWithdraw {
        authority,
        destination,
    }
    .instruction();
    if context
        .submit(
            "provider withdraw",
            &address::provider(&authority),
            &[withdraw],
        )
        .await?
    {
        context.say(format_args!(
            "{} went to {destination}, the market's share of {} to the treasury",
            Amount(data.earnings),
            Amount(data.fees_due)
        ));
    }
    Ok(())
}

async fn deregister(context: &Context) -> Result<()> {
    let authority = context.signer()?;
    let Found { data, .. } = context.cluster.provider(&authority).await?;
    let deregister = ProviderDeregister {
        authority,
        rent_payer: data.rent_payer,
    }
    .instruction();
    if context
        .submit(
            "provider deregister",
            &address::provider(&authority),
            &[deregister],
        )
        .await?
    {
        context.say(format_args!(
            "deregistered; the rent went back to {}",
            data.rent_payer
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_without_a_slash_at_the_end() {
        assert_eq!(
            endpoint("https://x.example/"),
            Ok("https://x.example".to_owned())
        );
        assert!(endpoint("x.example").is_err());
        let long = format!("https://{}", "x".repeat(100));
        assert!(arguments(Address::default(), [0; 32], &long).is_err());
        assert!(hex32(&"0g".repeat(32)).is_err() && hex32("00").is_err());
        assert_eq!(hex32(&"01".repeat(32)), Ok([1; 32]));
    }
}
