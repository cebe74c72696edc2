//! A cheaper copy of a model, as a cheat would run it: weights rounded to int8.
//!
//! `assay model calibrate` attacks profiles with more kinds of copies and every kind of file. Here one kind of one
//! kind of file is enough: float32 weights that the file holds as raw bytes, which are changed where they lie.

use std::ops::Range;

use anyhow::{Context as _, Result, bail};

/// Field numbers of onnx.proto.
const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_DIMS: u64 = 1;
const TENSOR_TYPE: u64 = 2;
const TENSOR_RAW: u64 = 9;
/// float32 in onnx.proto.
const FLOAT: u64 = 1;
/// Levels on each side of zero.
const LEVELS: f32 = 127.0;

/// The same file with every weight matrix rounded to 255 levels; biases are left alone, as those who compress models
/// leave them.
pub fn rounded_to_int8(model: &[u8]) -> Result<Vec<u8>> {
    let mut copy = model.to_vec();
    let mut rounded = 0_usize;
    for graph in messages(model, 0..model.len(), MODEL_GRAPH)? {
        for tensor in messages(model, graph, GRAPH_INITIALIZER)? {
            let Some(data) = weights(model, tensor)? else {
                continue;
            };
            round(&mut copy[data]);
            rounded += 1;
        }
    }
    if rounded == 0 {
        bail!("the model has no float32 weights in raw bytes; nothing was rounded");
    }
    Ok(copy)
}

/// Where a tensor's numbers lie, if it is a float32 matrix or more.
fn weights(file: &[u8], tensor: Range<usize>) -> Result<Option<Range<usize>>> {
    let (mut dims, mut float, mut data) = (0, false, None);
    for field in fields(file, tensor)? {
        match field {
            Field {
                number: TENSOR_DIMS,
                ..
            } => dims += 1,
            Field {
                number: TENSOR_TYPE,
                value,
                ..
            } => float = value == FLOAT,
            Field {
                number: TENSOR_RAW,
                body,
                ..
            } => data = Some(body),
            _ => {}
        }
    }
    Ok(data.filter(|data| float && dims >= 2 && data.len().is_multiple_of(4)))
}

fn round(data: &mut [u8]) {
    let (words, _) = data.as_chunks_mut::<4>();
    let largest = words.iter().fold(0.0_f32, |most, word| {
        most.max(f32::from_le_bytes(*word).abs())
    });
    let step = largest / LEVELS;
    if step > 0.0 && step.is_finite() {
        for word in words {
            let value = f32::from_le_bytes(*word);
            *word = ((value / step).round_ties_even() * step).to_le_bytes();
        }
    }
}

/// One field of a protobuf message.
struct Field {
    number: u64,
    /// Of a field that is a number.
    value: u64,
    /// Of a field that has bytes: where they lie in the file.
    body: Range<usize>,
}

/// Where the messages under this number lie.
fn messages(file: &[u8], within: Range<usize>, number: u64) -> Result<Vec<Range<usize>>> {
    let found = fields(file, within)?;
    let wanted = found.into_iter().filter(|field| field.number == number);
    Ok(wanted.map(|field| field.body).collect())
}

fn fields(file: &[u8], within: Range<usize>) -> Result<Vec<Field>> {
    let (mut at, end) = (within.start, within.end);
    let mut found = Vec::new();
    while at < end {
        let tag = varint(file, &mut at)?;
        let mut value = 0;
        let start = match tag & 7 {
            0 => {
                value = varint(file, &mut at)?;
                at
            }
            1 => at + 8,
            2 => {
                let length = usize::try_from(varint(file, &mut at)?)?;
                at.checked_add(length).context("a field without an end")?
            }
            5 => at + 4,
            kind => bail!("the file has a field of kind {kind}, which is no ONNX model's"),
        };
        if start > end {
            bail!("the file ends within a field");
        }
        found.push(Field {
            number: tag >> 3,
            value,
            body: at..start,
        });
        at = start;
    }
    Ok(found)
}

fn varint(file: &[u8], at: &mut usize) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *file.get(*at).context("the file ends within a number")?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    bail!("a number of more than 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_weights_of_the_digits_model_are_rounded() -> Result<()> {
        let model = std::fs::read(super::super::root().join("models/digits.onnx"))?;
        let copy = rounded_to_int8(&model)?;
        assert_eq!(copy.len(), model.len());
        let graph = messages(&model, 0..model.len(), MODEL_GRAPH)?;
        let mut tensors = messages(&model, graph[0].clone(), GRAPH_INITIALIZER)?;
        tensors.retain(|tensor| weights(&model, tensor.clone()).is_ok_and(|data| data.is_some()));
        assert_eq!(tensors.len(), 3);
        let changed: Vec<usize> = (0..model.len())
            .filter(|at| model[*at] != copy[*at])
            .collect();
        assert!(changed.len() > 6_464, "{}", changed.len());
        for at in changed {
            assert!(
                tensors.iter().any(|tensor| tensor.contains(&at)),
                "byte {at}"
            );
        }
        // Rounding what is rounded changes at most the last bit of a product.
        let float = |bytes: &[u8], at: usize| {
            f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
        };
        let again = rounded_to_int8(&copy)?;
        let data = weights(&model, tensors[0].clone())?.expect("weights");
        for at in data.step_by(4) {
            let (one, other) = (float(&copy, at), float(&again, at));
            assert!((one - other).abs() <= one.abs() * 1e-6, "{one} {other}");
        }
        Ok(())
    }

    #[test]
    fn files_without_weights_are_refused() {
        for file in [&b""[..], b"\x08\x08", b"\x3a\x7f", b"\xff\xff"] {
            assert!(rounded_to_int8(file).is_err(), "{file:?}");
        }
    }
}
