//! A request to infer: JSON, and the bytes of binary tensors after it.

use assay_client::session::{OfferedModel, Port};
use axum::http::HeaderMap;
use bytes::Bytes;
use safetensors::Dtype;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{data, types};
use crate::api::{
    failure::{Failure, Why},
    tensors::{self, Tensor},
};

/// Header: bytes of the JSON, where more follows it.
pub const LENGTH_HEADER: &str = "inference-header-content-length";

#[derive(Debug, Deserialize)]
struct Json {
    id: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Option<Vec<Output>>,
}

#[derive(Debug, Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// An output that is asked for, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub binary: bool,
}

/// A request.
pub struct Request {
    json: Json,
    /// What comes after the JSON.
    binary: Bytes,
}

impl Request {
    /// Reads the body.
    pub fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Self, Failure> {
        let length = match headers.get(LENGTH_HEADER) {
            None => body.len(),
            Some(value) => {
                let length = value.to_str().ok().and_then(|text| text.parse().ok());
                length.filter(|length| *length <= body.len()).ok_or_else(|| {
                    Failure::invalid(format!(
                        "Inference-Header-Content-Length must be a number up to the body's {} bytes",
                        body.len()
                    ))
                })?
            }
        };
        let binary = body.slice(length..);
        let json: Json = serde_json::from_slice(&body.slice(..length)).map_err(|error| {
            Failure::invalid(format!("the request's JSON cannot be understood: {error}"))
        })?;
        for key in json.parameters.keys() {
            refuse_shared_memory(key)?;
            if key.starts_with("sequence_") {
                return Err(unsupported(
                    "sequences are not served; each request stands alone",
                ));
            }
        }
        Ok(Self { json, binary })
    }

    pub fn id(&self) -> Option<&str> {
        self.json.id.as_deref()
    }

    /// The outputs that are asked for, in order: all of the model's if none is named.
    pub fn outputs(&self, model: &OfferedModel) -> Result<Vec<Wanted>, Failure> {
        let binary = flag(&self.json.parameters, "binary_data_output")?.unwrap_or(false);
        let Some(outputs) = self
            .json
            .outputs
            .as_ref()
            .filter(|outputs| !outputs.is_empty())
        else {
            let all = model.outputs.iter().map(|port| Wanted {
                name: port.name.clone(),
                binary,
            });
            return Ok(all.collect());
        };
        let wanted = outputs.iter().map(|output| {
            for key in output.parameters.keys() {
                refuse_shared_memory(key)?;
                if key == "classification" {
                    return Err(unsupported(
                        "classification of outputs is not built; take the tensor and sort it",
                    ));
                }
            }
            if !model.outputs.iter().any(|port| port.name == output.name) {
                return Err(unknown("output", &output.name, &model.name, &model.outputs));
            }
            Ok(Wanted {
                name: output.name.clone(),
                binary: flag(&output.parameters, "binary_data")?.unwrap_or(binary),
            })
        });
        wanted.collect()
    }

    /// The model's inputs, checked against its ports.
    pub fn inputs(&self, model: &OfferedModel) -> Result<Vec<Tensor>, Failure> {
        let mut rest = self.binary.clone();
        let mut tensors: Vec<Tensor> = Vec::new();
        for input in &self.json.inputs {
            let port = model.inputs.iter().find(|port| port.name == input.name);
            let port =
                port.ok_or_else(|| unknown("input", &input.name, &model.name, &model.inputs))?;
            if tensors.iter().any(|tensor| tensor.name == input.name) {
                return Err(Failure::invalid(format!(
                    "the input {:?} is there twice",
                    input.name
                )));
            }
            tensors.push(input.tensor(port, &mut rest)?);
        }
        if !rest.is_empty() {
            return Err(Failure::invalid(format!(
                "{} bytes after the JSON belong to no input; binary_data_size of each input must say how many do",
                rest.len()
            )));
        }
        let missing = model
            .inputs
            .iter()
            .find(|port| !tensors.iter().any(|tensor| tensor.name == port.name));
        match missing {
            None => Ok(tensors),
            Some(port) => Err(Failure::invalid(format!(
                "the input {:?} is missing; the model {:?} takes {}",
                port.name,
                model.name,
                names(&model.inputs)
            ))),
        }
    }
}

impl Input {
    fn tensor(&self, port: &Port, rest: &mut Bytes) -> Result<Tensor, Failure> {
        let name = &self.name;
        for key in self.parameters.keys() {
            refuse_shared_memory(key)?;
        }
        let (dtype, width) = types::known(&self.datatype).ok_or_else(|| {
            Failure::invalid(format!(
                "input {name:?}: the datatype {:?} is not served; models here take numbers and BOOL",
                self.datatype
            ))
        })?;
        self.fits(port, dtype)?;
        let elements = self
            .shape
            .iter()
            .try_fold(1_usize, |product, size| product.checked_mul(*size));
        let bytes = elements.and_then(|elements| elements.checked_mul(width));
        let (Some(elements), Some(bytes)) = (elements, bytes) else {
            return Err(Failure::invalid(format!(
                "input {name:?}: the shape {:?} is beyond all memory",
                self.shape
            )));
        };
        let size = match self.parameters.get("binary_data_size") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                value
                    .as_u64()
                    .and_then(|size| usize::try_from(size).ok())
                    .ok_or_else(|| {
                        Failure::invalid(format!(
                            "input {name:?}: binary_data_size must be a number of bytes"
                        ))
                    })?,
            ),
        };
        let data = match (size, &self.data) {
            (Some(_), Some(_)) => {
                return Err(Failure::invalid(format!(
                    "input {name:?} has both data and binary_data_size; it must have one"
                )));
            }
            (Some(size), None) if size > rest.len() => {
                return Err(Failure::invalid(format!(
                    "input {name:?}: binary_data_size is {size}, and {} bytes are left after the JSON",
                    rest.len()
                )));
            }
            (Some(size), None) => rest.split_to(size),
            (None, Some(values)) => data::read(values, dtype, elements)
                .map_err(|reason| Failure::invalid(format!("input {name:?}: {reason}")))?,
            (None, None) => {
                return Err(Failure::invalid(format!("input {name:?} has no data")));
            }
        };
        if data.len() != bytes {
            return Err(Failure::invalid(format!(
                "input {name:?}: {} bytes were sent; {} of the shape {:?} take {bytes}",
                data.len(),
                self.datatype,
                self.shape
            )));
        }
        Ok(Tensor {
            name: name.clone(),
            dtype,
            shape: self.shape.clone(),
            data,
        })
    }

    fn fits(&self, port: &Port, dtype: Dtype) -> Result<(), Failure> {
        if tensors::dtype(&port.dtype).is_some_and(|wanted| wanted != dtype) {
            return Err(Failure::invalid(format!(
                "input {:?} is {}; the model takes {}",
                self.name,
                self.datatype,
                types::of_port(&port.dtype)
            )));
        }
        let Some(shape) = &port.shape else {
            return Ok(());
        };
        let same = |(given, wanted): (&usize, &i64)| {
            usize::try_from(*wanted).map_or(true, |wanted| wanted == *given)
        };
        if shape.len() == self.shape.len() && self.shape.iter().zip(shape).all(same) {
            return Ok(());
        }
        Err(Failure::invalid(format!(
            "input {:?} has the shape {:?}; the model takes {shape:?}",
            self.name, self.shape
        )))
    }
}

fn refuse_shared_memory(key: &str) -> Result<(), Failure> {
    if key.starts_with("shared_memory_") {
        return Err(unsupported(
            "shared memory reaches no other machine; send the tensors in the request",
        ));
    }
    Ok(())
}

fn flag(parameters: &Map<String, Value>, key: &str) -> Result<Option<bool>, Failure> {
    match parameters.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => Err(
            Failure::invalid(format!("the parameter {key} must be true or false")),
        ),
    }
}

fn unsupported(text: &str) -> Failure {
    Failure::new(Why::Unsupported, text)
}

fn unknown(what: &str, name: &str, model: &str, ports: &[Port]) -> Failure {
    Failure::invalid(format!(
        "there is no {what} {name:?} in the model {model:?}; its {what}s are {}",
        names(ports)
    ))
}

fn names(ports: &[Port]) -> String {
    let names: Vec<String> = ports
        .iter()
        .map(|port| format!("{:?}", port.name))
        .collect();
    names.join(", ")
}
