//! Time: unix seconds of the chain's clock, never slots times a guess.

use crate::error::{Error, Result};

/// A moment, in unix seconds of the Clock sysvar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub i64);

/// A length of time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u32);

impl UnixSeconds {
    /// `self + length`, or [`Error::ClockOverflow`].
    #[inline]
    pub fn after(self, length: Seconds) -> Result<Self> {
        self.0
            .checked_add(i64::from(length.0))
            .map(Self)
            .ok_or(Error::ClockOverflow)
    }

    /// Whether an action with this deadline is still allowed: the deadline itself counts.
    #[inline]
    pub fn allows(self, now: Self) -> bool {
        now.0 <= self.0
    }

    /// Seconds from `earlier` to `self`, 0 if `earlier` is later, at most `u32::MAX`.
    #[inline]
    pub fn since(self, earlier: Self) -> u32 {
        let span = self.0.saturating_sub(earlier.0).max(0);
        u32::try_from(span).unwrap_or(u32::MAX)
    }
}
