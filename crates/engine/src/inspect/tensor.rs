//! Constant tensors: whether they are in the file, and as large as they say.

use super::{
    limits::{RANK, Tally, What},
    shown,
    wire::{Field, Fields, Once, Width},
};
use crate::backend::ModelRefused;

/// Elements of which the values matter: a shape has no more.
const SHAPE: u64 = 16;

/// What is known of a constant.
pub struct Tensor<'a> {
    pub name: &'a str,
    pub kind: Kind,
    /// Of short lists of 64-bit integers, which may be the shape of something.
    pub values: Option<Vec<i64>>,
}

/// ONNX's number of an element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(pub u64);

impl Kind {
    pub const INT64: Self = Self(7);
    const STRING: Self = Self(8);

    /// Bits of an element, and the field that holds it where there are no raw bytes.
    fn layout(self) -> Option<(u64, Typed)> {
        Some(match self.0 {
            1 => (32, Typed::Floats),
            2 | 3 | 9 | 17..=20 | 24 => (8, Typed::Int32s),
            4 | 5 | 10 | 16 => (16, Typed::Int32s),
            6 => (32, Typed::Int32s),
            7 => (64, Typed::Int64s),
            8 => (0, Typed::Strings),
            11 => (64, Typed::Doubles),
            12 => (32, Typed::Uint64s),
            13 => (64, Typed::Uint64s),
            14 => (64, Typed::Floats),
            15 => (128, Typed::Doubles),
            21..=23 => (4, Typed::Int32s),
            25 | 26 => (2, Typed::Int32s),
            _ => return None,
        })
    }

    /// Bytes of so many; strings count a byte each.
    pub fn bytes(self, elements: u64) -> u64 {
        let bits = self.layout().map_or(8, |(bits, _)| bits.max(1));
        elements.saturating_mul(bits).div_ceil(8)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    Floats,
    Int32s,
    Strings,
    Int64s,
    Doubles,
    Uint64s,
}

impl Typed {
    fn of(number: u32) -> Option<(Self, Width)> {
        Some(match number {
            4 => (Self::Floats, Width::Four),
            5 => (Self::Int32s, Width::Varint),
            7 => (Self::Int64s, Width::Varint),
            10 => (Self::Doubles, Width::Eight),
            11 => (Self::Uint64s, Width::Varint),
            _ => return None,
        })
    }
}

#[derive(Default)]
struct Found<'a> {
    name: Once<&'a str>,
    kind: Once<u64>,
    raw: Once<&'a [u8]>,
    dims: Vec<u64>,
    /// Elements in each field that is there.
    typed: Vec<(Typed, u64)>,
    integers: Vec<u64>,
}

impl<'a> Tensor<'a> {
    pub fn read(bytes: &'a [u8], tally: &mut Tally) -> Result<Self, ModelRefused> {
        tally.count(What::Tensors)?;
        let mut found = Found::default();
        let mut outside = false;
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                1 => {
                    if !field.numbers(&mut found.dims, RANK)? {
                        return Err(found.refuse(format!("has more than {RANK} dimensions")));
                    }
                }
                2 => found.kind.set(&field, field.number()?)?,
                3 => return Err(found.refuse("is a segment of another".into())),
                6 => found.add(Typed::Strings, field.bytes().map(|_| 1)?),
                8 => found.name.set(&field, field.name()?)?,
                9 => found.raw.set(&field, field.bytes()?)?,
                13 => outside = true,
                14 => outside |= field.number()? != 0,
                _ => found.elements(&field)?,
            }
        }
        if outside {
            let name = shown(found.name.get().unwrap_or_default());
            return Err(ModelRefused::ExternalData { name });
        }
        found.tensor()
    }
}

impl<'a> Found<'a> {
    fn elements(&mut self, field: &Field<'a>) -> Result<(), ModelRefused> {
        if let Some((typed, width)) = Typed::of(field.number) {
            self.add(typed, field.count(width)?);
            let few = usize::try_from(SHAPE).unwrap_or(usize::MAX);
            if typed == Typed::Int64s && self.integers.len() <= few {
                field.numbers(&mut self.integers, few)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, typed: Typed, count: u64) {
        match self.typed.iter_mut().find(|(other, _)| *other == typed) {
            Some((_, total)) => *total = total.saturating_add(count),
            None => self.typed.push((typed, count)),
        }
    }

    fn tensor(self) -> Result<Tensor<'a>, ModelRefused> {
        let kind = Kind(self.kind.get().unwrap_or_default());
        let elements = match elements(&self.dims) {
            Ok(elements) => elements,
            Err(reason) => return Err(self.refuse(reason)),
        };
        let Some((bits, typed)) = kind.layout() else {
            return Err(self.refuse(format!(
                "has element type {}, which ONNX does not know",
                kind.0
            )));
        };
        let raw = self.raw.get().unwrap_or_default();
        let held = self.typed.iter().find(|(field, _)| *field == typed);
        let held = held.map_or(0, |(_, count)| *count);
        let (found, needed) = if raw.is_empty() || kind == Kind::STRING {
            (held, fields(kind, bits, elements))
        } else {
            (length(raw), kind.bytes(elements))
        };
        if found != needed {
            return Err(self.refuse(format!(
                "declares {elements} elements, for which it must hold {needed} bytes or numbers, and holds {found}"
            )));
        }
        let values = (kind == Kind::INT64 && elements <= SHAPE).then(|| self.values(raw));
        let name = self.name.get().unwrap_or_default();
        Ok(Tensor { name, kind, values })
    }

    fn values(&self, raw: &[u8]) -> Vec<i64> {
        if raw.is_empty() {
            return self
                .integers
                .iter()
                .map(|value| value.cast_signed())
                .collect();
        }
        raw.as_chunks()
            .0
            .iter()
            .map(|bytes| i64::from_le_bytes(*bytes))
            .collect()
    }

    fn refuse(&self, reason: String) -> ModelRefused {
        let name = shown(self.name.get().unwrap_or_default());
        ModelRefused::Tensor { name, reason }
    }
}

/// Numbers in the typed field: complex ones take two, small ones share one.
fn fields(kind: Kind, bits: u64, elements: u64) -> u64 {
    match kind.0 {
        14 | 15 => elements.saturating_mul(2),
        21..=23 | 25 | 26 => elements.saturating_mul(bits).div_ceil(8),
        _ => elements,
    }
}

/// Elements of a shape that a file gives.
pub fn elements(dims: &[u64]) -> Result<u64, String> {
    let mut elements = 1_u64;
    for side in dims {
        let side = side.cast_signed();
        let Ok(side) = u64::try_from(side) else {
            return Err(format!("has a dimension of {side}"));
        };
        let product = elements
            .checked_mul(side)
            .filter(|product| *product <= i64::MAX.unsigned_abs());
        elements = product.ok_or("has more elements than can be counted")?;
    }
    Ok(elements)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Few values that stand in a large tensor of zeros. ONNX Runtime makes the large one of it, so its
/// size counts as much as if it were there.
pub fn sparse<'a>(bytes: &'a [u8], tally: &mut Tally) -> Result<(&'a str, u64), ModelRefused> {
    let mut dims = Vec::new();
    let mut values = None;
    for field in Fields(bytes) {
        let field = field?;
        match field.number {
            1 => values = Some(Tensor::read(field.bytes()?, tally)?),
            2 => drop(Tensor::read(field.bytes()?, tally)?),
            3 if !field.numbers(&mut dims, RANK)? => {
                let (name, reason) = ("sparse".into(), format!("has more than {RANK} dimensions"));
                return Err(ModelRefused::Tensor { name, reason });
            }
            _ => {}
        }
    }
    let (name, kind) = values.map_or(("", Kind(0)), |values| (values.name, values.kind));
    let elements = elements(&dims).map_err(|reason| ModelRefused::Tensor {
        name: shown(name),
        reason,
    })?;
    Ok((name, kind.bytes(elements)))
}
