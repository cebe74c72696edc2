//! How far delivered outputs lie from this machine's own, value by value.

use assay_client::protocol::{OutputProfile, grid, profile::Comparison};
use assay_engine::{Tensor, type_name};
use serde::Serialize;

use crate::plain::plain;

/// One output's comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputReport {
    pub name: String,
    /// `exact`, or the step as a power of two.
    pub compares: String,
    /// The step; absent where values must be equal.
    pub step: Option<f64>,
    pub values: usize,
    /// Values that are not equal.
    pub differ: usize,
    /// Values that an auditor would not accept.
    pub refused: usize,
    /// The value that lies farthest off; absent if all are equal.
    pub worst: Option<Worst>,
    /// Another type or shape, which cannot be compared value by value.
    pub mismatch: Option<String>,
    /// Floats that must be bit-equal.
    #[serde(skip)]
    pub exact_floats: bool,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worst {
    /// Its place in the tensor.
    pub at: Vec<usize>,
    /// JSON has no NaN or infinity, they are null.
    pub delivered: f64,
    pub here: f64,
    /// |delivered - here|; absent where one is NaN or infinite.
    pub absolute: Option<f64>,
    /// The same in steps of the grid.
    pub steps: Option<f64>,
}

/// Compares the outputs, both in the model's order; hints are those of the delivered ones.
pub fn compare(
    profile: &OutputProfile,
    delivered: &[Tensor],
    own: &[Tensor],
    hints: &[u8],
) -> Vec<OutputReport> {
    let mut hints = hints.iter().map(|byte| byte.cast_signed());
    delivered
        .iter()
        .zip(own)
        .enumerate()
        .map(|(position, (theirs, ours))| {
            let exponent = match profile.get(position) {
                Some(Comparison::Grid(exponent)) if theirs.dtype.is_float() => Some(exponent),
                _ => None,
            };
            one(theirs, ours, exponent, &mut hints)
        })
        .collect()
}

fn one(
    theirs: &Tensor,
    ours: &Tensor,
    exponent: Option<i8>,
    hints: &mut impl Iterator<Item = i8>,
) -> OutputReport {
    let mut report = OutputReport {
        name: plain(&theirs.name),
        compares: exponent.map_or_else(|| "exact".to_owned(), |exponent| format!("2^{exponent}")),
        step: exponent.map(grid::step),
        values: theirs.shape.iter().product(),
        differ: 0,
        refused: 0,
        worst: None,
        mismatch: mismatch(theirs, ours),
        exact_floats: exponent.is_none() && theirs.dtype.is_float(),
    };
    let (delivered, here) = (theirs.to_f64s(), ours.to_f64s());
    // The hints of this output are used up in any case, or the next output would get them.
    let mut hints: Vec<i8> = match exponent {
        Some(_) => hints.by_ref().take(delivered.len()).collect(),
        None => Vec::new(),
    };
    hints.resize(delivered.len(), 0);
    if report.mismatch.is_some() {
        report.differ = report.values;
        report.refused = report.values;
        return report;
    }
    let exact = raw_differences(theirs, ours);
    for (index, ((x, y), hint)) in delivered.iter().zip(&here).zip(hints).enumerate() {
        let (x, y) = (*x, *y);
        let equal = if theirs.dtype.is_float() {
            x == y || (x.is_nan() && y.is_nan())
        } else {
            !exact.get(index).copied().unwrap_or(true)
        };
        if equal {
            continue;
        }
        report.differ += 1;
        let accepted = exponent.is_some_and(|exponent| {
            grid::requantize(y, hint, exponent) == grid::quantize(x, exponent).0
        });
        report.refused += usize::from(!accepted);
        let worst = Worst::new(index, &theirs.shape, (x, y), report.step);
        if report
            .worst
            .as_ref()
            .is_none_or(|known| worst.exceeds(known))
        {
            report.worst = Some(worst);
        }
    }
    report
}

impl Worst {
    fn new(
        index: usize,
        shape: &[usize],
        (delivered, here): (f64, f64),
        step: Option<f64>,
    ) -> Self {
        let absolute = Some((delivered - here).abs()).filter(|distance| distance.is_finite());
        Self {
            at: place(index, shape),
            delivered,
            here,
            absolute,
            steps: absolute
                .zip(step)
                .map(|(distance, step)| distance / step)
                .filter(|steps| steps.is_finite()),
        }
    }

    /// Values that are no numbers, or infinitely far off, are the worst.
    fn exceeds(&self, other: &Self) -> bool {
        let rank = |worst: &Self| worst.absolute.unwrap_or(f64::INFINITY);
        rank(self) > rank(other)
    }
}

fn mismatch(theirs: &Tensor, ours: &Tensor) -> Option<String> {
    let describe = |tensor: &Tensor| format!("{} {:?}", type_name(tensor.dtype), tensor.shape);
    if theirs.name != ours.name {
        return Some(format!(
            "the delivered output is called {:?}, the model's {:?}",
            plain(&theirs.name),
            plain(&ours.name)
        ));
    }
    (theirs.dtype != ours.dtype || theirs.shape != ours.shape).then(|| {
        format!(
            "the delivered output is {}, here it is {}",
            describe(theirs),
            describe(ours)
        )
    })
}

/// Indexes along each dimension.
fn place(mut index: usize, shape: &[usize]) -> Vec<usize> {
    let mut at: Vec<usize> = shape
        .iter()
        .rev()
        .map(|size| {
            let size = (*size).max(1);
            let along = index % size;
            index /= size;
            along
        })
        .collect();
    at.reverse();
    at
}

/// Whether each element's bytes differ: 64-bit integers do not all fit a float.
fn raw_differences(theirs: &Tensor, ours: &Tensor) -> Vec<bool> {
    let size = theirs.dtype.size();
    theirs
        .data
        .chunks(size)
        .zip(ours.data.chunks(size))
        .map(|(one, other)| one != other)
        .collect()
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::outputs::DType;

    use super::*;

    fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
        Tensor {
            name: "y".into(),
            dtype: DType::F32,
            shape: shape.to_vec(),
            data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    fn profile(entry: i16) -> OutputProfile {
        let mut entries = [OutputProfile::UNUSED; 8];
        entries[0] = entry;
        OutputProfile(entries)
    }

    fn hints(values: &[f32], exponent: i8) -> Vec<u8> {
        let hint = |value: &f32| {
            grid::quantize(f64::from(*value), exponent)
                .1
                .cast_unsigned()
        };
        values.iter().map(hint).collect()
    }

    #[test]
    fn worst_deviation_is_found_with_its_place() {
        let (theirs, ours) = ([0.0, 1.0, 2.0, 3.0], [0.0, 1.25, 2.0, 2.5]);
        let found = compare(
            &profile(0),
            &[tensor(&theirs, &[2, 2])],
            &[tensor(&ours, &[2, 2])],
            &hints(&theirs, 0),
        );
        let report = &found[0];
        assert_eq!((report.values, report.differ, report.refused), (4, 2, 1));
        let worst = report.worst.as_ref().unwrap();
        assert_eq!(worst.at, [1, 1]);
        assert_eq!((worst.delivered, worst.here), (3.0, 2.5));
        assert_eq!((worst.absolute, worst.steps), (Some(0.5), Some(0.5)));
    }

    #[test]
    fn exact_outputs_accept_no_difference_but_that_of_zeros_and_nans() {
        let theirs = tensor(&[0.0, f32::NAN, 1.0], &[3]);
        let ours = tensor(&[-0.0, -f32::NAN, 1.000_000_1], &[3]);
        let report = &compare(&profile(OutputProfile::EXACT), &[theirs], &[ours], &[])[0];
        assert_eq!((report.differ, report.refused), (1, 1));
        assert_eq!(report.worst.as_ref().unwrap().steps, None);
        assert!(report.exact_floats);
    }

    #[test]
    fn values_that_are_no_numbers_are_the_worst() {
        let theirs = [1.0, 2.0, 3.0];
        let ours = tensor(&[9.0, f32::NAN, 3.0], &[3]);
        let report = &compare(
            &profile(0),
            &[tensor(&theirs, &[3])],
            &[ours],
            &hints(&theirs, 0),
        )[0];
        let worst = report.worst.as_ref().unwrap();
        assert_eq!(
            (worst.at.as_slice(), worst.absolute),
            ([1].as_slice(), None)
        );
        assert_eq!(report.refused, 2);
    }

    #[test]
    fn other_shapes_are_said_and_hints_stay_in_step() {
        let theirs = [tensor(&[1.0, 2.0], &[2]), tensor(&[0.25], &[1])];
        let ours = [tensor(&[1.0, 2.0], &[1, 2]), tensor(&[0.5], &[1])];
        let mut profile = profile(0);
        profile.0[1] = 0;
        let found = compare(&profile, &theirs, &ours, &[0, 0, 64]);
        assert!(found[0].mismatch.as_ref().unwrap().contains("[1, 2]"));
        assert_eq!((found[1].differ, found[1].refused), (1, 0));
    }

    #[test]
    fn large_integers_differ_though_their_floats_do_not() {
        let integer = |value: i64| Tensor {
            name: "n".into(),
            dtype: DType::I64,
            shape: vec![1],
            data: value.to_le_bytes().to_vec(),
        };
        let report = &compare(
            &profile(OutputProfile::EXACT),
            &[integer(i64::MAX)],
            &[integer(i64::MAX - 1)],
            &[],
        )[0];
        assert_eq!((report.differ, report.refused), (1, 1));
        assert!(!report.exact_floats);
    }
}
