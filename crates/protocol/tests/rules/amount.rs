//! Money against 128-bit arithmetic.

use assay_protocol::{
    BasisPoints, Error, Lamports, Seconds, UnixSeconds,
    amount::{late_slash, ramp_price, release_slash, split_price},
};
use proptest::prelude::*;

fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap()
}

/// Amounts of every magnitude, and the ends of the range.
pub fn lamports() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0_u32..64, any::<u64>()).prop_map(|(shift, value)| value >> shift),
        Just(0),
        Just(1),
        Just(9_999),
        Just(10_000),
        Just(u64::MAX),
        Just(1 << 49),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn rate_of_amount_is_exact(amount in lamports(), rate in 0_u16..=10_000) {
        let expected = narrow(u128::from(amount) * u128::from(rate) / 10_000);
        prop_assert_eq!(BasisPoints(rate).of(Lamports(amount)), Ok(Lamports(expected)));
    }

    #[test]
    fn rate_above_the_whole_is_refused(amount in lamports(), rate in 10_001_u16..) {
        prop_assert_eq!(BasisPoints(rate).of(Lamports(amount)), Err(Error::AmountOverflow));
    }

    #[test]
    fn split_is_exact_and_provider_gets_the_rounding(price in lamports(), rate in 0_u16..=10_000) {
        let split = split_price(Lamports(price), BasisPoints(rate)).unwrap();
        let fee = narrow(u128::from(price) * u128::from(rate) / 10_000);
        prop_assert_eq!(split.fee.0, fee);
        prop_assert_eq!(u128::from(split.fee.0) + u128::from(split.earned.0), u128::from(price));
    }

    #[test]
    fn ramp_is_exact(
        ends in (lamports(), lamports()),
        elapsed in prop_oneof![any::<u32>(), 0_u32..1_000],
        ramp in prop_oneof![any::<u32>(), 0_u32..1_000],
    ) {
        let (floor, ceiling) = (ends.0.min(ends.1), ends.0.max(ends.1));
        let expected = if elapsed >= ramp {
            ceiling
        } else {
            narrow(
                u128::from(floor)
                    + u128::from(ceiling - floor) * u128::from(elapsed) / u128::from(ramp),
            )
        };
        let price = ramp_price(Lamports(floor), Lamports(ceiling), elapsed, ramp);
        prop_assert_eq!(price, Ok(Lamports(expected)));
    }

    #[test]
    fn ramp_never_falls(ceiling in 1_u64.., floor in 0_u64.., first in 0_u32..5_000, more in 0_u32..5_000) {
        let (floor, ceiling) = (Lamports(floor.min(ceiling)), Lamports(ceiling));
        let early = ramp_price(floor, ceiling, first, 4_000).unwrap();
        let late = ramp_price(floor, ceiling, first + more, 4_000).unwrap();
        prop_assert!(floor <= early && early <= late && late <= ceiling);
    }

    #[test]
    fn ramp_with_floor_above_ceiling_is_refused(ceiling in 0_u64..u64::MAX, above in 1_u64..) {
        let floor = Lamports(ceiling.saturating_add(above));
        prop_assert_eq!(ramp_price(floor, Lamports(ceiling), 0, 10), Err(Error::AmountInsufficient));
    }

    #[test]
    fn slashes_stay_within_collateral_and_ceiling(collateral in lamports(), ceiling in lamports()) {
        let late = late_slash(Lamports(collateral), Lamports(ceiling));
        prop_assert_eq!(late.0, collateral.min(ceiling));
        prop_assert_eq!(release_slash(Lamports(collateral), Lamports(ceiling)).0, collateral.min(ceiling) / 4);
    }

    #[test]
    fn sums_are_exact_or_refused(a in lamports(), b in lamports(), count: u8) {
        let wide = u128::from(a) + u128::from(b);
        prop_assert_eq!(Lamports(a).plus(Lamports(b)).ok().map(|sum| u128::from(sum.0)), Some(wide).filter(|wide| *wide <= u128::from(u64::MAX)));
        prop_assert_eq!(Lamports(a).minus(Lamports(b)).ok().map(|rest| rest.0), a.checked_sub(b));
        match Lamports(a).times(count) {
            Ok(product) => prop_assert_eq!(u128::from(product.0), u128::from(a) * u128::from(count)),
            Err(error) => prop_assert!(error == Error::AmountOverflow && a >= 1 << 56),
        }
    }

    #[test]
    fn time_is_exact_or_refused(moment: i64, length: u32, other: i64) {
        let wide = i128::from(moment) + i128::from(length);
        match UnixSeconds(moment).after(Seconds(length)) {
            Ok(after) => prop_assert_eq!(i128::from(after.0), wide),
            Err(error) => prop_assert!(error == Error::ClockOverflow && wide > i128::from(i64::MAX)),
        }
        let span = (i128::from(moment) - i128::from(other)).clamp(0, i128::from(u32::MAX));
        prop_assert_eq!(i128::from(UnixSeconds(moment).since(UnixSeconds(other))), span);
        prop_assert_eq!(UnixSeconds(moment).allows(UnixSeconds(other)), other <= moment);
    }
}
