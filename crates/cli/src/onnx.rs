//! What this tool needs to know of an ONNX file: its inputs, its outputs and its metadata. It never runs one.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use assay_client::{outputs::digest, protocol::Digest};
use prost::Message;
use safetensors::Dtype;
use serde::Deserialize;

/// Metadata key: how an image becomes an input; a JSON [`ImageInput`].
const IMAGE_KEY: &str = "assay.input.image";
/// Metadata key: what the positions of an output mean; a JSON [`Labels`].
const LABELS_KEY: &str = "assay.output.labels";

/// An ONNX file, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Model {
    pub digest: Digest,
    pub size: u64,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub image: Option<ImageInput>,
    pub labels: Option<Labels>,
}

/// One input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    /// None for strings, sequences and other types that the market does not carry.
    pub dtype: Option<Dtype>,
    /// None for a dimension of any size; no list at all for a tensor of any rank.
    pub shape: Option<Vec<Option<u64>>>,
}

/// How an image becomes the tensor of an input: `value = (invert ? 255 - byte : byte) * scale + offset`, in f64.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ImageInput {
    pub input: String,
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    pub layout: Layout,
    #[serde(default)]
    pub invert: bool,
    #[serde(default = "one")]
    pub scale: f64,
    #[serde(default)]
    pub offset: f64,
}

fn one() -> f64 {
    1.0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    Gray,
    Rgb,
}

/// Order of the dimensions, the batch first; `flat` is one row of height, width, channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Layout {
    #[serde(rename = "NCHW")]
    Nchw,
    #[serde(rename = "NHWC")]
    Nhwc,
    #[serde(rename = "NHW")]
    Nhw,
    #[serde(rename = "flat")]
    Flat,
}

/// Names of the positions along an output's last dimension.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Labels {
    pub output: String,
    pub labels: Vec<String>,
}

impl Model {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = fs::read(path)
            .with_context(|| format!("cannot read the model {}; check the path", path.display()))?;
        Self::read(&bytes).with_context(|| format!("{} is not usable", path.display()))
    }

    /// Reads a file's bytes.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let proto = ModelProto::decode(bytes).context("the file is no ONNX model")?;
        let graph = proto
            .graph
            .context("the file is no ONNX model: it has no graph")?;
        let constants: BTreeSet<&str> = graph
            .initializer
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        // Old files list their weights among the inputs.
        let inputs = graph
            .input
            .iter()
            .filter(|input| !constants.contains(input.name.as_str()));
        let model = Self {
            digest: digest(bytes),
            size: u64::try_from(bytes.len())?,
            inputs: inputs.map(Port::of).collect(),
            outputs: graph.output.iter().map(Port::of).collect(),
            image: metadata(&proto.metadata_props, IMAGE_KEY)?,
            labels: metadata(&proto.metadata_props, LABELS_KEY)?,
        };
        if model.outputs.is_empty() {
            bail!("the file is no ONNX model: it has no outputs");
        }
        Ok(model)
    }
}

fn metadata<T: serde::de::DeserializeOwned>(props: &[Property], key: &str) -> Result<Option<T>> {
    props
        .iter()
        .find(|property| property.key == key)
        .map(|property| serde_json::from_str(&property.value))
        .transpose()
        .with_context(|| format!("the model's metadata {key} is not as docs/models.md says"))
}

impl Port {
    fn of(info: &ValueInfo) -> Self {
        let tensor = info
            .r#type
            .as_ref()
            .and_then(|kind| kind.tensor_type.as_ref());
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        Self {
            name: info.name.clone(),
            dtype: tensor.and_then(|tensor| dtype(tensor.elem_type)),
            shape: shape.map(|shape| shape.dim.iter().map(Dimension::size).collect()),
        }
    }

    /// Type and shape for people: `F32 [batch?, 10]` with `?` for any size.
    pub fn describe(&self) -> String {
        let dtype = self.dtype.map_or_else(
            || "unsupported type".to_owned(),
            |dtype| format!("{dtype:?}"),
        );
        let Some(shape) = &self.shape else {
            return format!("{dtype} of any shape");
        };
        let dims: Vec<String> = shape
            .iter()
            .map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string()))
            .collect();
        format!("{dtype} [{}]", dims.join(", "))
    }

    /// Whether a tensor of this shape fits.
    pub fn fits(&self, shape: &[usize]) -> bool {
        self.shape.as_ref().is_none_or(|dims| {
            dims.len() == shape.len()
                && dims.iter().zip(shape).all(|(dim, size)| {
                    dim.is_none_or(|dim| usize::try_from(dim).is_ok_and(|dim| dim == *size))
                })
        })
    }
}

/// Numbers of ONNX's `TensorProto.DataType`.
fn dtype(number: i32) -> Option<Dtype> {
    Some(match number {
        1 => Dtype::F32,
        2 => Dtype::U8,
        3 => Dtype::I8,
        4 => Dtype::U16,
        5 => Dtype::I16,
        6 => Dtype::I32,
        7 => Dtype::I64,
        9 => Dtype::BOOL,
        10 => Dtype::F16,
        11 => Dtype::F64,
        12 => Dtype::U32,
        13 => Dtype::U64,
        16 => Dtype::BF16,
        _ => return None,
    })
}

// The parts of ONNX's protobuf schema that are read; everything else is skipped.

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Property>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Named>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    param: Option<String>,
}

impl Dimension {
    /// A negative size is an old way to say "any".
    fn size(&self) -> Option<u64> {
        self.value.and_then(|value| u64::try_from(value).ok())
    }
}

#[derive(Clone, PartialEq, Message)]
struct Property {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_model_says_what_it_wants() {
        let model = Model::read(include_bytes!("../../../models/digits.onnx")).unwrap();
        let [input] = model.inputs.as_slice() else {
            panic!("{:?}", model.inputs)
        };
        assert_eq!(
            (input.name.as_str(), input.dtype),
            ("image", Some(Dtype::F32))
        );
        assert_eq!(input.describe(), "F32 [?, 1, 8, 8]");
        assert!(input.fits(&[1, 1, 8, 8]) && input.fits(&[5, 1, 8, 8]));
        assert!(!input.fits(&[1, 8, 8]) && !input.fits(&[1, 1, 8, 9]));
        let names: Vec<&str> = model
            .outputs
            .iter()
            .map(|output| output.name.as_str())
            .collect();
        assert_eq!(names, ["probabilities", "label"]);
        let image = model.image.unwrap();
        assert_eq!(
            (image.width, image.channels, image.layout),
            (8, Channels::Gray, Layout::Nchw)
        );
        assert_eq!(model.labels.unwrap().labels.len(), 10);
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [&b""[..], b"not a model", &[0xff; 64]] {
            assert!(Model::read(bytes).is_err());
        }
    }
}
