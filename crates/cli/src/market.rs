//! `assay market`: look at the market, open it, run it.

pub mod parameters;

use anyhow::{Result, bail};
use assay_client::{
    address,
    instruction::{
        AuthorityAccept, AuthorityPropose, MarketInit, MarketPause, MarketUpdate, TreasuryWithdraw,
    },
    protocol::{
        Address, MarketData, TreasuryData,
        market::{MarketParams, PAUSE_JOBS, PAUSE_REGISTRATIONS, PAUSE_SESSIONS},
    },
};
use clap::{Args, Subcommand, ValueEnum};

use crate::{Ending, amount::Amount, context::Context, output, view::MarketView};
use parameters::Setting;

#[derive(Debug, Subcommand)]
pub enum MarketCommand {
    /// Show parameters, authority and collected fees
    Show,
    /// Open the market; only the program's upgrade authority can
    #[command(after_help = "Example:\n  assay market init --preset public --set fee_bps=150")]
    Init(InitOptions),
    /// Change parameters; running jobs keep theirs
    #[command(
        after_help = "Example:\n  assay market update --set fee_bps=150 --set min_stake=2sol"
    )]
    Update {
        /// NAME=VALUE, named as `market show --json` names them; repeat for several
        #[arg(long, required = true, value_name = "NAME=VALUE")]
        set: Vec<Setting>,
    },
    /// Stop new jobs, registrations or sessions; exits are never stopped
    #[command(
        after_help = "Examples:\n  assay market pause jobs registrations\n  assay market pause none"
    )]
    Pause {
        /// What to stop; `none` lets everything run
        #[arg(required = true)]
        what: Vec<Pause>,
    },
    /// Propose the next authority; it must accept
    Propose {
        /// The next authority; `none` withdraws a proposal
        authority: String,
    },
    /// Accept a proposal, signed by the proposed authority
    Accept,
    /// Pay collected fees out
    TreasuryWithdraw {
        /// How much: SOL, or `all`
        amount: String,
        /// Where to; the authority itself by default
        #[arg(long, value_name = "ADDRESS")]
        to: Option<Address>,
    },
}

#[derive(Args, Debug)]
pub struct InitOptions {
    /// Where the parameters start
    #[arg(long, value_enum, default_value_t = Preset::Public)]
    preset: Preset,
    /// NAME=VALUE, named as `market show --json` names them; repeat for several
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// For a public network
    Public,
    /// For a local chain: windows that a person can watch pass
    Local,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pause {
    Jobs,
    Registrations,
    Sessions,
    None,
}

pub async fn run(context: &Context, command: MarketCommand) -> Result<Ending> {
    match command {
        MarketCommand::Show => show(context).await?,
        MarketCommand::Init(options) => init(context, &options).await?,
        MarketCommand::Update { set } => update(context, &set).await?,
        MarketCommand::Pause { what } => pause(context, &what).await?,
        MarketCommand::Propose { authority } => propose(context, &authority).await?,
        MarketCommand::Accept => {
            let accept = AuthorityAccept {
                pending: context.signer()?,
            }
            .instruction();
            if context
                .submit("market accept", &address::market(), &[accept])
                .await?
            {
                context.say("the market is yours now");
            }
        }
        MarketCommand::TreasuryWithdraw { amount, to } => {
            withdraw(context, &amount, to).await?;
        }
    }
    Ok(Ending::Done)
}

async fn show(context: &Context) -> Result<()> {
    let market = context.cluster.market().await?;
    let treasury: TreasuryData = context.cluster.get(&address::treasury()).await?;
    let view = MarketView::new(&market, &treasury);
    if context.options.json {
        output::json(&view)
    } else {
        output::line(output::facts(&view.facts()))
    }
}

async fn init(context: &Context, options: &InitOptions) -> Result<()> {
    if context
        .cluster
        .find::<MarketData>(&address::market())
        .await?
        .is_some()
    {
        context.say("the market is open already; `assay market show` shows it");
        return context.nothing_to_do(&address::market());
    }
    let mut params = match options.preset {
        Preset::Public => MarketParams::PUBLIC,
        Preset::Local => MarketParams::LOCAL,
    };
    parameters::apply(&mut params, &options.set)?;
    let signer = context.signer()?;
    let init = MarketInit {
        payer: signer,
        upgrade_authority: signer,
        params,
    }
    .instruction();
    if context
        .submit("market init", &address::market(), &[init])
        .await?
    {
        context.say(format_args!(
            "the market {} is open, its authority is {signer}",
            address::market()
        ));
    }
    Ok(())
}

async fn update(context: &Context, set: &[Setting]) -> Result<()> {
    let mut params = context.cluster.market().await?.params;
    let before = params;
    parameters::apply(&mut params, set)?;
    for line in parameters::differences(&before, &params) {
        context.say(line);
    }
    if before == params {
        context.say("the market has these parameters already; nothing was sent");
        return context.nothing_to_do(&address::market());
    }
    context.confirm("Change the market?")?;
    let update = MarketUpdate {
        authority: context.signer()?,
        params,
    }
    .instruction();
    if context
        .submit("market update", &address::market(), &[update])
        .await?
    {
        context.say("changed; running jobs keep their terms");
    }
    Ok(())
}

async fn pause(context: &Context, what: &[Pause]) -> Result<()> {
    if what.contains(&Pause::None) && what.len() > 1 {
        bail!("`none` stands alone: it lets everything run");
    }
    let bit = |pause: &Pause| match pause {
        Pause::Jobs => PAUSE_JOBS,
        Pause::Registrations => PAUSE_REGISTRATIONS,
        Pause::Sessions => PAUSE_SESSIONS,
        Pause::None => 0,
    };
    let flags = what.iter().map(bit).fold(0, |flags, bit| flags | bit);
    let pause = MarketPause {
        authority: context.signer()?,
        flags,
    }
    .instruction();
    if context
        .submit("market pause", &address::market(), &[pause])
        .await?
    {
        let text = if flags == 0 {
            "everything runs"
        } else {
            "paused; running jobs and withdrawals go on"
        };
        context.say(text);
    }
    Ok(())
}

async fn propose(context: &Context, authority: &str) -> Result<()> {
    let pending: Address = match authority {
        "none" => Address::default(),
        text => text
            .parse()
            .map_err(|_| anyhow::anyhow!("{text:?} is no address; give one, or `none`"))?,
    };
    let propose = AuthorityPropose {
        authority: context.signer()?,
        pending,
    }
    .instruction();
    if context
        .submit("market propose", &address::market(), &[propose])
        .await?
    {
        context.say("proposed; it takes over with `assay market accept`, signed by its own key");
    }
    Ok(())
}

async fn withdraw(context: &Context, amount: &str, to: Option<Address>) -> Result<()> {
    let treasury: TreasuryData = context.cluster.get(&address::treasury()).await?;
    let amount = match amount {
        "all" => Amount(treasury.collected),
        text => text.parse().map_err(anyhow::Error::msg)?,
    };
    let authority = context.signer()?;
    let destination = to.unwrap_or(authority);
    let withdraw = TreasuryWithdraw {
        authority,
        destination,
        amount: amount.0,
    }
    .instruction();
    if context
        .submit("market treasury-withdraw", &address::market(), &[withdraw])
        .await?
    {
        context.say(format_args!("{amount} went to {destination}"));
    }
    Ok(())
}
