//! `assay stake`: a provider's bond, in and out.

use anyhow::Result;
use assay_client::{
    address,
    instruction::{StakeDeposit, StakeUnbond, StakeWithdraw},
    protocol::Address,
};
use clap::Subcommand;

use crate::{
    Ending,
    amount::{Amount, Span, moment},
    context::Context,
};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Stake leaves in two steps: unbond it, wait (`assay market show`, unbond_secs), withdraw it. \
Until then it backs the jobs that the provider has claimed. A claim that produces nothing in time costs the job's late slash.")]
pub enum StakeCommand {
    /// Add stake from the authority's wallet
    Deposit {
        /// SOL
        amount: Amount,
    },
    /// Start to take stake out
    Unbond {
        /// SOL, or `all` that is free
        amount: String,
    },
    /// Take out what was unbonded long enough ago
    Withdraw {
        /// Where to; the authority itself by default
        #[arg(long, value_name = "ADDRESS")]
        to: Option<Address>,
    },
}

pub async fn run(context: &Context, command: StakeCommand) -> Result<Ending> {
    let authority = context.signer()?;
    let provider = context.cluster.provider(&authority).await?.data;
    match command {
        StakeCommand::Deposit { amount } => {
            let deposit = StakeDeposit {
                authority,
                amount: amount.0,
            }
            .instruction();
            if context
                .submit("stake deposit", &address::provider(&authority), &[deposit])
                .await?
            {
                let stake = Amount(provider.stake.saturating_add(amount.0));
                context.say(format_args!("{amount} staked; the stake is {stake} now"));
            }
        }
        StakeCommand::Unbond { amount } => {
            let amount = match amount.as_str() {
                "all" => Amount(provider.free_stake().map_or(0, |free| free.0)),
                text => text.parse().map_err(anyhow::Error::msg)?,
            };
            // The market's time, but never longer than what it was when the provider registered.
            let market = context.cluster.market().await?;
            let wait = Span(market.params.unbond_secs.min(provider.unbond_secs));
            let unbond = StakeUnbond {
                authority,
                amount: amount.0,
            }
            .instruction();
            if context
                .submit("stake unbond", &address::provider(&authority), &[unbond])
                .await?
            {
                context.say(format_args!(
                    "{amount} unbonding; `assay stake withdraw` pays it out after {wait}"
                ));
            }
        }
        StakeCommand::Withdraw { to } => {
            let destination = to.unwrap_or(authority);
            if provider.unbonding > 0 {
                let at = moment(provider.unbond_at);
                context.say(format_args!(
                    "{} unbonding until {at}",
                    Amount(provider.unbonding)
                ));
            }
            let withdraw = StakeWithdraw {
                authority,
                destination,
            }
            .instruction();
            if context
                .submit(
                    "stake withdraw",
                    &address::provider(&authority),
                    &[withdraw],
                )
                .await?
            {
                context.say(format_args!(
                    "{} went to {destination}",
                    Amount(provider.unbonding)
                ));
            }
        }
    }
    Ok(Ending::Done)
}
