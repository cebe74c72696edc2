//! Runs that used up their time or took their engine along: each costs far more than what is paid for it.
//!
//! They are counted by who pays, since another session costs no more than the fee of its opening.

use std::collections::VecDeque;

use assay_client::protocol::{Address, UnixSeconds};

use super::Refused;

/// Of one payer within the window: an input that asks for too much is a mistake once or twice.
const FEW: usize = 3;
/// An hour. So one wallet has no more than a twentieth of an engine; and where many share a wallet, by way of a gateway, who
/// spoils it for the others does so for no longer.
const WINDOW_SECS: u64 = 3_600;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRun {
    /// The session's requester.
    pub payer: Address,
    pub at: UnixSeconds,
}

/// Those that still count, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostRuns(VecDeque<LostRun>);

impl LostRuns {
    /// Kept in all, the newest: more than the engines of a machine can lose in the window.
    pub const MOST: usize = 4_096;

    /// As they were kept.
    pub fn new(kept: impl IntoIterator<Item = LostRun>) -> Self {
        Self(kept.into_iter().collect())
    }

    /// Counts one more, and forgets those that no longer count.
    pub fn note(&mut self, lost: LostRun) {
        self.0.retain(|former| former.wait(lost.at).is_some());
        self.0.push_back(lost);
        if self.0.len() > Self::MOST {
            self.0.pop_front();
        }
    }

    /// Whether requests that this wallet pays for are served.
    ///
    /// # Errors
    /// [`Refused::LostRuns`] once it has lost too many.
    pub fn check(&self, payer: &Address, now: UnixSeconds) -> Result<(), Refused> {
        let theirs = self.0.iter().filter(|lost| lost.payer == *payer);
        let waits: Vec<u64> = theirs.filter_map(|lost| lost.wait(now)).collect();
        let runs = waits.len();
        let last = runs.checked_sub(FEW).and_then(|over| waits.get(over));
        last.map_or(Ok(()), |wait_secs| {
            Err(Refused::LostRuns {
                runs,
                wait_secs: *wait_secs,
            })
        })
    }
}

impl LostRun {
    /// Seconds until it no longer counts; none if it does not. One of a time that is far ahead is of a clock that was wrong.
    fn wait(&self, now: UnixSeconds) -> Option<u64> {
        let apart = now.0.abs_diff(self.at.0);
        let left = WINDOW_SECS.checked_sub(apart).filter(|left| *left > 0)?;
        Some(if self.at <= now { left } else { WINDOW_SECS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(payer: u8, at: i64) -> LostRun {
        LostRun {
            payer: Address::new_from_array([payer; 32]),
            at: UnixSeconds(at),
        }
    }

    fn wait(runs: &LostRuns, payer: u8, now: i64) -> Option<(usize, u64)> {
        match runs.check(&lost(payer, 0).payer, UnixSeconds(now)) {
            Ok(()) => None,
            Err(Refused::LostRuns { runs, wait_secs }) => Some((runs, wait_secs)),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn payer_is_refused_from_its_third_lost_run_until_the_first_is_an_hour_old() {
        let mut runs = LostRuns::default();
        for at in [10_000, 10_100] {
            runs.note(lost(1, at));
            assert_eq!(wait(&runs, 1, at), None);
        }
        runs.note(lost(2, 10_150));
        runs.note(lost(1, 10_200));
        assert_eq!(wait(&runs, 1, 10_200), Some((3, 3_400)));
        assert_eq!(wait(&runs, 2, 10_200), None);
        assert_eq!(wait(&runs, 1, 13_599), Some((3, 1)));
        assert_eq!(wait(&runs, 1, 13_600), None);
        // One that was under way is lost too: now two must be an hour old.
        runs.note(lost(1, 10_300));
        assert_eq!(wait(&runs, 1, 10_300), Some((4, 3_400)));
        runs.note(lost(1, 13_600));
        assert_eq!(wait(&runs, 1, 13_600), Some((4, 200)));
    }

    #[test]
    fn clock_that_was_far_ahead_refuses_nobody_once_it_is_right() {
        let runs = LostRuns::new([90_000, 90_000, 90_000].map(|at| lost(1, at)));
        assert_eq!(wait(&runs, 1, 10_000), None);
        assert_eq!(wait(&runs, 1, 89_990), Some((3, 3_600)));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut runs = LostRuns::default();
        for number in 0..2 * LostRuns::MOST {
            runs.note(lost(u8::try_from(number % 250).unwrap(), 10_000));
        }
        assert_eq!(runs.0.len(), LostRuns::MOST);
        runs.note(lost(1, 20_000));
        assert_eq!(runs.0.len(), 1);
    }
}
