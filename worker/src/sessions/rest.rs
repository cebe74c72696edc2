//! What whoever stops the worker for good would lose.

use super::{Sessions, core::Left};
use crate::chain::Chain;

impl<C: Chain> Sessions<C> {
    /// Requests and settlements that are under way, and vouchers that are worth one.
    pub fn left(&self) -> Left {
        let now = self.now();
        let open = self.lock();
        let each = open.values().map(|entry| entry.channel.left(now));
        each.fold(Left::default(), |sum, left| Left {
            requests: sum.requests.saturating_add(left.requests),
            unsettled: sum.unsettled.saturating_add(left.unsettled),
            settlements: sum.settlements.saturating_add(left.settlements),
        })
    }
}
