//! What is known of a node, and when it may be asked again. Pure: time and chance are arguments.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Fault;

/// Slots that a node may lag behind the newest one known.
const LAG: u64 = 100;
/// A slot that has not changed for so long is stuck.
const STUCK: Duration = Duration::from_secs(30);
/// A node that takes longer than this on average is asked only if no quicker one is there.
const SLOW: Duration = Duration::from_secs(2);
/// Pauses after failures: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After so many failures in a row of one kind of request, that kind goes to other nodes first.
const TOO_MANY: u32 = 2;
/// For so long after each of them, up to the longest.
const AVOIDED: Duration = Duration::from_secs(30);
const LONGEST_AVOIDED: Duration = Duration::from_secs(600);
/// A node of another chain is looked at again after this: it may have been a mistake of its own.
const FOREIGN_PAUSE: Duration = Duration::from_secs(60);
/// A node that asks for more than this gets it no longer.
const LONGEST_LIMIT: Duration = Duration::from_secs(120);

/// How a node stands, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Healthy,
    /// Answers late.
    Slow,
    /// Its newest slot is old.
    Behind,
    /// Not known yet to serve this chain: at the start, and after a failure.
    Unchecked,
    /// Wants to be asked less.
    Limited,
    Failing,
    /// Serves another chain, or one without the program. Never used.
    Foreign,
}

#[derive(Clone, Copy, Debug)]
struct Tip {
    slot: u64,
    /// When this slot was seen first, and last.
    first: Instant,
    last: Instant,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug)]
struct Failing {
    times: u32,
    last: Instant,
}

#[derive(Debug, Default)]
pub(in crate::chain) struct Health {
    verified: bool,
    foreign: bool,
    limited: bool,
    /// It has failed since it last showed its chain.
    failed: bool,
    /// By kind of request, until one of that kind is answered: who passes checks may fail at all else.
    failing: BTreeMap<&'static str, Failing>,
    /// Not asked before.
    rests_until: Option<Instant>,
    latency: Option<Duration>,
    tip: Option<Tip>,
    pub last_error: Option<String>,
    /// Somebody is checking it.
    pub checking: bool,
}

impl Health {
    /// `newest`: slot of the chain as far as others tell.
    pub fn state(&self, now: Instant, newest: Option<u64>) -> State {
        if self.foreign {
            State::Foreign
        } else if self.rests(now) {
            if self.limited {
                State::Limited
            } else {
                State::Failing
            }
        } else if !self.verified {
            State::Unchecked
        } else if self.is_stuck() || self.lags(newest) {
            State::Behind
        } else if self.latency.is_some_and(|latency| latency > SLOW) {
            State::Slow
        } else {
            State::Healthy
        }
    }

    /// Whether it is to be left alone.
    pub fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| until > now)
    }

    pub fn rest_left(&self, now: Instant) -> Option<Duration> {
        let left = self.rests_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Whether it has failed since it last showed its chain.
    pub fn fails(&self) -> bool {
        self.failed
    }

    /// In a row, of the kind of request that fails most.
    pub fn failures(&self) -> u32 {
        let times = self.failing.values().map(|failing| failing.times);
        times.max().unwrap_or(0)
    }

    /// Whether other nodes are asked before it, of this kind.
    pub fn avoids(&self, kind: &str, now: Instant) -> bool {
        self.failing.get(kind).is_some_and(|failing| {
            let avoided = AVOIDED.saturating_mul(failing.times).min(LONGEST_AVOIDED);
            failing.times >= TOO_MANY && now.saturating_duration_since(failing.last) < avoided
        })
    }

    /// One more failure of this kind; how many in a row that makes.
    pub fn count(&mut self, kind: &'static str, now: Instant) -> u32 {
        let before = self.failing.get(kind).map_or(0, |failing| failing.times);
        let times = before.saturating_add(1);
        self.failing.insert(kind, Failing { times, last: now });
        times
    }

    pub fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// Its newest slot, if that was seen lately and moves.
    pub fn tip(&self, now: Instant) -> Option<u64> {
        let tip = self.tip.filter(|_| !self.is_stuck())?;
        (now.saturating_duration_since(tip.last) < STUCK).then_some(tip.slot)
    }

    pub fn slot(&self) -> Option<u64> {
        self.tip.map(|tip| tip.slot)
    }

    /// When it last answered with a slot.
    pub fn seen(&self) -> Option<Instant> {
        self.tip.map(|tip| tip.last)
    }

    fn is_stuck(&self) -> bool {
        self.tip
            .is_some_and(|tip| tip.last.saturating_duration_since(tip.first) >= STUCK)
    }

    fn lags(&self, newest: Option<u64>) -> bool {
        match (self.tip, newest) {
            (Some(tip), Some(newest)) => tip.slot.saturating_add(LAG) < newest,
            _ => false,
        }
    }

    /// It answered a request of this kind. `took` where that says something of the node.
    pub fn answered(
        &mut self,
        kind: &str,
        now: Instant,
        took: Option<Duration>,
        slot: Option<u64>,
    ) {
        self.failing.remove(kind);
        if let Some(took) = took {
            // A quarter of each new one: a single late answer changes little.
            let before = self.latency.unwrap_or(took);
            self.latency = Some((before * 3 + took) / 4);
        }
        let Some(slot) = slot else { return };
        match &mut self.tip {
            Some(tip) if slot <= tip.slot => tip.last = now,
            _ => {
                self.tip = Some(Tip {
                    slot,
                    first: now,
                    last: now,
                });
            }
        }
    }

    /// It serves this chain.
    pub fn verify(&mut self) {
        self.verified = true;
        self.foreign = false;
        self.limited = false;
        self.failed = false;
        self.rests_until = None;
        self.last_error = None;
    }

    /// It serves another one.
    pub fn disown(&mut self, now: Instant, reason: String) {
        self.verified = false;
        self.foreign = true;
        self.rests_until = Some(now + FOREIGN_PAUSE);
        self.last_error = Some(reason);
    }

    /// It failed at this kind of request; the pause until it may be asked again. Whatever it failed with but a wish to be asked
    /// less, it must show again which chain it serves.
    pub fn failed(
        &mut self,
        kind: &'static str,
        now: Instant,
        fault: &Fault,
        jitter: u32,
    ) -> Duration {
        self.failed = true;
        self.last_error = Some(fault.to_string());
        let doublings = self.count(kind, now).saturating_sub(1).min(16);
        let pause = FIRST_PAUSE
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE);
        // Up to a half more.
        let pause = pause + pause.saturating_mul(jitter.min(1_000)) / 2_000;
        let pause = match fault {
            Fault::Limited { retry_after } => {
                self.limited = true;
                retry_after.map_or(pause, |wanted| wanted.min(LONGEST_LIMIT))
            }
            Fault::Unreached(_)
            | Fault::Silent(_)
            | Fault::Broken
            | Fault::Status(_)
            | Fault::Garbage(_)
            | Fault::Unable { .. }
            | Fault::Unwilling { .. }
            | Fault::Doubted(_)
            | Fault::Request { .. } => {
                self.limited = false;
                self.verified = false;
                pause
            }
        };
        self.rests_until = Some(now + pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "getBalance";

    fn second(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn healthy(now: Instant) -> Health {
        let mut health = Health::default();
        health.answered(KIND, now, Some(Duration::from_millis(50)), Some(1_000));
        health.verify();
        health
    }

    #[test]
    fn endpoint_that_fails_rests_longer_each_time_and_must_be_checked_again() {
        let now = Instant::now();
        let mut health = healthy(now);
        assert_eq!(health.state(now, None), State::Healthy);
        let pauses: Vec<_> = (0..8)
            .map(|_| health.failed(KIND, now, &Fault::Broken, 0).as_millis())
            .collect();
        assert_eq!(
            pauses,
            [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]
        );
        assert_eq!(health.state(now, None), State::Failing);
        assert_eq!(health.state(now + second(10), None), State::Unchecked);
        health.verify();
        assert_eq!(health.state(now, None), State::Healthy);
        health.answered(KIND, now, None, None);
        let pause = health.failed(KIND, now, &Fault::Broken, 1_000);
        assert_eq!(pause.as_millis(), 750, "a pause and up to half of it");
    }

    #[test]
    fn endpoint_that_passes_checks_and_fails_at_one_thing_is_asked_for_it_last() {
        let now = Instant::now();
        let mut health = healthy(now);
        let mut pauses = Vec::new();
        for _ in 0..3 {
            let pause = health.failed("sendTransaction", now, &Fault::Broken, 0);
            pauses.push((pause.as_millis(), health.avoids("sendTransaction", now)));
            health.verify();
            health.answered(KIND, now, None, None);
        }
        assert_eq!(pauses, [(500, false), (1_000, true), (2_000, true)]);
        assert!(!health.avoids(KIND, now) && !health.fails());
        assert_eq!(health.failures(), 3);
        assert!(health.avoids("sendTransaction", now + second(89)));
        assert!(!health.avoids("sendTransaction", now + second(90)));
        health.answered("sendTransaction", now, None, None);
        assert!(!health.avoids("sendTransaction", now));
    }

    #[test]
    fn endpoint_that_wants_less_gets_less_and_needs_no_check_after_it() {
        let now = Instant::now();
        let mut health = healthy(now);
        let limited = |seconds| Fault::Limited {
            retry_after: Some(second(seconds)),
        };
        assert_eq!(health.failed(KIND, now, &limited(7), 999), second(7));
        assert_eq!(health.state(now + second(6), None), State::Limited);
        assert_eq!(health.state(now + second(7), None), State::Healthy);
        assert_eq!(health.failed(KIND, now, &limited(86_400), 0), second(120));
    }

    #[test]
    fn endpoint_that_lags_or_is_stuck_is_behind_and_a_late_one_slow() {
        let now = Instant::now();
        let mut health = healthy(now);
        assert_eq!(health.state(now, Some(1_100)), State::Healthy);
        assert_eq!(health.state(now, Some(1_101)), State::Behind);
        health.answered(KIND, now + second(29), None, Some(1_000));
        assert_eq!(health.state(now + second(29), None), State::Healthy);
        assert_eq!(health.tip(now + second(29)), Some(1_000));
        health.answered(KIND, now + second(30), None, Some(999));
        assert_eq!(health.state(now + second(30), None), State::Behind);
        assert_eq!(health.tip(now + second(30)), None);
        let later = now + second(31);
        health.answered(KIND, later, Some(second(9)), Some(1_001));
        assert_eq!(health.state(later, None), State::Slow);
        assert_eq!(health.tip(later + second(30)), None, "not seen for long");
    }

    #[test]
    fn endpoint_of_another_chain_stays_so_until_it_shows_this_one() {
        let now = Instant::now();
        let mut health = healthy(now);
        health.disown(now, "another genesis".into());
        assert_eq!(health.state(now + second(1_000), None), State::Foreign);
        assert!(health.rests(now + second(59)) && !health.rests(now + second(60)));
        health.verify();
        assert_eq!(health.state(now, None), State::Healthy);
    }
}
