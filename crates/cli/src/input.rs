//! From files of a requester to the safetensors file that a job's input is.

mod image;
mod npy;

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, Result, bail};
use assay_client::{outputs::digest, protocol::Digest};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::onnx::{Model, Port};

/// One `--input`: a file, and for `.npy` and images the input that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    pub name: Option<String>,
    pub path: PathBuf,
}

impl FromStr for InputFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A file whose own name contains '=' wins.
        Ok(match text.split_once('=') {
            Some((name, path)) if !Path::new(text).exists() => Self {
                name: Some(name.to_owned()),
                path: path.into(),
            },
            _ => Self {
                name: None,
                path: text.into(),
            },
        })
    }
}

/// One named tensor, row-major and little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

/// A job's input, ready to be handed over.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub bytes: Vec<u8>,
    pub digest: Digest,
    /// What was done to the files, for people.
    pub notes: Vec<String>,
}

/// Builds the input from the files and checks it against the model, where the model's file is at hand.
pub fn prepare(files: &[InputFile], model: Option<&Model>) -> Result<Prepared> {
    let mut notes = Vec::new();
    let bytes = match files {
        [] => bail!("no input was given; use --input FILE"),
        [only] if extension(&only.path) == "safetensors" => read(&only.path)?,
        many => {
            let tensors: Vec<Tensor> = many
                .iter()
                .map(|file| convert(file, model, &mut notes))
                .collect::<Result<_>>()?;
            pack(&tensors)?
        }
    };
    if let Some(model) = model {
        check(&bytes, model)?;
    }
    Ok(Prepared {
        digest: digest(&bytes),
        bytes,
        notes,
    })
}

fn convert(file: &InputFile, model: Option<&Model>, notes: &mut Vec<String>) -> Result<Tensor> {
    let path = &file.path;
    match extension(path).as_str() {
        "npy" => {
            let array = npy::parse(&read(path)?)
                .with_context(|| format!("{} is not usable", path.display()))?;
            let name = input_name(file, model)?;
            let port = model.and_then(|model| port(model, &name));
            let shape = batched(&array.shape, port);
            if shape != array.shape {
                notes.push(format!(
                    "{}: shape {:?} taken as {shape:?}",
                    path.display(),
                    array.shape
                ));
            }
            Ok(Tensor {
                name,
                shape,
                dtype: array.dtype,
                data: array.data,
            })
        }
        "png" | "jpg" | "jpeg" => {
            let Some(how) = model.and_then(|model| model.image.as_ref()) else {
                bail!(
                    "{} is an image, and {}; give the tensor as .safetensors or .npy",
                    path.display(),
                    if model.is_some() {
                        "the model's metadata does not say how an image becomes its input (assay.input.image)"
                    } else {
                        "the model's file, whose metadata says how an image becomes its input, is not here \
                         (--model FILE.onnx, or --model-file)"
                    }
                );
            };
            if file.name.as_ref().is_some_and(|name| *name != how.input) {
                bail!("the model takes images for its input {:?} only", how.input);
            }
            image::tensor(&read(path)?, how, notes)
                .with_context(|| format!("{} is not usable", path.display()))
        }
        "safetensors" => bail!(
            "{} is a whole input; give it alone, or every tensor as NAME=FILE.npy",
            path.display()
        ),
        other => bail!(
            "{} has the extension {other:?}; inputs are .safetensors, .npy, .png or .jpg",
            path.display()
        ),
    }
}

fn input_name(file: &InputFile, model: Option<&Model>) -> Result<String> {
    if let Some(name) = &file.name {
        return Ok(name.clone());
    }
    match model.map(|model| model.inputs.as_slice()) {
        Some([only]) => Ok(only.name.clone()),
        Some(several) => {
            let names: Vec<&str> = several.iter().map(|input| input.name.as_str()).collect();
            bail!(
                "the model has the inputs {}; say which one with --input NAME=FILE",
                names.join(", ")
            )
        }
        None => bail!(
            "the name of the input is not known without the model's file; use --input NAME={}",
            file.path.display()
        ),
    }
}

/// Adds leading dimensions of one, where the model has more and they can only be one.
fn batched(shape: &[usize], port: Option<&Port>) -> Vec<usize> {
    let Some(dims) = port.and_then(|port| port.shape.as_ref()) else {
        return shape.to_vec();
    };
    let missing = dims.len().saturating_sub(shape.len());
    let ones = dims
        .iter()
        .take(missing)
        .all(|dim| dim.is_none_or(|dim| dim == 1));
    if missing > 0 && ones {
        [vec![1; missing], shape.to_vec()].concat()
    } else {
        shape.to_vec()
    }
}

/// Names, element types and shapes against the model's inputs: a worker refuses what does not fit.
fn check(bytes: &[u8], model: &Model) -> Result<()> {
    let tensors = SafeTensors::deserialize(bytes).context("the input is no safetensors file")?;
    for port in &model.inputs {
        let Ok(tensor) = tensors.tensor(&port.name) else {
            bail!(
                "the input lacks the tensor {:?} ({})",
                port.name,
                port.describe()
            );
        };
        if port.dtype != Some(tensor.dtype()) || !port.fits(tensor.shape()) {
            bail!(
                "the tensor {:?} is {:?} {:?}, the model wants {}",
                port.name,
                tensor.dtype(),
                tensor.shape(),
                port.describe()
            );
        }
    }
    match tensors
        .names()
        .iter()
        .find(|name| port(model, name).is_none())
    {
        Some(extra) => bail!("the model has no input {extra:?}; remove that tensor"),
        None => Ok(()),
    }
}

fn port<'a>(model: &'a Model, name: &str) -> Option<&'a Port> {
    model.inputs.iter().find(|input| input.name == name)
}

fn pack(tensors: &[Tensor]) -> Result<Vec<u8>> {
    let views = tensors
        .iter()
        .map(|tensor| {
            TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data)
                .map(|view| (tensor.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(safetensors::serialize(views, None)?)
}

fn extension(path: &Path) -> String {
    path.extension()
        .and_then(|text| text.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path)
        .with_context(|| format!("cannot read the input {}; check the path", path.display()))
}

#[cfg(test)]
mod tests;
