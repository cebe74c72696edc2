//! Models as a cheat would run them: weights rounded or replaced, a layer left out.

use anyhow::{Result, bail};
use half::{bf16, f16};

use super::{
    random::Random,
    wire::{Field, Message, Value},
};

/// Field numbers of onnx.proto.
const MODEL_GRAPH: u32 = 7;
const GRAPH_NODE: u32 = 1;
const GRAPH_INITIALIZER: u32 = 5;
const NODE_INPUT: u32 = 1;
const NODE_OUTPUT: u32 = 2;
const NODE_TYPE: u32 = 4;
const NODE_ATTRIBUTE: u32 = 5;
const NODE_DOMAIN: u32 = 7;
const ATTRIBUTE_TENSOR: u32 = 5;
const ATTRIBUTE_GRAPH: u32 = 6;
const TENSOR_DIMS: u32 = 1;
const TENSOR_TYPE: u32 = 2;
const TENSOR_FLOATS: u32 = 4;
const TENSOR_INTEGERS: u32 = 5;
const TENSOR_NAME: u32 = 8;
const TENSOR_RAW: u32 = 9;
const TENSOR_DOUBLES: u32 = 10;

/// Graphs in graphs, at most: what is deeper is left as it is.
const DEPTH: usize = 8;

/// What is done to each tensor of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// 255 levels, the same step for the whole tensor, zero exact.
    Int8,
    Fp16,
    Bf16,
    /// The same numbers in another order.
    Permuted,
    /// Each times 1 + a hundredth of a standard normal number.
    Perturbed,
}

impl Weights {
    fn apply(self, values: &mut [f64], random: &mut Random) {
        match self {
            Self::Int8 => {
                let largest = values
                    .iter()
                    .fold(0.0_f64, |most, value| most.max(value.abs()));
                let step = largest / 127.0;
                if step > 0.0 && step.is_finite() {
                    for value in values {
                        *value = (*value / step).round_ties_even() * step;
                    }
                }
            }
            Self::Fp16 => {
                for value in values {
                    // A cheat would rather saturate than answer NaN.
                    let most = f16::MAX.to_f64();
                    *value = f16::from_f64(value.clamp(-most, most)).to_f64();
                }
            }
            Self::Bf16 => {
                for value in values {
                    *value = bf16::from_f64(*value).to_f64();
                }
            }
            Self::Permuted => random.shuffle(values),
            Self::Perturbed => {
                for value in values {
                    *value *= 1.0 + 0.01 * random.normal();
                }
            }
        }
    }
}

/// A model with other weights, and how many numbers were among them.
pub struct Forged {
    pub model: Vec<u8>,
    pub weights: usize,
}

/// Changes every float tensor with two or more dimensions that the file holds; biases and scales are left alone, as
/// those who compress models leave them. A model without such tensors has all its float tensors changed.
pub fn weights(model: &[u8], how: Weights, random: &mut Random) -> Result<Forged> {
    for least_rank in [2, 0] {
        let mut message = Message::read(model)?;
        let mut count = 0_usize;
        message.each(MODEL_GRAPH, |graph| {
            graph_weights(graph, DEPTH, &mut |tensor| {
                if tensor.integers(TENSOR_DIMS)?.len() < least_rank {
                    return Ok(());
                }
                if let Some(mut floats) = Floats::read(tensor)? {
                    how.apply(&mut floats.values, random);
                    count = count.saturating_add(floats.values.len());
                    floats.write(tensor);
                }
                Ok(())
            })
        })?;
        if count > 0 {
            let model = message.write();
            return Ok(Forged {
                model,
                weights: count,
            });
        }
    }
    Ok(Forged {
        model: model.to_vec(),
        weights: 0,
    })
}

fn graph_weights(
    graph: &mut Message,
    depth: usize,
    edit: &mut dyn FnMut(&mut Message) -> Result<()>,
) -> Result<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(());
    };
    graph.each(GRAPH_INITIALIZER, &mut *edit)?;
    graph.each(GRAPH_NODE, |node| {
        let constant = node.texts(NODE_TYPE) == ["Constant"];
        node.each(NODE_ATTRIBUTE, |attribute| {
            if constant {
                attribute.each(ATTRIBUTE_TENSOR, &mut *edit)?;
            }
            attribute.each(ATTRIBUTE_GRAPH, |inner| {
                graph_weights(inner, depth, &mut *edit)
            })
        })
    })
}

/// The numbers of a float tensor.
struct Floats {
    kind: Kind,
    values: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Kind {
    F32,
    F16,
    F64,
    Bf16,
}

impl Floats {
    /// None for tensors of other types.
    fn read(tensor: &Message) -> Result<Option<Self>> {
        let kind = match tensor.integers(TENSOR_TYPE)?.last() {
            Some(1) => Kind::F32,
            Some(10) => Kind::F16,
            Some(11) => Kind::F64,
            Some(16) => Kind::Bf16,
            Some(_) | None => return Ok(None),
        };
        let raw: Vec<u8> = tensor.bytes(TENSOR_RAW).flatten().copied().collect();
        let values = if raw.is_empty() {
            typed(tensor, kind)?
        } else {
            match kind {
                Kind::F32 => numbers(&raw, |bytes| f64::from(f32::from_le_bytes(bytes)))?,
                Kind::F16 => numbers(&raw, |bytes| f16::from_le_bytes(bytes).to_f64())?,
                Kind::Bf16 => numbers(&raw, |bytes| bf16::from_le_bytes(bytes).to_f64())?,
                Kind::F64 => numbers(&raw, f64::from_le_bytes)?,
            }
        };
        Ok(Some(Self { kind, values }))
    }

    fn write(&self, tensor: &mut Message) {
        let mut raw = Vec::new();
        for value in &self.values {
            match self.kind {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "rounds to the nearest f32, which is what the tensor holds"
                )]
                Kind::F32 => raw.extend_from_slice(&(*value as f32).to_le_bytes()),
                Kind::F16 => raw.extend_from_slice(&f16::from_f64(*value).to_le_bytes()),
                Kind::Bf16 => raw.extend_from_slice(&bf16::from_f64(*value).to_le_bytes()),
                Kind::F64 => raw.extend_from_slice(&value.to_le_bytes()),
            }
        }
        for typed in [TENSOR_FLOATS, TENSOR_INTEGERS, TENSOR_DOUBLES, TENSOR_RAW] {
            tensor.remove(typed);
        }
        tensor.push(TENSOR_RAW, raw);
    }
}

/// Values that are not in `raw_data` but in the field of their type.
fn typed(tensor: &Message, kind: Kind) -> Result<Vec<f64>> {
    let half = |to: fn(u16) -> f64| -> Result<Vec<f64>> {
        let bits = tensor.integers(TENSOR_INTEGERS)?;
        bits.into_iter()
            .map(|bits| Ok(to(u16::try_from(bits)?)))
            .collect()
    };
    match kind {
        Kind::F16 => half(|bits| f16::from_bits(bits).to_f64()),
        Kind::Bf16 => half(|bits| bf16::from_bits(bits).to_f64()),
        Kind::F32 => {
            let mut values = Vec::new();
            for value in tensor.all(TENSOR_FLOATS) {
                match value {
                    Value::Fixed32(bytes) => values.push(f32::from_le_bytes(*bytes).into()),
                    Value::Bytes(packed) => {
                        values.extend(numbers(packed, |bytes| {
                            f64::from(f32::from_le_bytes(bytes))
                        })?);
                    }
                    Value::Varint(_) | Value::Fixed64(_) => bail!("a tensor is malformed"),
                }
            }
            Ok(values)
        }
        Kind::F64 => {
            let mut values = Vec::new();
            for value in tensor.all(TENSOR_DOUBLES) {
                match value {
                    Value::Fixed64(bytes) => values.push(f64::from_le_bytes(*bytes)),
                    Value::Bytes(packed) => values.extend(numbers(packed, f64::from_le_bytes)?),
                    Value::Varint(_) | Value::Fixed32(_) => bail!("a tensor is malformed"),
                }
            }
            Ok(values)
        }
    }
}

fn numbers<const N: usize>(bytes: &[u8], to: impl Fn([u8; N]) -> f64) -> Result<Vec<f64>> {
    let (elements, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        bail!("a tensor's data does not have the length that its type says");
    }
    Ok(elements.iter().map(|element| to(*element)).collect())
}

/// A model that lacks one node.
pub struct Shortened {
    pub model: Vec<u8>,
    /// The node's operator and its output.
    pub node: String,
}

/// The model without one of its nodes, for up to `limit` nodes spread over the graph. What the node would have been
/// given becomes its result, which only some of these models survive: loading and running them tells.
pub fn shortened(model: &[u8], limit: usize) -> Result<Vec<Shortened>> {
    let message = Message::read(model)?;
    let Some(graph) = message.bytes(MODEL_GRAPH).next() else {
        bail!("the file is no ONNX model: it has no graph");
    };
    let graph = Message::read(graph)?;
    let mut constants = Vec::new();
    for tensor in graph.bytes(GRAPH_INITIALIZER) {
        constants.extend(Message::read(tensor)?.texts(TENSOR_NAME));
    }
    let mut candidates = Vec::new();
    for (position, node) in graph.bytes(GRAPH_NODE).enumerate() {
        if let Some(candidate) = bypass(&Message::read(node)?, &constants) {
            candidates.push((position, candidate));
        }
    }
    let stride = candidates.len().div_ceil(limit.max(1)).max(1);
    candidates
        .into_iter()
        .step_by(stride)
        .map(|(position, (node, replacement))| {
            let mut message = message.clone();
            message.each(MODEL_GRAPH, |graph| {
                let mut at = 0_usize;
                graph.each(GRAPH_NODE, |found| {
                    if at == position {
                        *found = replacement.clone();
                    }
                    at = at.saturating_add(1);
                    Ok(())
                })
            })?;
            let model = message.write();
            Ok(Shortened { model, node })
        })
        .collect()
}

/// An Identity in a node's place, with the node's description; None for nodes that compute nothing.
fn bypass(node: &Message, constants: &[String]) -> Option<(String, Message)> {
    const IDLE: [&str; 9] = [
        "Cast",
        "Constant",
        "Dropout",
        "Flatten",
        "Identity",
        "Reshape",
        "Shape",
        "Squeeze",
        "Unsqueeze",
    ];
    let operator = node.texts(NODE_TYPE).pop()?;
    if IDLE.contains(&operator.as_str()) {
        return None;
    }
    let input = node
        .texts(NODE_INPUT)
        .into_iter()
        .find(|name| !name.is_empty() && !constants.contains(name))?;
    let output = node.texts(NODE_OUTPUT).into_iter().next()?;
    let mut identity = Message(
        node.0
            .iter()
            .filter(|field| {
                ![
                    NODE_INPUT,
                    NODE_OUTPUT,
                    NODE_TYPE,
                    NODE_ATTRIBUTE,
                    NODE_DOMAIN,
                ]
                .contains(&field.number)
            })
            .cloned()
            .collect::<Vec<Field>>(),
    );
    identity.push(NODE_INPUT, input.into_bytes());
    identity.push(NODE_OUTPUT, output.clone().into_bytes());
    identity.push(NODE_TYPE, b"Identity".to_vec());
    Some((format!("{operator} `{output}`"), identity))
}

#[cfg(test)]
mod tests;
