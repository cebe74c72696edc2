//! What a model takes and gives, and whether an input fits it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    inspect::{NAME_BYTES, RANK, shown},
    tensor::{DType, DTypeName, Tensor, View, extent, header_size, type_name, view_safetensors},
};

/// Bytes of an input's header beside its tensors; reading more takes longer than whoever sends it pays for.
const HEADER: usize = 64 << 10;
/// Bytes that each tensor adds: its name, and as much for its type, shape and place.
const HEADER_OF_EACH: usize = 2 * NAME_BYTES;
/// Names that a message lists.
const LISTED: usize = 16;

/// The interface of a loaded model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    pub inputs: Vec<TensorInfo>,
    /// In the model's own order, which is the order of the canonical root.
    pub outputs: Vec<TensorInfo>,
    /// The file's `metadata_props`.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorInfo {
    pub name: String,
    #[serde(with = "DTypeName")]
    pub dtype: DType,
    /// None where the model does not even say how many dimensions there are.
    pub shape: Option<Vec<Dimension>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    Fixed(usize),
    /// Any size; one name means one size throughout an input.
    Named(String),
    Any,
}

impl std::fmt::Display for Dimension {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(out, "{size}"),
            Self::Named(name) => out.write_str(name),
            Self::Any => out.write_str("?"),
        }
    }
}

/// Why an input cannot be given to a model. Decided before a job is claimed, so the requester
/// loses nothing and can correct the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InputMismatch {
    #[error("the input is no safetensors file: {reason}; write it with a safetensors library")]
    NotSafetensors { reason: String },
    #[error("the input has {size} bytes and this worker takes at most {limit}; send less at once")]
    TooLarge { size: u64, limit: u64 },
    #[error(
        "the input's header has {size} bytes and at most {most} are taken; leave out its metadata"
    )]
    Header { size: usize, most: usize },
    #[error("tensor `{name}` has type {found}, which Assay does not carry; convert it")]
    UnsupportedType { name: String, found: String },
    #[error("tensor `{name}` is boolean but holds a byte other than 0 and 1; rewrite it")]
    NotBoolean { name: String },
    #[error("the model needs a tensor `{name}` that the input lacks; the input has {found}")]
    Missing { name: String, found: String },
    #[error("the input has a tensor `{name}` that the model does not take; it takes {expected}")]
    Unexpected { name: String, expected: String },
    #[error("tensor `{name}` has type {found} where the model takes {expected}; convert it")]
    Type {
        name: String,
        expected: String,
        found: String,
    },
    #[error("tensor `{name}` has shape [{found}] where the model takes [{expected}]; reshape it")]
    Shape {
        name: String,
        expected: String,
        found: String,
    },
    #[error("tensor `{name}` has {rank} dimensions and at most {RANK} are taken; reshape it")]
    Rank { name: String, rank: usize },
    #[error(
        "tensor `{name}` has larger sides than an input may have bytes, be it of no elements; reshape it"
    )]
    Unbounded { name: String },
    #[error("`{dimension}` is {first} in one tensor and {second} in `{name}`; make them equal")]
    Dimension {
        name: String,
        dimension: String,
        first: usize,
        second: usize,
    },
}

impl ModelInfo {
    /// The tensors of an input file in the model's order, if they are exactly what it takes.
    pub fn check_input(&self, file: &[u8], limit: u64) -> Result<Vec<Tensor>, InputMismatch> {
        let views = self.view_input(file, limit)?;
        Ok(views.iter().map(View::to_tensor).collect())
    }

    /// The same without a copy of the elements.
    pub(crate) fn view_input<'a>(
        &self,
        file: &'a [u8],
        limit: u64,
    ) -> Result<Vec<View<'a>>, InputMismatch> {
        self.view_given(file, limit, |_| true)
    }

    /// The same for those inputs that are given.
    pub(crate) fn view_given<'a>(
        &self,
        file: &'a [u8],
        limit: u64,
        is_given: impl Fn(&str) -> bool,
    ) -> Result<Vec<View<'a>>, InputMismatch> {
        let taken = || self.inputs.iter().filter(|input| is_given(&input.name));
        let size = u64::try_from(file.len()).unwrap_or(u64::MAX);
        if size > limit {
            return Err(InputMismatch::TooLarge { size, limit });
        }
        let most = taken().fold(HEADER, |most, _| most.saturating_add(HEADER_OF_EACH));
        if let Some(size) = header_size(file).filter(|size| *size > most) {
            return Err(InputMismatch::Header { size, most });
        }
        let mut given = view_safetensors(file)?;
        let mut ordered: Vec<View<'_>> = Vec::with_capacity(given.len());
        for input in taken() {
            let Some(position) = given.iter().position(|tensor| tensor.name == input.name) else {
                let names = given
                    .iter()
                    .chain(&ordered)
                    .map(|tensor| tensor.name.as_ref());
                return Err(InputMismatch::Missing {
                    name: shown(&input.name),
                    found: list(names),
                });
            };
            ordered.push(given.swap_remove(position));
        }
        if let Some(extra) = given.first() {
            let names = taken().map(|input| input.name.as_str());
            return Err(InputMismatch::Unexpected {
                name: shown(&extra.name),
                expected: list(names),
            });
        }
        check(taken(), &ordered, limit)?;
        Ok(ordered)
    }

    /// The same for tensors already in the model's order.
    pub fn check_tensors(&self, tensors: &[Tensor]) -> Result<(), InputMismatch> {
        let views: Vec<View<'_>> = tensors.iter().map(View::from).collect();
        check(self.inputs.iter(), &views, u64::MAX)
    }
}

fn check<'a>(
    inputs: impl Iterator<Item = &'a TensorInfo>,
    tensors: &[View<'_>],
    limit: u64,
) -> Result<(), InputMismatch> {
    let mut sizes = BTreeMap::new();
    for (input, tensor) in inputs.zip(tensors) {
        let name = || shown(&input.name);
        if input.dtype != tensor.dtype {
            let (expected, found) = (
                type_name(input.dtype).into(),
                type_name(tensor.dtype).into(),
            );
            return Err(InputMismatch::Type {
                name: name(),
                expected,
                found,
            });
        }
        let rank = tensor.shape.len();
        if rank > RANK {
            return Err(InputMismatch::Rank { name: name(), rank });
        }
        let extent = extent(tensor.dtype, &tensor.shape).and_then(|size| u64::try_from(size).ok());
        if extent.is_none_or(|size| size > limit) {
            return Err(InputMismatch::Unbounded { name: name() });
        }
        let Some(shape) = &input.shape else { continue };
        let fits = shape.len() == tensor.shape.len()
            && shape
                .iter()
                .zip(&*tensor.shape)
                .all(|(expected, size)| match expected {
                    Dimension::Fixed(fixed) => fixed == size,
                    Dimension::Named(_) | Dimension::Any => true,
                });
        if !fits {
            let (expected, found) = (list(shape), list(&*tensor.shape));
            return Err(InputMismatch::Shape {
                name: name(),
                expected,
                found,
            });
        }
        for (dimension, size) in shape.iter().zip(&*tensor.shape) {
            let Dimension::Named(label) = dimension else {
                continue;
            };
            let first = *sizes.entry(label).or_insert(*size);
            if first != *size {
                let (dimension, second) = (shown(label), *size);
                return Err(InputMismatch::Dimension {
                    name: name(),
                    dimension,
                    first,
                    second,
                });
            }
        }
    }
    Ok(())
}

/// What strangers named or sized: some of it, as it may stand in a log, and how much more there is.
fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut items = items.into_iter();
    let some = items.by_ref().take(LISTED);
    let mut texts: Vec<String> = some.map(|item| shown(&item.to_string())).collect();
    let more = items.count();
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests;
