//! Which of the chain's clock readings are believed. Pure: every time is an argument.
//!
//! Deadlines are judged by the chain's clock, and one node tells it. A time that jumps is believed if
//! another endpoint agrees, if this machine's own clock does, or if the node insists for a while. What
//! was believed wrongly is corrected by the next reading that is right.

use std::time::Duration;

use assay_client::protocol::UnixSeconds;
use tokio::time::Instant;

use super::Clock;

/// Seconds by which a reading may differ from what the last one leads to expect.
const DRIFT: i64 = 60;
/// Seconds by which the chain and this machine may differ, where nothing else speaks for a time.
const MACHINE: i64 = 120;
/// How long time runs on by itself without a reading.
const ALONE: Duration = Duration::from_secs(30);
/// Readings that must agree with each other to be believed for that alone.
const READINGS: u32 = 3;

#[derive(Debug)]
pub struct ChainTime {
    believed: Option<(UnixSeconds, Instant)>,
    /// What was told last.
    now: UnixSeconds,
    doubt: Option<Doubt>,
    /// How long a node must insist.
    patience: Duration,
}

/// A time that is not believed yet.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    time: UnixSeconds,
    since: Instant,
    readings: u32,
}

/// What a reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    Believed,
    /// Believed, and it is earlier than what was believed before: what was to wait may be due.
    SetBack,
    /// Not believed; seconds by which it differs from what was expected.
    Doubted(i64),
}

impl ChainTime {
    pub fn new(patience: Duration) -> Self {
        Self {
            believed: None,
            now: UnixSeconds::default(),
            doubt: None,
            patience,
        }
    }

    /// What a reading should show at a moment; none before the first one.
    pub fn expected(&self, at: Instant) -> Option<UnixSeconds> {
        let (time, read) = self.believed?;
        Some(after(time, at.saturating_duration_since(read)))
    }

    /// The chain's time at a moment. Never goes back, unless a reading has corrected it.
    pub fn now(&mut self, at: Instant) -> UnixSeconds {
        if let Some((time, read)) = self.believed {
            let alone = at.saturating_duration_since(read).min(ALONE);
            self.now = self.now.max(after(time, alone));
        }
        self.now
    }

    /// `agreed`: another endpoint shows about the same. `machine`: this machine's clock.
    pub fn observe(
        &mut self,
        clock: Clock,
        agreed: bool,
        machine: UnixSeconds,
        at: Instant,
    ) -> Belief {
        let expected = self.expected(at);
        let off = |time: UnixSeconds| clock.time.0.saturating_sub(time.0);
        let near = |time: UnixSeconds, most: i64| off(time).saturating_abs() <= most;
        let continues = expected.is_some_and(|expected| near(expected, DRIFT));
        let believed =
            continues || agreed || near(machine, MACHINE) || self.insists(clock.time, at);
        if !believed {
            return Belief::Doubted(off(expected.unwrap_or(machine)));
        }
        self.doubt = None;
        let before = self.now(at);
        self.believed = Some((clock.time, at));
        if before.0.saturating_sub(clock.time.0) > DRIFT {
            self.now = clock.time;
            return Belief::SetBack;
        }
        // Nodes differ by moments; time does not go back for that.
        self.now = before.max(clock.time);
        Belief::Believed
    }

    /// Whether a node has shown this time, running on as time does, for long enough.
    fn insists(&mut self, time: UnixSeconds, at: Instant) -> bool {
        let same = self.doubt.filter(|doubt| {
            let expected = after(doubt.time, at.saturating_duration_since(doubt.since));
            time.0.saturating_sub(expected.0).saturating_abs() <= DRIFT
        });
        let mut doubt = same.unwrap_or(Doubt {
            time,
            since: at,
            readings: 0,
        });
        doubt.readings = doubt.readings.saturating_add(1);
        self.doubt = Some(doubt);
        let long = at.saturating_duration_since(doubt.since) >= self.patience;
        self.patience.is_zero() || long && doubt.readings >= READINGS
    }
}

fn after(time: UnixSeconds, elapsed: Duration) -> UnixSeconds {
    let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
    UnixSeconds(time.0.saturating_add(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    struct Watch {
        time: ChainTime,
        begun: Instant,
        machine: i64,
    }

    impl Watch {
        /// A node and a machine that agree.
        fn start() -> Self {
            let mut watch = Self {
                time: ChainTime::new(Duration::from_secs(20)),
                begun: Instant::now(),
                machine: NOW,
            };
            assert_eq!(watch.reads(0, NOW), Belief::Believed);
            watch
        }

        fn at(&self, seconds: u64) -> Instant {
            self.begun + Duration::from_secs(seconds)
        }

        fn observes(&mut self, seconds: u64, time: i64, agreed: bool) -> Belief {
            let clock = Clock {
                slot: seconds,
                time: UnixSeconds(time),
            };
            let machine = UnixSeconds(self.machine + i64::try_from(seconds).unwrap());
            let at = self.at(seconds);
            self.time.observe(clock, agreed, machine, at)
        }

        fn reads(&mut self, seconds: u64, time: i64) -> Belief {
            self.observes(seconds, time, false)
        }

        fn now(&mut self, seconds: u64) -> i64 {
            let at = self.at(seconds);
            self.time.now(at).0 - NOW
        }
    }

    #[test]
    fn time_runs_on_between_readings_and_not_for_ever() {
        let mut watch = Watch::start();
        assert_eq!((watch.now(0), watch.now(8)), (0, 8));
        // A node that is moments late does not turn it back.
        assert_eq!(watch.reads(10, NOW + 5), Belief::Believed);
        assert_eq!((watch.now(10), watch.now(15), watch.now(16)), (10, 10, 11));
        assert_eq!(watch.now(900), 35, "half a minute alone");
        assert_eq!(watch.time.expected(watch.at(900)).unwrap().0, NOW + 895);
    }

    #[test]
    fn time_in_the_far_future_is_not_believed_and_soon_forgotten() {
        let mut watch = Watch::start();
        for second in 1..=15 {
            let belief = watch.reads(second, NOW + 10_000_000);
            assert!(matches!(belief, Belief::Doubted(off) if off > 9_999_000));
        }
        assert_eq!(watch.now(15), 15);
        assert_eq!(watch.reads(16, NOW + 16), Belief::Believed);
        // The doubt begins anew: it was contradicted.
        for second in 17..=36 {
            assert!(matches!(
                watch.reads(second, NOW + 10_000_000),
                Belief::Doubted(_)
            ));
        }
        assert_eq!(watch.now(36), 36);
    }

    #[test]
    fn time_that_an_only_endpoint_insists_on_is_believed_and_corrected_later() {
        let mut watch = Watch::start();
        let future = |second: i64| NOW + 10_000_000 + second;
        assert!(matches!(watch.reads(1, future(1)), Belief::Doubted(_)));
        assert!(matches!(watch.reads(22, future(22)), Belief::Doubted(_)));
        assert_eq!(watch.reads(23, future(23)), Belief::Believed, "three times");
        assert_eq!(watch.now(23), 10_000_023);
        assert_eq!(watch.reads(24, NOW + 24), Belief::SetBack);
        assert_eq!(watch.now(24), 24);
    }

    #[test]
    fn time_that_jumps_about_is_never_believed() {
        let mut watch = Watch::start();
        for second in 1..100 {
            let wild = NOW + 1_000_000 * i64::try_from(second).unwrap();
            assert!(matches!(watch.reads(second, wild), Belief::Doubted(_)));
        }
    }

    #[test]
    fn time_that_another_endpoint_or_the_machine_confirms_is_believed_at_once() {
        let mut watch = Watch::start();
        assert_eq!(watch.observes(1, NOW + 90_000, true), Belief::Believed);
        assert_eq!(watch.now(1), 90_000);
        // After a halt, the chain's clock catches up with everybody's.
        let mut watch = Watch::start();
        for second in 1..=3_600 {
            watch.reads(second, NOW);
        }
        assert!(watch.now(3_600) < 60);
        assert_eq!(watch.reads(3_601, NOW + 3_590), Belief::Believed);
        assert_eq!(watch.now(3_601), 3_590);
    }

    #[test]
    fn first_reading_must_be_confirmed_too() {
        let mut watch = Watch::start();
        watch.time = ChainTime::new(Duration::from_secs(20));
        watch.machine = NOW + 50_000;
        assert_eq!(watch.reads(0, NOW), Belief::Doubted(-50_000));
        assert_eq!(watch.time.now(watch.at(0)).0, 0);
        watch.reads(10, NOW + 10);
        assert_eq!(watch.reads(20, NOW + 20), Belief::Believed);
        let mut at_once = ChainTime::new(Duration::ZERO);
        let clock = Clock {
            slot: 1,
            time: UnixSeconds(NOW),
        };
        let belief = at_once.observe(clock, false, UnixSeconds(0), watch.begun);
        assert_eq!(belief, Belief::Believed);
    }
}
