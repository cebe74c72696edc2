//! The comparison's guarantee at its very bounds, for every float type.
//!
//! Whether two floats deviate by at most a bound is decided without rounding: `y - x` is taken as
//! the exact sum of two floats (Knuth's two-sum), and the bounds `s(1/2 -+ 1/256)` are floats.
//!
//! What is found here, below saturation (`|q| < 2^52`):
//! - deviations within `s(1/2 - 1/256)` never change a root, for any float type, without a margin;
//! - deviations beyond `s(1/2 + 1/256)` always do for f16, bf16 and f32; for f64 they always do
//!   beyond `s(1/2 + 1/256) + ulp(|q|s + s/2) / 2`, which is at most `2^-53 (|x| + s)` more.
//!
//! The f64 margin is the one rounding in `y - h s/256`: the exact difference can lie just past the
//! tie `(q +- 1/2) s` and round onto it, and a tie belongs to an even q. Towards q no rounding
//! passes the tie, because `(q +- 1/2) s` is a float and rounding is monotone.

mod float;

use assay_protocol::{
    grid::{SATURATION, quantize, requantize, step},
    outputs::{DType, Output, RootHasher},
    profile::Comparison,
};
use proptest::prelude::*;

use super::outputs::{auditor, primary};
use float::{Deviation, KINDS, Kind, deviation, deviation_vs};

/// Where a y is looked for: at a bound, some places away from it, or anywhere near.
#[derive(Clone, Copy, Debug)]
struct Aim {
    /// In 512ths of a step.
    target: i32,
    /// Places along the number line of the type.
    places: i64,
}

fn aims() -> impl Strategy<Value = Aim> {
    let bound = prop_oneof![Just(254), Just(258), Just(256), Just(0), 0_i32..600];
    (bound, any::<bool>(), -3_i64..=3).prop_map(|(target, below, places)| Aim {
        target: if below { -target } else { target },
        places,
    })
}

/// An x of the type, by where it lies on the grid, and its step's exponent.
fn positions(kind: Kind) -> impl Strategy<Value = (u64, i8)> {
    let mantissas = prop_oneof![
        any::<u64>(),
        // Ties, hints at their ends, and powers of two with their neighbours.
        prop_oneof![
            Just(0_u64),
            Just(1),
            Just(u64::MAX),
            Just(u64::MAX - 1),
            0_u64..1_024
        ],
        (0_u64..1_024).prop_map(|top| top << 54),
    ];
    (
        prop_oneof![-66_i32..=54, -3_i32..=3, 40_i32..=53],
        mantissas,
        any::<bool>(),
        any::<prop::sample::Index>(),
        prop_oneof![Just(0_u8), Just(1), Just(2)],
    )
        .prop_filter_map(
            "outside the type",
            move |(scale, mantissa, negative, pick, shape)| {
                let exponents: Vec<i8> = (-64..=64).collect();
                let exponent = *pick.get(&exponents);
                let kept = 64 - kind.mantissa();
                let fraction = match shape {
                    // Fine fractions, coarse ones, and halves of a step plus a little.
                    0 => {
                        1.0 + (mantissa >> kept) as f64 / 2_f64.powi(kind.mantissa().cast_signed())
                    }
                    1 => 1.0 + (mantissa >> 54) as f64 / 1_024.0,
                    _ => 1.5 + (mantissa & 3) as f64 / 512.0,
                };
                let x = fraction * 2_f64.powi(scale) * step(exponent);
                let bits = kind.nearest(if negative { -x } else { x });
                kind.value(bits).is_finite().then_some((bits, exponent))
            },
        )
}

/// Subnormals, the largest values, and everything else a bit pattern can be.
fn any_bits(kind: Kind) -> impl Strategy<Value = (u64, i8)> {
    let mask = u64::MAX >> (64 - kind.width());
    let infinity = kind.nearest(f64::INFINITY);
    let magnitudes = prop_oneof![
        any::<u64>(),
        0_u64..64,
        (0_u64..64).prop_map(move |below| infinity - 1 - below),
        (0_u64..1 << kind.mantissa()),
    ];
    (magnitudes, any::<bool>(), -64_i8..=64)
        .prop_map(move |(bits, negative, exponent)| {
            let sign = u64::from(negative) << (kind.width() - 1);
            ((bits ^ sign) & mask, exponent)
        })
        .prop_filter("finite", move |(bits, _)| kind.value(*bits).is_finite())
}

fn aimed(kind: Kind, x: u64, exponent: i8, aim: Aim) -> Option<u64> {
    let target = kind.value(x) + f64::from(aim.target) / 512.0 * step(exponent);
    kind.neighbour(kind.nearest(target), aim.places)
}

/// A tensor's x, its y, and how each pair deviates.
type Pairs = Vec<(u64, u64, Deviation)>;

fn tensors() -> impl Strategy<Value = (Kind, i8, Pairs)> {
    prop::sample::select(KINDS.to_vec())
        .prop_flat_map(|kind| {
            let at = prop_oneof![3 => positions(kind).boxed(), 1 => any_bits(kind).boxed()];
            let rest = prop::collection::vec((any::<u64>(), aims()), 0..5);
            (Just(kind), at, aims(), rest)
        })
        .prop_map(|(kind, (first, exponent), aim, rest)| {
            let mut pairs = Pairs::new();
            let others = rest.iter().map(|(seed, aim)| {
                // The others lie around the first one, where the step means something.
                let offset = i64::try_from(seed % 4_096).unwrap() - 2_048;
                (kind.neighbour(first, offset).unwrap_or(first), *aim)
            });
            for (x, aim) in core::iter::once((first, aim)).chain(others) {
                let y = aimed(kind, x, exponent, aim).unwrap_or(x);
                let found = deviation(kind, kind.value(x), kind.value(y), exponent);
                pairs.push((x, y, found));
            }
            (kind, exponent, pairs)
        })
}

/// Whether an auditor with the second values has the root of a primary with the first.
fn agree(kind: Kind, exponent: i8, pairs: impl Iterator<Item = (u64, u64)>) -> bool {
    let (xs, ys): (Vec<_>, Vec<_>) = pairs.unzip();
    let shape = [u64::try_from(xs.len()).unwrap()];
    let (own, other) = (kind.bytes(&xs), kind.bytes(&ys));
    let output = |data| Output {
        name: "y",
        dtype: kind.dtype(),
        shape: &shape,
        data,
    };
    let comparison = Comparison::Grid(exponent);
    let (root, hints) = primary(&output(&own), comparison).unwrap();
    auditor(&output(&other), comparison, &hints).unwrap() == root
}

fn saturates(kind: Kind, x: u64, exponent: i8) -> bool {
    quantize(kind.value(x), exponent).0.abs() >= SATURATION
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// No element past `s(1/2 - 1/256)`: one root. No margin, for no type, at no size.
    #[test]
    fn root_within_tolerance_stays((kind, exponent, pairs) in tensors()) {
        let kept = pairs.iter().map(|(x, y, found)| (*x, if *found == Deviation::Within { *y } else { *x }));
        prop_assert!(agree(kind, exponent, kept), "{kind:?} exponent {exponent} {pairs:x?}");
    }

    /// One element past `s(1/2 + 1/256)` (and f64's half ulp), whatever the others: another root.
    #[test]
    fn root_beyond_tolerance_changes((kind, exponent, pairs) in tensors()) {
        let (x, y, found) = pairs[0];
        if found == Deviation::Beyond && !saturates(kind, x, exponent) {
            let mixed = pairs.iter().map(|(x, y, _)| (*x, *y));
            prop_assert!(!agree(kind, exponent, mixed), "{kind:?} exponent {exponent} {pairs:x?}");
            prop_assert!(!agree(kind, exponent, [(x, y)].into_iter()), "{kind:?} exponent {exponent} {x:x} {y:x}");
        }
    }
}

/// Every f16 and bf16 there is, against the values around both bounds, at steps across their range.
#[test]
fn every_half_float_keeps_the_promise() {
    let mut seen = [0_u32; 3];
    for (kind, exponents) in [
        (
            Kind::F16,
            [-64_i8, -26, -24, -20, -14, -7, 0, 5, 11, 17, 64],
        ),
        (Kind::BF16, [-64, -40, -21, -9, -8, -1, 0, 6, 19, 41, 64]),
    ] {
        for exponent in exponents {
            for x in 0..=u64::from(u16::MAX) {
                if kind.value(x).is_finite() {
                    half_around(kind, x, exponent, &mut seen);
                }
            }
        }
    }
    // The search met all three cases often, or it would show nothing.
    assert!(seen.iter().all(|count| *count > 100_000), "{seen:?}");
}

fn half_around(kind: Kind, x: u64, exponent: i8, seen: &mut [u32; 3]) {
    let value = kind.value(x);
    let (index, hint) = quantize(value, exponent);
    for target in [-258, -254, 254, 258] {
        for places in [-1, 0, 1] {
            let Some(y) = aimed(kind, x, exponent, Aim { target, places }) else {
                continue;
            };
            let other = kind.value(y);
            let equal = requantize(other, hint, exponent) == index;
            let found = deviation(kind, value, other, exponent);
            seen[found as usize] += 1;
            match found {
                Deviation::Within => assert!(equal, "{kind:?} {x:x} {y:x} exponent {exponent}"),
                Deviation::Beyond if index.abs() < SATURATION => {
                    assert!(!equal, "{kind:?} {x:x} {y:x} exponent {exponent}");
                }
                Deviation::Beyond | Deviation::Grey => {}
            }
        }
    }
}

/// f64's margin is real: past the bound by less than half an ulp, an even index still agrees.
#[test]
fn f64_agrees_up_to_half_an_ulp_past_the_bound() {
    let power = |exponent: i32| 2_f64.powi(exponent);
    // x half a step above index 0, whose hint is cut to 127: y falls 2^-60 short of the tie -1/2.
    let near = (0.5, -1.0 / 256.0 - power(-60));
    // Where a step has eight floats below 2^50 and four above: five eighths round onto a half.
    let far = (power(50) - 0.125, power(50) + 0.5);
    for (x, y) in [near, far] {
        let (index, hint) = quantize(x, 0);
        assert!(deviation_vs(x, y, 0.5 + 1.0 / 256.0, 0.0).is_gt());
        assert_eq!(deviation(Kind::F64, x, y, 0), Deviation::Grey);
        assert_eq!(requantize(y, hint, 0), index, "{x:e} {y:e}");
    }
    // Half an ulp of the tie is the end of it.
    let y = -1.0 / 256.0 - power(-54) * 1.5;
    assert_eq!(deviation(Kind::F64, 0.5, y, 0), Deviation::Beyond);
    assert_eq!(requantize(y, 127, 0), -1);
}

/// Both bounds themselves, exactly met, by every type that can hold them.
#[test]
fn bounds_belong_to_the_tolerance() {
    for kind in KINDS {
        for (x, sign) in [(0.5, -1.0), (0.0, 1.0), (0.0, -1.0), (-0.5, 1.0)] {
            let exact = |y: f64| {
                let bits = kind.nearest(y);
                assert_eq!(kind.value(bits), y, "{kind:?} holds {y}");
                agree(kind, 0, [(kind.nearest(x), bits)].into_iter())
            };
            // The last 1/256 decides: 127/256 agrees, 130/256 does not.
            assert!(exact(x + sign * 127.0 / 256.0), "{kind:?} {x}");
            assert!(!exact(x + sign * 130.0 / 256.0), "{kind:?} {x}");
        }
    }
}

/// Past 2^52 steps every value of one sign is one: a step must be chosen so that none gets there.
#[test]
fn saturated_values_are_not_told_apart() {
    for kind in [Kind::BF16, Kind::F32, Kind::F64] {
        let huge = kind.nearest(2_f64.powi(100));
        let largest = kind.nearest(f64::INFINITY) - 1;
        assert!(agree(kind, 0, [(huge, largest)].into_iter()), "{kind:?}");
        let sign = 1 << (kind.width() - 1);
        for other in [
            huge | sign,
            kind.nearest(f64::INFINITY),
            kind.nearest(f64::NAN),
            kind.nearest(2_f64.powi(51)),
        ] {
            assert!(!agree(kind, 0, [(huge, other)].into_iter()), "{kind:?}");
        }
    }
    // f16 reaches it with small steps only: 65504 / 2^-37 is past 2^52, 65504 / 2^-36 is not.
    let largest = [(0x7bff, 0x7bfe)];
    assert!(agree(Kind::F16, -37, largest.into_iter()));
    assert!(!agree(Kind::F16, -36, largest.into_iter()));
}

/// NaN and the infinities agree with themselves only, whichever way round and in any payload.
#[test]
fn special_values_agree_with_themselves_only() {
    for kind in KINDS {
        let sign = 1_u64 << (kind.width() - 1);
        let infinity = kind.nearest(f64::INFINITY);
        let nans = [infinity + 1, infinity | sign | 1, (sign - 1) | sign];
        let values = [0, infinity, infinity | sign, infinity - 1, nans[0]];
        for (position, x) in values.iter().enumerate() {
            for (other, y) in values.iter().enumerate() {
                for exponent in [-64, 0, 64] {
                    let same = agree(kind, exponent, [(*x, *y)].into_iter());
                    // The largest f16 is less than half of 2^64, so it is near to zero there.
                    let near = kind == Kind::F16
                        && exponent == 64
                        && [0, 3].contains(&position)
                        && [0, 3].contains(&other);
                    assert_eq!(
                        same,
                        position == other || near,
                        "{kind:?} {x:x} {y:x} {exponent}"
                    );
                }
            }
        }
        for x in nans {
            for y in nans {
                assert!(agree(kind, 0, [(x, y)].into_iter()), "{kind:?} {x:x} {y:x}");
            }
        }
        assert!(
            agree(kind, 0, [(0, sign)].into_iter()),
            "{kind:?}: -0 is +0"
        );
    }
}

/// Hints short of an element fail wherever they end; hints left over stay for the caller to see.
#[test]
fn hints_must_be_as_many_as_grid_elements() {
    let (floats, bytes) = (Kind::F32.bytes(&[0, 1, 2]), [1_u8, 2]);
    let parts = [
        Output {
            name: "a",
            dtype: DType::F32,
            shape: &[3],
            data: &floats,
        },
        Output {
            name: "b",
            dtype: DType::U8,
            shape: &[2],
            data: &bytes,
        },
        Output {
            name: "c",
            dtype: DType::F32,
            shape: &[3, 1],
            data: &floats,
        },
    ];
    for count in 0..9_usize {
        let given = vec![0_i8; count];
        let mut hints = given.iter().copied();
        let mut hasher = RootHasher::new(parts.len()).unwrap();
        let done = parts
            .iter()
            .try_for_each(|part| hasher.auditor(part, Comparison::Grid(0), &mut hints));
        assert_eq!(done.is_ok(), count >= 6, "{count} hints");
        assert_eq!(hints.count(), count.saturating_sub(6));
    }
}
