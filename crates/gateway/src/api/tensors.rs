//! Tensors between the APIs and safetensors files.

use bytes::Bytes;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::failure::Failure;

/// A tensor with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// In row-major order, little-endian.
    pub data: Bytes,
}

/// A safetensors file of these.
pub fn write(tensors: &[Tensor]) -> Result<Bytes, Failure> {
    let invalid = |error: safetensors::SafeTensorError| Failure::invalid(error.to_string());
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data);
        Ok((tensor.name.as_str(), view.map_err(invalid)?))
    });
    let views = views.collect::<Result<Vec<_>, Failure>>()?;
    let file = safetensors::serialize(views, None).map_err(invalid)?;
    Ok(Bytes::from(file))
}

/// The tensors of an answer, which are views into it.
pub fn read(file: &Bytes) -> Result<Vec<Tensor>, Failure> {
    let broken = |error| Failure::broken(format!("the outputs are no safetensors file: {error}"));
    let tensors = SafeTensors::deserialize(file).map_err(broken)?;
    let tensors = tensors.iter().map(|(name, view)| Tensor {
        name: name.to_owned(),
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        data: file.slice_ref(view.data()),
    });
    Ok(tensors.collect())
}

/// A port's element type.
pub fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "BOOL" => Dtype::BOOL,
        "U8" => Dtype::U8,
        "I8" => Dtype::I8,
        "U16" => Dtype::U16,
        "I16" => Dtype::I16,
        "U32" => Dtype::U32,
        "I32" => Dtype::I32,
        "U64" => Dtype::U64,
        "I64" => Dtype::I64,
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        "F32" => Dtype::F32,
        "F64" => Dtype::F64,
        _ => return None,
    })
}
