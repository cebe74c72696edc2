//! Which engines end: for others' memory, or because their time is over.

use tokio::time::Instant;

use super::{Engine, HOLD, Order, Pool, State, Work};

impl Pool {
    /// The engines whose end leaves so much memory; none if all that may end do not.
    pub(super) fn room(&self, needs: u64, work: Work, now: Instant) -> Option<Vec<u64>> {
        let held: u64 = self.engines.values().map(|engine| engine.memory).sum();
        let free = self.limits.memory;
        let free = free.saturating_sub(self.reserved).saturating_sub(self.kept);
        let mut over = held.saturating_add(needs).saturating_sub(free);
        let may_end = |engine: &Engine| match work {
            Work::Claimed | Work::Audit => engine.is_idle() || engine.is_preparing(),
            Work::Preparing => {
                engine.is_idle() && now.saturating_duration_since(engine.used) >= HOLD
            }
        };
        let mut may_end: Vec<_> = self
            .engines
            .iter()
            .filter(|(_, one)| may_end(one))
            .collect();
        // Idle ones first, the least recently used first; then the youngest preparation.
        may_end.sort_by_key(|(number, one)| match one.state {
            State::Idle => (0, Some(one.used), 0),
            State::Running | State::Loading { .. } => (1, None, u64::MAX.saturating_sub(**number)),
        });
        let mut ended = Vec::new();
        for (number, engine) in may_end {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(engine.memory);
            ended.push(*number);
        }
        // With nothing left but the spare process, the budget is the model's.
        let alone = ended.len() == self.engines.len();
        (over == 0 || alone).then_some(ended)
    }

    /// Ends what is idle for too long, or too many, or more than there is memory for.
    pub(super) fn end_idle(&mut self, now: Instant, orders: &mut Vec<Order>) {
        let mut idle: Vec<_> = self
            .engines
            .iter()
            .filter(|(_, engine)| engine.is_idle())
            .map(|(number, engine)| (engine.used, *number, engine.memory))
            .collect();
        idle.sort_unstable();
        let held: u64 = self.engines.values().map(|engine| engine.memory).sum();
        let held = held.saturating_add(self.reserved).saturating_add(self.kept);
        let mut over = held.saturating_sub(self.limits.memory);
        let mut left = idle.len();
        for (used, engine, memory) in idle {
            let old = now.saturating_duration_since(used) >= self.limits.keep;
            if old || left > self.limits.idle || over > 0 {
                self.engines.remove(&engine);
                orders.push(Order::End { engine });
                over = over.saturating_sub(memory);
                left = left.saturating_sub(1);
            }
        }
    }
}
