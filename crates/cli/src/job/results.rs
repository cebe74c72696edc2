//! A result, for people and as JSON.

use std::fmt;

use anyhow::{Context as _, Result};
use assay_client::delivery::{Delivery, Outcome};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::Serialize;

use crate::{onnx::Labels, plain::plain};

/// Values of a tensor that a person is shown.
const SHOWN_VALUES: usize = 10;
/// Values of a tensor that go into JSON; the file has all.
const JSON_VALUES: usize = 1_024;
/// Labels that are shown.
const TOP: usize = 3;

/// One output.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<usize>,
    /// The first values, row by row; JSON has no NaN or infinity, they are null.
    pub values: Vec<Scalar>,
    /// Whether there are more.
    pub truncated: bool,
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Scalar {
    /// For ranking; large 64-bit integers are rounded.
    fn rank(self) -> f64 {
        match self {
            Self::Bool(value) => f64::from(u8::from(value)),
            Self::Signed(value) => value as f64,
            Self::Unsigned(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&number(*value)),
        }
    }
}

/// The most probable labels of one row, the first the best.
#[derive(Debug, Serialize)]
pub struct Labelled {
    pub row: usize,
    pub labels: Vec<Label>,
}

#[derive(Debug, Serialize)]
pub struct Label {
    pub label: String,
    pub value: f64,
}

/// The outputs of a result in the model's order, and their labels.
#[derive(Debug, Serialize)]
pub struct Results {
    pub outputs: Vec<Shown>,
    pub labels: Vec<Labelled>,
}

impl Results {
    /// Reads the outputs file; a model error has none.
    pub fn read(delivery: &Delivery, file: &[u8], labels: Option<&Labels>) -> Result<Self> {
        if delivery.outcome == Outcome::ModelError {
            return Ok(Self {
                outputs: Vec::new(),
                labels: Vec::new(),
            });
        }
        let tensors =
            SafeTensors::deserialize(file).context("the outputs are no safetensors file")?;
        let mut outputs = Vec::new();
        let mut labelled = Vec::new();
        for info in &delivery.outputs {
            let tensor = tensors
                .tensor(&info.name)
                .with_context(|| format!("output {:?}", info.name))?;
            if let Some(labels) = labels.filter(|labels| labels.output == info.name) {
                labelled = top(&tensor, labels);
            }
            outputs.push(shown(&info.name, &tensor));
        }
        Ok(Self {
            outputs,
            labels: labelled,
        })
    }

    /// Lines for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.labels {
            let place = if self.labels.len() > 1 {
                format!("row {}: ", row.row)
            } else {
                String::new()
            };
            for (position, label) in row.labels.iter().enumerate() {
                let lead = if position == 0 {
                    place.clone()
                } else {
                    " ".repeat(place.len())
                };
                lines.push(format!(
                    "{lead}{:<12} {:>6.2} %",
                    label.label,
                    label.value * 100.0
                ));
            }
        }
        for output in &self.outputs {
            let values: Vec<String> = output
                .values
                .iter()
                .take(SHOWN_VALUES)
                .map(ToString::to_string)
                .collect();
            let more = if output.truncated || output.values.len() > SHOWN_VALUES {
                ", .."
            } else {
                ""
            };
            lines.push(format!(
                "{} {} {:?}: {}{more}",
                output.name,
                output.dtype,
                output.shape,
                values.join(", ")
            ));
        }
        lines
    }
}

/// Six digits after the point, or as many significant ones where that would show nothing.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-4..1e9).contains(&value.abs()) {
        let text = format!("{value:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else if value.is_finite() {
        format!("{value:.3e}")
    } else {
        value.to_string()
    }
}

fn shown(name: &str, tensor: &TensorView<'_>) -> Shown {
    let values = values(tensor, JSON_VALUES);
    let count: usize = tensor.shape().iter().product();
    Shown {
        name: plain(name),
        dtype: format!("{:?}", tensor.dtype()),
        shape: tensor.shape().to_vec(),
        truncated: values.len() < count,
        values,
    }
}

/// The best labels of every row along the last dimension.
fn top(tensor: &TensorView<'_>, labels: &Labels) -> Vec<Labelled> {
    let width = labels.labels.len();
    if width == 0 || tensor.shape().last() != Some(&width) {
        return Vec::new();
    }
    let values = values(tensor, usize::MAX);
    let rows = values.chunks_exact(width).enumerate();
    rows.map(|(row, values)| {
        let mut ranked: Vec<(&String, f64)> = labels
            .labels
            .iter()
            .zip(values.iter().map(|value| value.rank()))
            .collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        let labels = ranked.into_iter().take(TOP);
        Labelled {
            row,
            labels: labels
                .map(|(label, value)| Label {
                    label: plain(label),
                    value,
                })
                .collect(),
        }
    })
    .collect()
}

/// The first elements.
fn values(tensor: &TensorView<'_>, limit: usize) -> Vec<Scalar> {
    use Scalar::{Bool, Float, Signed, Unsigned};
    let data = tensor.data();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a verified result has no other types"
    )]
    match tensor.dtype() {
        Dtype::BOOL => each(data, limit, |[byte]: [u8; 1]| Bool(byte != 0)),
        Dtype::U8 => each(data, limit, |[byte]: [u8; 1]| Unsigned(byte.into())),
        Dtype::I8 => each(data, limit, |bytes| Signed(i8::from_le_bytes(bytes).into())),
        Dtype::U16 => each(data, limit, |bytes| {
            Unsigned(u16::from_le_bytes(bytes).into())
        }),
        Dtype::I16 => each(data, limit, |bytes| {
            Signed(i16::from_le_bytes(bytes).into())
        }),
        Dtype::U32 => each(data, limit, |bytes| {
            Unsigned(u32::from_le_bytes(bytes).into())
        }),
        Dtype::I32 => each(data, limit, |bytes| {
            Signed(i32::from_le_bytes(bytes).into())
        }),
        Dtype::U64 => each(data, limit, |bytes| Unsigned(u64::from_le_bytes(bytes))),
        Dtype::I64 => each(data, limit, |bytes| Signed(i64::from_le_bytes(bytes))),
        Dtype::F16 => each(data, limit, |bytes| {
            Float(f16::from_le_bytes(bytes).to_f64())
        }),
        Dtype::BF16 => each(data, limit, |bytes| {
            Float(bf16::from_le_bytes(bytes).to_f64())
        }),
        Dtype::F32 => each(data, limit, |bytes| Float(f32::from_le_bytes(bytes).into())),
        Dtype::F64 => each(data, limit, |bytes| Float(f64::from_le_bytes(bytes))),
        _ => Vec::new(),
    }
}

fn each<const N: usize>(
    data: &[u8],
    limit: usize,
    read: impl Fn([u8; N]) -> Scalar,
) -> Vec<Scalar> {
    let (elements, _) = data.as_chunks::<N>();
    elements
        .iter()
        .take(limit)
        .map(|bytes| read(*bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32], shape: Vec<usize>) -> (Vec<u8>, Vec<usize>) {
        (
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            shape,
        )
    }

    #[test]
    fn labels_are_ranked_row_by_row() {
        let (data, shape) = tensor(&[0.1, 0.7, 0.2, 0.5, 0.3, 0.2], vec![2, 3]);
        let view = TensorView::new(Dtype::F32, shape, &data).unwrap();
        let labels = Labels {
            output: "p".into(),
            labels: ["a", "b", "c"].map(String::from).to_vec(),
        };
        let rows = top(&view, &labels);
        let best: Vec<&str> = rows
            .iter()
            .map(|row| row.labels[0].label.as_str())
            .collect();
        assert_eq!(best, ["b", "a"]);
        let other = Labels {
            labels: vec!["a".into()],
            ..labels
        };
        assert!(top(&view, &other).is_empty());
    }

    #[test]
    fn numbers_stay_readable() {
        assert_eq!(number(0.5), "0.5");
        assert_eq!(number(3.0), "3");
        assert_eq!(number(100.0), "100");
        assert_eq!(number(1.23456e-9), "1.235e-9");
        assert_eq!(number(f64::NAN), "NaN");
    }

    #[test]
    fn every_element_type_has_values() {
        let half = f16::from_f32(1.5).to_le_bytes();
        let view = TensorView::new(Dtype::F16, vec![1], &half).unwrap();
        assert_eq!(values(&view, 9), [Scalar::Float(1.5)]);
        let integer = (-7_i64).to_le_bytes();
        let view = TensorView::new(Dtype::I64, vec![1], &integer).unwrap();
        assert_eq!(values(&view, 9), [Scalar::Signed(-7)]);
        assert_eq!(serde_json::to_string(&values(&view, 9)).unwrap(), "[-7]");
    }
}
