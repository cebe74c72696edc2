//! How long runs took, by model and size of the input.

use std::collections::BTreeMap;

/// Models and sizes remembered at most; those measured longest ago are forgotten first.
const REMEMBERED: usize = 4_096;
/// How fast a run that was quicker than the slowest one lowers it: by this part of the difference.
const FORGET: u64 = 8;
/// Runs that differ by more than this factor, and this much, depend on more than the size.
const VARIES: u64 = 2;
const VARIES_MS: u64 = 100;
/// Runs without news between two that are kept: a disk is slower than a small model.
const KEPT_EVERY: u32 = 32;
/// How much longer an input of twice the size may take where nothing is known: attention is square.
const GROWTH: u64 = 4;

/// Inputs of one model whose sizes have the same number of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    pub model: [u8; 32],
    pub class: u8,
}

/// Beyond every size of an input.
const LOADING: u8 = u8::MAX;

impl Size {
    /// Stands for loading the model.
    pub fn loading(model: [u8; 32]) -> Self {
        Self {
            model,
            class: LOADING,
        }
    }

    pub fn of(model: [u8; 32], input_bytes: u32) -> Self {
        let bits = u32::BITS - input_bytes.leading_zeros();
        Self {
            model,
            class: u8::try_from(bits).unwrap_or(u8::MAX),
        }
    }
}

/// What is known of runs of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The slowest of the last runs, lowered slowly.
    pub high_ms: u64,
    /// The quickest of the last runs, raised slowly.
    pub low_ms: u64,
    /// A run was stopped after this long, and none has ended since. News only if none took as long.
    pub unfinished_ms: u64,
    pub runs: u32,
    /// Unix seconds.
    pub measured_at: i64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    Ended(u64),
    /// It was stopped after this many milliseconds.
    Unfinished(u64),
}

impl Measured {
    fn note(&mut self, took: Took, now: i64) {
        self.measured_at = now;
        match took {
            Took::Ended(ms) => {
                self.high_ms = if self.runs == 0 || ms >= self.high_ms {
                    ms
                } else {
                    self.high_ms - (self.high_ms - ms) / FORGET
                };
                self.low_ms = if self.runs == 0 || ms <= self.low_ms {
                    ms
                } else {
                    self.low_ms.saturating_add((ms - self.low_ms) / FORGET)
                };
                self.runs = self.runs.saturating_add(1);
                self.unfinished_ms = 0;
            }
            Took::Unfinished(ms) => self.unfinished_ms = self.unfinished_ms.max(ms),
        }
    }

    /// Whether the size tells how long a run takes.
    fn is_steady(&self) -> bool {
        let spread = self.high_ms.saturating_sub(self.low_ms);
        spread <= VARIES_MS || self.high_ms <= self.low_ms.saturating_mul(VARIES)
    }
}

/// What is thought of a run that has not been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// Runs of this size, or of a larger one, were measured and took about the same.
    Known(u64),
    /// Some were measured, but they differ or were of another size.
    Vague(u64),
    /// One was stopped after this long.
    Longer(u64),
    Unknown,
}

#[derive(Clone, Debug, Default)]
pub struct Measurements {
    sizes: BTreeMap<Size, Measured>,
}

impl Measurements {
    /// Takes over what the journal keeps.
    pub fn restore(&mut self, size: Size, measured: Measured) {
        self.sizes.insert(size, measured);
    }

    /// Notes a run; returns what is known now, if that is news to keep.
    pub fn note(&mut self, size: Size, took: Took, now: i64) -> Option<Measured> {
        let measured = self.sizes.entry(size).or_default();
        let before = *measured;
        measured.note(took, now);
        let known = *measured;
        if self.sizes.len() > REMEMBERED {
            let oldest = self.sizes.iter().min_by_key(|(_, known)| known.measured_at);
            if let Some(oldest) = oldest.map(|(size, _)| *size) {
                self.sizes.remove(&oldest);
            }
        }
        let news = known.high_ms > before.high_ms
            || known.unfinished_ms != before.unfinished_ms
            || known.runs == 1
            || (known.runs > 0 && known.runs.is_multiple_of(KEPT_EVERY));
        news.then_some(known)
    }

    /// In milliseconds.
    pub fn guess(&self, size: Size) -> Guess {
        if let Some(known) = self.sizes.get(&size) {
            return match known {
                known if known.unfinished_ms > known.high_ms => Guess::Longer(known.unfinished_ms),
                known if known.is_steady() => Guess::Known(known.high_ms),
                known => Guess::Vague(known.high_ms),
            };
        }
        let (model, class) = (size.model, size.class);
        if class == LOADING {
            return Guess::Unknown;
        }
        let mut larger = self.sizes.range(size..Size::loading(model));
        if let Some((_, known)) = larger.find(|(_, known)| known.runs > 0) {
            return if known.is_steady() && known.unfinished_ms <= known.high_ms {
                Guess::Known(known.high_ms)
            } else {
                Guess::Vague(known.high_ms)
            };
        }
        let mut smaller = self.sizes.range(Size { model, class: 0 }..size);
        smaller.next_back().map_or(Guess::Unknown, |(at, known)| {
            if known.unfinished_ms > known.high_ms {
                return Guess::Longer(known.unfinished_ms);
            }
            let steps = u32::from(class - at.class);
            let growth = GROWTH.checked_pow(steps).unwrap_or(u64::MAX);
            Guess::Vague(known.high_ms.saturating_mul(growth))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: [u8; 32] = [1; 32];

    fn measured(runs: &[(u32, Took)]) -> Measurements {
        let mut known = Measurements::default();
        for (bytes, took) in runs {
            known.note(Size::of(MODEL, *bytes), *took, 1);
        }
        known
    }

    fn guess(known: &Measurements, bytes: u32) -> Guess {
        known.guess(Size::of(MODEL, bytes))
    }

    #[test]
    fn sizes_are_alike_up_to_the_next_power_of_two() {
        for (bytes, class) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (u32::MAX, 32)] {
            assert_eq!(Size::of(MODEL, bytes).class, class, "{bytes}");
        }
    }

    #[test]
    fn slowest_run_counts_and_is_forgotten_slowly() {
        let known = measured(&[(100, Took::Ended(800)), (100, Took::Ended(720))]);
        assert_eq!(guess(&known, 100), Guess::Known(790));
        assert_eq!(guess(&known, 127), Guess::Known(790));
        let known = measured(&[(100, Took::Ended(800)), (100, Took::Ended(900))]);
        assert_eq!(guess(&known, 100), Guess::Known(900));
    }

    #[test]
    fn runs_that_differ_leave_the_next_one_open() {
        let known = measured(&[(100, Took::Ended(10)), (100, Took::Ended(10_000))]);
        assert_eq!(guess(&known, 100), Guess::Vague(10_000));
        let close = measured(&[(100, Took::Ended(1)), (100, Took::Ended(101))]);
        assert_eq!(guess(&close, 100), Guess::Known(101), "too small to matter");
    }

    #[test]
    fn run_that_was_stopped_counts_until_one_ends() {
        let mut known = measured(&[(100, Took::Unfinished(5_000))]);
        assert_eq!(guess(&known, 100), Guess::Longer(5_000));
        assert_eq!(
            guess(&known, 1_000),
            Guess::Longer(5_000),
            "larger is no quicker"
        );
        assert_eq!(guess(&known, 10), Guess::Unknown, "smaller may be");
        known.note(Size::of(MODEL, 100), Took::Ended(6_000), 2);
        assert_eq!(guess(&known, 100), Guess::Known(6_000));
    }

    #[test]
    fn larger_input_bounds_a_smaller_one_and_a_smaller_one_is_scaled() {
        let known = measured(&[(1_000, Took::Ended(100))]);
        assert_eq!(guess(&known, 10), Guess::Known(100));
        assert_eq!(guess(&known, 4_000), Guess::Vague(1_600));
        assert_eq!(guess(&known, u32::MAX), Guess::Vague(100 << 44));
        assert_eq!(known.guess(Size::of([2; 32], 10)), Guess::Unknown);
    }

    #[test]
    fn news_are_kept_and_the_rest_now_and_then() {
        let mut known = Measurements::default();
        let size = Size::of(MODEL, 100);
        let mut note = |took| known.note(size, took, 1).is_some();
        assert!(note(Took::Unfinished(50)) && !note(Took::Unfinished(40)));
        assert!(note(Took::Ended(100)) && !note(Took::Ended(100)) && note(Took::Ended(110)));
        let kept = (3..67).filter(|_| note(Took::Ended(100)));
        assert_eq!(kept.count(), 2);
    }

    #[test]
    fn only_so_many_are_remembered_and_the_oldest_goes() {
        let mut known = Measurements::default();
        for number in 0..=u16::try_from(REMEMBERED).unwrap() {
            let mut model = MODEL;
            model[..2].copy_from_slice(&number.to_be_bytes());
            known.note(Size::of(model, 1), Took::Ended(1), i64::from(number));
        }
        assert_eq!(known.sizes.len(), REMEMBERED);
        let mut first = MODEL;
        first[..2].copy_from_slice(&[0; 2]);
        assert_eq!(known.guess(Size::of(first, 1)), Guess::Unknown);
    }
}
