//! What is reported about sessions.

use assay_client::Event;

use super::super::{Change, Held};

/// Amounts against the accounts.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other events are about no session"
)]
pub(super) fn are_true(event: &Event, change: Option<&Change<'_>>, changes: &[Change<'_>]) -> bool {
    let old = change
        .and_then(|change| change.before)
        .and_then(Held::session);
    let new = change
        .and_then(|change| change.after)
        .and_then(Held::session);
    match event {
        Event::SessionOpened(event) => new.is_some_and(|new| {
            (event.requester, event.provider, event.deposit)
                == (new.requester, new.provider, new.deposit)
                && event.grace_secs == u64::from(new.grace_secs)
        }),
        Event::SessionToppedUp(event) => old.zip(new).is_some_and(|(old, new)| {
            event.deposit == new.deposit && event.amount == new.deposit - old.deposit
        }),
        Event::SessionSettled(event) => old.zip(new).is_some_and(|(old, new)| {
            let provider = changes
                .iter()
                .find(|change| change.address == event.provider);
            let pair = provider.and_then(|change| Some((change.before?, change.after?)));
            let pair = pair.and_then(|(was, is)| Some((was.provider()?, is.provider()?)));
            (event.cumulative, event.price) == (new.settled, new.settled - old.settled)
                && pair.is_some_and(|(was, is)| {
                    event.earnings == is.earnings && event.fee == is.fees_due - was.fees_due
                })
        }),
        Event::SessionCloseRequested(event) => new.is_some_and(|new| {
            event.closable_after == new.close_requested_at + i64::from(new.grace_secs)
        }),
        Event::SessionClosed(event) => old.is_some_and(|old| {
            (event.requester, event.settled) == (old.requester, old.settled)
                && event.refund == old.deposit - old.settled
        }),
        _ => false,
    }
}
