//! The other input of a trial, made of the one that came.
//!
//! A model that takes a mean or a scale over all rows gives a row something else beside others, but not beside rows of
//! the same mean and scale. So it is not enough that values change places.

use std::ops::{Add, Div, Mul};

use half::{bf16, f16};

use crate::{
    info::ModelInfo,
    tensor::{DType, Tensor, View, to_safetensors},
};

impl ModelInfo {
    /// Another input of the same form that the model is likely to take, with other values for its rows' means, spreads
    /// and bounds. None if it would be no other.
    pub fn unlike(&self, file: &[u8]) -> Option<Vec<u8>> {
        let views = self.view_input(file, u64::MAX).ok()?;
        let tensors: Vec<Tensor> = views.iter().map(unlike).collect();
        let is_same = tensors
            .iter()
            .zip(&views)
            .all(|(tensor, view)| tensor.data == view.data);
        if is_same {
            return None;
        }
        to_safetensors(&tensors).ok()
    }
}

/// Integers may be tokens, places or a mask: what takes their place is another one of the same row. Floats are moved too.
fn unlike(view: &View<'_>) -> Tensor {
    let mut tensor = view.to_tensor();
    mirror(view, &mut tensor.data);
    let data = &mut tensor.data;
    match view.dtype {
        DType::F64 => each(data, |bytes| {
            moved(f64::from_le_bytes(bytes), (32.0, 3.0), f64::is_finite).to_le_bytes()
        }),
        DType::F32 => each(data, |bytes| {
            moved(f32::from_le_bytes(bytes), (32.0, 3.0), f32::is_finite).to_le_bytes()
        }),
        DType::F16 => each(data, |bytes| {
            let by = (f16::from_f32_const(32.0), f16::from_f32_const(3.0));
            moved(f16::from_le_bytes(bytes), by, f16::is_finite).to_le_bytes()
        }),
        DType::BF16 => each(data, |bytes| {
            let by = (bf16::from_f32_const(32.0), bf16::from_f32_const(3.0));
            moved(bf16::from_le_bytes(bytes), by, bf16::is_finite).to_le_bytes()
        }),
        DType::Bool
        | DType::U8
        | DType::I8
        | DType::U16
        | DType::I16
        | DType::U32
        | DType::I32
        | DType::U64
        | DType::I64 => {}
    }
    tensor
}

/// Of each element and the one as far from the other end of its row, the greater takes both places.
fn mirror(view: &View<'_>, data: &mut [u8]) {
    let size = view.dtype.size();
    let rows = view.shape.first().copied().unwrap_or(1);
    let row = data.len().checked_div(rows).unwrap_or(0);
    if row == 0 {
        return;
    }
    for (row, before) in data.chunks_mut(row).zip(view.data.chunks(row)) {
        let mirrored = before.rchunks(size);
        for (element, other) in row.chunks_mut(size).zip(mirrored) {
            // Little-endian. That numbers below zero count as the greatest does not matter.
            if other.iter().rev().gt(element.iter().rev()) {
                element.copy_from_slice(other);
            }
        }
    }
}

fn each<const N: usize>(data: &mut [u8], of: impl Fn([u8; N]) -> [u8; N]) {
    let (elements, _) = data.as_chunks_mut::<N>();
    for element in elements {
        *element = of(*element);
    }
}

/// Made larger, or smaller where that would be infinite.
fn moved<T>(value: T, (by, plus): (T, T), is_finite: fn(T) -> bool) -> T
where
    T: Copy + Add<Output = T> + Div<Output = T> + Mul<Output = T>,
{
    let far = value * by + plus;
    if is_finite(far) {
        far
    } else {
        value / by + plus
    }
}
