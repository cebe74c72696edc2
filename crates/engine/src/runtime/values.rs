//! Tensors to ONNX Runtime's values and back, copied once each way.

use half::{bf16, f16};
use ort::{
    session::SessionInputValue,
    value::{DynTensorValueType, DynValue, PrimitiveTensorElementType, Tensor as OrtTensor},
};

use crate::{
    error::RuntimeFault,
    info::TensorInfo,
    tensor::{DType, Tensor},
};

// Element bytes are copied as they are, and safetensors is little-endian.
#[cfg(target_endian = "big")]
compile_error!("Assay's engine supports little-endian machines only");

/// A value of the tensor's type, shape and data.
pub fn give(tensor: &Tensor) -> ort::Result<SessionInputValue<'static>> {
    match tensor.dtype {
        DType::Bool => {
            let data: Vec<bool> = tensor.data.iter().map(|byte| *byte != 0).collect();
            Ok(OrtTensor::from_array((tensor.shape.clone(), data))?
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

fn value<T>(tensor: &Tensor) -> ort::Result<SessionInputValue<'static>>
where
    T: PrimitiveTensorElementType + bytemuck::Pod + std::fmt::Debug,
{
    let elements = tensor.data.chunks_exact(size_of::<T>());
    let data: Vec<T> = elements.map(bytemuck::pod_read_unaligned).collect();
    Ok(OrtTensor::from_array((tensor.shape.clone(), data))?
        .into_dyn()
        .into())
}

/// The tensor of an output, taking its bytes off the `room` left under `limit`.
pub fn take(
    info: &TensorInfo,
    value: &DynValue,
    room: &mut u64,
    limit: u64,
) -> Result<Tensor, RuntimeFault> {
    let unexpected = |reason: String| RuntimeFault::Unexpected { reason };
    let shape = value
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
    let size = shape
        .iter()
        .try_fold(info.dtype.size(), |size, sides| size.checked_mul(*sides));
    let size = size
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(u64::MAX);
    let Some(left) = room.checked_sub(size) else {
        let size = limit.saturating_sub(*room).saturating_add(size);
        return Err(RuntimeFault::OutputTooLarge { size, limit });
    };
    *room = left;
    let data = match size {
        0 => Vec::new(),
        _ => bytes(info.dtype, value).map_err(|error| unexpected(error.to_string()))?,
    };
    Ok(Tensor {
        name: info.name.clone(),
        dtype: info.dtype,
        shape,
        data,
    })
}

fn bytes(dtype: DType, value: &DynValue) -> ort::Result<Vec<u8>> {
    match dtype {
        DType::Bool => booleans(value),
        DType::U8 => copy::<u8>(value),
        DType::I8 => copy::<i8>(value),
        DType::U16 => copy::<u16>(value),
        DType::I16 => copy::<i16>(value),
        DType::U32 => copy::<u32>(value),
        DType::I32 => copy::<i32>(value),
        DType::U64 => copy::<u64>(value),
        DType::I64 => copy::<i64>(value),
        DType::F16 => copy::<f16>(value),
        DType::BF16 => copy::<bf16>(value),
        DType::F32 => copy::<f32>(value),
        DType::F64 => copy::<f64>(value),
    }
}

fn copy<T>(value: &DynValue) -> ort::Result<Vec<u8>>
where
    T: PrimitiveTensorElementType + bytemuck::Pod,
{
    let (_, data) = value.try_extract_tensor::<T>()?;
    Ok(bytemuck::cast_slice(data).to_vec())
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
