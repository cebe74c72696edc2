//! The float types, and whether two of their values are as near as promised: without rounding.

use core::cmp::Ordering;

use assay_protocol::{
    grid::{quantize, step},
    outputs::DType,
};
use half::{bf16, f16};

/// A float type by its bit patterns, which sort like its values after [`Kind::ordered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F16,
    BF16,
    F32,
    F64,
}

pub const KINDS: [Kind; 4] = [Kind::F16, Kind::BF16, Kind::F32, Kind::F64];

impl Kind {
    pub fn dtype(self) -> DType {
        match self {
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
        }
    }

    /// Bits after the implicit one.
    pub fn mantissa(self) -> u32 {
        match self {
            Self::F16 => 10,
            Self::BF16 => 7,
            Self::F32 => 23,
            Self::F64 => 52,
        }
    }

    pub fn width(self) -> u32 {
        u32::try_from(self.dtype().size() * 8).unwrap()
    }

    /// Exact.
    pub fn value(self, bits: u64) -> f64 {
        match self {
            Self::F16 => f16::from_bits(u16::try_from(bits).unwrap()).to_f64(),
            Self::BF16 => bf16::from_bits(u16::try_from(bits).unwrap()).to_f64(),
            Self::F32 => f64::from(f32::from_bits(u32::try_from(bits).unwrap())),
            Self::F64 => f64::from_bits(bits),
        }
    }

    /// Nearest value of this type.
    pub fn nearest(self, value: f64) -> u64 {
        match self {
            Self::F16 => u64::from(f16::from_f64(value).to_bits()),
            Self::BF16 => u64::from(bf16::from_f64(value).to_bits()),
            Self::F32 => u64::from(narrowed(value).to_bits()),
            Self::F64 => value.to_bits(),
        }
    }

    /// The finite value `by` places further along the number line, if there is one.
    pub fn neighbour(self, bits: u64, by: i64) -> Option<u64> {
        let sign = 1_u64 << (self.width() - 1);
        let magnitude = i64::try_from(bits & (sign - 1)).ok()?;
        let place = if bits & sign == 0 {
            magnitude
        } else {
            -magnitude
        };
        let place = place.checked_add(by)?;
        let moved = place.unsigned_abs() | if place < 0 { sign } else { 0 };
        (moved < 1 << (self.width() - 1) || place < 0)
            .then_some(moved)
            .filter(|bits| self.value(*bits).is_finite())
    }

    pub fn bytes(self, bits: &[u64]) -> Vec<u8> {
        bits.iter()
            .flat_map(|bits| bits.to_le_bytes()[..self.dtype().size()].to_vec())
            .collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// At most `s(1/2 - 1/256)`.
    Within,
    /// More than `s(1/2 + 1/256)`, and the margin that f64 needs.
    Beyond,
    /// Neither: the promise says nothing.
    Grey,
}

/// Compares |y - x| with a bound and a margin far smaller than it, exactly.
pub fn deviation_vs(x: f64, y: f64, bound: f64, margin: f64) -> Ordering {
    // Two-sum of y and -x: difference + rest == y - x, unless it overflows.
    let difference = y - x;
    let back = difference + x;
    let rest = (y - back) + ((back - difference) - x);
    let (difference, rest) = if difference < 0.0 {
        (-difference, -rest)
    } else {
        (difference, rest)
    };
    // Near the bound this is exact; elsewhere only its sign matters, and rounding keeps that.
    let excess = difference - bound - margin;
    excess.partial_cmp(&-rest).unwrap()
}

pub fn deviation(kind: Kind, x: f64, y: f64, exponent: i8) -> Deviation {
    let step = step(exponent);
    let (index, _) = quantize(x, exponent);
    let margin = if kind == Kind::F64 {
        // Half an ulp at the tie (|q| + 1/2) s, here in steps.
        let tie = index.unsigned_abs() as f64 + 0.5;
        (f64::from_bits(tie.to_bits() + 1) - tie) / 2.0
    } else {
        0.0
    };
    if deviation_vs(x, y, step * (0.5 - 1.0 / 256.0), 0.0).is_le() {
        Deviation::Within
    } else if deviation_vs(x, y, step * (0.5 + 1.0 / 256.0), step * margin).is_gt() {
        Deviation::Beyond
    } else {
        Deviation::Grey
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what is asked for"
)]
fn narrowed(value: f64) -> f32 {
    value as f32
}
