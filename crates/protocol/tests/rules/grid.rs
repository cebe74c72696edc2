//! The grid's promise, in exact integer arithmetic.
//!
//! Every f64 here is `m * 2^k` with integers, so deviations are compared without rounding.

use assay_protocol::grid::{
    NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, SATURATION, quantize, requantize, step,
};
use half::{bf16, f16};
use proptest::prelude::*;

const EXPONENTS: core::ops::RangeInclusive<i8> = -64..=64;

fn power(exponent: i32) -> f64 {
    2_f64.powi(exponent)
}

/// A value as a position on the grid of 2^exponent, in units of `step / 2^60`, exact.
fn fine(whole: i64, sixtieths: i64) -> i128 {
    (i128::from(whole) << 60) + i128::from(sixtieths)
}

/// `x / step * 2^60` as an integer, if x is that fine and |x / step| < 2^60.
fn position(x: f64, exponent: i8) -> Option<i128> {
    let scaled = x / step(exponent);
    if scaled.abs() >= power(60) {
        return None;
    }
    let bits = scaled.to_bits();
    let biased = i32::try_from((bits >> 52) & 0x7ff).unwrap();
    let fraction = i128::from(bits & ((1 << 52) - 1));
    let (mantissa, power) = if biased == 0 {
        (fraction, -1_074)
    } else {
        (fraction | 1 << 52, biased - 1_075)
    };
    let shift = power + 60;
    let magnitude = if shift >= 0 {
        mantissa << shift
    } else if -shift >= 127 {
        if mantissa != 0 {
            return None;
        }
        0
    } else if mantissa % (1_i128 << -shift) != 0 {
        return None;
    } else {
        mantissa >> -shift
    };
    Some(if scaled.is_sign_negative() {
        -magnitude
    } else {
        magnitude
    })
}

/// Nearest integer, ties to even, of `value / 2^60`.
fn rounded(value: i128) -> i128 {
    let unit = 1_i128 << 60;
    let (whole, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    match (rest * 2).cmp(&unit) {
        core::cmp::Ordering::Less => whole,
        core::cmp::Ordering::Greater => whole + 1,
        core::cmp::Ordering::Equal => whole + whole.rem_euclid(2),
    }
}

/// Grid positions that fit f64 well: |whole| < 2^40, 8 fraction bits and a few finer ones.
fn on_grid() -> impl Strategy<Value = (i64, i64)> {
    let whole = prop_oneof![-5_i64..=5, -(1_i64 << 40)..(1 << 40), -1_000_i64..1_000];
    let part = prop_oneof![
        0_i64..512,
        Just(127),
        Just(128),
        Just(129),
        Just(255),
        Just(257)
    ];
    (whole, part.prop_map(|part| part << 51))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn index_is_round_half_even(at in on_grid(), exponent in EXPONENTS) {
        let exact = fine(at.0, at.1);
        let x = (at.0 as f64 + at.1 as f64 / power(60)) * step(exponent);
        prop_assert_eq!(position(x, exponent), Some(exact), "the test's own value is exact");
        let (index, hint) = quantize(x, exponent);
        prop_assert_eq!(i128::from(index), rounded(exact));
        let rest = exact - (i128::from(index) << 60);
        prop_assert_eq!(i128::from(hint), rounded(rest * 256).clamp(-128, 127));
    }

    /// Equal up to `s * (1/2 - 1/256)`, different beyond `s * (1/2 + 1/256)`, exactly at both ends.
    #[test]
    fn tolerance_is_as_promised(
        at in on_grid(),
        deviation in prop_oneof![-1_024_i64..=1_024, Just(254), Just(-254), Just(258), Just(-258), Just(259), Just(253)],
        exponent in EXPONENTS,
    ) {
        let x = (at.0 as f64 + at.1 as f64 / power(60)) * step(exponent);
        // Deviations are multiples of s/512, so both ends are hit exactly: 254 and 258.
        let y = x + deviation as f64 / 512.0 * step(exponent);
        let (index, hint) = quantize(x, exponent);
        let equal = requantize(y, hint, exponent) == index;
        if deviation.abs() <= 254 {
            prop_assert!(equal, "x {x:e} y {y:e} deviates by {deviation}/512 of the step");
        }
        if deviation.abs() > 258 {
            prop_assert!(!equal, "x {x:e} y {y:e} deviates by {deviation}/512 of the step");
        }
    }

    /// The same promise for values with full mantissas, whatever their size.
    #[test]
    fn tolerance_holds_for_any_float(
        bits: u64,
        scale in -60_i32..52,
        share in -1.1_f64..1.1,
        exponent in EXPONENTS,
    ) {
        let mantissa = 1.0 + (bits & ((1 << 52) - 1)) as f64 / power(52);
        let sign = if bits >> 63 == 0 { 1.0 } else { -1.0 };
        let x = sign * mantissa * power(scale) * step(exponent);
        let y = x + share * step(exponent);
        // Below 2^52 steps of each other the difference of two floats this near is exact enough:
        // judged with a margin of 2^-40 of the step, far wider than its rounding.
        let deviation = ((y - x) / step(exponent)).abs();
        let (index, hint) = quantize(x, exponent);
        let equal = requantize(y, hint, exponent) == index;
        if index.abs() < SATURATION - 2 {
            let margin = power(-40);
            if deviation <= 0.5 - 1.0 / 256.0 - margin {
                prop_assert!(equal, "x {x:e} y {y:e} exponent {exponent} deviation {deviation}");
            }
            if deviation > 0.5 + 1.0 / 256.0 + margin {
                prop_assert!(!equal, "x {x:e} y {y:e} exponent {exponent} deviation {deviation}");
            }
        }
    }

    /// An auditor with the primary's own bits always agrees, NaNs, infinities and subnormals included.
    #[test]
    fn same_bits_agree(bits in prop_oneof![any::<u64>(), 0_u64..4_096, (0x7ff0_u64 << 48)..(0x7ff1 << 48)], exponent in EXPONENTS) {
        for bits in [bits, bits | 1 << 63] {
            let x = f64::from_bits(bits);
            let (index, hint) = quantize(x, exponent);
            prop_assert_eq!(requantize(x, hint, exponent), index, "{:e}", x);
            prop_assert!(index == NAN || index == NEGATIVE_INFINITY || index == POSITIVE_INFINITY || index.abs() <= SATURATION);
        }
    }

    /// Narrow floats are widened exactly, so nothing changes for them.
    #[test]
    fn narrow_floats_agree_with_themselves(bits: u32, exponent in EXPONENTS) {
        let half_bits = u16::try_from(bits & 0xffff).unwrap();
        for x in [
            f64::from(f32::from_bits(bits)),
            f16::from_bits(half_bits).to_f64(),
            bf16::from_bits(half_bits).to_f64(),
        ] {
            let (index, hint) = quantize(x, exponent);
            prop_assert_eq!(requantize(x, hint, exponent), index);
        }
    }

    /// No hint a dishonest primary could publish makes an auditor fail.
    #[test]
    fn any_hint_has_an_answer(bits: u64, hint: i8, exponent in EXPONENTS) {
        let index = requantize(f64::from_bits(bits), hint, exponent);
        prop_assert!(index == NAN || index == NEGATIVE_INFINITY || index == POSITIVE_INFINITY || index.abs() <= SATURATION);
    }
}

#[test]
fn steps_are_powers_of_two() {
    for exponent in EXPONENTS {
        assert_eq!(
            step(exponent).to_bits(),
            power(i32::from(exponent)).to_bits()
        );
    }
    for exponent in i8::MIN..=i8::MAX {
        assert!(step(exponent).is_normal());
    }
}

#[test]
fn special_values_have_their_own_indexes() {
    for exponent in EXPONENTS {
        assert_eq!(quantize(f64::NAN, exponent), (NAN, 0));
        assert_eq!(quantize(-f64::NAN, exponent), (NAN, 0));
        assert_eq!(quantize(f64::INFINITY, exponent), (POSITIVE_INFINITY, 0));
        assert_eq!(
            quantize(f64::NEG_INFINITY, exponent),
            (NEGATIVE_INFINITY, 0)
        );
        assert_eq!(quantize(0.0, exponent), (0, 0));
        assert_eq!(quantize(-0.0, exponent), (0, 0));
        assert_eq!(quantize(f64::from_bits(1), exponent), (0, 0));
        assert_eq!(quantize(f64::MAX, exponent), (SATURATION, 0));
        assert_eq!(quantize(f64::MIN, exponent), (-SATURATION, 0));
        for hint in [i8::MIN, 0, i8::MAX] {
            assert_eq!(requantize(f64::NAN, hint, exponent), NAN);
            assert_eq!(requantize(f64::INFINITY, hint, exponent), POSITIVE_INFINITY);
            assert_eq!(
                requantize(f64::NEG_INFINITY, hint, exponent),
                NEGATIVE_INFINITY
            );
        }
    }
    let all = [
        NAN,
        NEGATIVE_INFINITY,
        POSITIVE_INFINITY,
        SATURATION,
        -SATURATION,
    ];
    for (position, one) in all.iter().enumerate() {
        assert!(all.iter().skip(position + 1).all(|other| other != one));
    }
}

/// Where f64 runs out of fractions: the last indexes below saturation, and the first above.
#[test]
fn saturation_begins_at_two_to_the_52() {
    let edge = power(52);
    for exponent in [-64_i8, -1, 0, 1, 64] {
        let at = |steps: f64| quantize(steps * step(exponent), exponent);
        assert_eq!(at(edge - 1.0), (SATURATION - 1, 0));
        assert_eq!(at(edge - 1.5), (SATURATION - 2, 127));
        assert_eq!(at(edge - 2.5), (SATURATION - 2, -128));
        // A tie goes to the even neighbour, which is the saturated index.
        assert_eq!(at(edge - 0.5), (SATURATION, 0));
        assert_eq!(at(edge), (SATURATION, 0));
        assert_eq!(at(edge + 1.0), (SATURATION, 0));
        assert_eq!(at(-edge), (-SATURATION, 0));
        assert_eq!(at(1.0 - edge), (1 - SATURATION, 0));
        for steps in [
            edge - 2.5,
            edge - 1.5,
            edge - 1.0,
            edge - 0.5,
            edge,
            edge * 4.0,
        ] {
            for signed in [steps, -steps] {
                let x = signed * step(exponent);
                let (index, hint) = quantize(x, exponent);
                assert_eq!(requantize(x, hint, exponent), index, "{signed} steps");
            }
        }
    }
}

/// Ties between indexes are where rounding alone would disagree.
#[test]
fn ties_go_to_the_even_index() {
    for (steps, expected) in [
        (0.5, (0, 127)),
        (1.5, (2, -128)),
        (2.5, (2, 127)),
        (-0.5, (0, -128)),
        (-1.5, (-2, 127)),
    ] {
        assert_eq!(quantize(steps, 0), expected, "{steps}");
    }
}
