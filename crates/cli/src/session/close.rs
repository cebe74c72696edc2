//! `assay session close`: pay what is due, ask for the close, and close when the grace time is over.

use std::time::Duration;

use anyhow::{Result, anyhow};
use assay_chain::Found;
use assay_client::{
    instruction::{SessionClose, SessionCloseRequest},
    protocol::{Address, SessionData, SessionStatus},
};
use assay_gateway::{
    chain::Chain as _,
    funds::opening,
    store::{SessionRow, State, Store, StoreError},
};
use clap::Args;

use solana_instruction::Instruction;

use super::{
    Books, LedgerOption, last,
    lost::{self, Lost},
};
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

A session that this ledger does not know is closed with the wallet alone: the request pays nothing then, and what comes \
back is what its provider does not settle within the grace time.

Example:
  assay session close --all
  assay session close --all --wait")]
pub struct CloseOptions {
    /// The sessions
    #[arg(value_name = "SESSION", required_unless_present = "all")]
    sessions: Vec<Address>,
    /// Every session of this wallet, also those on chain that this ledger does not know
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
    let chosen = if options.all {
        everything(context, &books).await?
    } else {
        named(context, &books, &options.sessions).await?
    };
    if chosen.is_empty() {
        context.say("there is nothing to close");
    }
    if chosen.iter().any(|target| target.gives_up) {
        context.say(lost::MEANING);
        context.confirm("close them without a voucher?")?;
    }
    let mut ends = Vec::new();
    for target in &chosen {
        let state = one(context, &books, target, options.wait).await?;
        ends.push(serde_json::json!({
            "session": target.address.to_string(),
            "state": state.name(),
            "in_ledger": target.row.is_some(),
        }));
    }
    if context.options.json {
        output::json(&ends)?;
    }
    Ok(())
}

/// A session to be closed.
struct Target {
    address: Address,
    /// None if the ledger does not know it. Nothing is signed then but its close, by the wallet.
    row: Option<SessionRow>,
    /// Its close is to be requested without a voucher.
    gives_up: bool,
}

impl Target {
    fn lost(found: &Lost) -> Self {
        Self {
            address: found.address,
            row: None,
            gives_up: found.data.status == SessionStatus::Open as u8,
        }
    }

    const fn known(row: SessionRow) -> Self {
        Self {
            address: row.address,
            row: Some(row),
            gives_up: false,
        }
    }

    fn note(&self, store: &Store, state: State, reason: &str) -> Result<(), StoreError> {
        match &self.row {
            Some(row) => store.set_state(&row.address, state, reason),
            None => Ok(()),
        }
    }
}

/// Every session of the wallet that the chain has.
async fn everything(context: &Context, books: &Books) -> Result<Vec<Target>> {
    let mut known = books.sessions().await?;
    let lost = lost::look(context, &books.chain.payer(), &mut known).await;
    let live = known.into_iter().filter(|known| known.chain.is_some());
    let live = live.map(|known| Target::known(known.row));
    Ok(live.chain(lost.iter().map(Target::lost)).collect())
}

/// These sessions, all of them the wallet's: nothing is sent before that is sure.
async fn named(context: &Context, books: &Books, sessions: &[Address]) -> Result<Vec<Target>> {
    let known = books.sessions().await?;
    let wallet = books.chain.payer();
    let mut targets = Vec::with_capacity(sessions.len());
    for &address in sessions {
        let row = known.iter().find(|known| known.row.address == address);
        if let Some(known) = row {
            targets.push(Target::known(known.row.clone()));
            continue;
        }
        let data = context.cluster.find::<SessionData>(&address).await?;
        let data = data.ok_or_else(|| {
            anyhow!(
                "neither the ledger nor this cluster has a session {address}; see `assay session list --all`, and \
                 check --url"
            )
        })?;
        let found = lost::check(Found { address, data }, &wallet)?;
        targets.push(Target::lost(&found));
    }
    Ok(targets)
}

async fn one(context: &Context, books: &Books, target: &Target, wait: bool) -> Result<State> {
    let (session, wallet) = (target.address, books.chain.payer());
    let mut said = false;
    loop {
        let (data, clock) = context.cluster.with_clock::<SessionData>(&session).await?;
        let Some(data) = data else {
            let state = ended(target.row.as_ref().map(|row| row.state));
            let reason = target.row.as_ref().map_or("", |row| &row.reason);
            target.note(&books.store, state, reason)?;
            context.say(format_args!("{session} is {}", state.name()));
            return Ok(state);
        };
        match step(&data, clock.time.0) {
            Step::Request => match &target.row {
                Some(row) => request(context, books, row, &data).await?,
                None => request_without_voucher(context, session, wallet, &data).await?,
            },
            Step::Close => {
                let close = close_by(wallet, session);
                context.send("session close", &[close]).await?;
                target.note(&books.store, State::Closed, "")?;
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

/// What a session is whose account is not there, by what the ledger has said of it until now.
const fn ended(before: Option<State>) -> State {
    match before {
        Some(state @ (State::Failed | State::Opening)) => state,
        Some(State::Open | State::Broken | State::Closing | State::Closed) | None => State::Closed,
    }
}

/// The wallet's own request to close its own session.
fn request_by(wallet: Address, session: Address) -> Instruction {
    SessionCloseRequest {
        requester: wallet,
        session,
    }
    .instruction()
}

/// The close after the grace time, which pays this wallet.
fn close_by(wallet: Address, session: Address) -> Instruction {
    SessionClose {
        closer: wallet,
        session,
        provider: None,
        requester: wallet,
    }
    .instruction()
}

/// Asks for the close of a session whose key is not at hand.
async fn request_without_voucher(
    context: &Context,
    session: Address,
    wallet: Address,
    data: &SessionData,
) -> Result<()> {
    let request = request_by(wallet, session);
    context.send("session close request", &[request]).await?;
    context.say(format_args!(
        "{session}: close requested without a voucher; {} comes back with the close, less what its provider settles \
         within the grace time of {}",
        Amount(data.deposit.saturating_sub(data.settled)),
        Span(data.grace_secs)
    ));
    Ok(())
}

/// Pays what the receipts say, and asks for the close, in one transaction.
async fn request(
    context: &Context,
    books: &Books,
    row: &SessionRow,
    data: &SessionData,
) -> Result<()> {
    let session = row.address;
    let owed = last(&books.store, &session)?.map_or(0, |(_, sum)| sum);
    let (due, instructions) = opening::close_request(row, data, owed);
    if due < owed {
        context.say(format_args!(
            "the receipts of {session} add up to {} and its deposit is {}, which is paid; see `assay session receipts \
             {session} --verify`",
            Amount(owed),
            Amount(data.deposit)
        ));
    }
    books.store.set_paid(&session, due)?;
    let pays = instructions.len() > 1;
    let sent = context.send("session close request", &instructions).await;
    if let Err(error) = sent {
        // The provider may have settled the same voucher meanwhile.
        let now = context.cluster.get::<SessionData>(&session).await?;
        if !pays || now.settled < due || now.status != SessionStatus::Open as u8 {
            return Err(error);
        }
        let (_, instructions) = opening::close_request(row, &now, due);
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
    use assay_client::PROGRAM_ID;

    use super::*;

    #[test]
    fn close_without_the_key_is_signed_by_the_wallet_and_pays_nobody_else() {
        let (wallet, session) = (
            Address::new_from_array([2; 32]),
            Address::new_from_array([3; 32]),
        );
        for instruction in [request_by(wallet, session), close_by(wallet, session)] {
            assert_eq!(instruction.program_id, PROGRAM_ID);
            for account in &instruction.accounts {
                assert!([wallet, session, PROGRAM_ID].contains(&account.pubkey));
                // The program stands for the provider that is not named.
                assert!(!account.is_writable || account.pubkey != PROGRAM_ID);
                assert!(!account.is_signer || account.pubkey == wallet);
            }
        }
    }

    #[test]
    fn session_that_is_gone_is_closed_unless_it_never_was() {
        assert_eq!(ended(None), State::Closed);
        assert_eq!(ended(Some(State::Broken)), State::Closed);
        for never in [State::Failed, State::Opening] {
            assert_eq!(ended(Some(never)), never);
        }
    }

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
