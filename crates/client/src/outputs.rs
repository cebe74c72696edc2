//! Outputs in a safetensors file and the root and hints that follow from them.

use assay_protocol::{
    Digest, OutputProfile,
    outputs::{DType, EncodingError, Output, RootHasher},
};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Why outputs have no root.
#[derive(Debug, Error)]
pub enum OutputsError {
    #[error("the outputs are no safetensors file: {0}")]
    File(#[from] safetensors::SafeTensorError),
    #[error("the outputs lack {name:?}")]
    Missing { name: String },
    #[error("the model's profile describes {profile} outputs, {found} were given")]
    Count { profile: usize, found: usize },
    #[error("output {name:?} has the element type {dtype:?}, which the market does not know")]
    DType { name: String, dtype: Dtype },
    #[error("output {name:?} cannot be encoded: {reason}")]
    Encoding { name: String, reason: &'static str },
}

/// What a primary's outputs amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    pub root: Digest,
    /// One byte for each float on a grid; an empty file if there is none.
    pub hints: Vec<u8>,
}

impl Canonical {
    /// Digest of the hints file, as it goes into the commitment and on chain.
    pub fn hints_digest(&self) -> Digest {
        digest(&self.hints)
    }
}

/// sha256 of a file.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Root and hints of a primary's outputs, whose names come in the model's output order.
///
/// # Errors
/// When the file is not readable, lacks an output, or has more or fewer than the profile describes.
pub fn canonical<T: AsRef<str>>(
    file: &[u8],
    order: &[T],
    profile: &OutputProfile,
) -> Result<Canonical, OutputsError> {
    let tensors = SafeTensors::deserialize(file)?;
    if order.len() != profile.len() || order.len() != tensors.len() {
        return Err(OutputsError::Count {
            profile: profile.len(),
            found: order.len().max(tensors.len()),
        });
    }
    let too_large = |error| OutputsError::Encoding {
        name: String::new(),
        reason: reason(error),
    };
    let mut hasher = RootHasher::new(order.len()).map_err(too_large)?;
    let mut hints = Vec::new();
    for (position, name) in order.iter().map(AsRef::as_ref).enumerate() {
        let missing = || OutputsError::Missing {
            name: name.to_owned(),
        };
        let tensor = tensors.tensor(name).map_err(|_| missing())?;
        let comparison = profile.get(position).ok_or_else(missing)?;
        let shape = shape(tensor.shape());
        let output = Output {
            name,
            dtype: dtype(tensor.dtype()).ok_or_else(|| OutputsError::DType {
                name: name.to_owned(),
                dtype: tensor.dtype(),
            })?,
            shape: &shape,
            data: tensor.data(),
        };
        hasher
            .primary(&output, comparison, |hint| hints.push(hint.cast_unsigned()))
            .map_err(|error| OutputsError::Encoding {
                name: name.to_owned(),
                reason: reason(error),
            })?;
    }
    Ok(Canonical {
        root: hasher.finish(),
        hints,
    })
}

/// The market's element type for a file's, if it has one.
pub const fn dtype(dtype: Dtype) -> Option<DType> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "types that the market knows not are refused"
    )]
    Some(match dtype {
        Dtype::BOOL => DType::Bool,
        Dtype::U8 => DType::U8,
        Dtype::I8 => DType::I8,
        Dtype::U16 => DType::U16,
        Dtype::I16 => DType::I16,
        Dtype::U32 => DType::U32,
        Dtype::I32 => DType::I32,
        Dtype::U64 => DType::U64,
        Dtype::I64 => DType::I64,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        _ => return None,
    })
}

/// The element type's name in safetensors files and in [`crate::delivery::OutputInfo`].
pub const fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "BOOL",
        DType::U8 => "U8",
        DType::I8 => "I8",
        DType::U16 => "U16",
        DType::I16 => "I16",
        DType::U32 => "U32",
        DType::I32 => "I32",
        DType::U64 => "U64",
        DType::I64 => "I64",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::F32 => "F32",
        DType::F64 => "F64",
    }
}

fn shape(dims: &[usize]) -> Vec<u64> {
    dims.iter()
        .map(|dim| u64::try_from(*dim).unwrap_or(u64::MAX))
        .collect()
}

const fn reason(error: EncodingError) -> &'static str {
    match error {
        EncodingError::Length => "its data do not have the length of its shape",
        EncodingError::Hints => "the hints do not match its length",
        EncodingError::TooLarge => "its name, rank or count is too large",
    }
}

#[cfg(test)]
mod tests;
