//! Tensors, as they travel in safetensors files.

use std::borrow::Cow;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use super::{
    info::InputMismatch,
    inspect::{plain, shown},
};

pub use assay_protocol::outputs::DType;

/// The name of an element type, as people and the pipe to the child write it.
pub fn type_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::U8 => "u8",
        DType::I8 => "i8",
        DType::U16 => "u16",
        DType::I16 => "i16",
        DType::U32 => "u32",
        DType::I32 => "i32",
        DType::U64 => "u64",
        DType::I64 => "i64",
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        DType::F32 => "f32",
        DType::F64 => "f64",
    }
}

/// How serde writes a [`DType`], which itself knows no serde.
#[derive(Serialize, Deserialize)]
#[serde(remote = "DType", rename_all = "lowercase")]
pub enum DTypeName {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

fn known(dtype: Dtype) -> Option<DType> {
    // safetensors also knows 4, 6 and 8-bit floats, and may learn more.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    match dtype {
        Dtype::BOOL => Some(DType::Bool),
        Dtype::U8 => Some(DType::U8),
        Dtype::I8 => Some(DType::I8),
        Dtype::U16 => Some(DType::U16),
        Dtype::I16 => Some(DType::I16),
        Dtype::U32 => Some(DType::U32),
        Dtype::I32 => Some(DType::I32),
        Dtype::U64 => Some(DType::U64),
        Dtype::I64 => Some(DType::I64),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::F32 => Some(DType::F32),
        Dtype::F64 => Some(DType::F64),
        _ => None,
    }
}

fn filed(dtype: DType) -> Dtype {
    match dtype {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I8 => Dtype::I8,
        DType::U16 => Dtype::U16,
        DType::I16 => Dtype::I16,
        DType::U32 => Dtype::U32,
        DType::I32 => Dtype::I32,
        DType::U64 => Dtype::U64,
        DType::I64 => Dtype::I64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    }
}

/// One named tensor; `data` is little-endian, row-major, and as long as type and shape say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

impl Tensor {
    /// The elements as floats, for distances; integers beyond 2^53 are rounded.
    pub fn to_f64s(&self) -> Vec<f64> {
        fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            let (elements, _) = data.as_chunks::<N>();
            elements.iter().map(|bytes| number(*bytes)).collect()
        }
        let data = &self.data;
        match self.dtype {
            DType::Bool | DType::U8 => each(data, |[byte]: [u8; 1]| f64::from(byte)),
            DType::I8 => each(data, |bytes| f64::from(i8::from_le_bytes(bytes))),
            DType::U16 => each(data, |bytes| f64::from(u16::from_le_bytes(bytes))),
            DType::I16 => each(data, |bytes| f64::from(i16::from_le_bytes(bytes))),
            DType::U32 => each(data, |bytes| f64::from(u32::from_le_bytes(bytes))),
            DType::I32 => each(data, |bytes| f64::from(i32::from_le_bytes(bytes))),
            DType::U64 => each(data, |bytes| u64::from_le_bytes(bytes) as f64),
            DType::I64 => each(data, |bytes| i64::from_le_bytes(bytes) as f64),
            DType::F16 => each(data, |bytes| f16::from_le_bytes(bytes).to_f64()),
            DType::BF16 => each(data, |bytes| bf16::from_le_bytes(bytes).to_f64()),
            DType::F32 => each(data, |bytes| f64::from(f32::from_le_bytes(bytes))),
            DType::F64 => each(data, f64::from_le_bytes),
        }
    }
}

/// A tensor whose elements lie somewhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<'a> {
    pub name: Cow<'a, str>,
    pub dtype: DType,
    pub shape: Cow<'a, [usize]>,
    pub data: &'a [u8],
}

impl View<'_> {
    pub fn to_tensor(&self) -> Tensor {
        Tensor {
            name: self.name.clone().into_owned(),
            dtype: self.dtype,
            shape: self.shape.to_vec(),
            data: self.data.to_vec(),
        }
    }
}

impl<'a> From<&'a Tensor> for View<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Self {
            name: Cow::Borrowed(&tensor.name),
            dtype: tensor.dtype,
            shape: Cow::Borrowed(&tensor.shape),
            data: &tensor.data,
        }
    }
}

/// Bytes of all elements; none if no machine could hold them.
pub fn data_size(dtype: DType, shape: &[usize]) -> Option<usize> {
    let size = extent(dtype, shape)?;
    Some(if shape.contains(&0) { 0 } else { size })
}

/// The same as if sides of 0 were 1: whoever multiplies sides in another order, or makes something as long as one of them,
/// must come to no end of numbers or memory either.
pub fn extent(dtype: DType, shape: &[usize]) -> Option<usize> {
    let mut sides = shape.iter().filter(|side| **side > 0);
    let size = sides.try_fold(dtype.size(), |size, side| size.checked_mul(*side))?;
    // ONNX Runtime counts with signs.
    i64::try_from(size).ok().map(|_| size)
}

/// Characters of why a file cannot be read, which may quote the file.
const LONGEST_REASON: usize = 200;

/// Bytes of a safetensors file's header, if the file has as many.
pub fn header_size(file: &[u8]) -> Option<usize> {
    let (size, rest) = file.split_first_chunk()?;
    let size = usize::try_from(u64::from_le_bytes(*size)).ok()?;
    (size <= rest.len()).then_some(size)
}

/// The tensors of a safetensors file, by name.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<Tensor>, InputMismatch> {
    let tensors = view_safetensors(bytes)?;
    Ok(tensors.iter().map(View::to_tensor).collect())
}

/// The same without a copy of the elements.
pub fn view_safetensors(bytes: &[u8]) -> Result<Vec<View<'_>>, InputMismatch> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| InputMismatch::NotSafetensors {
        reason: plain(&error.to_string(), LONGEST_REASON),
    })?;
    let mut tensors = Vec::with_capacity(file.len());
    for (name, view) in file.tensors() {
        let dtype = known(view.dtype()).ok_or_else(|| InputMismatch::UnsupportedType {
            name: shown(&name),
            found: format!("{:?}", view.dtype()),
        })?;
        let data = view.data();
        if dtype == DType::Bool && data.iter().any(|byte| *byte > 1) {
            return Err(InputMismatch::NotBoolean { name: shown(&name) });
        }
        tensors.push(View {
            name: Cow::Owned(name),
            dtype,
            shape: Cow::Owned(view.shape().to_vec()),
            data,
        });
    }
    tensors.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(tensors)
}

/// A safetensors file of these tensors: the same bytes for the same tensors, in whatever order.
pub fn to_safetensors(tensors: &[Tensor]) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let views = tensors
        .iter()
        .map(|tensor| {
            let dtype = filed(tensor.dtype);
            let view = TensorView::new(dtype, tensor.shape.clone(), &tensor.data)?;
            Ok((tensor.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize(views, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dtype: DType, shape: &[usize], data: &[u8]) -> Tensor {
        Tensor {
            name: name.into(),
            dtype,
            shape: shape.into(),
            data: data.into(),
        }
    }

    #[test]
    fn tensors_survive_a_file_and_order_does_not_change_it() {
        let first = tensor("b", DType::F32, &[1], &[0, 0, 128, 63]);
        let second = tensor("a", DType::Bool, &[2, 1], &[0, 1]);
        let empty = tensor("c", DType::I64, &[0, 3], &[]);
        let scalar = tensor("d", DType::U8, &[], &[7]);
        let all = [first.clone(), second.clone(), empty.clone(), scalar.clone()];
        let file = to_safetensors(&all).unwrap();
        assert_eq!(
            file,
            to_safetensors(&[scalar.clone(), empty.clone(), first.clone(), second.clone()])
                .unwrap()
        );
        assert_eq!(
            from_safetensors(&file).unwrap(),
            [second, first, empty, scalar]
        );
    }

    #[test]
    fn side_of_0_makes_no_size_of_what_none_could_hold() {
        assert_eq!(data_size(DType::I64, &[]), Some(8));
        assert_eq!(data_size(DType::I64, &[3, 2]), Some(48));
        assert_eq!(data_size(DType::I64, &[1 << 59, 0]), Some(0));
        for shape in [[1 << 60, 0], [0, 1 << 60], [1 << 63, 0], [1 << 40, 1 << 40]] {
            assert_eq!(data_size(DType::I64, &shape), None, "{shape:?}");
        }
    }

    #[test]
    fn malformed_files_are_refused_with_the_reason() {
        for bytes in [
            &b""[..],
            b"12345678",
            b"not a tensor file, only a sentence",
            &[255; 32],
        ] {
            assert!(matches!(
                from_safetensors(bytes),
                Err(InputMismatch::NotSafetensors { .. })
            ));
        }
        let odd = to_safetensors(&[tensor("flag", DType::Bool, &[2], &[1, 2])]).unwrap();
        assert_eq!(
            from_safetensors(&odd),
            Err(InputMismatch::NotBoolean {
                name: "flag".into()
            })
        );
        let view = TensorView::new(Dtype::F8_E4M3, vec![1], &[0]).unwrap();
        let small = safetensors::serialize([("x", view)], None).unwrap();
        assert_eq!(
            from_safetensors(&small),
            Err(InputMismatch::UnsupportedType {
                name: "x".into(),
                found: "F8_E4M3".into()
            })
        );
    }
}
