//! What the program reports is what happened: one event an instruction, with the numbers of the accounts after it.

use assay_client::{
    Event, event,
    protocol::{Address, JobData},
};

use super::{
    Change, Held,
    deed::{Deed, Violation, ensure},
};

mod panel;
mod session;

/// Events go with the transitions they report, so a wrong one counts against invariant 3.
const INVARIANT: u8 = 3;

pub(super) fn check(deed: &Deed<'_>, changes: &[Change<'_>]) -> Result<(), Violation> {
    let acts: Vec<&str> = deed.acts().map(|act| act.spec.name).collect();
    let events = event::of_logs(deed.logs);
    let names: Vec<&str> = events.iter().map(Event::name).collect();
    let right = |(name, act): (&&str, &&str)| match *act {
        "job_finalize" => ["JobSettled", "JobAudited"].contains(name),
        act => *name == event_of(act),
    };
    let told = names.len() == acts.len() && names.iter().zip(&acts).all(right);
    ensure(told, INVARIANT, || format!("{acts:?} reported {names:?}"))?;
    let timely = events
        .iter()
        .all(|event| event.slot() == deed.slot && event.time() == deed.now.0);
    ensure(timely, INVARIANT, || format!("wrong moment: {events:?}"))?;
    match events.as_slice() {
        [event] => check_numbers(event, changes),
        _ => Ok(()),
    }
}

/// Which event an instruction reports.
fn event_of(instruction: &str) -> &'static str {
    match instruction {
        "market_init" => "MarketInitialized",
        "market_update" => "MarketUpdated",
        "market_pause" => "MarketPaused",
        "authority_propose" => "AuthorityProposed",
        "authority_accept" => "AuthorityAccepted",
        "treasury_withdraw" => "TreasuryWithdrawn",
        "provider_register" => "ProviderRegistered",
        "provider_update" => "ProviderUpdated",
        "provider_deregister" => "ProviderDeregistered",
        "stake_deposit" => "StakeDeposited",
        "stake_unbond" => "StakeUnbonded",
        "stake_withdraw" => "StakeWithdrawn",
        "earnings_withdraw" => "EarningsWithdrawn",
        "model_register" => "ModelRegistered",
        "model_retire" => "ModelRetired",
        "model_close" => "ModelClosed",
        "job_create" => "JobCreated",
        "job_cancel" => "JobCancelled",
        "job_claim" => "JobClaimed",
        "job_release" => "JobReleased",
        "job_commit" => "JobCommitted",
        "job_expire" => "JobExpired",
        "job_close" => "JobClosed",
        "job_dispute" => "JobDisputed",
        "job_reveal" => "JobRevealed",
        "panel_open" => "PanelOpened",
        "panel_retarget" => "PanelRetargeted",
        "panel_join" => "PanelJoined",
        "panel_commit" => "PanelCommitted",
        "panel_reveal" => "PanelRevealed",
        "panel_resolve" => "PanelResolved",
        "seat_settle" => "SeatSettled",
        "panel_close" => "PanelClosed",
        "session_open" => "SessionOpened",
        "session_top_up" => "SessionToppedUp",
        "session_settle" => "SessionSettled",
        "session_close_request" => "SessionCloseRequested",
        "session_close" => "SessionClosed",
        _ => "an event that is listed here",
    }
}

fn check_numbers(event: &Event, changes: &[Change<'_>]) -> Result<(), Violation> {
    let account = subject(event);
    let change = changes.iter().find(|change| change.address == account);
    let sequence = change.and_then(|change| match (change.before, change.after) {
        (_, Some(after)) => Some(u64::from(after.sequence())),
        (Some(before), None) => Some(u64::from(before.sequence()) + 1),
        (None, None) => None,
    });
    ensure(sequence == Some(event.sequence()), INVARIANT, || {
        format!("the sequence number is {sequence:?}: {event:?}")
    })?;
    ensure(are_true(event, change, changes), INVARIANT, || {
        format!("untrue numbers: {event:?}")
    })
}

/// The account whose sequence number the event carries.
fn subject(event: &Event) -> Address {
    match event {
        Event::MarketInitialized(event) => event.market,
        Event::MarketUpdated(event) => event.market,
        Event::MarketPaused(event) => event.market,
        Event::AuthorityProposed(event) => event.market,
        Event::AuthorityAccepted(event) => event.market,
        Event::TreasuryWithdrawn(event) => event.treasury,
        Event::ProviderRegistered(event) => event.provider,
        Event::ProviderUpdated(event) => event.provider,
        Event::ProviderDeregistered(event) => event.provider,
        Event::StakeDeposited(event) => event.provider,
        Event::StakeUnbonded(event) => event.provider,
        Event::StakeWithdrawn(event) => event.provider,
        Event::EarningsWithdrawn(event) => event.provider,
        Event::ModelRegistered(event) => event.model,
        Event::ModelRetired(event) => event.model,
        Event::ModelClosed(event) => event.model,
        Event::JobCreated(event) => event.job,
        Event::JobCancelled(event) => event.job,
        Event::JobClaimed(event) => event.job,
        Event::JobReleased(event) => event.job,
        Event::JobCommitted(event) => event.job,
        Event::JobSettled(event) => event.job,
        Event::JobExpired(event) => event.job,
        Event::JobClosed(event) => event.job,
        Event::JobAudited(event) => event.job,
        Event::JobDisputed(event) => event.job,
        Event::JobRevealed(event) => event.job,
        Event::PanelRetargeted(event) => event.job,
        Event::PanelResolved(event) => event.job,
        Event::PanelOpened(event) => event.panel,
        Event::PanelJoined(event) => event.panel,
        Event::PanelCommitted(event) => event.panel,
        Event::PanelRevealed(event) => event.panel,
        Event::SeatSettled(event) => event.panel,
        Event::PanelClosed(event) => event.panel,
        Event::SessionOpened(event) => event.session,
        Event::SessionToppedUp(event) => event.session,
        Event::SessionSettled(event) => event.session,
        Event::SessionCloseRequested(event) => event.session,
        Event::SessionClosed(event) => event.session,
    }
}

/// Amounts against the accounts; who gets them was checked before.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other events carry no amounts"
)]
fn are_true(event: &Event, change: Option<&Change<'_>>, changes: &[Change<'_>]) -> bool {
    let before = change.and_then(|change| change.before);
    let after = change.and_then(|change| change.after);
    let was = before.and_then(Held::provider);
    let is = after.and_then(Held::provider);
    let job = after.and_then(Held::job);
    let old = before.and_then(Held::job);
    let worker = |account: Address| {
        let found = changes.iter().find(|change| change.address == account);
        let pair = found.and_then(|change| Some((change.before?, change.after?)));
        pair.and_then(|(before, after)| Some((before.provider()?, after.provider()?)))
    };
    let slash = |account: Address| {
        worker(account).map_or(0, |(was, is)| is.total_slashed - was.total_slashed)
    };
    let stake = |account: Address| worker(account).map_or(0, |(_, is)| is.stake);
    match event {
        Event::StakeDeposited(event) => was.zip(is).is_some_and(|(was, is)| {
            event.stake == is.stake && is.stake - was.stake == event.amount
        }),
        Event::StakeUnbonded(event) => was.zip(is).is_some_and(|(was, is)| {
            (event.unbonding, event.unbond_at) == (is.unbonding, is.unbond_at)
                && is.unbonding - was.unbonding == event.amount
        }),
        Event::StakeWithdrawn(event) => was.zip(is).is_some_and(|(was, is)| {
            event.stake == is.stake && was.stake - is.stake == event.amount
        }),
        Event::EarningsWithdrawn(event) => {
            was.is_some_and(|was| (event.earnings, event.fees) == (was.earnings, was.fees_due))
        }
        Event::JobCreated(event) => job.is_some_and(|job| {
            (event.escrow, event.ceiling) == (job.escrow, job.ceiling)
                && event.requester == job.requester
                && event.model == job.model
        }),
        Event::JobCancelled(event) => old.is_some_and(|old| event.refund == old.escrow),
        Event::JobClaimed(event) => job.is_some_and(|job| {
            (event.price, event.attempt) == (job.price, u64::from(job.attempt))
                && event.provider == job.provider
                && worker(job.provider).is_some_and(|(_, is)| event.reserved == is.reserved)
        }),
        Event::JobReleased(event) => {
            event.slash == slash(event.provider)
                && event.stake == stake(event.provider)
                && old.zip(job).is_some_and(|(old, job)| {
                    event.refund == old.escrow - job.escrow && event.status == u64::from(job.status)
                })
        }
        Event::JobCommitted(event) => job.is_some_and(|job| {
            event.commitment == job.commitment && event.provider == job.provider
        }),
        Event::JobSettled(event) => settled(event, old, worker(event.provider)),
        Event::JobExpired(event) => {
            event.slash == slash(event.provider)
                && event.stake == stake(event.provider)
                && old.zip(job).is_some_and(|(old, job)| {
                    event.provider == old.provider
                        && event.refund == old.escrow - job.escrow
                        && event.status == u64::from(job.status)
                })
        }
        Event::JobClosed(event) => old
            .is_some_and(|old| (event.refund, event.requester) == (old.refund_due, old.requester)),
        Event::SessionOpened(_)
        | Event::SessionToppedUp(_)
        | Event::SessionSettled(_)
        | Event::SessionCloseRequested(_)
        | Event::SessionClosed(_) => session::are_true(event, change, changes),
        event => panel::are_true(event, change, changes),
    }
}

fn settled(
    event: &assay_client::protocol::events::JobSettled,
    old: Option<&JobData>,
    worker: Option<(
        &assay_client::protocol::ProviderData,
        &assay_client::protocol::ProviderData,
    )>,
) -> bool {
    old.zip(worker).is_some_and(|(old, (was, is))| {
        event.price == old.price
            && event.refund == old.escrow - old.price
            && event.fee == is.fees_due - was.fees_due
            && event.earnings == is.earnings
    })
}
