//! Money and rates. Integers only; every rounding is stated.

use crate::error::{Error, Result};

/// An amount of lamports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lamports(pub u64);

impl Lamports {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `self + other`, or [`Error::AmountOverflow`].
    #[inline]
    pub fn plus(self, other: Self) -> Result<Self> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or(Error::AmountOverflow)
    }

    /// `self - other`, or [`Error::AmountInsufficient`].
    #[inline]
    pub fn minus(self, other: Self) -> Result<Self> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .ok_or(Error::AmountInsufficient)
    }

    /// `self * count`, or [`Error::AmountOverflow`]. `count` is at most 255.
    #[inline]
    pub fn times(self, count: u8) -> Result<Self> {
        // Below 2^56 the product with a byte fits u64, so the wrapping product is exact.
        if self.0 >= 1 << 56 {
            return Err(Error::AmountOverflow);
        }
        Ok(Self(self.0.wrapping_mul(count as u64)))
    }
}

/// A rate in hundredths of a percent: 10,000 is the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BasisPoints(pub u16);

impl BasisPoints {
    /// The whole, 100 %.
    pub const WHOLE: u64 = 10_000;

    /// `floor(amount * rate / 10_000)`, exact for rates up to the whole.
    ///
    /// Errors: [`Error::AmountOverflow`] for a rate above the whole.
    #[inline]
    pub fn of(self, amount: Lamports) -> Result<Lamports> {
        let rate = self.0 as u64;
        if rate > Self::WHOLE {
            return Err(Error::AmountOverflow);
        }
        // amount = 10_000 q + r, so the exact quotient is q * rate + floor(r * rate / 10_000).
        // q * rate <= amount and r * rate < 10^8: neither product wraps.
        let whole = (amount.0 / Self::WHOLE).wrapping_mul(rate);
        let part = (amount.0 % Self::WHOLE).wrapping_mul(rate) / Self::WHOLE;
        Ok(Lamports(whole.wrapping_add(part)))
    }
}

/// What one settled price divides into: `fee + earned = price`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// The market's share, rounded down.
    pub fee: Lamports,
    /// The provider's share, the rest.
    pub earned: Lamports,
}

/// Divides a price between the market and the provider; the provider gets the rounding.
#[inline]
pub fn split_price(price: Lamports, fee: BasisPoints) -> Result<Split> {
    let fee = fee.of(price)?;
    Ok(Split {
        fee,
        earned: price.minus(fee)?,
    })
}

/// The slash for a claim that produced nothing in time: `min(collateral, ceiling)`.
#[inline]
pub fn late_slash(collateral: Lamports, ceiling: Lamports) -> Lamports {
    if collateral < ceiling {
        collateral
    } else {
        ceiling
    }
}

/// The slash for giving a claim back in time: a quarter of the late slash, rounded down.
#[inline]
pub fn release_slash(collateral: Lamports, ceiling: Lamports) -> Lamports {
    Lamports(late_slash(collateral, ceiling).0 / 4)
}

/// Price of a job `elapsed` seconds into a ramp of `ramp` seconds from `floor` to `ceiling`,
/// rounded down. A ramp of zero seconds starts at the ceiling.
#[inline]
pub fn ramp_price(floor: Lamports, ceiling: Lamports, elapsed: u32, ramp: u32) -> Result<Lamports> {
    let span = ceiling.minus(floor)?.0;
    if elapsed >= ramp {
        return Ok(ceiling);
    }
    let (elapsed, ramp) = (elapsed as u64, ramp as u64);
    // span = q * ramp + r: q * elapsed < span and r * elapsed < 2^64, so neither product wraps,
    // and the sum is floor(span * elapsed / ramp).
    let rise = (span / ramp)
        .wrapping_mul(elapsed)
        .wrapping_add((span % ramp).wrapping_mul(elapsed) / ramp);
    floor.plus(Lamports(rise))
}
