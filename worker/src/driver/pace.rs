//! When the chain is read next, and what time it is until then.

use std::{sync::atomic::Ordering, time::Duration};

use assay_client::protocol::UnixSeconds;
use tokio::time::Instant;

use super::{Chain, Driver, Times};
use crate::{
    chain::{Belief, Snapshot},
    metrics,
};

/// How long a change that has landed may stay unseen while a websocket is alive.
const SOON: Duration = Duration::from_secs(1);

/// What the next reading depends on.
#[derive(Clone, Copy, Debug)]
struct Demand {
    /// A websocket tells of changes at once.
    hinted: bool,
    /// The last reading succeeded, and its time was believed.
    reachable: bool,
    /// Panels, of which no websocket tells, are ours or may be.
    panels: bool,
    /// Seconds until something is due; none if nothing will be.
    due_in: Option<i64>,
}

/// From one reading to the next.
fn pace(times: &Times, demand: Demand) -> Duration {
    let (quick, idle) = (times.poll_every, times.idle_poll.max(times.poll_every));
    if !demand.hinted || !demand.reachable || demand.panels {
        return quick;
    }
    let due = demand.due_in.map(|seconds| {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        Duration::from_secs(seconds).clamp(quick, idle)
    });
    due.unwrap_or(idle)
}

impl<C: Chain> Driver<C> {
    pub(super) fn next_poll(&self) -> Instant {
        let due = self.core.poll_timeout();
        let demand = Demand {
            hinted: self.hinted,
            reachable: self.reachable,
            panels: self.audits.core.has_cases(),
            due_in: due.map(|due| due.0.saturating_sub(self.now.0)),
        };
        let paced = self.last_poll + pace(&self.parts.times, demand);
        self.urgent.map_or(paced, |urgent| urgent.min(paced))
    }

    /// Reads again at once, or very soon where a websocket most likely tells it before.
    pub(super) fn read_soon(&mut self) {
        let wait = if self.hinted { SOON } else { Duration::ZERO };
        let soon = Instant::now() + wait;
        self.urgent = Some(self.urgent.map_or(soon, |urgent| urgent.min(soon)));
    }

    /// A websocket has begun to tell, or has ended. What it did not tell in between is read now.
    pub(super) fn hear(&mut self, alive: bool) {
        self.hinted = alive;
        let memory = &self.parts.submitter.memory;
        memory.hinted.store(alive, Ordering::Relaxed);
        self.last_list = None;
        self.urgent = Some(Instant::now());
        if alive {
            tracing::info!("a websocket is alive: the chain is read less often");
        } else {
            tracing::info!("no websocket is alive: the chain is read more often");
        }
    }

    /// Whether all jobs are to be listed again. Candidates' panels are read with the list.
    pub(super) fn is_list_due(&self) -> bool {
        let every = self.parts.times.idle_list;
        !self.hinted
            || !self.audits.core.candidates().is_empty()
            || self.last_list.is_none_or(|last| last.elapsed() >= every)
    }

    /// Time has run on since the last reading.
    pub(super) fn run_on(&mut self) {
        self.now = self.time.now(Instant::now());
    }

    /// What the clock should show.
    pub(super) fn expected(&self) -> UnixSeconds {
        let expected = self.time.expected(Instant::now());
        expected.unwrap_or_else(|| UnixSeconds((self.parts.clock)()))
    }

    /// Sets the clock by a reading, if that is to be believed.
    pub(super) fn set_clock(&mut self, snapshot: &Snapshot) -> bool {
        let machine = UnixSeconds((self.parts.clock)());
        let (at, clock) = (Instant::now(), snapshot.clock);
        let belief = self.time.observe(clock, snapshot.agreed, machine, at);
        self.now = self.time.now(at);
        match belief {
            Belief::Believed => {}
            Belief::SetBack => {
                tracing::warn!(time = self.now.0, "the chain's clock was set back");
                self.core.handle_set_back(self.now);
                self.audits.core.handle_set_back(self.now);
            }
            Belief::Doubted(seconds) => {
                metrics::clock_doubted();
                if self.reachable {
                    tracing::warn!(
                        seconds,
                        "the chain's clock is not believed: it jumped by so much, and neither another endpoint nor this machine agrees"
                    );
                }
                return false;
            }
        }
        self.slot = self.slot.max(clock.slot);
        metrics::chain_time(self.now.0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        poll_every: Duration::from_secs(2),
        idle_poll: Duration::from_secs(8),
        idle_list: Duration::from_secs(60),
        clock_patience: Duration::from_secs(20),
        shutdown: Duration::ZERO,
        retention: Duration::ZERO,
        kept_bytes: 0,
    };
    const IDLE: Demand = Demand {
        hinted: true,
        reachable: true,
        panels: false,
        due_in: None,
    };

    #[test]
    fn reading_is_slow_only_while_hints_come_and_nothing_is_due() {
        let seconds = |demand| pace(&TIMES, demand).as_secs();
        assert_eq!(seconds(IDLE), 8);
        let busy = [
            Demand {
                hinted: false,
                ..IDLE
            },
            Demand {
                reachable: false,
                ..IDLE
            },
            Demand {
                panels: true,
                ..IDLE
            },
        ];
        assert!(busy.into_iter().all(|demand| seconds(demand) == 2));
        let due = |seconds| Demand {
            due_in: Some(seconds),
            ..IDLE
        };
        let paces = [-5, 0, 1, 3, 7, 900].map(|left| seconds(due(left)));
        assert_eq!(paces, [2, 2, 2, 3, 7, 8]);
        let hasty = Times {
            idle_poll: Duration::from_secs(1),
            ..TIMES
        };
        assert_eq!(pace(&hasty, IDLE).as_secs(), 2, "never quicker when idle");
    }
}
