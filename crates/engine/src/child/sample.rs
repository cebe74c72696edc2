//! A run before the first that counts: kernels get warm by it, and it tells whether a model that was
//! kept optimised still computes what it computed before it was.

use sha2::{Digest as _, Sha256};

use crate::{
    backend::RunError,
    error::RuntimeFault,
    info::{Dimension, ModelInfo},
    runtime::OrtBackend,
    tensor::{DType, Tensor, View, data_size, type_name},
};

/// Runs the model once; the digest in hex of what came of it. None if even the smallest input would be
/// larger than any job's.
pub fn run(
    backend: &mut OrtBackend,
    info: &ModelInfo,
    limit: u64,
) -> Result<Option<String>, RuntimeFault> {
    let Some(inputs) = inputs(info, limit) else {
        return Ok(None);
    };
    let inputs: Vec<View<'_>> = inputs.iter().map(View::from).collect();
    let mut hasher = Sha256::new();
    let ran = backend.run_on(&inputs, None, |output| {
        let shape = &output.shape;
        let head = format!("{} {} {shape:?} ", output.name, type_name(output.dtype));
        hasher.update(head);
        hasher.update(output.data);
        Ok(())
    });
    match ran {
        Ok(()) => {}
        // A model may rightly fail on what was made up here; then it must fail alike.
        Err(RunError::Failed(failure)) => hasher.update(format!("fails: {}", failure.message)),
        Err(RunError::Fault(fault)) => return Err(fault),
    }
    let digest = hasher.finalize();
    Ok(Some(
        digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

/// Inputs of the model's types and its smallest shapes. Integers are zero, for they may be indices;
/// floats differ from one another and are none that any operator minds.
fn inputs(info: &ModelInfo, limit: u64) -> Option<Vec<Tensor>> {
    let mut room = usize::try_from(limit).ok()?;
    info.inputs
        .iter()
        .map(|input| {
            let sizes = input
                .shape
                .iter()
                .flatten()
                .map(|dimension| match dimension {
                    Dimension::Fixed(size) => *size,
                    Dimension::Named(_) | Dimension::Any => 1,
                });
            let shape: Vec<usize> = sizes.collect();
            let size = data_size(input.dtype, &shape)?;
            room = room.checked_sub(size)?;
            let (name, dtype) = (input.name.clone(), input.dtype);
            let data = data(dtype, size);
            Some(Tensor {
                name,
                dtype,
                shape,
                data,
            })
        })
        .collect()
}

/// Floats are sixty-fourths above zero and up to one, which every type has exactly.
fn data(dtype: DType, size: usize) -> Vec<u8> {
    /// Coprime to 64, so that all of them come before one comes again.
    const STEP: u16 = 37;
    fn each<const N: usize>(size: usize, bytes: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
        let mut at = 0_u16;
        let values = std::iter::repeat_with(|| {
            at = at.wrapping_add(STEP) % 64;
            bytes(f32::from(at + 1) / 64.0)
        });
        values.flatten().take(size).collect()
    }
    match dtype {
        DType::F16 => each(size, |value| half::f16::from_f32(value).to_le_bytes()),
        DType::BF16 => each(size, |value| half::bf16::from_f32(value).to_le_bytes()),
        DType::F32 => each(size, f32::to_le_bytes),
        DType::F64 => each(size, |value| f64::from(value).to_le_bytes()),
        DType::Bool
        | DType::U8
        | DType::I8
        | DType::U16
        | DType::I16
        | DType::U32
        | DType::I32
        | DType::U64
        | DType::I64 => vec![0; size],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::TensorInfo;

    fn info(dtype: DType, shape: Option<Vec<Dimension>>) -> ModelInfo {
        let name = "x".into();
        ModelInfo {
            inputs: vec![TensorInfo { name, dtype, shape }],
            ..ModelInfo::default()
        }
    }

    #[test]
    fn samples_have_the_smallest_shape_and_are_none_beyond_the_limit() {
        let shape = vec![
            Dimension::Named("batch".into()),
            Dimension::Fixed(3),
            Dimension::Any,
        ];
        let info = info(DType::F32, Some(shape));
        let made = inputs(&info, 12).unwrap();
        assert_eq!((&*made[0].shape, made[0].data.len()), (&[1, 3, 1][..], 12));
        assert_eq!(inputs(&info, 11), None);
    }

    #[test]
    fn floats_differ_and_are_the_same_in_every_type_and_integers_are_zero() {
        let of = |dtype| {
            let shape = Some(vec![Dimension::Fixed(64)]);
            inputs(&info(dtype, shape), 1_000).unwrap()[0].to_f64s()
        };
        let floats = of(DType::F64);
        let mut sorted = floats.clone();
        sorted.sort_by(f64::total_cmp);
        let all: Vec<f64> = (1..=64).map(|number| f64::from(number) / 64.0).collect();
        assert_eq!(sorted, all);
        for dtype in [DType::F16, DType::BF16, DType::F32] {
            assert_eq!(of(dtype), floats, "{dtype:?}");
        }
        assert_eq!(of(DType::I64), vec![0.0; 64]);
    }
}
