//! Tensors to ONNX Runtime's values and back, without a copy where memory is laid out for it.

use std::borrow::Cow;

use half::{bf16, f16};
use ort::{
    session::SessionInputValue,
    value::{
        DynTensorValueType, DynValue, PrimitiveTensorElementType, Tensor as OrtTensor, TensorRef,
    },
};

use crate::{
    error::RuntimeFault,
    info::TensorInfo,
    tensor::{DType, View, data_size},
};

// Element bytes are copied as they are, and safetensors is little-endian.
#[cfg(target_endian = "big")]
compile_error!("Assay's engine supports little-endian machines only");

/// A value of the tensor's type, shape and data, which it borrows if it lies as the type needs it.
pub fn give<'a>(tensor: &View<'a>) -> ort::Result<SessionInputValue<'a>> {
    match tensor.dtype {
        DType::Bool => {
            let data: Vec<bool> = tensor.data.iter().map(|byte| *byte != 0).collect();
            Ok(OrtTensor::from_array((tensor.shape.to_vec(), data))?
                .into_dyn()
                .into())
        }
        DType::U8 => value::<u8>(tensor),
        DType::I8 => value::<i8>(tensor),
        DType::U16 => value::<u16>(tensor),
        DType::I16 => value::<i16>(tensor),
        DType::U32 => value::<u32>(tensor),
        DType::I32 => value::<i32>(tensor),
        DType::U64 => value::<u64>(tensor),
        DType::I64 => value::<i64>(tensor),
        DType::F16 => value::<f16>(tensor),
        DType::BF16 => value::<bf16>(tensor),
        DType::F32 => value::<f32>(tensor),
        DType::F64 => value::<f64>(tensor),
    }
}

fn value<'a, T>(tensor: &View<'a>) -> ort::Result<SessionInputValue<'a>>
where
    T: PrimitiveTensorElementType + bytemuck::Pod + std::fmt::Debug,
{
    if let Ok(data) = bytemuck::try_cast_slice::<u8, T>(tensor.data)
        && !data.is_empty()
    {
        return Ok(TensorRef::from_array_view((tensor.shape.to_vec(), data))?
            .into_dyn()
            .into());
    }
    let elements = tensor.data.chunks_exact(size_of::<T>());
    let data: Vec<T> = elements.map(bytemuck::pod_read_unaligned).collect();
    Ok(OrtTensor::from_array((tensor.shape.to_vec(), data))?
        .into_dyn()
        .into())
}

/// Shows the tensor of an output, or its last place, taking its bytes off the `room` left under `limit`.
pub fn take(
    (info, last): (&TensorInfo, bool),
    value: &DynValue,
    (room, limit): (&mut u64, u64),
    show: impl FnOnce(View<'_>) -> Result<(), RuntimeFault>,
) -> Result<(), RuntimeFault> {
    let unexpected = |reason: String| RuntimeFault::Unexpected { reason };
    let mut shape = value
        .dtype()
        .tensor_shape()
        .into_iter()
        .flat_map(|shape| shape.iter().copied())
        .map(usize::try_from)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            unexpected(format!(
                "output `{}` has a negative size: {error}",
                info.name
            ))
        })?;
    // With several rows before it, the last place would be in several pieces.
    if last
        && let [rows @ .., places, _] = shape.as_mut_slice()
        && rows.iter().all(|rows| *rows == 1)
    {
        *places = (*places).min(1);
    }
    let size = data_size(info.dtype, &shape)
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(u64::MAX);
    let Some(left) = room.checked_sub(size) else {
        let size = limit.saturating_sub(*room).saturating_add(size);
        return Err(RuntimeFault::OutputTooLarge { size, limit });
    };
    *room = left;
    let data = match size {
        0 => Cow::Borrowed(&[][..]),
        _ => bytes(info.dtype, value).map_err(|error| unexpected(error.to_string()))?,
    };
    let before = data
        .len()
        .saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
    show(View {
        name: Cow::Borrowed(&info.name),
        dtype: info.dtype,
        shape: Cow::Owned(shape),
        data: data.get(before..).unwrap_or_default(),
    })
}

fn bytes(dtype: DType, value: &DynValue) -> ort::Result<Cow<'_, [u8]>> {
    match dtype {
        DType::Bool => booleans(value).map(Cow::Owned),
        DType::U8 => elements::<u8>(value).map(Cow::Borrowed),
        DType::I8 => elements::<i8>(value).map(Cow::Borrowed),
        DType::U16 => elements::<u16>(value).map(Cow::Borrowed),
        DType::I16 => elements::<i16>(value).map(Cow::Borrowed),
        DType::U32 => elements::<u32>(value).map(Cow::Borrowed),
        DType::I32 => elements::<i32>(value).map(Cow::Borrowed),
        DType::U64 => elements::<u64>(value).map(Cow::Borrowed),
        DType::I64 => elements::<i64>(value).map(Cow::Borrowed),
        DType::F16 => elements::<f16>(value).map(Cow::Borrowed),
        DType::BF16 => elements::<bf16>(value).map(Cow::Borrowed),
        DType::F32 => elements::<f32>(value).map(Cow::Borrowed),
        DType::F64 => elements::<f64>(value).map(Cow::Borrowed),
    }
}

fn elements<T>(value: &DynValue) -> ort::Result<&[u8]>
where
    T: PrimitiveTensorElementType + bytemuck::Pod,
{
    let (_, data) = value.try_extract_tensor::<T>()?;
    Ok(bytemuck::cast_slice(data))
}

/// Read as bytes, because a model's constants may hold any byte where a `bool` allows but two.
fn booleans(value: &DynValue) -> ort::Result<Vec<u8>> {
    let tensor = value.view().downcast::<DynTensorValueType>()?;
    let count = tensor.shape().num_elements();
    #[expect(
        unsafe_code,
        reason = "`ort` gives booleans only as `bool`, which these may not be"
    )]
    // SAFETY: a boolean tensor on the CPU holds `count` bytes, and lives as long as `tensor`.
    let data = unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<u8>(), count) };
    Ok(data.iter().map(|byte| u8::from(*byte != 0)).collect())
}
