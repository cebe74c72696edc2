//! What is reported about audits.

use assay_client::{
    Event,
    protocol::{Address, JobData, JobStatus, PanelData, ProviderData},
};

use super::super::{Change, Held};

/// Amounts against the accounts, for the events about audits; the other ones carry nothing to compare.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other events carry no amounts"
)]
pub(super) fn are_true(event: &Event, change: Option<&Change<'_>>, changes: &[Change<'_>]) -> bool {
    let before = change.and_then(|change| change.before);
    let after = change.and_then(|change| change.after);
    let job = after.and_then(Held::job);
    let panel = after.and_then(Held::panel);
    match event {
        Event::JobAudited(event) => job.is_some_and(|job| {
            event.target_slot == job.target_slot
                && event.acknowledged == u64::from(job.flags & 1)
                && job.status == JobStatus::Auditing as u8
        }),
        Event::JobDisputed(event) => job.is_some_and(|job| {
            (event.target_slot, event.bond) == (job.target_slot, job.dispute_bond)
        }),
        Event::JobRevealed(event) => job.is_some_and(|job| event.root == job.root),
        Event::PanelRetargeted(event) => job.is_some_and(|job| {
            (event.target_slot, event.level) == (job.target_slot, u64::from(job.level))
        }),
        Event::PanelOpened(event) => panel.is_some_and(|panel| {
            (event.job, event.seed, event.level) == (panel.job, panel.seed, panel.level.into())
                && event.join_deadline == panel.join_deadline
                && event.commit_deadline == panel.commit_deadline
                && event.reveal_deadline == panel.reveal_deadline
        }),
        Event::PanelJoined(event) => panel.is_some_and(|panel| {
            let was = before.and_then(Held::panel);
            let old = was.map(|panel| panel.seats[at(event.seat)].provider);
            let seat = &panel.seats[at(event.seat)];
            (event.provider, event.score, event.bond) == (seat.provider, seat.score, panel.bond)
                && old.is_none_or(|old| old == event.evicted)
                && is_stake(changes, &event.provider, event.stake)
        }),
        Event::PanelCommitted(event) => panel.is_some_and(|panel| {
            let seat = &panel.seats[at(event.seat)];
            (event.provider, event.commitment) == (seat.provider, seat.digest)
        }),
        Event::PanelRevealed(event) => panel.is_some_and(|panel| {
            let seat = &panel.seats[at(event.seat)];
            (event.provider, event.root) == (seat.provider, seat.digest)
        }),
        Event::PanelResolved(event) => {
            let pair = before.and_then(Held::job).zip(job);
            pair.is_some_and(|(was, is)| resolved(event, was, is, changes))
        }
        Event::SeatSettled(event) => {
            let pair = before.and_then(Held::panel).zip(panel);
            let payout = pair.map(|(was, _)| was.seats[at(event.seat)].payout);
            payout == event.returned.checked_add(event.earned)
                && is_stake(changes, &event.provider, event.stake)
        }
        Event::PanelClosed(event) => before
            .and_then(Held::panel)
            .is_some_and(|panel| event.job == panel.job),
        _ => true,
    }
}

fn at(seat: u64) -> usize {
    usize::try_from(seat).expect("five seats")
}

fn provider<'a>(changes: &'a [Change<'_>], account: &Address) -> Option<&'a ProviderData> {
    let found = changes.iter().find(|change| change.address == *account);
    found.and_then(|change| change.after?.provider())
}

fn is_stake(changes: &[Change<'_>], account: &Address, stake: u64) -> bool {
    provider(changes, account).is_some_and(|provider| provider.stake == stake)
}

/// The money itself was held against the table before; here the report against the accounts.
fn resolved(
    event: &assay_client::protocol::events::PanelResolved,
    was: &JobData,
    is: &JobData,
    changes: &[Change<'_>],
) -> bool {
    let settled = |panel: &&PanelData| panel.status == 3;
    let panels = changes.iter().filter_map(|change| change.after?.panel());
    let payouts: u64 = panels.filter(settled).map(|panel| panel.bonds).sum();
    let refunded = is.status == JobStatus::Appealing as u8 || event.slash == 0 || {
        event.refund == was.escrow + was.dispute_bond
    };
    event.provider == was.provider
        && event.level == u64::from(was.level)
        && event.status == u64::from(is.status)
        && event.verdict == u64::from(is.verdict)
        && event.payouts == payouts
        && refunded
        && is_stake(changes, &event.provider, event.stake)
        && provider(changes, &event.provider).is_some_and(|is| is.earnings == event.earnings)
}
