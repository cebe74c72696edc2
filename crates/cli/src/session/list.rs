//! `assay session list`.

use anyhow::Result;
use assay_client::protocol::UnixSeconds;
use assay_gateway::{
    chain::Chain as _,
    reconcile::Known,
    store::{State, Store},
};

use super::{
    Books, ListOptions, UNAUDITED, last,
    lost::{self, Lost},
};
use crate::{amount::Amount, context::Context, output, plain::plain, view::SessionView};

/// What there is to show.
struct Sessions {
    known: Vec<Known>,
    lost: Vec<Lost>,
    now: UnixSeconds,
}

pub async fn list(context: &Context, options: &ListOptions) -> Result<()> {
    let store = options.ledger.open()?;
    let sessions = match look(context, &store).await {
        Ok(sessions) => sessions,
        Err(error) => {
            context.say(format_args!(
                "{}\nso this is what the ledger has of every wallet and cluster, as it last saw it",
                plain(&format!("{error:#}"))
            ));
            from_ledger(&store)?
        }
    };
    let mut views = Vec::new();
    for known in &sessions.known {
        if options.all || known.row.state.is_live() {
            views.push(SessionView::new(known, last(&store, &known.row.address)?));
        }
    }
    views.extend(sessions.lost.iter().map(SessionView::lost));
    for breaches in store.breaches()? {
        if breaches.is_banned() {
            let provider = breaches.provider;
            context.say(format_args!(
                "the provider {provider} broke the rules {} times and is not asked any more, the last time: {}; \
                 `assay session trust {provider}` lifts that",
                breaches.count,
                plain(&breaches.reason)
            ));
        }
    }
    if context.options.json {
        return output::json(&views);
    }
    if views.is_empty() {
        context
            .say("there are no sessions here; `assay gateway` opens them, or `assay session open`");
        return Ok(());
    }
    output::line(output::table(
        &SessionView::HEAD,
        views.iter().map(|view| view.row(sessions.now)).collect(),
    ))?;
    explain(context, &views);
    Ok(())
}

/// The ledger and the chain, side by side.
async fn look(context: &Context, store: &Store) -> Result<Sessions> {
    let books = Books::over(context, store.clone()).await?;
    let mut known = books.sessions().await?;
    let now = context.cluster.clock().await?.time;
    let lost = lost::look(context, &books.chain.payer(), &mut known).await;
    Ok(Sessions { known, lost, now })
}

/// The ledger alone, where the wallet or the chain cannot be had. No time is shown without the chain.
fn from_ledger(store: &Store) -> Result<Sessions> {
    let rows = store.all_sessions()?.into_iter();
    Ok(Sessions {
        known: rows.map(|row| Known { row, chain: None }).collect(),
        lost: Vec::new(),
        now: UnixSeconds(0),
    })
}

/// What the table cannot hold.
fn explain(context: &Context, views: &[SessionView]) {
    for view in views {
        let (session, state) = (&view.session, view.state);
        if let Some(reason) = &view.reason {
            context.say(format_args!("{session} is {state}: {}", plain(reason)));
        }
        if view.in_doubt {
            context.say(format_args!(
                "{session} has a request without a receipt; the gateway asks the provider when it is started"
            ));
        }
    }
    let (known, lost): (Vec<_>, Vec<_>) = views.iter().partition(|view| view.in_ledger);
    if !lost.is_empty() {
        context.say(format_args!(
            "{} at most comes back of what is unknown to this ledger. {}",
            Amount(left(&lost)),
            lost::MEANING
        ));
    }
    if !known.is_empty() {
        context.say(format_args!(
            "{} is not spent; `assay session close` gets it back. {UNAUDITED}",
            Amount(left(&known))
        ));
    }
}

/// Lamports that these sessions still hold for the wallet.
fn left(views: &[&SessionView]) -> u64 {
    let ended = [State::Closed.name(), State::Failed.name()];
    views
        .iter()
        .filter(|view| !ended.contains(&view.state))
        .map(|view| view.left())
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::lost::tests::row;

    #[test]
    fn ledger_alone_shows_the_sessions_of_every_wallet_and_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("ledger.sqlite")).unwrap();
        for byte in [1, 2] {
            let mut row = row(byte, State::Open);
            (row.cluster, row.requester) = ([byte; 32], row.address);
            store.add_session(&row).unwrap();
        }
        let found = from_ledger(&store).unwrap();
        assert_eq!(found.known.len(), 2);
        assert!(found.lost.is_empty());
        assert!(found.known.iter().all(|known| known.chain.is_none()));
    }
}
