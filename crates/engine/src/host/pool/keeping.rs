//! Engines that keep something for the next run of a sequence: their memory, and how one gets its own engine again.

use tokio::time::Instant;

use super::{Decision, LEAST_NEED, Order, Pool, State, Waiter, Want, Work};

impl Pool {
    /// Reserves memory for a new sequence, and numbers it; none if engines and other sequences leave not as much. No
    /// engine ends for it.
    pub fn keep(&mut self, bytes: u64) -> Option<u64> {
        let engines = self.engines.values().map(|engine| engine.memory);
        let held = engines.fold(self.reserved, u64::saturating_add);
        let kept = self.kept.checked_add(bytes)?;
        if held.checked_add(kept)?.checked_add(LEAST_NEED)? > self.limits.memory {
            return None;
        }
        self.kept = kept;
        Some(self.number())
    }

    /// The sequence has ended.
    pub fn release(&mut self, bytes: u64) {
        self.kept = self.kept.saturating_sub(bytes);
    }

    /// What is reserved for a sequence is this engine's from now on, if it is not gone.
    pub fn attach(&mut self, engine: u64, bytes: u64) {
        if let Some(entry) = self.engines.get_mut(&engine) {
            entry.kept = entry.kept.saturating_add(bytes);
        }
    }

    /// It is not any more.
    pub fn detach(&mut self, engine: u64, bytes: u64) {
        if let Some(entry) = self.engines.get_mut(&engine) {
            entry.kept = entry.kept.saturating_sub(bytes);
        }
    }

    /// The engine is told to forget a sequence that is not its any more.
    pub fn forgets(&mut self, engine: u64) {
        if let Some(entry) = self.engines.get_mut(&engine) {
            entry.forgetting = entry.forgetting.saturating_add(1);
        }
    }

    /// It has.
    pub fn forgot(&mut self, engine: u64) {
        if let Some(entry) = self.engines.get_mut(&engine) {
            entry.forgetting = entry.forgetting.saturating_sub(1);
        }
    }

    /// Whether it holds anything for others than the sequence of so many bytes.
    pub fn keeps_beside(&self, engine: u64, bytes: u64) -> bool {
        let entry = self.engines.get(&engine);
        entry.is_some_and(|entry| entry.kept > bytes || entry.forgetting > 0)
    }

    /// Queues a wish for a certain engine.
    pub fn ask_at(&mut self, engine: u64, now: Instant) -> u64 {
        let model = self.engines.get(&engine).map(|entry| entry.model);
        self.queue(Waiter {
            ticket: 0,
            model: model.unwrap_or_default(),
            size: 0,
            work: Work::Claimed,
            want: Want::Run,
            at: Some(engine),
            from: 0,
            since: now,
        })
    }

    pub(super) fn decide_at(
        &mut self,
        waiter: &Waiter,
        engine: u64,
        patient: bool,
        now: Instant,
    ) -> Decision {
        let ticket = waiter.ticket;
        match self.engines.get_mut(&engine) {
            None => Decision::Now(Order::Gone { ticket }),
            Some(entry) if patient && entry.is_idle() => {
                (entry.state, entry.work, entry.used) = (State::Running, waiter.work, now);
                Decision::Now(Order::Use { ticket, engine })
            }
            Some(_) => Decision::ForAnEngine,
        }
    }
}
