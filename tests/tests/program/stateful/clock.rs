//! How time passes: by seconds, to the edge of deadlines, and by slots that nobody sees.

use std::rc::Rc;

use super::game::Game;

impl Game {
    pub(super) fn pass(&mut self) {
        let secs = match self.dice.below(1_000) {
            0..750 => return,
            750..935 => self.dice.secs(1, 3),
            935..970 => self.until_deadline(),
            970..972 => self.dice.secs(50, 400),
            972 => self.dice.secs(86_000, 110_000),
            973..985 => return self.outage(),
            985..995 => return self.forget(),
            _ => return,
        };
        self.later(secs);
    }

    pub(super) fn later(&mut self, secs: u32) {
        self.world.pass(secs);
        self.read_clock();
    }

    fn read_clock(&mut self) {
        (self.book.now, self.book.slot) = (self.world.now().0, self.world.slot());
        self.book.hashes = Rc::from(self.world.slot_hashes().0);
    }

    /// Up to the very second of a deadline, mostly the next one, or one beyond it.
    fn until_deadline(&mut self) -> u32 {
        let jobs = self.book.jobs.iter();
        let mut deadlines: Vec<_> = jobs
            .map(|(account, job)| self.book.next_deadline(account, job) - self.book.now)
            .filter(|left| (0..700).contains(left))
            .collect();
        deadlines.sort_unstable();
        let Some(next) = deadlines.first().copied() else {
            return 0;
        };
        let left = if self.dice.percent(85) {
            next
        } else {
            *self.dice.pick(&deadlines)
        };
        u32::try_from(left + i64::from(self.dice.percent(50))).expect("filtered")
    }

    /// More slots than the chain retains go by within a second.
    fn outage(&mut self) {
        let slots = self.dice.within(400, 900);
        self.world.pass_slots(slots);
        self.read_clock();
    }

    /// Slots were skipped: the chain retains no hash of them; until time passes.
    fn forget(&mut self) {
        let keep = self.dice.within(20, 90);
        let newest = usize::try_from(self.dice.within(0, 200)).expect("small");
        let mut slots: Vec<u64> = self.book.hashes.iter().map(|hash| hash.slot).collect();
        slots.truncate(newest);
        slots.retain(|_| self.dice.percent(keep));
        self.world.retain_slots(&slots);
        self.read_clock();
    }
}
