//! When a session is settled, and when it is closed.

use assay_client::protocol::{
    BasisPoints, Lamports, SessionStatus, UnixSeconds, amount::split_price,
};

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

impl Channel {
    /// What is to be sent now. `ending`: this worker stops serving.
    pub fn chore(&self, now: UnixSeconds, policy: &SettlePolicy, ending: bool) -> Option<Chore> {
        if self.sending || self.closed || self.pause.contains(&now.0) {
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
        // What a reading shows as not settled would be lost with the account.
        let certain = !missing && self.doubted_since.is_none();
        (requested && is_old && certain && !self.under_way).then_some(Chore::Close)
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
            (self.failures, self.pause) = (0, 0..0);
            return;
        }
        let pause = FIRST_PAUSE_SECS << self.failures.min(MOST_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        // From now, not up to then: a clock that is set back must not lengthen it.
        self.pause = now.0..now.0.saturating_add(pause);
    }

    /// Notes that a voucher over this sum was settled; returns how many lamports more that is.
    pub fn settle(&mut self, cumulative: u64) -> u64 {
        let more = cumulative.saturating_sub(self.account.settled);
        self.account.settled = self.account.settled.saturating_add(more);
        // Nodes may not know of it yet.
        self.doubted_since = None;
        more
    }

    /// Notes that a close has landed.
    pub fn close(&mut self) {
        (self.closed, self.doubted_since) = (true, None);
    }

    pub fn is_closed(&self) -> bool {
        self.closed
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
        // Nor does a clock that was set back keep what is owed for as long as it was wrong.
        !self.under_way && now.0.abs_diff(self.used_at.0) >= policy.idle_secs
    }
}
