//! How far apart two results are.

use assay_engine::{DType, Outcome, Tensor};

/// The largest |y - x| of two floats tensors; infinite where one is NaN or infinite and the other is something else,
/// where shapes or types differ, and where anything but floats differs at all.
pub fn deviation(x: &Tensor, y: &Tensor) -> f64 {
    if x.dtype != y.dtype || x.shape != y.shape || x.name != y.name {
        return f64::INFINITY;
    }
    if x.data == y.data {
        return 0.0;
    }
    if !x.dtype.is_float() {
        return f64::INFINITY;
    }
    let pairs = x.to_f64s().into_iter().zip(y.to_f64s());
    pairs.fold(0.0_f64, |worst, (x, y)| {
        let apart = if x == y || (x.is_nan() && y.is_nan()) {
            0.0
        } else {
            let apart = (y - x).abs();
            // NaN: one of them is no number.
            if apart.is_nan() { f64::INFINITY } else { apart }
        };
        worst.max(apart)
    })
}

/// [`deviation`] of each output. A failure deviates from everything but another failure.
pub fn deviations(x: &Outcome, y: &Outcome, outputs: usize) -> Vec<f64> {
    match (x, y) {
        (Outcome::Failed(_), Outcome::Failed(_)) => vec![0.0; outputs],
        (Outcome::Outputs(x), Outcome::Outputs(y)) if x.len() == y.len() => {
            x.iter().zip(y).map(|(x, y)| deviation(x, y)).collect()
        }
        (Outcome::Outputs(_) | Outcome::Failed(_), _) => vec![f64::INFINITY; outputs],
    }
}

/// The largest finite magnitude of a tensor.
pub fn magnitude(tensor: &Tensor) -> f64 {
    let finite = tensor
        .to_f64s()
        .into_iter()
        .filter(|value| value.is_finite());
    finite.fold(0.0_f64, |most, value| most.max(value.abs()))
}

/// The distance from 1 to the next number of a float type; None for other types.
pub const fn epsilon(dtype: DType) -> Option<f64> {
    match dtype {
        DType::F16 => Some(1.0 / 1_024.0),
        DType::BF16 => Some(1.0 / 128.0),
        DType::F32 => Some(1.0 / 8_388_608.0),
        DType::F64 => Some(f64::EPSILON),
        DType::Bool
        | DType::U8
        | DType::I8
        | DType::U16
        | DType::I16
        | DType::U32
        | DType::I32
        | DType::U64
        | DType::I64 => None,
    }
}

/// What a person would read off a result: the position of the largest value in each row of floats, and integers as
/// they are. None where rows have one float, so that there is nothing to choose between.
pub fn decisions(tensor: &Tensor) -> Option<Vec<u64>> {
    let values = tensor.to_f64s();
    if !tensor.dtype.is_float() {
        return Some(values.into_iter().map(f64::to_bits).collect());
    }
    let row = tensor.shape.last().copied().filter(|row| *row > 1)?;
    let best = |row: &[f64]| {
        let values = row.iter().enumerate();
        let best = values.max_by(|(_, a), (_, b)| a.total_cmp(b));
        best.and_then(|(position, _)| u64::try_from(position).ok())
            .unwrap_or_default()
    };
    Some(values.chunks(row).map(best).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn floats(values: &[f32]) -> Tensor {
        Tensor {
            name: "y".into(),
            dtype: DType::F32,
            shape: vec![values.len()],
            data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    #[test]
    fn deviation_is_the_largest_and_knows_special_values() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        let cases: [(&[f32], &[f32], f64); 8] = [
            (&[1.0, 2.0], &[1.0, 2.5], 0.5),
            (&[0.0], &[-0.0], 0.0),
            (&[nan, infinity], &[-nan, infinity], 0.0),
            (&[nan], &[1.0], f64::INFINITY),
            (&[1.0], &[nan], f64::INFINITY),
            (&[infinity], &[-infinity], f64::INFINITY),
            (&[infinity], &[f32::MAX], f64::INFINITY),
            (&[1.0], &[1.0, 1.0], f64::INFINITY),
        ];
        for (x, y, expected) in cases {
            assert_eq!(deviation(&floats(x), &floats(y)), expected, "{x:?} {y:?}");
        }
        let mut label = floats(&[1.0]);
        label.dtype = DType::I32;
        let mut other = label.clone();
        assert_eq!(deviation(&label, &other), 0.0);
        other.data[0] = 1;
        assert_eq!(deviation(&label, &other), f64::INFINITY);
    }

    #[test]
    fn decisions_are_the_largest_of_each_row_and_integers() {
        let mut tensor = floats(&[0.1, 0.9, 0.5, 0.4]);
        tensor.shape = vec![2, 2];
        assert_eq!(decisions(&tensor), Some(vec![1, 0]));
        assert_eq!(decisions(&floats(&[7.0])), None);
        tensor.dtype = DType::U32;
        assert_ne!(decisions(&tensor), Some(vec![1, 0]));
        assert_eq!(magnitude(&floats(&[-3.0, f32::NAN, 2.0])), 3.0);
    }
}
