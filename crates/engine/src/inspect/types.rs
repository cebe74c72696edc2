//! What a graph says about its values.

use super::{
    limits::{RANK, TYPE_DEPTH, Tally, What, too_deep},
    shown,
    tensor::elements,
    wire::{Fields, Once},
};
use crate::backend::ModelRefused;

/// An input or output, or a value in between.
pub struct Port<'a> {
    pub name: &'a str,
    /// Whether it says how many dimensions it has.
    pub ranked: bool,
    pub sparse: bool,
}

impl<'a> Port<'a> {
    pub fn read(bytes: &'a [u8], tally: &mut Tally) -> Result<Self, ModelRefused> {
        tally.count(What::Types)?;
        let (mut name, mut of) = (Once::default(), Once::default());
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                1 => name.set(&field, field.name()?)?,
                2 => of.set(&field, field.bytes()?)?,
                _ => {}
            }
        }
        let name = name.get().unwrap_or_default();
        let found = match of.get() {
            Some(of) => of_type(of, TYPE_DEPTH, tally, name)?,
            None => Type::default(),
        };
        Ok(Self {
            name,
            ranked: found.ranked,
            sparse: found.sparse,
        })
    }
}

#[derive(Default)]
struct Type {
    ranked: bool,
    sparse: bool,
}

fn of_type(
    bytes: &[u8],
    depth: usize,
    tally: &mut Tally,
    name: &str,
) -> Result<Type, ModelRefused> {
    tally.count(What::Types)?;
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| too_deep("types", TYPE_DEPTH))?;
    let mut found = Type::default();
    for field in Fields(bytes) {
        let field = field?;
        match field.number {
            1 => found.ranked |= has_shape(field.bytes()?, tally, name)?,
            8 => {
                has_shape(field.bytes()?, tally, name)?;
                found.sparse = true;
            }
            // A sequence's or an option's element; a map's value is its second field.
            4 | 9 => inner(field.bytes()?, 1, depth, tally, name)?,
            5 => inner(field.bytes()?, 2, depth, tally, name)?,
            _ => {}
        }
    }
    Ok(found)
}

fn inner(
    bytes: &[u8],
    number: u32,
    depth: usize,
    tally: &mut Tally,
    name: &str,
) -> Result<(), ModelRefused> {
    for field in Fields(bytes) {
        let field = field?;
        if field.number == number {
            of_type(field.bytes()?, depth, tally, name)?;
        }
    }
    Ok(())
}

fn has_shape(bytes: &[u8], tally: &mut Tally, name: &str) -> Result<bool, ModelRefused> {
    let mut shape = Once::default();
    for field in Fields(bytes) {
        let field = field?;
        if field.number == 2 {
            shape.set(&field, field.bytes()?)?;
        }
    }
    let Some(shape) = shape.get() else {
        return Ok(false);
    };
    let mut sides = Vec::new();
    for field in Fields(shape) {
        let field = field?;
        if field.number == 1 {
            tally.count(What::Types)?;
            sides.extend(side(field.bytes()?)?);
        }
    }
    let refuse = |reason| ModelRefused::Tensor {
        name: shown(name),
        reason,
    };
    if sides.len() > RANK {
        return Err(refuse(format!("has more than {RANK} dimensions")));
    }
    // Below zero stands for "any" in some exporters.
    sides.retain(|side| side.cast_signed() >= 0);
    elements(&sides).map_err(refuse)?;
    Ok(true)
}

/// A dimension's size, if it has one.
fn side(bytes: &[u8]) -> Result<Option<u64>, ModelRefused> {
    let mut size = None;
    for field in Fields(bytes) {
        let field = field?;
        match field.number {
            1 => size = Some(field.number()?),
            2 => drop(field.name()?),
            _ => {}
        }
    }
    Ok(size)
}
