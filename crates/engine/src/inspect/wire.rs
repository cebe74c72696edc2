//! Protobuf's wire format, read in place.
//!
//! What a decoder would build from a hostile file may be a hundred times as large as the file, so
//! nothing is built: a message is a run of fields, and a field's bytes stay where they are. Stricter
//! than protobuf where no writer differs: groups, and fields that may occur once and occur twice,
//! are errors, because two readers could take them for two models.

use super::limits::NAME_BYTES;
use crate::backend::ModelRefused;

/// Why bytes are no message of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it ends in the middle of a field")]
    Cut,
    #[error("a number has more than ten bytes")]
    Number,
    #[error("a field has a number or a kind that protobuf does not know")]
    Field,
    #[error("field {0} has another kind than ONNX gives it")]
    Kind(u32),
    #[error("field {0} occurs twice where it may once")]
    Twice(u32),
    #[error("a name is no UTF-8, holds a zero byte, or is longer than {NAME_BYTES} bytes")]
    Name,
}

impl From<Malformed> for ModelRefused {
    fn from(malformed: Malformed) -> Self {
        Self::NotOnnx {
            reason: malformed.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Number(u64),
    Eight,
    Bytes(&'a [u8]),
    Four,
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub number: u32,
    pub value: Value<'a>,
}

/// The fields of a message, one after another; the first error ends them.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<Field<'a>, Malformed> {
        let tag = u32::try_from(varint(&mut self.0)?).map_err(|_| Malformed::Field)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed::Field);
        }
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Eight)?,
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| Malformed::Cut)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Four)?,
            _ => return Err(Malformed::Field),
        };
        Ok(Field { number, value })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Field<'a> {
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) | Value::Eight | Value::Four => Err(Malformed::Kind(self.number)),
        }
    }

    /// A name of the graph: ONNX Runtime's own interface takes it as text that ends with a zero.
    pub fn name(&self) -> Result<&'a str, Malformed> {
        let bytes = self.bytes()?;
        if bytes.len() > NAME_BYTES || bytes.contains(&0) {
            return Err(Malformed::Name);
        }
        std::str::from_utf8(bytes).map_err(|_| Malformed::Name)
    }

    pub fn number(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Number(number) => Ok(number),
            Value::Bytes(_) | Value::Eight | Value::Four => Err(Malformed::Kind(self.number)),
        }
    }

    /// Elements of a repeated number, packed into one field or not.
    pub fn count(&self, width: Width) -> Result<u64, Malformed> {
        let wrong = Err(Malformed::Kind(self.number));
        let count = match (self.value, width) {
            (Value::Number(_), Width::Varint)
            | (Value::Eight, Width::Eight)
            | (Value::Four, Width::Four) => 1,
            (Value::Bytes(bytes), Width::Varint) => {
                if bytes.last().is_some_and(|last| *last >= 0x80) {
                    return Err(Malformed::Cut);
                }
                bytes.iter().filter(|byte| **byte < 0x80).count()
            }
            (Value::Bytes(bytes), Width::Eight) if bytes.len().is_multiple_of(8) => bytes.len() / 8,
            (Value::Bytes(bytes), Width::Four) if bytes.len().is_multiple_of(4) => bytes.len() / 4,
            (Value::Number(_) | Value::Eight | Value::Four | Value::Bytes(_), _) => return wrong,
        };
        u64::try_from(count).map_err(|_| Malformed::Number)
    }

    /// The elements of a repeated number, packed or not, onto `to`; no more than `most` of them.
    pub fn numbers(&self, to: &mut Vec<u64>, most: usize) -> Result<bool, Malformed> {
        match self.value {
            Value::Number(number) => to.push(number),
            Value::Bytes(mut bytes) => {
                while !bytes.is_empty() && to.len() <= most {
                    to.push(varint(&mut bytes)?);
                }
            }
            Value::Eight | Value::Four => return Err(Malformed::Kind(self.number)),
        }
        Ok(to.len() <= most)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Varint,
    Four,
    Eight,
}

/// A field that may occur once.
#[derive(Clone, Copy, Debug)]
pub struct Once<T>(Option<T>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy> Once<T> {
    pub fn set(&mut self, field: &Field<'_>, value: T) -> Result<(), Malformed> {
        match self.0.replace(value) {
            None => Ok(()),
            Some(_) => Err(Malformed::Twice(field.number)),
        }
    }

    pub fn get(&self) -> Option<T> {
        self.0
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for position in 0..10 {
        let (byte, rest) = bytes.split_first().ok_or(Malformed::Cut)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if position == 9 && bits > 1 {
            return Err(Malformed::Number);
        }
        number |= bits << (position * 7);
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
        Fields(bytes).collect()
    }

    #[test]
    fn fields_of_every_kind_are_read() {
        let bytes = [
            0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3,
            4,
        ];
        let found: Vec<(u32, Value<'_>)> = fields(&bytes)
            .unwrap()
            .into_iter()
            .map(|field| (field.number, field.value))
            .collect();
        let expected = [
            (1, Value::Number(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Eight),
            (4, Value::Four),
        ];
        assert_eq!(found, expected);
        for end in 1..bytes.len() {
            if ![3, 7, 16].contains(&end) {
                assert_eq!(fields(&bytes[..end]), Err(Malformed::Cut), "{end}");
            }
        }
    }

    #[test]
    fn what_protobuf_does_not_know_is_malformed() {
        // Field 0, groups, kinds 6 and 7, a field number beyond 32 bits.
        for bytes in [
            &[0x00, 0][..],
            &[0x0b],
            &[0x0c],
            &[0x0e],
            &[0x0f],
            &[0xf8, 0xff, 0xff, 0xff, 0xff, 0x01, 0],
        ] {
            assert_eq!(fields(bytes), Err(Malformed::Field), "{bytes:?}");
        }
        let mut long = vec![0x08];
        long.extend([0x80; 10]);
        long.push(0);
        assert_eq!(fields(&long), Err(Malformed::Number));
        let mut large = vec![0x08];
        large.extend([0xff; 9]);
        large.push(0x02);
        assert_eq!(fields(&large), Err(Malformed::Number));
        large.pop();
        large.push(0x01);
        assert_eq!(fields(&large).unwrap()[0].value, Value::Number(u64::MAX));
        // A length that no memory holds.
        let endless = [
            0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ];
        assert_eq!(fields(&endless), Err(Malformed::Cut));
    }

    #[test]
    fn packed_and_single_numbers_are_counted_alike() {
        let packed = Field {
            number: 4,
            value: Value::Bytes(&[1, 0x96, 1, 2]),
        };
        assert_eq!(packed.count(Width::Varint), Ok(3));
        assert_eq!(packed.count(Width::Four), Ok(1));
        assert_eq!(packed.count(Width::Eight), Err(Malformed::Kind(4)));
        let single = Field {
            number: 4,
            value: Value::Four,
        };
        assert_eq!(single.count(Width::Four), Ok(1));
        assert_eq!(single.count(Width::Varint), Err(Malformed::Kind(4)));
        let cut = Field {
            number: 4,
            value: Value::Bytes(&[1, 0x96]),
        };
        assert_eq!(cut.count(Width::Varint), Err(Malformed::Cut));
        let mut numbers = vec![];
        assert_eq!(packed.numbers(&mut numbers, 3), Ok(true));
        assert_eq!(numbers, [1, 150, 2]);
        assert_eq!(packed.numbers(&mut numbers, 3), Ok(false));
    }
}
