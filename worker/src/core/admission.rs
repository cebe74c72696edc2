//! What a run is thought to take, and whether engines have the time for it: for jobs and for seats.

use serde::{Deserialize, Serialize};

use super::{
    capacity::{Demand, Places},
    measured::{Guess, Measured, Measurements, Size, Took},
};

/// When a prepared job is run once before it is claimed, or before a seat is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrialRun {
    /// Never: what is not known is taken to need all the time that there is.
    Off,
    /// Where earlier runs do not tell how long this one takes.
    Unknown,
    /// Each time.
    Always,
}

#[derive(Clone, Debug)]
pub struct AdmissionPolicy {
    /// Engines that work at the same time.
    pub engines: usize,
    pub trial_run: TrialRun,
    /// Longest trial. Nobody pays for it.
    pub trial_secs: u32,
    /// What a run is counted as, in hundredths of what was measured.
    pub safety_percent: u32,
}

/// What has to be known or done before a run is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It takes this many seconds, with the margin.
    Run(i64),
    /// One run has to show it, and to end within these seconds.
    Trial(i64),
    /// It does not end in time.
    TooSlow,
}

/// What engines can do, and what they have promised elsewhere.
#[derive(Debug)]
pub(super) struct Admission {
    policy: AdmissionPolicy,
    known: Measurements,
    /// Of the other core.
    pub others: Vec<Demand>,
}

impl Admission {
    pub fn new(policy: AdmissionPolicy) -> Self {
        Self {
            policy,
            known: Measurements::default(),
            others: Vec::new(),
        }
    }

    pub fn restore(&mut self, size: Size, measured: Measured) {
        self.known.restore(size, measured);
    }

    pub fn note(&mut self, size: Size, took: Took, now: i64) -> Option<Measured> {
        self.known.note(size, took, now)
    }

    /// What is known of such a run in milliseconds, for people: without a margin.
    pub fn estimate_ms(&self, size: Size) -> Option<u64> {
        match self.known.guess(size) {
            Guess::Known(ms) | Guess::Vague(ms) | Guess::Longer(ms) => Some(ms),
            Guess::Unknown => None,
        }
    }

    /// Whether this one more run ends in time, beside what is promised here and elsewhere.
    pub fn fits(&self, promised: &[Demand], more: Demand) -> bool {
        let promised: Vec<Demand> = promised.iter().chain(&self.others).copied().collect();
        Places::new(self.policy.engines).fit(&promised, more)
    }

    /// Trials at the same time: most engines stay with what is paid for.
    pub fn most_trials(&self) -> usize {
        (self.policy.engines / 2).max(1)
    }

    /// Seconds that such a run is counted as, once it is promised; `whole` where nothing is known.
    pub fn counted(&self, size: Size, whole: i64) -> i64 {
        match self.known.guess(size) {
            Guess::Known(ms) | Guess::Vague(ms) => self.with_margin(size, ms),
            Guess::Longer(ms) => self.with_margin(size, ms).max(whole),
            Guess::Unknown => whole,
        }
    }

    /// What is needed to promise a run that has `usable` seconds.
    pub fn need(&self, size: Size, usable: i64) -> Need {
        let guess = self.known.guess(size);
        let limit = self.raw(usable);
        let trial = limit.min(i64::from(self.policy.trial_secs));
        if usable < 1 || limit < 1 {
            return Need::TooSlow;
        }
        let known = |ms| {
            let secs = self.with_margin(size, ms);
            if secs <= usable {
                Need::Run(secs)
            } else {
                Need::TooSlow
            }
        };
        let long = |ms: u64, limit: i64| ms >= limit.unsigned_abs().saturating_mul(1_000);
        match (self.policy.trial_run, guess) {
            (TrialRun::Off, Guess::Longer(ms)) if long(ms, limit) => Need::TooSlow,
            (TrialRun::Off, Guess::Longer(_) | Guess::Unknown) => Need::Run(usable),
            (TrialRun::Off, Guess::Vague(ms))
            | (TrialRun::Off | TrialRun::Unknown, Guess::Known(ms)) => known(ms),
            (TrialRun::Unknown | TrialRun::Always, Guess::Longer(ms)) if long(ms, trial) => {
                Need::TooSlow
            }
            (TrialRun::Always, Guess::Known(ms)) if known(ms) == Need::TooSlow => Need::TooSlow,
            // What has ended before is no risk: it may take its time again.
            (TrialRun::Unknown | TrialRun::Always, Guess::Known(ms) | Guess::Vague(ms)) => {
                Need::Trial(trial.max(self.with_margin(size, ms).min(limit)))
            }
            (TrialRun::Unknown | TrialRun::Always, Guess::Longer(_) | Guess::Unknown) => {
                Need::Trial(trial)
            }
        }
    }

    /// What a run may have taken to be counted as `usable` seconds.
    fn raw(&self, usable: i64) -> i64 {
        let percent = i64::from(self.policy.safety_percent.max(100));
        usable.saturating_mul(100) / percent
    }

    /// Whole seconds, rounded up. The model may have to be loaded again.
    fn with_margin(&self, size: Size, ms: u64) -> i64 {
        let load = match self.known.guess(Size::loading(size.model)) {
            Guess::Known(ms) | Guess::Vague(ms) | Guess::Longer(ms) => ms,
            Guess::Unknown => 0,
        };
        let percent = u64::from(self.policy.safety_percent.max(100));
        let ms = ms.saturating_add(load).saturating_mul(percent) / 100;
        i64::try_from(ms.div_ceil(1_000)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        model: [1; 32],
        class: 7,
    };

    fn admission(trial_run: TrialRun, runs: &[Took]) -> Admission {
        let mut admission = Admission::new(AdmissionPolicy {
            engines: 2,
            trial_run,
            trial_secs: 60,
            safety_percent: 150,
        });
        for took in runs {
            admission.note(SIZE, *took, 1);
        }
        admission
    }

    fn need(trial_run: TrialRun, runs: &[Took], usable: i64) -> Need {
        admission(trial_run, runs).need(SIZE, usable)
    }

    #[test]
    fn unknown_run_is_tried_for_a_part_of_its_window_and_of_a_minute() {
        use TrialRun::{Always, Off, Unknown};
        for mode in [Unknown, Always] {
            assert_eq!(need(mode, &[], 30), Need::Trial(20));
            assert_eq!(need(mode, &[], 3_000), Need::Trial(60));
            assert_eq!(need(mode, &[], 0), Need::TooSlow);
            assert_eq!(
                need(mode, &[], 1),
                Need::TooSlow,
                "no second is left for it"
            );
        }
        assert_eq!(need(Off, &[], 30), Need::Run(30), "all that there is");
    }

    #[test]
    fn known_run_is_counted_with_its_margin_and_refused_if_it_is_too_long() {
        let runs = [Took::Ended(4_100)];
        for mode in [TrialRun::Off, TrialRun::Unknown] {
            assert_eq!(need(mode, &runs, 7), Need::Run(7), "6.15 s and up");
            assert_eq!(need(mode, &runs, 6), Need::TooSlow);
        }
        assert_eq!(need(TrialRun::Always, &runs, 9), Need::Trial(6));
        assert_eq!(need(TrialRun::Always, &runs, 6), Need::TooSlow);
    }

    #[test]
    fn run_that_did_not_end_is_tried_again_only_with_more_time() {
        let runs = [Took::Unfinished(20_000)];
        assert_eq!(need(TrialRun::Unknown, &runs, 30), Need::TooSlow);
        assert_eq!(need(TrialRun::Unknown, &runs, 33), Need::Trial(22));
        assert_eq!(need(TrialRun::Off, &runs, 30), Need::TooSlow);
        assert_eq!(need(TrialRun::Off, &runs, 33), Need::Run(33));
        let minute = [Took::Unfinished(60_000)];
        assert_eq!(need(TrialRun::Unknown, &minute, 3_000), Need::TooSlow);
    }

    #[test]
    fn run_known_to_be_longer_than_a_trial_gets_its_time() {
        let runs = [Took::Ended(100_000)];
        assert_eq!(need(TrialRun::Unknown, &runs, 3_000), Need::Run(150));
        assert_eq!(need(TrialRun::Always, &runs, 3_000), Need::Trial(150));
        let stopped = [Took::Ended(100_000), Took::Unfinished(60_000)];
        assert_eq!(need(TrialRun::Unknown, &stopped, 3_000), Need::Run(150));
    }

    #[test]
    fn runs_that_differ_are_tried_each_time() {
        let runs = [Took::Ended(10), Took::Ended(9_000)];
        assert_eq!(need(TrialRun::Unknown, &runs, 30), Need::Trial(20));
        assert_eq!(need(TrialRun::Off, &runs, 30), Need::Run(14));
    }

    #[test]
    fn loading_again_is_counted_in() {
        let mut admission = admission(TrialRun::Unknown, &[Took::Ended(2_000)]);
        admission.note(Size::loading(SIZE.model), Took::Ended(8_000), 1);
        assert_eq!(admission.need(SIZE, 60), Need::Run(15));
        assert_eq!(admission.counted(SIZE, 99), 15);
        assert_eq!(admission.estimate_ms(SIZE), Some(2_000));
    }
}
