//! Several inputs of one model in one run: joined along their first dimension, the outputs split again.
//!
//! What a model says of its shapes is only a promise that rows may be joined. Whether they keep out of each other's way
//! is seen by running the same rows alone and together ([`alike`]). Even then joining may change the low bits of a
//! float, since sums are taken in another order: batching is for work that nobody compares.

use super::{
    info::{Dimension, InputMismatch, ModelInfo, TensorInfo},
    tensor::{DType, Tensor, View, to_safetensors},
};

mod unlike;

/// What inputs must share to be joined, and how many rows one has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub rows: usize,
    /// Of each input, all dimensions but the first.
    rest: Vec<Vec<usize>>,
}

impl Form {
    /// Whether both can go into one run.
    pub fn joins(&self, other: &Self) -> bool {
        self.rest == other.rest
    }
}

impl ModelInfo {
    /// Whether the model says that it takes and gives any number of rows.
    ///
    /// Every first dimension is open; those of the inputs go by one name, if they have names, and that name is nothing
    /// but a number of rows.
    pub fn may_batch(&self) -> bool {
        let mut name = None;
        for input in &self.inputs {
            match rows_of(input) {
                Some(Dimension::Named(found)) => {
                    if *name.get_or_insert(found) != found {
                        return false;
                    }
                }
                Some(Dimension::Any) => {}
                Some(Dimension::Fixed(_)) | None => return false,
            }
        }
        let open = |output: &TensorInfo| {
            matches!(rows_of(output), Some(Dimension::Named(_) | Dimension::Any))
        };
        let is_rows = |dimension: &Dimension| matches!((dimension, name), (Dimension::Named(one), Some(rows)) if one == rows);
        let elsewhere = |port: &TensorInfo| {
            let shape = port.shape.as_deref().unwrap_or_default();
            shape.iter().skip(1).any(is_rows)
        };
        let mut ports = self.inputs.iter().chain(&self.outputs);
        !self.inputs.is_empty()
            && !self.outputs.is_empty()
            && self.outputs.iter().all(open)
            && !ports.any(elsewhere)
    }

    /// Checks an input as [`ModelInfo::check_input`] does, without copying it, and says what it can be joined with:
    /// nothing, if its tensors have different numbers of rows, or none.
    ///
    /// # Errors
    /// When the input does not fit the model.
    pub fn form(&self, file: &[u8], limit: u64) -> Result<Option<Form>, InputMismatch> {
        let views = self.view_input(file, limit)?;
        Ok(form_of(&views))
    }

    /// One input of several, whose forms join; none if they do not after all.
    pub fn join(&self, files: &[&[u8]]) -> Option<Vec<u8>> {
        let inputs = files
            .iter()
            .map(|file| self.view_input(file, u64::MAX).ok());
        let joined = join(&inputs.collect::<Option<Vec<_>>>()?)?;
        to_safetensors(&joined).ok()
    }
}

/// The outputs of each part of a joined run, by the rows of each; none if an output does not have a row for each row.
pub fn split(outputs: &[Tensor], rows: &[usize]) -> Option<Vec<Vec<Tensor>>> {
    let mut total: usize = 0;
    for one in rows {
        total = total.checked_add(*one)?;
    }
    let mut parts: Vec<Vec<Tensor>> = rows
        .iter()
        .map(|_| Vec::with_capacity(outputs.len()))
        .collect();
    for output in outputs {
        let (found, rest) = output.shape.split_first()?;
        if *found != total || total == 0 {
            return None;
        }
        let row = output.data.len().checked_div(total)?;
        let mut data = output.data.as_slice();
        for (part, rows) in parts.iter_mut().zip(rows) {
            let (own, others) = data.split_at_checked(row.checked_mul(*rows)?)?;
            data = others;
            part.push(Tensor {
                name: output.name.clone(),
                dtype: output.dtype,
                shape: [&[*rows], rest].concat(),
                data: own.to_vec(),
            });
        }
    }
    Some(parts)
}

/// Whether two runs gave the same but for the noise of floats.
pub fn alike(left: &[Tensor], right: &[Tensor]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(one, other)| same(one, other))
}

fn same(left: &Tensor, right: &Tensor) -> bool {
    if (left.dtype, &left.shape) != (right.dtype, &right.shape) {
        return false;
    }
    let Some(noise) = noise(left.dtype) else {
        return left.data == right.data;
    };
    let (left, right) = (left.to_f64s(), right.to_f64s());
    let finite = left.iter().filter(|value| value.is_finite());
    let largest = finite.map(|value| value.abs()).fold(0.0, f64::max);
    let close = |(one, other): (&f64, &f64)| {
        one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() <= noise * largest
    };
    left.iter().zip(&right).all(close)
}

/// What two ways to take the same sums may differ by, as a part of the largest value; none for types without noise.
fn noise(dtype: DType) -> Option<f64> {
    match dtype {
        DType::F64 | DType::F32 => Some(1e-3),
        DType::F16 | DType::BF16 => Some(2e-2),
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

fn rows_of(port: &TensorInfo) -> Option<&Dimension> {
    port.shape.as_ref()?.first()
}

fn form_of(inputs: &[View<'_>]) -> Option<Form> {
    let mut rows = None;
    let mut rest = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (found, others) = input.shape.split_first()?;
        if *rows.get_or_insert(*found) != *found {
            return None;
        }
        rest.push(others.to_vec());
    }
    let rows = rows.filter(|rows| *rows > 0)?;
    Some(Form { rows, rest })
}

fn join(inputs: &[Vec<View<'_>>]) -> Option<Vec<Tensor>> {
    let (first, others) = inputs.split_first()?;
    let mut joined: Vec<Tensor> = first.iter().map(View::to_tensor).collect();
    for input in others {
        if input.len() != joined.len() {
            return None;
        }
        for (tensor, view) in joined.iter_mut().zip(input) {
            let (rows, rest) = tensor.shape.split_first_mut()?;
            let (more, same) = view.shape.split_first()?;
            if (tensor.dtype, &*tensor.name, &*rest) != (view.dtype, &*view.name, same) {
                return None;
            }
            *rows = rows.checked_add(*more)?;
            tensor.data.extend_from_slice(view.data);
        }
    }
    Some(joined)
}

#[cfg(test)]
mod tests;
