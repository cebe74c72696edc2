//! Comparison within a tolerance through equal digests. Off chain only: floats.
//!
//! The primary rounds each float to a grid of step `s = 2^e` and publishes, as a hint, where
//! inside its cell the value lay; an auditor shifts its own value by the hint before rounding.
//! Equal if every deviation is at most `s * (1/2 - 1/256)`, different if any exceeds
//! `s * (1/2 + 1/256)`, below [`SATURATION`]. The first is exact for every float type, the second
//! for f16, bf16 and f32; f64 may need up to `2^-53 (|x| + s)` more, the rounding of `y - h*s/256`.

/// Grid index of NaN.
pub const NAN: i64 = i64::MIN;
/// Grid index of negative infinity.
pub const NEGATIVE_INFINITY: i64 = i64::MIN + 1;
/// Grid index of positive infinity.
pub const POSITIVE_INFINITY: i64 = i64::MAX;
/// Finite values saturate here: beyond it a f64 has no fractions left to round.
pub const SATURATION: i64 = 1 << 52;

/// The step of an exponent in [-64, 64].
pub fn step(exponent: i8) -> f64 {
    // Biased exponent of a normal f64; |exponent| <= 128 keeps it within 1..=2046.
    let biased = i64::from(exponent) + 1_023;
    f64::from_bits(biased.cast_unsigned() << 52)
}

/// The primary's grid index of `x`, and its hint in 256ths of a step.
pub fn quantize(x: f64, exponent: i8) -> (i64, i8) {
    if let Some(special) = special(x) {
        return (special, 0);
    }
    let step = step(exponent);
    let (index, cell) = round_half_even(x / step);
    if index.abs() >= SATURATION {
        return (saturate(index), 0);
    }
    let rest = x - cell * step;
    let (hint, _) = round_half_even(rest * 256.0 / step);
    (index, i8::try_from(hint.clamp(-128, 127)).unwrap_or(0))
}

/// An auditor's grid index of `y`, shifted by the primary's hint.
pub fn requantize(y: f64, hint: i8, exponent: i8) -> i64 {
    if let Some(special) = special(y) {
        return special;
    }
    let step = step(exponent);
    let (index, _) = round_half_even((y - f64::from(hint) * step / 256.0) / step);
    saturate(index)
}

fn special(x: f64) -> Option<i64> {
    if x.is_nan() {
        Some(NAN)
    } else if x == f64::INFINITY {
        Some(POSITIVE_INFINITY)
    } else if x == f64::NEG_INFINITY {
        Some(NEGATIVE_INFINITY)
    } else {
        None
    }
}

fn saturate(index: i64) -> i64 {
    index.clamp(-SATURATION, SATURATION)
}

/// Rounds to the nearest integer, ties to even; saturates just past [`SATURATION`]. Returns the
/// integer in both representations.
fn round_half_even(x: f64) -> (i64, f64) {
    /// Adding and taking away 2^52 leaves no fraction bits, in the mode IEEE 754 defaults to.
    const MAGIC: f64 = 4_503_599_627_370_496.0;
    if x >= MAGIC {
        return (SATURATION, MAGIC);
    }
    if x <= -MAGIC {
        return (-SATURATION, -MAGIC);
    }
    let rounded = if x < 0.0 {
        (x - MAGIC) + MAGIC
    } else {
        (x + MAGIC) - MAGIC
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "integral and at most 2^52: the cast is exact"
    )]
    let index = rounded as i64;
    (index, rounded)
}
