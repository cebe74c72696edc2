//! `assay session close`: pay what is due, ask for the close, and close when the grace time is over.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use assay_client::protocol::{Address, SessionData, SessionStatus};
use assay_gateway::{
    chain::Chain as _,
    funds::opening,
    reconcile::Known,
    store::{SessionRow, State, Store, StoreError},
};
use clap::Args;

use super::{Books, LedgerOption};
use crate::{
    amount::{Amount, Span, until},
    context::Context,
    output,
};

const POLL: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
#[command(after_help = "\
Closing takes two steps: the request, which pays what your receipts say and starts the grace time, and the close, \
which returns the rest. A provider that is up closes soon after the request; otherwise run the command again after the \
grace time, or leave it running with --wait.

Example:
  assay session close --all
  assay session close --all --wait")]
pub struct CloseOptions {
    /// The sessions
    #[arg(value_name = "SESSION", required_unless_present = "all")]
    sessions: Vec<Address>,
    /// Every session of this wallet here
    #[arg(long, conflicts_with = "sessions")]
    all: bool,
    /// Stay until they are closed
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    ledger: LedgerOption,
}

/// What the chain lets be done about a session now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Request,
    /// Until this moment, unix seconds, only the provider may close.
    Wait(i64),
    Close,
}

fn step(data: &SessionData, now: i64) -> Step {
    if data.status == SessionStatus::Open as u8 {
        return Step::Request;
    }
    let last = data
        .close_requested_at
        .saturating_add(i64::from(data.grace_secs));
    if now > last {
        Step::Close
    } else {
        Step::Wait(last)
    }
}

pub async fn close(context: &Context, options: CloseOptions) -> Result<()> {
    let books = Books::open(context, &options.ledger).await?;
    if let Err(StoreError::Locked(_)) = Store::lock(&options.ledger.path()?) {
        context.say(
            "a gateway works with this ledger: it leaves these sessions, and opens others when it needs them",
        );
    }
    let known = books.sessions().await?;
    let chosen: Vec<Address> = if options.all {
        let live = known.iter().filter(|known| known.chain.is_some());
        live.map(|known| known.row.address).collect()
    } else {
        options.sessions
    };
    if chosen.is_empty() {
        context.say("there is nothing to close");
    }
    let mut ends = Vec::new();
    for session in chosen {
        let found = known.iter().find(|known| known.row.address == session);
        let found = found.ok_or_else(|| {
            anyhow!("the ledger has no session {session} of this wallet on this cluster; see `assay session list --all`")
        })?;
        let state = one(context, &books, found, options.wait).await?;
        ends.push(serde_json::json!({ "session": session.to_string(), "state": state.name() }));
    }
    if context.options.json {
        output::json(&ends)?;
    }
    Ok(())
}

async fn one(context: &Context, books: &Books, known: &Known, wait: bool) -> Result<State> {
    let row = &known.row;
    let session = row.address;
    let mut said = false;
    loop {
        let (data, clock) = context.cluster.with_clock::<SessionData>(&session).await?;
        let Some(data) = data else {
            let state = match row.state {
                State::Failed | State::Opening => row.state,
                State::Open | State::Broken | State::Closing | State::Closed => State::Closed,
            };
            books.store.set_state(&session, state, &row.reason)?;
            context.say(format_args!("{session} is {}", state.name()));
            return Ok(state);
        };
        match step(&data, clock.time.0) {
            Step::Request => request(context, books, row, &data).await?,
            Step::Close => {
                let close = opening::close(books.chain.payer(), row);
                context.send("session close", &[close]).await?;
                books.store.set_state(&session, State::Closed, "")?;
                let back = data.deposit.saturating_sub(data.settled);
                context.say(format_args!(
                    "{session} is closed; {} and the rent came back",
                    Amount(back)
                ));
                return Ok(State::Closed);
            }
            Step::Wait(last) => {
                if !said {
                    let left = until(last.saturating_add(1), clock.time.0);
                    context.say(format_args!(
                        "{session} can be closed by its provider now, by anybody in {left}{}",
                        if wait {
                            ""
                        } else {
                            "; run this again then, or use --wait"
                        }
                    ));
                    said = true;
                }
                if !wait {
                    return Ok(State::Closing);
                }
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

/// Pays what the receipts say, and asks for the close, in one transaction.
async fn request(
    context: &Context,
    books: &Books,
    row: &SessionRow,
    data: &SessionData,
) -> Result<()> {
    let session = row.address;
    let due = books.last(&session)?.map_or(0, |(_, sum)| sum);
    if due > data.deposit {
        bail!(
            "the receipts of {session} add up to {} and its deposit is {}; see `assay session receipts {session} --verify`",
            Amount(due),
            Amount(data.deposit)
        );
    }
    books.store.set_paid(&session, due)?;
    let instructions = opening::close_request(row, data, due);
    let pays = instructions.len() > 1;
    let sent = context.send("session close request", &instructions).await;
    if let Err(error) = sent {
        // The provider may have settled the same voucher meanwhile.
        let now = context.cluster.get::<SessionData>(&session).await?;
        if !pays || now.settled < due || now.status != SessionStatus::Open as u8 {
            return Err(error);
        }
        let instructions = opening::close_request(row, &now, due);
        context.send("session close request", &instructions).await?;
    }
    books
        .store
        .set_state(&session, State::Closing, &row.reason)?;
    let rest = data.deposit.saturating_sub(due.max(data.settled));
    context.say(format_args!(
        "{session}: {} paid in all, {} comes back with the close; grace time {}",
        Amount(due.max(data.settled)),
        Amount(rest),
        Span(data.grace_secs)
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_waits_for_the_grace_time_and_not_longer() {
        let mut data: SessionData = bytemuck::Zeroable::zeroed();
        data.status = SessionStatus::Open as u8;
        data.grace_secs = 100;
        assert_eq!(step(&data, 1_000), Step::Request);
        data.status = SessionStatus::CloseRequested as u8;
        data.close_requested_at = 1_000;
        assert_eq!(step(&data, 1_000), Step::Wait(1_100));
        assert_eq!(step(&data, 1_100), Step::Wait(1_100));
        assert_eq!(step(&data, 1_101), Step::Close);
    }
}
