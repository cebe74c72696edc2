//! `assay gateway`: a service on this machine that answers by way of sessions and pays for them.

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use assay_client::protocol::Address;
use assay_gateway::{
    Config, Sessions, Upstream as _,
    api::{self, Packages},
    front::{self, Guard, SPENDING_PATH},
    funds::Spending,
    lane::wire::Bounds,
    store::Store,
    templates::Processes,
};
use assay_package::Package;
use clap::Args;
use indicatif::ProgressBar;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    Ending,
    amount::{Amount, Span},
    context::Context,
    output, package,
    session::{self, LedgerOption, UNAUDITED},
};

/// How long requests under way may take once the gateway is told to stop.
const DRAIN: Duration = Duration::from_mins(1);
/// How often the spending is shown anew.
const SHOW: Duration = Duration::from_secs(1);

/// Answer requests on this machine by way of sessions with providers, and pay for them.
///
/// Finds the providers that offer a model, opens and tops up sessions with them, pays each request with the next one
/// and keeps every receipt. Whoever can reach the gateway spends the wallet's money, up to --max-spend. Sessions are
/// unaudited.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  assay gateway --max-spend 0.1
  assay gateway --max-spend 0.1 --max-price 0.0005 --provider ADDRESS --lanes 8

Ctrl-C lets requests under way end; a second one does not. Sessions stay open for the next start; \
`assay session close --all` gets their money back.")]
pub struct GatewayOptions {
    /// Where to listen; an address that other machines can reach needs --api-key
    #[arg(long, default_value = "127.0.0.1:8952", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// SOL for all requests of this run, and for all deposits of it
    #[arg(long, value_name = "SOL")]
    max_spend: Amount,
    /// SOL for one request
    #[arg(long, default_value = "0.001", value_name = "SOL")]
    max_price: Amount,
    /// SOL that a session begins with and is topped up by
    #[arg(long, default_value = "0.01", value_name = "SOL")]
    deposit: Amount,
    /// Sessions with one provider, and so requests under way with it at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    lanes: u16,
    /// Longest grace time of a session that a provider may ask for
    #[arg(long, default_value = "7d", value_name = "TIME")]
    max_grace: Span,
    /// No other providers than these
    #[arg(long = "provider", value_name = "ADDRESS")]
    providers: Vec<Address>,
    /// Folder or archive of a model's package, for its names, its texts and its chats; may be given several times
    #[arg(long = "package", value_name = "PATH")]
    packages: Vec<PathBuf>,
    /// Key that requests must bring, as `Authorization: Bearer KEY`
    #[arg(
        long,
        env = "ASSAY_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    api_key: Option<String>,
    #[command(flatten)]
    ledger: LedgerOption,
}

pub async fn run(context: &Context, options: GatewayOptions) -> Result<Ending> {
    let guard = Guard::new(options.listen, options.api_key.as_deref())?;
    let renderer = package::renderer()?;
    let packages = packages(&options.packages, &renderer).await?;
    let path = options.ledger.path()?;
    let store = Store::open(&path)?;
    let lock = Store::lock(&path)?;
    let chain = Arc::new(session::chain(context)?);
    let listener = TcpListener::bind(options.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; another program may do so already, choose another with --listen",
            options.listen
        )
    })?;
    let listen = listener.local_addr()?;
    let sessions = Sessions::start(config(context, &options).await?, chain, store, lock).await?;
    // Before anybody is told that it runs, and may tell it to stop.
    let stopping = interrupted()?;
    introduce(context, &options, listen, &sessions).await?;

    let (stop, stopped) = watch::channel(false);
    let mut serving = stopped.clone();
    let options = api::Options {
        api_key: guard.key().map(str::to_owned),
        ..api::Options::default()
    };
    let router = api::router(
        Arc::new(sessions.clone()),
        Arc::new(packages),
        Arc::new(renderer),
        options,
    )
    .merge(front::router(sessions.clone(), guard.clone()));
    let server = tokio::spawn(front::serve(listener, router, guard, async move {
        let _ = serving.wait_for(|stop| *stop).await;
    }));
    show_until(&sessions, stopping).await;
    context.say("stopping; requests under way may end, Ctrl-C again ends them");
    let _ = stop.send(true);
    let left = tokio::select! {
        left = sessions.drain(DRAIN) => left,
        () = interrupted()? => 1,
    };
    server.abort();
    if left > 0 {
        context.say(
            "requests were broken off; what they cost is asked of their providers at the next start",
        );
    }
    finish(context, &sessions.spending())
}

/// The packages, whose texts and names the APIs speak; models without one are there as tensors alone.
async fn packages(folders: &[PathBuf], renderer: &Processes) -> Result<Packages> {
    let mut opened = Vec::new();
    for folder in folders {
        let unusable = || format!("the package {} cannot be used", folder.display());
        let package = Package::open(folder).with_context(unusable)?;
        package::check(renderer, &package)
            .await
            .with_context(unusable)?;
        opened.push(package);
    }
    Ok(Packages::new(opened)?)
}

async fn config(context: &Context, options: &GatewayOptions) -> Result<Config> {
    let mut only = std::collections::BTreeSet::new();
    for either in &options.providers {
        only.insert(context.cluster.provider(either).await?.address);
    }
    Ok(Config {
        lanes: usize::from(options.lanes),
        max_grace_secs: options.max_grace.0,
        only,
        bounds: Bounds {
            allow_private: context.allow_private(),
            ..Bounds::default()
        },
        ..Config::new(options.max_spend.0, options.max_price.0, options.deposit.0)
    })
}

async fn introduce(
    context: &Context,
    options: &GatewayOptions,
    listen: SocketAddr,
    sessions: &Sessions,
) -> Result<()> {
    let models = sessions.models().await?;
    let (providers, silent) = sessions.directory().census();
    if context.options.json {
        output::json(&serde_json::json!({
            "listen": format!("http://{listen}"),
            "max_spend_lamports": options.max_spend.0,
            "max_price_lamports": options.max_price.0,
            "models": models.len(),
            "providers": providers.saturating_sub(silent.len()),
            "audited": false,
        }))?;
    }
    context.say(format_args!(
        "listening on http://{listen} (http://{listen}{SPENDING_PATH} tells what is spent)\n\
         models on offer: {}, from {} of {providers} providers\n\
         at most {} in all and {} a request, {} in each session, {} sessions a provider\n{UNAUDITED}",
        models.len(),
        providers.saturating_sub(silent.len()),
        options.max_spend,
        options.max_price,
        options.deposit,
        options.lanes,
    ));
    if !is_private(listen.ip()) {
        context.say("whoever reaches this address with the key spends this wallet's money");
    }
    for (account, why) in silent.iter().take(5) {
        context.say(format_args!(
            "  {account} makes no offer: {}",
            crate::plain::plain(why)
        ));
    }
    Ok(())
}

const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback(),
    }
}

/// Shows on a terminal what is spent, until told to stop.
async fn show_until(sessions: &Sessions, stop: impl Future<Output = ()>) {
    let line = ProgressBar::new_spinner();
    tokio::pin!(stop);
    let mut last = None;
    loop {
        let spending = sessions.spending();
        if last != Some(spending) {
            line.set_message(summary(&spending));
            last = Some(spending);
        }
        line.tick();
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(SHOW) => {}
        }
    }
    line.finish_and_clear();
}

fn summary(spending: &Spending) -> String {
    let mut text = format!(
        "{} of {} spent in {} requests, {} deposited",
        Amount(spending.spent),
        Amount(spending.limit),
        spending.requests,
        Amount(spending.deposited)
    );
    if spending.reserved > 0 {
        text.push_str(&format!(
            ", {} under way or in doubt at most",
            Amount(spending.reserved)
        ));
    }
    text
}

fn finish(context: &Context, spending: &Spending) -> Result<Ending> {
    if context.options.json {
        output::json(spending)?;
    }
    context.say(summary(spending));
    context.say(
        "sessions stay open for the next start; `assay session close --all` gets their money back",
    );
    Ok(Ending::Done)
}

/// Ends with the next Ctrl-C or request to terminate.
fn interrupted() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(more: &[&str]) -> Result<GatewayOptions, clap::Error> {
        let all = [&["assay", "gateway"], more].concat();
        Cli::try_parse_from(all).map(|cli| {
            let Command::Gateway(options) = cli.command else {
                panic!("another command");
            };
            options
        })
    }

    #[test]
    fn spending_limit_is_required_and_the_rest_has_defaults() {
        assert!(parse(&[]).is_err());
        let options = parse(&["--max-spend", "0.1"]).unwrap();
        assert!(options.listen.ip().is_loopback());
        assert_eq!(options.max_spend, Amount(100_000_000));
        assert_eq!(options.lanes, 4);
        assert!(parse(&["--max-spend", "0.1", "--lanes", "0"]).is_err());
    }

    #[test]
    fn summary_names_what_is_in_doubt_only_if_something_is() {
        let spending = Spending {
            requests: 3,
            spent: 1_000,
            limit: 1_000_000_000,
            deposited: 10_000_000,
            reserved: 0,
        };
        let text = summary(&spending);
        assert_eq!(
            text,
            "0.000001 SOL of 1 SOL spent in 3 requests, 0.01 SOL deposited"
        );
        let text = summary(&Spending {
            reserved: 5,
            ..spending
        });
        assert!(
            text.ends_with("0.000000005 SOL under way or in doubt at most"),
            "{text}"
        );
    }
}
