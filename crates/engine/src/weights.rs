//! A model's weights, taken from the file as they lie there.
//!
//! ONNX Runtime's reader of protobuf copies every weight, and ONNX Runtime copies it once more into a
//! tensor. Where a weight is said to lie in another file, only the second copy is made. So ONNX Runtime is
//! given a short graph that takes its weights from "another file", which is the model's own bytes.
//!
//! Nothing but this makes such graphs: a model from outside that names other files is refused before, and
//! what is made here is neither kept nor sent.

use std::ops::Range;

use prost::encoding::{WireType, encode_key, encode_varint};

use super::inspect::wire::{Fields, Malformed, Value};

/// What the graph calls the model's own bytes.
pub const FILE: &str = "assay-model";
/// Above it protobuf reads no file, and a short graph is no way around that.
const LARGEST: usize = i32::MAX.unsigned_abs() as usize;

/// What is worth it.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// Bytes of a weight.
    pub each: usize,
    /// Bytes of all that are referred to.
    pub total: usize,
}

impl Default for Least {
    fn default() -> Self {
        Self {
            each: 1 << 10,
            total: 1 << 20,
        }
    }
}

/// The model without its weights, which are ranges of `model` instead, under the name [`FILE`]. All else is
/// what it was, byte for byte. None where that gains little, and for what could be read in two ways: then
/// ONNX Runtime is to read the model itself, and says what is wrong with it. Takes any bytes.
pub fn refer(model: &[u8], least: Least) -> Option<Vec<u8>> {
    const GRAPH: u32 = 7;
    if model.len() > LARGEST {
        return None;
    }
    let (mut short, mut total) = (Vec::new(), None);
    for part in Parts::of(model, 0..model.len()) {
        let part = part.ok()?;
        if part.number != GRAPH {
            short.extend_from_slice(part.bytes);
            continue;
        }
        let (graph, bytes) = refer_in_graph(model, part.content?, least.each).ok()?;
        encode_bytes(GRAPH, &graph, &mut short);
        // Two graphs are one to protobuf.
        if total.replace(bytes).is_some() {
            return None;
        }
    }
    // What else there is gets copied once more than it would be.
    let total = total?;
    (total >= least.total && total >= model.len() / 2).then_some(short)
}

/// The graph without its weights, and how many bytes these are.
fn refer_in_graph(
    model: &[u8],
    graph: Range<usize>,
    least: usize,
) -> Result<(Vec<u8>, usize), Malformed> {
    const INITIALIZER: u32 = 5;
    let (mut short, mut total) = (Vec::new(), 0_usize);
    for part in Parts::of(model, graph) {
        let part = part?;
        let tensor = part.content.filter(|_| part.number == INITIALIZER);
        let tensor = tensor
            .map(|tensor| refer_in_tensor(model, tensor, least))
            .transpose()?;
        if let Some((tensor, bytes)) = tensor.flatten() {
            total = total.saturating_add(bytes);
            encode_bytes(INITIALIZER, &tensor, &mut short);
        } else {
            short.extend_from_slice(part.bytes);
        }
    }
    Ok((short, total))
}

/// The tensor without its bytes, and how many these are; none where it stays what it is.
fn refer_in_tensor(
    model: &[u8],
    tensor: Range<usize>,
    least: usize,
) -> Result<Option<(Vec<u8>, usize)>, Malformed> {
    const KIND: u32 = 2;
    const RAW: u32 = 9;
    const OUTSIDE: u32 = 13;
    const IS_OUTSIDE: u32 = 14;
    let (mut short, mut raw, mut kind) = (Vec::new(), None, None);
    for part in Parts::of(model, tensor) {
        let part = part?;
        match (part.number, part.value, part.content) {
            (RAW, _, Some(bytes)) if raw.is_none() => {
                raw = Some(bytes);
                continue;
            }
            (KIND, Value::Number(number), _) if kind.is_none() => kind = Some(number),
            // Data in several forms, segments and what lies outside already, and what is there twice, are
            // ONNX Runtime's to judge.
            (KIND..=7 | RAW..=11 | OUTSIDE | IS_OUTSIDE, ..) => return Ok(None),
            _ => {}
        }
        short.extend_from_slice(part.bytes);
    }
    let Some(raw) = raw.filter(|raw| raw.len() >= least && kind.is_some_and(may_lie_outside))
    else {
        return Ok(None);
    };
    let (offset, length) = (raw.start.to_string(), raw.len().to_string());
    for (key, value) in [("location", FILE), ("offset", &offset), ("length", &length)] {
        let mut pair = Vec::new();
        encode_bytes(1, key.as_bytes(), &mut pair);
        encode_bytes(2, value.as_bytes(), &mut pair);
        encode_bytes(OUTSIDE, &pair, &mut short);
    }
    encode_key(IS_OUTSIDE, WireType::Varint, &mut short);
    encode_varint(1, &mut short);
    Ok(Some((short, raw.len())))
}

/// Texts may not, and from integers ONNX Runtime infers shapes before it has looked outside.
fn may_lie_outside(kind: u64) -> bool {
    const INT32: u64 = 6;
    const INT64: u64 = 7;
    const STRING: u64 = 8;
    !matches!(kind, 0 | INT32 | INT64 | STRING)
}

/// A field, and where it lies.
struct Part<'a> {
    number: u32,
    value: Value<'a>,
    /// Number, kind and length included.
    bytes: &'a [u8],
    /// Of the model; none if it is a number.
    content: Option<Range<usize>>,
}

/// The fields of a message that ends there in the model.
struct Parts<'a> {
    fields: Fields<'a>,
    end: usize,
}

impl<'a> Parts<'a> {
    fn of(model: &'a [u8], message: Range<usize>) -> Self {
        let end = message.end;
        let fields = Fields(model.get(message).unwrap_or_default());
        Self { fields, end }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.fields.0;
        let field = match self.fields.next()? {
            Ok(field) => field,
            Err(error) => return Some(Err(error)),
        };
        let after = self.fields.0.len();
        let end = self.end.saturating_sub(after);
        let content = match field.value {
            Value::Bytes(bytes) => Some(end.saturating_sub(bytes.len())..end),
            Value::Number(_) | Value::Eight | Value::Four => None,
        };
        let length = before.len().saturating_sub(after);
        Some(Ok(Part {
            number: field.number,
            value: field.value,
            bytes: before.get(..length).unwrap_or_default(),
            content,
        }))
    }
}

fn encode_bytes(field: u32, bytes: &[u8], to: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, to);
    encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), to);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
pub mod tests;
