//! What follows when the chain's time turns out to be earlier than was believed: nothing waits for a
//! moment that is far away now, and what was given up as too late is taken up again.

use assay_protocol::{Address, UnixSeconds};

use super::{Audits, Core, work::Phase};

/// Seconds beyond which nothing waits for another try.
const LONGEST_WAIT: i64 = 120;

/// Not later than anything waits.
pub(super) fn within_reach(due: &mut UnixSeconds, now: UnixSeconds) {
    if due.0 > now.0.saturating_add(LONGEST_WAIT) {
        *due = now;
    }
}

impl Core {
    pub fn handle_set_back(&mut self, now: UnixSeconds) {
        for work in self.work.values_mut() {
            within_reach(&mut work.due, now);
            work.touched = work.touched.min(now);
            work.since = work.since.min(now);
            work.begun = work.begun.map(|begun| begun.min(now));
        }
        self.breaker.set_back(now.0);
        let stuck = self
            .work
            .iter()
            .filter(|(_, work)| work.phase == Phase::Stuck);
        let stuck: Vec<Address> = stuck.map(|(address, _)| *address).collect();
        for address in stuck {
            let status = self.work.get(&address).and_then(|work| work.status());
            if let Some(status) = status {
                self.follow(address, status, now);
            }
        }
        self.handle_time(now);
    }
}

impl Audits {
    pub fn handle_set_back(&mut self, now: UnixSeconds) {
        self.within_reach(now);
        self.handle_time(now);
    }
}
