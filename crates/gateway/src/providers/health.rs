//! How a provider did: how quick it is, and for how long it is left alone after failures.

use std::time::{Duration, Instant};

/// The first failure sets a provider aside for this long, each further one for twice as long.
const FIRST: Duration = Duration::from_secs(2);
/// Longest that failures set it aside for.
const LONGEST: Duration = Duration::from_mins(5);
/// From so many failures on that it puts down to the input, without an answer between them, each counts as its own.
const BLAMED_INPUTS: u32 = 3;
/// Breaches within this time of one that counted have its cause: a new operator key, say, shows in each session.
const ONE_CAUSE: Duration = Duration::from_secs(30);
/// Weight of the newest of the times, one in so many.
const SMOOTH: u64 = 8;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer began after this time.
    Answered(Duration),
    /// It was not reached, failed or lied.
    Failed,
    /// It charged for a failure of the model. Perhaps the input is to blame, but not each time.
    ChargedFailure,
    /// It called an input unfit that another provider then answered. Honest ones may differ, but not each time.
    Contradicted,
    /// It broke off, charged all the same, and gave the answer only once it was asked for it again.
    Late,
    /// It asked to be left alone for this long.
    Busy(Duration),
}

/// A provider's record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    /// Smoothed time to an answer in microseconds; 0 before the first.
    micros: u64,
    /// In a row.
    failures: u32,
    /// Failures that it put down to the input, without an answer between them.
    blamed_inputs: u32,
    /// Late answers, less the answers that came in time.
    late: u32,
    aside_until: Option<Instant>,
    /// The last breach that counted.
    broke_at: Option<Instant>,
}

impl Health {
    /// Takes note of a request's outcome.
    pub fn note(&mut self, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::Answered(time) => {
                let newest = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
                self.micros = match self.micros {
                    0 => newest,
                    micros => micros - micros / SMOOTH + newest / SMOOTH,
                };
                self.failures = 0;
                self.blamed_inputs = 0;
                match self.late.checked_sub(1) {
                    // One answer in time does not make good for a late one at once.
                    Some(less) => self.late = less,
                    None => self.aside_until = None,
                }
            }
            Outcome::Failed => {
                self.aside_until = now.checked_add(aside_after(self.failures));
                self.failures = self.failures.saturating_add(1);
            }
            Outcome::Late => {
                let until = now.checked_add(aside_after(self.late));
                self.aside_until = self.aside_until.max(until);
                self.late = self.late.saturating_add(1);
            }
            Outcome::ChargedFailure | Outcome::Contradicted => {
                self.blamed_inputs = self.blamed_inputs.saturating_add(1);
                if self.blamed_inputs >= BLAMED_INPUTS {
                    self.note(Outcome::Failed, now);
                }
            }
            Outcome::Busy(wait) => self.aside_until = now.checked_add(wait),
        }
    }

    /// Takes note of a breach of the rules, and returns whether it counts.
    pub fn broke_rules(&mut self, now: Instant) -> bool {
        self.note(Outcome::Failed, now);
        let since = self.broke_at.map(|at| now.saturating_duration_since(at));
        let counts = since.is_none_or(|since| since > ONE_CAUSE);
        if counts {
            self.broke_at = Some(now);
        }
        counts
    }

    /// Whether it may be asked.
    pub fn is_usable(&self, now: Instant) -> bool {
        self.aside_for(now).is_zero()
    }

    /// How long it is still left alone.
    pub fn aside_for(&self, now: Instant) -> Duration {
        self.aside_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Smoothed time to an answer in microseconds; 0 for one that was never asked, so that it is tried.
    pub const fn micros(&self) -> u64 {
        self.micros
    }
}

/// How long one more failure after so many sets aside for.
fn aside_after(failures: u32) -> Duration {
    FIRST.saturating_mul(1_u32 << failures.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_set_aside_for_twice_as_long_each_time_up_to_a_limit() {
        let now = Instant::now();
        let mut health = Health::default();
        assert!(health.is_usable(now));
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            health.note(Outcome::Failed, now);
            assert_eq!(health.aside_for(now), Duration::from_secs(expected));
        }
        assert!(health.is_usable(now + LONGEST));
        health.note(Outcome::Answered(Duration::from_millis(3)), now);
        assert!(health.is_usable(now));
        health.note(Outcome::Failed, now);
        assert_eq!(health.aside_for(now), FIRST);
    }

    #[test]
    fn late_answers_are_made_good_for_one_by_one() {
        let now = Instant::now();
        let mut health = Health::default();
        for expected in [2, 4, 8] {
            health.note(Outcome::Late, now);
            assert_eq!(health.aside_for(now), Duration::from_secs(expected));
        }
        health.note(Outcome::Answered(FIRST), now);
        health.note(Outcome::Late, now);
        assert_eq!(health.aside_for(now), Duration::from_secs(8));
        for _ in 0..3 {
            health.note(Outcome::Answered(FIRST), now);
            assert!(!health.is_usable(now));
        }
        health.note(Outcome::Answered(FIRST), now);
        assert!(health.is_usable(now));
        health.note(Outcome::Late, now);
        assert_eq!(health.aside_for(now), FIRST);
    }

    #[test]
    fn breaches_at_about_the_same_time_count_once() {
        let now = Instant::now();
        let mut health = Health::default();
        assert!(health.broke_rules(now));
        assert!(!health.is_usable(now));
        assert!(!health.broke_rules(now + ONE_CAUSE));
        assert!(health.broke_rules(now + ONE_CAUSE + Duration::from_secs(1)));
    }

    #[test]
    fn times_are_smoothed() {
        let now = Instant::now();
        let mut health = Health::default();
        health.note(Outcome::Answered(Duration::from_micros(800)), now);
        assert_eq!(health.micros(), 800);
        health.note(Outcome::Answered(Duration::from_micros(1_600)), now);
        assert_eq!(health.micros(), 900);
    }
}
