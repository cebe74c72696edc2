//! How a decoder is asked for its next token: by the names that Hugging Face's exports to ONNX have.
//!
//! `input_ids` and `logits` make a decoder. With `past_key_values.N.key` and `.value`, and `present.N` to match, it
//! is given one token a step, and its engine keeps what it has computed; without, the whole sequence again.

use assay_engine::{Carry, DType, Dimension, ModelInfo, Step, Tensor, TensorInfo};
use half::{bf16, f16};

/// A model that continues sequences of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    /// Whether it wants to know which tokens count: all of them.
    mask: bool,
    /// Whether it wants to know where each token stands.
    positions: bool,
    /// Whether it wants to be told that `past` is not empty.
    branch: bool,
    cache: Vec<Cache>,
    vocabulary: Option<usize>,
    room: Option<usize>,
}

/// Keys or values of one layer, as an output that becomes an input.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cache {
    past: String,
    present: String,
    dtype: DType,
    heads: usize,
    size: usize,
}

/// Outputs that are not what such a model gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model's output is not that of a decoder: {0}")]
pub struct Odd(String);

/// How long a sequence may be, where a model's metadata says so.
const ROOM: [&str; 3] = ["max_position_embeddings", "n_positions", "n_ctx"];

impl Decoder {
    /// None if the model takes anything that it could not be given, or is no decoder.
    pub fn of(info: &ModelInfo) -> Option<Self> {
        let mut decoder = Self {
            mask: false,
            positions: false,
            branch: false,
            cache: Vec::new(),
            vocabulary: None,
            room: room(info),
        };
        let mut takes_ids = false;
        for input in &info.inputs {
            match input.name.as_str() {
                "input_ids" => takes_ids = is_sequence(input),
                "attention_mask" if is_sequence(input) => decoder.mask = true,
                "position_ids" if is_sequence(input) => decoder.positions = true,
                "use_cache_branch" if is_flag(input) => decoder.branch = true,
                _ => decoder.cache.push(Cache::of(input, info)?),
            }
        }
        let logits = info.outputs.iter().find(|output| output.name == LOGITS)?;
        decoder.vocabulary = match logits.shape.as_deref() {
            None => None,
            Some([_, _, Dimension::Fixed(size)]) => Some(*size),
            Some([_, _, Dimension::Named(_) | Dimension::Any]) => None,
            Some(_) => return None,
        };
        (takes_ids && is_float(logits.dtype)).then_some(decoder)
    }

    /// How many tokens there are, if the model says so.
    pub fn vocabulary(&self) -> Option<usize> {
        self.vocabulary
    }

    /// How many tokens a sequence may have, if the model says so.
    pub fn room(&self) -> Option<usize> {
        self.room
    }

    /// What the next step is to be given, when the engine keeps what it made of the `past` first tokens.
    pub fn inputs(&self, tokens: &[u32], past: usize) -> Vec<Tensor> {
        let length = tokens.len();
        let integers = |name: &str, values: Vec<i64>| Tensor {
            name: name.into(),
            dtype: DType::I64,
            shape: vec![1, values.len()],
            data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        };
        let new = tokens.get(past..).unwrap_or_default();
        let new = new.iter().map(|token| i64::from(*token)).collect();
        let mut inputs = vec![integers("input_ids", new)];
        if self.mask {
            inputs.push(integers("attention_mask", vec![1; length]));
        }
        if self.positions {
            let position = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
            inputs.push(integers(
                "position_ids",
                (past..length).map(position).collect(),
            ));
        }
        if self.branch {
            inputs.push(Tensor {
                name: "use_cache_branch".into(),
                dtype: DType::Bool,
                shape: vec![1],
                data: vec![u8::from(past > 0)],
            });
        }
        if past == 0 {
            inputs.extend(self.cache.iter().map(Cache::empty));
        }
        inputs
    }

    /// How a step that leaves so many tokens is run where the engine keeps what it makes of them; `goes_on` if it kept
    /// what was made of those before.
    pub fn step(&self, length: usize, goes_on: bool) -> Step {
        Step {
            goes_on,
            carries: self.cache.iter().map(|cache| cache.carry(length)).collect(),
            last: vec![LOGITS.to_owned()],
        }
    }

    /// Bytes that are kept of so many tokens, all layers together; none if it keeps nothing between steps.
    pub fn kept_bytes(&self, length: usize) -> Option<u64> {
        let bytes = |cache: &Cache| {
            let shape = cache.shape(length);
            let count = shape
                .iter()
                .try_fold(cache.dtype.size(), |bytes, side| bytes.checked_mul(*side));
            count
                .and_then(|bytes| u64::try_from(bytes).ok())
                .unwrap_or(u64::MAX)
        };
        let each = self.cache.iter().map(bytes);
        each.reduce(u64::saturating_add)
    }

    /// The logits for the token after a sequence, of what a step gave.
    ///
    /// # Errors
    /// [`Odd`]
    pub fn logits(outputs: &[Tensor]) -> Result<Vec<f32>, Odd> {
        let logits = outputs.iter().find(|output| output.name == LOGITS);
        last_row(logits.ok_or_else(|| Odd(format!("it has no `{LOGITS}`")))?)
    }
}

const LOGITS: &str = "logits";

impl Cache {
    fn of(input: &TensorInfo, info: &ModelInfo) -> Option<Self> {
        let layer = input.name.strip_prefix("past_key_values.")?;
        let present = format!("present.{layer}");
        let output = info.outputs.iter().find(|output| output.name == present)?;
        let is_kept = is_float(input.dtype) && output.dtype == input.dtype;
        let [rows, heads, length, size] = input.shape.as_deref()? else {
            return None;
        };
        let (Dimension::Fixed(heads), Dimension::Fixed(size)) = (heads, size) else {
            return None;
        };
        (is_kept && is_one(rows) && is_open(length)).then(|| Self {
            past: input.name.clone(),
            present,
            dtype: input.dtype,
            heads: *heads,
            size: *size,
        })
    }

    fn empty(&self) -> Tensor {
        Tensor {
            name: self.past.clone(),
            dtype: self.dtype,
            shape: self.shape(0),
            data: Vec::new(),
        }
    }

    fn carry(&self, length: usize) -> Carry {
        Carry {
            output: self.present.clone(),
            input: self.past.clone(),
            shape: self.shape(length),
        }
    }

    fn shape(&self, length: usize) -> Vec<usize> {
        vec![1, self.heads, length, self.size]
    }
}

fn room(info: &ModelInfo) -> Option<usize> {
    let said = ROOM.iter().filter_map(|key| info.metadata.get(*key));
    said.filter_map(|text| text.trim().parse().ok()).min()
}

/// A row of integers of any length.
fn is_sequence(input: &TensorInfo) -> bool {
    let fits = match input.shape.as_deref() {
        Some([rows, length]) => is_one(rows) && is_open(length),
        Some(_) => false,
        None => true,
    };
    fits && input.dtype == DType::I64
}

fn is_flag(input: &TensorInfo) -> bool {
    let fits = match input.shape.as_deref() {
        Some([one]) => is_one(one),
        Some(_) => false,
        None => true,
    };
    fits && input.dtype == DType::Bool
}

/// Whether one row may be given.
fn is_one(dimension: &Dimension) -> bool {
    is_open(dimension) || *dimension == Dimension::Fixed(1)
}

fn is_open(dimension: &Dimension) -> bool {
    matches!(dimension, Dimension::Named(_) | Dimension::Any)
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F16 | DType::BF16)
}

/// The logits after the last token. Some models give no others.
fn last_row(logits: &Tensor) -> Result<Vec<f32>, Odd> {
    let odd = || {
        let shape = &logits.shape;
        Odd(format!(
            "`{LOGITS}` has shape {shape:?}, not [1, tokens, vocabulary]"
        ))
    };
    let [1, _, vocabulary] = *logits.shape.as_slice() else {
        return Err(odd());
    };
    let size = vocabulary
        .checked_mul(logits.dtype.size())
        .ok_or_else(odd)?;
    let start = logits.data.len().checked_sub(size).ok_or_else(odd)?;
    let row = logits.data.get(start..).ok_or_else(odd)?;
    floats(logits.dtype, row).ok_or_else(|| Odd(format!("`{LOGITS}` are no floats")))
}

fn floats(dtype: DType, data: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (elements, _) = data.as_chunks::<N>();
        elements.iter().map(|bytes| number(*bytes)).collect()
    }
    match dtype {
        DType::F32 => Some(each(data, f32::from_le_bytes)),
        DType::F16 => Some(each(data, |bytes| f16::from_le_bytes(bytes).to_f32())),
        DType::BF16 => Some(each(data, |bytes| bf16::from_le_bytes(bytes).to_f32())),
        DType::Bool
        | DType::U8
        | DType::I8
        | DType::U16
        | DType::I16
        | DType::U32
        | DType::I32
        | DType::U64
        | DType::I64
        | DType::F64 => None,
    }
}

#[cfg(test)]
mod tests;
