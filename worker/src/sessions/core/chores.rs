//! When a session is settled, and when it is closed.

use assay_client::{
    budget::LAMPORTS_PER_SIGNATURE,
    protocol::{BasisPoints, Lamports, SessionStatus, UnixSeconds, amount::split_price},
};

use serde::{Deserialize, Serialize};

use super::{Channel, Payment};

/// Lamports of a settlement: the operator's signature and the voucher's.
const SETTLE_FEE: u64 = 2 * LAMPORTS_PER_SIGNATURE;
/// Of a close: the operator's signature.
const CLOSE_FEE: u64 = LAMPORTS_PER_SIGNATURE;
/// Pauses between two tries of what failed: doubled each time, up to the longest.
const FIRST_PAUSE_SECS: i64 = 10;
const MOST_DOUBLINGS: u32 = 6;
/// A transaction that did not end for so long is not about to land.
const SLOW_SECS: u64 = 60;

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
            settlements: u64::from(self.sending_since.is_some()),
        }
    }

    /// What is to be sent now. `ending`: this worker stops serving.
    pub fn chore(&self, now: UnixSeconds, policy: &SettlePolicy, ending: bool) -> Option<Chore> {
        if self.sending_since.is_some() || self.closed || self.pause.contains(&now.0) {
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
        let may_close = self.is_worth_closing() && is_old && self.is_certain() && !self.under_way;
        // Readings may say that all is settled; a settlement that is refused says it too.
        let next = if self.is_proven(now) {
            Chore::Close
        } else {
            Chore::Settle
        };
        may_close.then_some(next)
    }

    /// Nothing is to be expected of it: it need not be read before its next request.
    pub fn is_at_rest(&self, now: UnixSeconds, policy: &SettlePolicy) -> bool {
        let quiet = !self.under_way && self.sending_since.is_none();
        quiet
            && self.is_certain()
            && self.is_idle(now, policy)
            && !self.is_worth_settling(now)
            && !self.is_worth_closing()
    }

    /// Marks that it is being sent; nothing else is until [`Channel::sent`].
    pub fn send(&mut self, now: UnixSeconds) {
        self.sending_since = Some(now);
    }

    /// Notes how it ended. After a failure the next try waits.
    pub fn sent(&mut self, landed: bool, now: UnixSeconds) {
        self.sending_since = None;
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
        self.prove(cumulative);
        // Nodes may not know of it yet.
        self.doubted_since = None;
        more
    }

    /// Notes that the program has settled this sum, by what it made of a settlement of ours.
    pub fn prove(&mut self, cumulative: u64) {
        self.proven = self.proven.max(cumulative);
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

    /// What is owed is to be settled before more is served, and that fails. A voucher that would take the place of one that
    /// ends, or has ended, is welcome.
    pub(super) fn is_stuck(
        &self,
        payment: &Payment,
        now: UnixSeconds,
        policy: &SettlePolicy,
    ) -> bool {
        let is_slow = |since: UnixSeconds| now.0.abs_diff(since.0) > SLOW_SECS;
        let fails = self.failures > 0 || self.sending_since.is_some_and(is_slow);
        let is_over_risk = self.unsettled() >= policy.value_at_risk && !self.ends_within(now, 0);
        let is_ending = self.ends_within(now, policy.margin_secs) && !self.is_better(payment);
        fails && self.covers_its_fees() && (is_over_risk || is_ending)
    }

    pub(super) fn is_close_requested(&self) -> bool {
        self.account.status != SessionStatus::Open as u8
    }

    /// It would bring more than it costs, and can land.
    fn is_worth_settling(&self, now: UnixSeconds) -> bool {
        self.covers_its_fees() && !self.ends_within(now, 0)
    }

    /// Strangers open sessions: each pays for its settlements and for its close, or neither is sent.
    pub(super) fn covers_its_fees(&self) -> bool {
        let in_all = self.paid().max(self.account.settled);
        self.earned(self.unsettled()) > SETTLE_FEE && self.earned(in_all) > SETTLE_FEE + CLOSE_FEE
    }

    /// Its requester asked for it, and what it brought pays for it; others are left to their requesters.
    fn is_worth_closing(&self) -> bool {
        self.is_close_requested() && self.earned(self.account.settled) > CLOSE_FEE
    }

    /// Closed away would be no voucher that could still be settled, whatever readings say of it.
    fn is_proven(&self, now: UnixSeconds) -> bool {
        let left = self.paid().saturating_sub(self.proven);
        self.earned(left) <= SETTLE_FEE || self.ends_within(now, 0)
    }

    /// Readings agree, at more than one slot.
    fn is_certain(&self) -> bool {
        self.missing_since.is_none() && self.doubted_since.is_none() && self.changed_at.is_none()
    }

    /// What of so many lamports is the provider's.
    fn earned(&self, lamports: u64) -> u64 {
        let fee = BasisPoints(self.account.fee_bps);
        split_price(Lamports(lamports), fee).map_or(0, |split| split.earned.0)
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

#[cfg(test)]
mod tests;
