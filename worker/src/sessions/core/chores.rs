//! When a session is settled, and when it is closed.

use assay_client::protocol::{
    BasisPoints, Lamports, SessionStatus, UnixSeconds, amount::split_price,
};

use serde::{Deserialize, Serialize};

use super::Channel;

/// Lamports of a settlement: the operator's signature and the voucher's.
const SETTLE_FEE: u64 = 10_000;
/// Pauses between two tries of what failed: doubled each time, up to the longest.
const FIRST_PAUSE_SECS: i64 = 10;
const MOST_DOUBLINGS: u32 = 6;

/// When to settle.
#[derive(Clone, Copy, Debug)]
pub struct SettlePolicy {
    /// Lamports of vouchers not settled yet.
    pub value_at_risk: u64,
    /// Before a voucher's end.
    pub margin_secs: u32,
    /// Without a request.
    pub idle_secs: u64,
}

/// What is to be sent for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chore {
    Settle,
    Close,
}

/// What is not at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// That are being answered.
    pub requests: u64,
    /// Lamports of vouchers that are worth a settlement.
    pub unsettled: u64,
    /// Settlements and closes that are under way.
    pub settlements: u64,
}

impl Channel {
    /// What of it is not at its end.
    pub fn left(&self, now: UnixSeconds) -> Left {
        let worth = self.is_worth_settling(now);
        Left {
            requests: u64::from(self.under_way),
            unsettled: if worth { self.unsettled() } else { 0 },
            settlements: u64::from(self.sending),
        }
    }

    /// What is to be sent now. `ending`: this worker stops serving.
    pub fn chore(&self, now: UnixSeconds, policy: &SettlePolicy, ending: bool) -> Option<Chore> {
        if self.sending || now < self.not_before {
            return None;
        }
        let (requested, missing) = (self.is_close_requested(), self.missing_since.is_some());
        if self.is_worth_settling(now) {
            let unsettled = self.unsettled();
            let wanted = ending
                || requested
                || missing
                || unsettled >= policy.value_at_risk
                || self.ends_within(now, policy.margin_secs)
                || self.is_idle(now, policy);
            return wanted.then_some(Chore::Settle);
        }
        // Sooner the program refuses it.
        let is_old = self.account.require_old_slot(self.slot).is_ok();
        (requested && is_old && !missing && !self.under_way).then_some(Chore::Close)
    }

    /// Nothing is to be expected of it: it need not be read before its next request.
    pub fn is_at_rest(&self, now: UnixSeconds, policy: &SettlePolicy) -> bool {
        let quiet = !self.under_way && !self.sending;
        let certain = self.missing_since.is_none()
            && self.doubted_since.is_none()
            && self.changed_at.is_none();
        quiet
            && certain
            && self.is_idle(now, policy)
            && !self.is_worth_settling(now)
            && !self.is_close_requested()
    }

    /// Marks that it is being sent; nothing else is until [`Channel::sent`].
    pub fn send(&mut self) {
        self.sending = true;
    }

    /// Notes how it ended. After a failure the next try waits.
    pub fn sent(&mut self, landed: bool, now: UnixSeconds) {
        self.sending = false;
        if landed {
            (self.failures, self.not_before) = (0, UnixSeconds(i64::MIN));
            return;
        }
        let pause = FIRST_PAUSE_SECS << self.failures.min(MOST_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        self.not_before = UnixSeconds(now.0.saturating_add(pause));
    }

    /// Notes that a voucher over this sum was settled; returns how many lamports more that is.
    pub fn settle(&mut self, cumulative: u64) -> u64 {
        let more = cumulative.saturating_sub(self.account.settled);
        self.account.settled = self.account.settled.saturating_add(more);
        // Nodes may not know of it yet.
        self.doubted_since = None;
        more
    }

    /// Lamports of the best voucher that are not settled.
    pub fn unsettled(&self) -> u64 {
        self.paid().saturating_sub(self.account.settled)
    }

    pub(super) fn is_close_requested(&self) -> bool {
        self.account.status != SessionStatus::Open as u8
    }

    /// It would bring more than it costs, and can land.
    fn is_worth_settling(&self, now: UnixSeconds) -> bool {
        let fee = BasisPoints(self.account.fee_bps);
        let earned = split_price(Lamports(self.unsettled()), fee).map_or(0, |split| split.earned.0);
        earned > SETTLE_FEE && !self.ends_within(now, 0)
    }

    fn ends_within(&self, now: UnixSeconds, secs: u32) -> bool {
        let until = now.0.saturating_add(i64::from(secs));
        self.payment
            .is_some_and(|payment| payment.voucher.expires_at <= until)
    }

    fn is_idle(&self, now: UnixSeconds, policy: &SettlePolicy) -> bool {
        let since = now.0.saturating_sub(self.used_at.0);
        !self.under_way && u64::try_from(since).is_ok_and(|since| since >= policy.idle_secs)
    }
}
