//! What readings of a session's account change.

use assay_client::protocol::SessionData;

use super::Channel;

/// Slots, about a minute: no node that is of use is further behind.
const LAG: u64 = 150;
/// More than there are.
const SLOTS_A_SECOND: u64 = 3;

/// What a reading of a session showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that is to be kept.
    Same,
    /// The account changed; so many lamports more are settled.
    Changed { settled: u64 },
    /// The account is gone for good.
    Gone,
}

impl Channel {
    /// A reading of the account at this slot; none if there is none.
    ///
    /// A node that lags or answers wrongly must not cost what is owed. What takes back what was known, a lower sum, an
    /// earlier status or an account that was closed, is believed once readings have shown it for longer than a node lags:
    /// either the chain has rolled back, or an earlier reading was wrong. Gone is only what readings have missed for as long,
    /// from the slot on from which the account can be closed, and for the grace time too where something is owed: time in
    /// which it is tried to be settled.
    pub fn see(&mut self, read: Option<&SessionData>, slot: u64) -> Seen {
        self.slot = self.slot.max(slot);
        let Some(read) = read else {
            return self.miss(slot);
        };
        self.missing_since = None;
        let takes_back = self.closed
            || read.deposit < self.account.deposit
            || read.settled < self.account.settled
            || read.status < self.account.status;
        if takes_back {
            // By its own slots: a node that stands still proves nothing, nor does a slot that is far too high.
            let since = self.doubted_since.map_or(slot, |since| since.min(slot));
            self.doubted_since = Some(since);
            if slot <= since.saturating_add(LAG) {
                return Seen::Same;
            }
        }
        (self.doubted_since, self.closed) = (None, false);
        if self.changed_at != Some(slot) {
            self.sure_deposit = self.account.deposit.min(read.deposit);
        }
        if *read == self.account {
            self.changed_at.take_if(|changed_at| *changed_at != slot);
            return Seen::Same;
        }
        let settled = read.settled.saturating_sub(self.account.settled);
        (self.account, self.changed_at) = (*read, Some(slot));
        Seen::Changed { settled }
    }

    fn miss(&mut self, slot: u64) -> Seen {
        if self.account.require_old_slot(slot).is_err() {
            return Seen::Same;
        }
        let since = *self.missing_since.get_or_insert(slot);
        // Closed by its requester it can only be after the grace time. So long, what is owed, or may be, is kept: a lone
        // endpoint may be wrong for minutes.
        let grace = u64::from(self.account.grace_secs).saturating_mul(SLOTS_A_SECOND);
        let may_owe = self.covers_its_fees() || self.changed_at.is_some() && self.paid() > 0;
        let kept_for = if may_owe { grace } else { 0 };
        let is_over = slot > since.saturating_add(LAG).saturating_add(kept_for);
        let is_gone = is_over && !self.under_way && self.sending_since.is_none();
        if is_gone { Seen::Gone } else { Seen::Same }
    }
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::{SessionStatus, UnixSeconds};

    use super::{
        super::{
            chores::Chore,
            tests::{NOW, SESSION, account, pays, policy},
        },
        *,
    };

    const IDLE: UnixSeconds = UnixSeconds(NOW.0 + 3_600);

    fn owing(account: SessionData) -> Channel {
        let payment = pays(900_000, i64::MAX);
        Channel::new(SESSION, account, Some(payment), None, NOW)
    }

    #[test]
    fn wrong_reading_is_taken_back_and_what_is_owed_is_settled() {
        let truth = account(1_000_000);
        let settled = SessionData {
            settled: 900_000,
            ..truth
        };
        let closing = SessionData {
            settled: 900_000,
            status: SessionStatus::CloseRequested as u8,
            ..truth
        };
        for wrong in [settled, closing] {
            let mut channel = owing(truth);
            let settled = 900_000;
            assert_eq!(channel.see(Some(&wrong), 1_000), Seen::Changed { settled });
            assert!(!channel.is_at_rest(IDLE, &policy()), "one reading shows it");
            let chore = channel.chore(IDLE, &policy(), true);
            assert_eq!(chore, None, "nothing is closed by one reading");
            for slot in [1_001, 1_001 + LAG] {
                assert_eq!(channel.see(Some(&truth), slot), Seen::Same);
                assert!(!channel.is_at_rest(IDLE, &policy()));
            }
            let believed = channel.see(Some(&truth), 1_002 + LAG);
            assert_eq!(believed, Seen::Changed { settled: 0 });
            assert_eq!(channel.account(), &truth);
            let chore = channel.chore(IDLE, &policy(), false);
            assert_eq!(chore, Some(Chore::Settle));
        }
    }

    #[test]
    fn session_that_one_reading_shows_as_settled_and_the_next_as_gone_is_kept() {
        let truth = account(1_000_000);
        let wrong = SessionData {
            settled: 900_000,
            ..truth
        };
        let mut channel = owing(truth);
        channel.see(Some(&wrong), 1_000);
        for slot in [1_001, 1_002 + LAG] {
            assert_eq!(channel.see(None, slot), Seen::Same);
        }
        let mut channel = owing(truth);
        for slot in [1_000, 1_001] {
            channel.see(Some(&wrong), slot);
        }
        channel.see(None, 1_002);
        assert_eq!(channel.see(None, 1_003 + LAG), Seen::Gone, "two agree");
    }

    #[test]
    fn close_that_the_chain_takes_back_is_made_good_and_none_is_sent_in_doubt() {
        let truth = SessionData {
            status: SessionStatus::CloseRequested as u8,
            ..account(1_000_000)
        };
        let settled = SessionData {
            settled: 900_000,
            ..truth
        };
        let mut channel = owing(truth);
        let chore = |channel: &Channel| channel.chore(NOW, &policy(), false);
        channel.settle(900_000);
        channel.prove(900_000);
        for slot in [999, 1_000] {
            channel.see(Some(&settled), slot);
        }
        assert_eq!(chore(&channel), Some(Chore::Close));
        channel.see(Some(&truth), 1_001);
        assert_eq!(chore(&channel), None, "what is not settled would be lost");
        channel.see(Some(&settled), 1_002);
        assert_eq!(chore(&channel), Some(Chore::Close));
        channel.close();
        for slot in [1_003, 1_003 + LAG] {
            assert_eq!(channel.see(Some(&truth), slot), Seen::Same);
            assert_eq!(chore(&channel), None, "a node may be behind");
        }
        let believed = channel.see(Some(&truth), 1_004 + LAG);
        assert_eq!(believed, Seen::Changed { settled: 0 });
        assert_eq!(chore(&channel), Some(Chore::Settle));
    }

    #[test]
    fn clock_that_is_set_back_does_not_keep_what_is_owed() {
        let channel = owing(account(1_000_000));
        let before = UnixSeconds(NOW.0 - 3_600);
        let chore = channel.chore(before, &policy(), false);
        assert_eq!(chore, Some(Chore::Settle));
    }

    #[test]
    fn node_that_is_behind_takes_nothing_back() {
        let old = account(1_000_000);
        let settled = SessionData {
            settled: 900_000,
            ..old
        };
        let mut channel = owing(old);
        channel.see(Some(&settled), 1_000);
        channel.see(Some(&settled), 1_001);
        assert!(channel.is_at_rest(IDLE, &policy()), "two agree");
        // It stands still; it is told a slot that is far too high; another one agrees with what is known.
        for slot in [u64::MAX, 990, 990, 990 + LAG] {
            assert_eq!(channel.see(Some(&old), slot), Seen::Same);
        }
        channel.see(Some(&settled), 1_150);
        assert_eq!(channel.see(Some(&old), 1_151), Seen::Same);
        // A settlement of our own is not known everywhere at once.
        channel.settle(950_000);
        assert_eq!(channel.see(Some(&settled), 1_150 + 2 * LAG), Seen::Same);
        assert_eq!(channel.account().settled, 950_000);
    }
}
