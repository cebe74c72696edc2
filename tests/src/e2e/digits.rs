//! Real handwritten digits, and what the model says of them.

use std::fs;

use anyhow::{Context as _, Result};
use safetensors::SafeTensors;

use super::root;

/// Pixels a side.
pub const SIDE: usize = 8;

/// A held-out picture and the digit that it is.
#[derive(Clone, Debug)]
pub struct Sample {
    pub digit: u8,
    /// The safetensors file.
    pub input: Vec<u8>,
}

/// What the model says of a picture.
#[derive(Clone, Debug)]
pub struct Prediction {
    pub label: i64,
    pub probabilities: Vec<f32>,
}

impl Sample {
    /// One of `models/digits`, named by its digit.
    pub fn new(digit: u8) -> Result<Self> {
        let path = root().join(format!("models/digits/sample-{digit}.safetensors"));
        let input = fs::read(&path).with_context(|| format!("{} is missing", path.display()))?;
        Ok(Self { digit, input })
    }

    /// Brightness of every pixel, row by row, from 0 to 1.
    pub fn pixels(&self) -> Result<Vec<f32>> {
        floats(&self.input, "image")
    }
}

impl Prediction {
    /// Reads the outputs of the digit classifier.
    pub fn read(outputs: &[u8]) -> Result<Self> {
        let tensors = SafeTensors::deserialize(outputs)?;
        let label = tensors.tensor("label")?;
        let label = label.data().first_chunk().context("the label is empty")?;
        Ok(Self {
            label: i64::from_le_bytes(*label),
            probabilities: floats(outputs, "probabilities")?,
        })
    }

    /// Probability of the label.
    pub fn confidence(&self) -> f32 {
        let place = usize::try_from(self.label).ok();
        place
            .and_then(|place| self.probabilities.get(place))
            .copied()
            .unwrap_or(f32::NAN)
    }
}

/// The numbers of an f32 tensor.
pub fn floats(file: &[u8], name: &str) -> Result<Vec<f32>> {
    let tensors = SafeTensors::deserialize(file)?;
    let tensor = tensors.tensor(name)?;
    let (words, _) = tensor.data().as_chunks::<4>();
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

/// A safetensors file of f32 tensors, for inputs that no picture gives.
pub fn file(tensors: &[(&str, safetensors::Dtype, Vec<usize>, Vec<u8>)]) -> Result<Vec<u8>> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| {
            let view = safetensors::tensor::TensorView::new(*dtype, shape.clone(), data)?;
            Ok((*name, view))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, None)?)
}
