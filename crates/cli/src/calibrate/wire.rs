//! A protobuf message as its raw fields.
//!
//! An attack changes a few bytes of a model and must leave everything else as it was, also what this program has no
//! name for. So a message is taken apart into fields and put together again, and nothing in between is interpreted.

use anyhow::{Context as _, Result, bail};
use prost::{
    bytes::Buf,
    encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
    Fixed32([u8; 4]),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub number: u32,
    pub value: Value,
}

/// A message's fields, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(pub Vec<Field>);

impl Message {
    pub fn read(mut bytes: &[u8]) -> Result<Self> {
        let mut fields = Vec::new();
        while bytes.has_remaining() {
            let (number, kind) = decode_key(&mut bytes)?;
            let value = match kind {
                WireType::Varint => Value::Varint(decode_varint(&mut bytes)?),
                WireType::SixtyFourBit => Value::Fixed64(fixed(&mut bytes)?),
                WireType::ThirtyTwoBit => Value::Fixed32(fixed(&mut bytes)?),
                WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut bytes)?)?;
                    let (inside, rest) = bytes
                        .split_at_checked(length)
                        .context("a field is longer than its message")?;
                    bytes = rest;
                    Value::Bytes(inside.to_vec())
                }
                WireType::StartGroup | WireType::EndGroup => bail!("groups are not used by ONNX"),
            };
            fields.push(Field { number, value });
        }
        Ok(Self(fields))
    }

    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Field { number, value } in &self.0 {
            match value {
                Value::Varint(varint) => {
                    encode_key(*number, WireType::Varint, &mut bytes);
                    encode_varint(*varint, &mut bytes);
                }
                Value::Fixed64(fixed) => {
                    encode_key(*number, WireType::SixtyFourBit, &mut bytes);
                    bytes.extend_from_slice(fixed);
                }
                Value::Fixed32(fixed) => {
                    encode_key(*number, WireType::ThirtyTwoBit, &mut bytes);
                    bytes.extend_from_slice(fixed);
                }
                Value::Bytes(inside) => {
                    encode_key(*number, WireType::LengthDelimited, &mut bytes);
                    // A usize always fits 64 bits.
                    encode_varint(u64::try_from(inside.len()).unwrap_or(u64::MAX), &mut bytes);
                    bytes.extend_from_slice(inside);
                }
            }
        }
        bytes
    }

    /// Every value of a field.
    pub fn all(&self, number: u32) -> impl Iterator<Item = &Value> {
        self.0
            .iter()
            .filter(move |field| field.number == number)
            .map(|field| &field.value)
    }

    /// Every value of a field that has bytes: text, messages, packed numbers.
    pub fn bytes(&self, number: u32) -> impl Iterator<Item = &[u8]> {
        self.all(number).filter_map(|value| match value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_) => None,
        })
    }

    /// Every text of a field.
    pub fn texts(&self, number: u32) -> Vec<String> {
        self.bytes(number)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }

    /// Every integer of a field, packed or not.
    pub fn integers(&self, number: u32) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        for value in self.all(number) {
            match value {
                Value::Varint(varint) => found.push(*varint),
                Value::Bytes(packed) => {
                    let mut packed = packed.as_slice();
                    while packed.has_remaining() {
                        found.push(decode_varint(&mut packed)?);
                    }
                }
                Value::Fixed64(_) | Value::Fixed32(_) => bail!("a field has the wrong type"),
            }
        }
        Ok(found)
    }

    /// Lets `edit` change every message in a field.
    pub fn each(
        &mut self,
        number: u32,
        mut edit: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        for field in self.0.iter_mut().filter(|field| field.number == number) {
            if let Value::Bytes(bytes) = &mut field.value {
                let mut inside = Self::read(bytes)?;
                edit(&mut inside)?;
                *bytes = inside.write();
            }
        }
        Ok(())
    }

    pub fn remove(&mut self, number: u32) {
        self.0.retain(|field| field.number != number);
    }

    pub fn push(&mut self, number: u32, bytes: Vec<u8>) {
        let value = Value::Bytes(bytes);
        self.0.push(Field { number, value });
    }
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (inside, rest) = bytes
        .split_first_chunk()
        .context("a field is longer than its message")?;
    *bytes = rest;
    Ok(*inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_survives_and_keeps_what_it_does_not_know() {
        let fields = [
            (1, Value::Varint(u64::MAX)),
            (2_000, Value::Bytes(b"name".to_vec())),
            (3, Value::Fixed32([1, 2, 3, 4])),
            (4, Value::Fixed64([9; 8])),
            (2_000, Value::Bytes(Vec::new())),
        ];
        let message = Message(
            fields
                .into_iter()
                .map(|(number, value)| Field { number, value })
                .collect(),
        );
        let bytes = message.write();
        let read = Message::read(&bytes).unwrap();
        assert_eq!(read, message);
        assert_eq!(read.texts(2_000), ["name", ""]);
        assert_eq!(read.integers(1).unwrap(), [u64::MAX]);
        for end in 1..bytes.len() {
            // Cut anywhere, it is an error or a shorter message, never a panic.
            if let Ok(shorter) = Message::read(&bytes[..end]) {
                assert!(shorter.0.len() < message.0.len());
            }
        }
    }

    #[test]
    fn every_committed_model_survives_byte_for_byte() {
        let model = std::fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../models/digits.onnx"
        ));
        let model = model.unwrap();
        let mut message = Message::read(&model).unwrap();
        message.each(7, |graph| graph.each(1, |_| Ok(()))).unwrap();
        assert_eq!(message.write(), model);
    }
}
