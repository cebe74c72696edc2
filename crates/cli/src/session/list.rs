//! `assay session list`.

use anyhow::Result;
use assay_gateway::store::State;

use super::{Books, ListOptions, UNAUDITED};
use crate::{amount::Amount, context::Context, output, plain::plain, view::SessionView};

pub async fn list(context: &Context, options: &ListOptions) -> Result<()> {
    let books = Books::open(context, &options.ledger).await?;
    let mut views = Vec::new();
    for known in books.sessions().await? {
        if options.all || known.row.state.is_live() {
            let last = books.last(&known.row.address)?;
            views.push(SessionView::new(&known, last));
        }
    }
    for breaches in books.store.breaches()? {
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
    let now = context.cluster.clock().await?.time;
    output::line(output::table(
        &SessionView::HEAD,
        views.iter().map(|view| view.row(now)).collect(),
    ))?;
    for view in &views {
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
    let left: u64 = views
        .iter()
        .filter(|view| view.state != State::Closed.name() && view.state != State::Failed.name())
        .map(|view| view.deposit_lamports.saturating_sub(view.spent_lamports))
        .sum();
    context.say(format_args!(
        "{} is not spent; `assay session close` gets it back. {UNAUDITED}",
        Amount(left)
    ));
    Ok(())
}
