//! Stops claiming after failures that repeat, and tries again with one job after a while.
//!
//! A circuit for each model, and one for all together. What is claimed is never held back by it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// How often a pause doubles at most while it ends in failures.
const MOST_DOUBLINGS: u32 = 5;
/// How much longer a pause is after a fault: what was computed here is not what others compute.
const FAULT_PAUSES: i64 = 6;
/// Models remembered at most.
const REMEMBERED: usize = 1_024;

#[derive(Clone, Copy, Debug)]
pub struct BreakerPolicy {
    /// Failures within the window that open a circuit; a success takes one of them back.
    pub failures: usize,
    pub window_secs: u32,
    /// First pause; it doubles as long as it ends in another failure.
    pub pause_secs: u32,
}

/// What became of a job that was ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Committed.
    Good,
    /// Given back, or too late.
    Lost,
    /// A bond or the collateral is lost: others computed something else, or we were silent.
    Fault,
}

/// A model whose jobs are left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedModel {
    /// Digest in hex.
    pub model_digest: String,
    /// Unix seconds; after it one job is tried.
    pub until: i64,
}

#[derive(Debug, Default)]
struct Circuit {
    /// When, and of which model.
    failed: VecDeque<(i64, [u8; 32])>,
    /// End of the pause; none while the circuit is closed.
    until: Option<i64>,
    /// Pauses in a row.
    pauses: u32,
    touched: i64,
}

#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    all: Circuit,
    models: BTreeMap<[u8; 32], Circuit>,
}

impl Circuit {
    fn note(&mut self, policy: &BreakerPolicy, model: [u8; 32], outcome: Outcome, now: i64) {
        self.touched = now;
        let since = now.saturating_sub(i64::from(policy.window_secs));
        self.failed.retain(|(at, _)| *at >= since);
        match outcome {
            Outcome::Good => {
                self.failed.pop_front();
                if self.until.is_some_and(|until| until <= now) {
                    *self = Self::default();
                }
            }
            Outcome::Lost | Outcome::Fault => {
                self.failed.push_back((now, model));
                while self.failed.len() > policy.failures {
                    self.failed.pop_front();
                }
            }
        }
    }

    fn models(&self) -> usize {
        let models: BTreeSet<_> = self.failed.iter().map(|(_, model)| model).collect();
        models.len()
    }

    /// Whether it should open: too many failures, or one in the first job after a pause.
    fn is_due(&self, policy: &BreakerPolicy, now: i64) -> bool {
        let tried = self.until.is_some_and(|until| until <= now);
        let last = self.failed.back().is_some_and(|(at, _)| *at == now);
        self.failed.len() >= policy.failures || (tried && last)
    }

    fn open(&mut self, policy: &BreakerPolicy, times: i64, now: i64) {
        let doubled = 1_i64 << self.pauses.min(MOST_DOUBLINGS);
        let pause = i64::from(policy.pause_secs).saturating_mul(doubled.saturating_mul(times));
        self.pauses = self.pauses.saturating_add(1);
        self.failed.clear();
        let until = now.saturating_add(pause);
        self.until = Some(self.until.map_or(until, |known| known.max(until)));
    }

    fn is_open(&self, now: i64) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Closed, or after its pause with nothing else under way.
    fn admits(&self, live: usize, now: i64) -> bool {
        match self.until {
            None => true,
            Some(until) => until <= now && live == 0,
        }
    }
}

impl Breaker {
    pub fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            all: Circuit::default(),
            models: BTreeMap::new(),
        }
    }

    pub fn note(&mut self, model: [u8; 32], outcome: Outcome, now: i64) {
        let circuit = self.models.entry(model).or_default();
        circuit.note(&self.policy, model, outcome, now);
        let fault = outcome == Outcome::Fault;
        if fault {
            circuit.open(&self.policy, FAULT_PAUSES, now);
        } else if outcome == Outcome::Lost && circuit.is_due(&self.policy, now) {
            circuit.open(&self.policy, 1, now);
        }
        self.all.note(&self.policy, model, outcome, now);
        // One model that fails is that model's matter, whoever made it.
        let machine = self.all.models() > 1 || self.all.until.is_some();
        if outcome != Outcome::Good && machine && self.all.is_due(&self.policy, now) {
            self.all.open(&self.policy, 1, now);
        }
        self.forget();
    }

    fn forget(&mut self) {
        if self.models.len() > REMEMBERED {
            let oldest = self.models.iter().min_by_key(|(_, known)| known.touched);
            if let Some(oldest) = oldest.map(|(model, _)| *model) {
                self.models.remove(&oldest);
            }
        }
    }

    /// The time that was believed was far ahead: no pause lasts longer than it may from now on.
    pub fn set_back(&mut self, now: i64) {
        let longest = i64::from(self.policy.pause_secs)
            .saturating_mul(FAULT_PAUSES)
            .saturating_mul(1 << MOST_DOUBLINGS);
        let latest = now.saturating_add(longest);
        for circuit in self.models.values_mut().chain([&mut self.all]) {
            circuit.failed.retain(|(at, _)| *at <= now);
            circuit.until = circuit.until.map(|until| until.min(latest));
            circuit.touched = circuit.touched.min(now);
        }
    }

    /// End of the pause of all models, while there is one.
    pub fn paused_until(&self, now: i64) -> Option<i64> {
        self.all.until.filter(|_| self.all.is_open(now))
    }

    /// Whether a job of this model may be claimed beside those that are claimed already.
    pub fn admits(&self, model: &[u8; 32], live_of_model: usize, live: usize, now: i64) -> bool {
        let circuit = self.models.get(model);
        self.all.admits(live, now)
            && circuit.is_none_or(|circuit| circuit.admits(live_of_model, now))
    }

    pub fn is_paused(&self, model: &[u8; 32], now: i64) -> bool {
        let circuit = self.models.get(model);
        circuit.is_some_and(|circuit| circuit.is_open(now))
    }

    /// The same for the audits' core.
    pub fn paused(&self, now: i64) -> BTreeSet<[u8; 32]> {
        let paused = self.models.iter().filter(|(_, known)| known.is_open(now));
        paused.map(|(model, _)| *model).collect()
    }

    /// Models that are left alone now.
    pub fn paused_models(&self, now: i64) -> Vec<PausedModel> {
        let paused = self.models.iter().filter(|(_, known)| known.is_open(now));
        paused
            .filter_map(|(model, known)| {
                Some(PausedModel {
                    model_digest: hex::encode(model),
                    until: known.until?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: [u8; 32] = [1; 32];
    const OTHER: [u8; 32] = [2; 32];

    fn breaker() -> Breaker {
        Breaker::new(BreakerPolicy {
            failures: 3,
            window_secs: 1_000,
            pause_secs: 100,
        })
    }

    fn lose(breaker: &mut Breaker, times: &[i64]) {
        for now in times {
            breaker.note(MODEL, Outcome::Lost, *now);
        }
    }

    #[test]
    fn model_that_fails_three_times_pauses_alone() {
        let mut breaker = breaker();
        lose(&mut breaker, &[1, 2]);
        assert!(breaker.admits(&MODEL, 5, 5, 2));
        lose(&mut breaker, &[3]);
        assert!(!breaker.admits(&MODEL, 0, 0, 102) && breaker.is_paused(&MODEL, 102));
        assert!(breaker.admits(&OTHER, 5, 5, 3));
        assert_eq!(breaker.paused_until(3), None);
        assert_eq!(breaker.paused_models(3)[0].until, 103);
        assert!(breaker.paused_models(103).is_empty());
    }

    #[test]
    fn one_job_is_tried_after_the_pause_and_decides() {
        let mut breaker = breaker();
        lose(&mut breaker, &[1, 2, 3]);
        assert!(breaker.admits(&MODEL, 0, 9, 103));
        assert!(!breaker.admits(&MODEL, 1, 9, 103), "one at a time");
        lose(&mut breaker, &[110]);
        assert!(!breaker.admits(&MODEL, 0, 0, 309), "twice as long");
        assert!(breaker.admits(&MODEL, 0, 0, 310));
        breaker.note(MODEL, Outcome::Good, 311);
        assert!(breaker.admits(&MODEL, 9, 9, 311), "closed");
        lose(&mut breaker, &[312, 313]);
        assert!(breaker.admits(&MODEL, 9, 9, 313), "and forgiven");
    }

    #[test]
    fn pause_grows_up_to_a_limit() {
        let mut breaker = breaker();
        let mut now = 1;
        lose(&mut breaker, &[now, now, now]);
        for _ in 0..40 {
            now = breaker.paused_models(now)[0].until;
            lose(&mut breaker, &[now]);
        }
        assert_eq!(breaker.paused_models(now)[0].until - now, 3_200);
    }

    #[test]
    fn successes_take_failures_back_and_old_ones_do_not_count() {
        let mut breaker = breaker();
        for now in 1..50 {
            breaker.note(MODEL, Outcome::Lost, now);
            breaker.note(MODEL, Outcome::Good, now);
        }
        assert!(breaker.admits(&MODEL, 9, 9, 50));
        lose(&mut breaker, &[100, 200, 1_150]);
        assert!(breaker.admits(&MODEL, 9, 9, 1_150), "the first is too old");
    }

    #[test]
    fn failures_of_several_models_pause_everything() {
        let mut breaker = breaker();
        lose(&mut breaker, &[1, 2]);
        breaker.note(OTHER, Outcome::Lost, 3);
        assert_eq!(breaker.paused_until(3), Some(103));
        assert!(!breaker.admits(&[3; 32], 0, 0, 102));
        assert!(breaker.admits(&[3; 32], 0, 0, 103));
        assert!(!breaker.admits(&[3; 32], 0, 1, 103), "one job of any model");
        breaker.note([3; 32], Outcome::Lost, 104);
        assert_eq!(
            breaker.paused_until(104),
            Some(304),
            "one model is enough now"
        );
    }

    #[test]
    fn fault_pauses_its_model_at_once_and_long() {
        let mut breaker = breaker();
        breaker.note(MODEL, Outcome::Fault, 0);
        assert_eq!(breaker.paused_models(0)[0].until, 600);
        assert!(breaker.admits(&OTHER, 1, 1, 0));
    }

    #[test]
    fn good_news_during_a_pause_do_not_end_it() {
        let mut breaker = breaker();
        lose(&mut breaker, &[1, 2, 3]);
        breaker.note(MODEL, Outcome::Good, 4);
        assert!(breaker.is_paused(&MODEL, 4));
    }

    #[test]
    fn pause_of_a_wrong_time_does_not_last_for_ever() {
        let mut breaker = breaker();
        let far = 1_000_000_000;
        lose(&mut breaker, &[far, far, far]);
        breaker.set_back(1_000);
        let until = breaker.paused_models(1_000)[0].until;
        assert_eq!(until, 1_000 + 100 * 6 * 32);
        lose(&mut breaker, &[until + 1]);
        assert!(
            breaker.is_paused(&MODEL, until + 2),
            "tried, and failed again"
        );
    }

    #[test]
    fn only_so_many_models_are_remembered() {
        let mut breaker = breaker();
        for number in 0..2_000_u16 {
            let mut model = MODEL;
            model[..2].copy_from_slice(&number.to_be_bytes());
            breaker.note(model, Outcome::Lost, i64::from(number));
        }
        assert_eq!(breaker.models.len(), REMEMBERED);
    }
}
