//! What readings of a session's account change.

use assay_client::protocol::{SessionData, limits::OPEN_SLOT_AGE};

use super::Channel;

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
    /// A node that lags or answers wrongly must not cost what is owed. As with jobs, gone is only what two readings miss,
    /// both after the slot from which the account can be closed, and as far apart as an account lives at least where
    /// vouchers are not settled: time in which that is tried.
    pub fn see(&mut self, read: Option<&SessionData>, slot: u64) -> Seen {
        self.slot = self.slot.max(slot);
        let Some(read) = read else {
            return self.miss(slot);
        };
        self.missing_since = None;
        // A node that is behind shows what was.
        let old = read.deposit < self.account.deposit
            || read.settled < self.account.settled
            || read.status < self.account.status;
        if old || *read == self.account {
            return Seen::Same;
        }
        let settled = read.settled.saturating_sub(self.account.settled);
        self.account = *read;
        Seen::Changed { settled }
    }

    fn miss(&mut self, slot: u64) -> Seen {
        if self.account.require_old_slot(slot).is_err() {
            return Seen::Same;
        }
        let since = *self.missing_since.get_or_insert(slot);
        let patience = if self.unsettled() > 0 {
            OPEN_SLOT_AGE
        } else {
            0
        };
        let is_gone = slot > since.saturating_add(patience) && !self.under_way && !self.sending;
        if is_gone { Seen::Gone } else { Seen::Same }
    }
}
