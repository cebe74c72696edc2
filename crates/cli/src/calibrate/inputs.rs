//! What a model is measured on: files, or numbers drawn for the shapes that it takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use assay_engine::{DType, Dimension, ModelInfo, Outcome, Tensor, TensorInfo, to_safetensors};
use half::{bf16, f16};

use super::random::Random;
use crate::{
    input::{self, InputFile},
    onnx,
};

/// The size of an unknown dimension that is no batch.
const DEFAULT_SIZE: usize = 8;
/// Upper bounds of generated integers, tried in this order: models that look values up in a table fail on those
/// beyond its end.
pub const BOUNDS: [u64; 6] = [30_000, 1_000, 100, 10, 4, 2];

/// One input, in the model's order of tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub tensors: Vec<Tensor>,
}

impl Sample {
    pub fn file(&self) -> Result<Vec<u8>> {
        to_safetensors(&self.tensors)
            .with_context(|| format!("the input {} cannot be written", self.name))
    }
}

/// Reads files and folders of files, as `assay job run --input` would.
pub fn read(paths: &[PathBuf], model: &onnx::Model, info: &ModelInfo) -> Result<Vec<Sample>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    let mut samples = Vec::new();
    for path in files {
        let file = InputFile {
            name: None,
            path: path.clone(),
        };
        let prepared = input::prepare(&[file], Some(model))?;
        let tensors = info
            .check_input(&prepared.bytes, u64::MAX)
            .with_context(|| format!("{} is no input of this model", path.display()))?;
        let name = path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        samples.push(Sample { name, tensors });
    }
    if samples.len() < 2 {
        bail!(
            "calibration needs at least two inputs and found {}; give more with --inputs, or none to generate them",
            samples.len()
        );
    }
    Ok(samples)
}

fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read the folder {}", path.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(unreadable)? {
        let file = entry.with_context(unreadable)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "safetensors")
        {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("{} holds no .safetensors files", path.display());
    }
    files.sort();
    Ok(files)
}

/// Draws `count` inputs: floats are standard normal (or what a model's metadata makes of random pixels), integers lie
/// in [0, bound), unknown dimensions are 1 where they are a batch and 8 where they are not, unless `sizes` says else.
pub fn generate(
    info: &ModelInfo,
    model: &onnx::Model,
    count: usize,
    bound: u64,
    sizes: &[(String, usize)],
) -> Result<Vec<Sample>> {
    let mut random = Random::new(2_026);
    (0..count)
        .map(|position| {
            let tensors = info
                .inputs
                .iter()
                .map(|input| tensor(input, model, bound, sizes, &mut random))
                .collect::<Result<_>>()?;
            let name = format!("generated {position}");
            Ok(Sample { name, tensors })
        })
        .collect()
}

fn tensor(
    input: &TensorInfo,
    model: &onnx::Model,
    bound: u64,
    sizes: &[(String, usize)],
    random: &mut Random,
) -> Result<Tensor> {
    let Some(shape) = &input.shape else {
        bail!(
            "input `{}` may have any number of dimensions, so none can be generated; give files with --inputs",
            input.name
        );
    };
    let size = |(axis, dimension): (usize, &Dimension)| match dimension {
        Dimension::Fixed(size) => *size,
        Dimension::Named(name) => {
            let given = sizes.iter().find(|(given, _)| given == name);
            given.map_or(
                if batch_name(name) { 1 } else { DEFAULT_SIZE },
                |(_, size)| *size,
            )
        }
        Dimension::Any if axis == 0 => 1,
        Dimension::Any => DEFAULT_SIZE,
    };
    let shape: Vec<usize> = shape.iter().enumerate().map(size).collect();
    let elements: usize = shape.iter().product();
    let image = model
        .image
        .as_ref()
        .filter(|image| image.input == input.name);
    let float = |random: &mut Random| match image {
        Some(image) => random.below(256) as f64 * image.scale + image.offset,
        None => random.normal(),
    };
    let mut data = Vec::with_capacity(elements.saturating_mul(input.dtype.size()));
    for _ in 0..elements {
        match input.dtype {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "rounds to the type of the input"
            )]
            DType::F32 => data.extend((float(random) as f32).to_le_bytes()),
            DType::F64 => data.extend(float(random).to_le_bytes()),
            DType::F16 => data.extend(f16::from_f64(float(random)).to_le_bytes()),
            DType::BF16 => data.extend(bf16::from_f64(float(random)).to_le_bytes()),
            DType::Bool => data.push(u8::from(random.below(2) == 1)),
            DType::U8 | DType::I8 => {
                data.push(u8::try_from(random.below(bound.min(128))).unwrap_or(0))
            }
            DType::U16 | DType::I16 => {
                data.extend(
                    u16::try_from(random.below(bound))
                        .unwrap_or(0)
                        .to_le_bytes(),
                );
            }
            DType::U32 | DType::I32 => {
                data.extend(
                    u32::try_from(random.below(bound))
                        .unwrap_or(0)
                        .to_le_bytes(),
                );
            }
            DType::U64 | DType::I64 => data.extend(random.below(bound).to_le_bytes()),
        }
    }
    Ok(Tensor {
        name: input.name.clone(),
        dtype: input.dtype,
        shape,
        data,
    })
}

/// Whether a dimension's name says that its entries have nothing to do with each other.
pub fn batch_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("batch") || ["n", "b", "bs"].contains(&name.as_str())
}

/// Why an input is of no use: the model fails on it.
pub fn failure(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Outputs(_) => None,
        Outcome::Failed(failure) => Some(&failure.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(dtype: DType, shape: Vec<Dimension>) -> ModelInfo {
        ModelInfo {
            inputs: vec![TensorInfo {
                name: "x".into(),
                dtype,
                shape: Some(shape),
            }],
            outputs: Vec::new(),
            metadata: std::collections::BTreeMap::new(),
        }
    }

    fn plain() -> onnx::Model {
        let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/digits.onnx");
        onnx::Model::open(digits.as_ref()).unwrap()
    }

    #[test]
    fn generated_inputs_fit_and_repeat() {
        let shape = vec![
            Dimension::Named("batch".into()),
            Dimension::Named("time".into()),
            Dimension::Fixed(3),
            Dimension::Any,
        ];
        let info = info(DType::I32, shape);
        let make = || generate(&info, &plain(), 3, 10, &[("time".into(), 5)]).unwrap();
        let samples = make();
        assert_eq!(samples, make());
        assert_ne!(samples[0].tensors[0].data, samples[1].tensors[0].data);
        for sample in &samples {
            assert_eq!(sample.tensors[0].shape, [1, 5, 3, 8]);
            let (numbers, _) = sample.tensors[0].data.as_chunks::<4>();
            assert!(
                numbers
                    .iter()
                    .all(|number| u32::from_le_bytes(*number) < 10)
            );
            let file = sample.file().unwrap();
            assert_eq!(info.check_input(&file, u64::MAX).unwrap(), sample.tensors);
        }
    }

    #[test]
    fn batch_is_told_from_other_dimensions() {
        assert!(
            ["batch", "Batch_size", "N", "b"]
                .iter()
                .all(|name| batch_name(name))
        );
        assert!(
            !["time", "channels", "seq"]
                .iter()
                .any(|name| batch_name(name))
        );
    }
}
