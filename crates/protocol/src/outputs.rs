//! The canonical encoding of a model's outputs and their root. Off chain only.
//!
//! `root = sha256("assay/root/1" | count u32le | per output: name length u32le, name, comparison
//! u8 (0 exact, 1 grid), exponent i8, dtype u8, rank u32le, dims u64le, data)`. Data under
//! [`Comparison::Exact`] are the little-endian elements with -0 as +0 and one NaN; under a grid,
//! floats are i64le grid indexes and everything else stays exact. It is total: every tensor of
//! every dtype here has an encoding, so no input can leave an honest provider without an answer.

use half::{bf16, f16};
use sha2::{Digest as _, Sha256};

use crate::{digest::Digest, grid, profile::Comparison};

/// Element type of a tensor. Codes are part of the root; append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DType {
    Bool = 1,
    U8 = 2,
    I8 = 3,
    U16 = 4,
    I16 = 5,
    U32 = 6,
    I32 = 7,
    U64 = 8,
    I64 = 9,
    F16 = 10,
    BF16 = 11,
    F32 = 12,
    F64 = 13,
}

impl DType {
    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether elements are floating point.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }
}

/// One output: row-major little-endian elements.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    pub name: &'a str,
    pub dtype: DType,
    /// Dimensions, outermost first.
    pub shape: &'a [u64],
    /// `product(shape) * dtype.size()` bytes.
    pub data: &'a [u8],
}

/// Why outputs could not be encoded: the caller's mistake, never a property of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingError {
    /// `data` is not `product(shape) * dtype.size()` bytes long.
    Length,
    /// Fewer hints than grid elements, or hints left over.
    Hints,
    /// A name, rank or count does not fit 32 bits.
    TooLarge,
}

/// Encodes outputs one by one, in the model's output order.
pub struct RootHasher {
    hasher: Sha256,
}

impl RootHasher {
    /// Starts the root of `count` outputs.
    pub fn new(count: usize) -> Result<Self, EncodingError> {
        let mut hasher = Sha256::new();
        hasher.update(b"assay/root/1");
        hasher.update(length(count)?);
        Ok(Self { hasher })
    }

    /// Adds the primary's output. Hands every grid element's hint to `hint`, in order.
    pub fn primary(
        &mut self,
        output: &Output<'_>,
        comparison: Comparison,
        mut hint: impl FnMut(i8),
    ) -> Result<(), EncodingError> {
        self.header(output, comparison)?;
        match grid_exponent(output.dtype, comparison) {
            None => self.exact(output),
            Some(exponent) => self.each_float(output, |value| {
                let (index, rest) = grid::quantize(value, exponent);
                hint(rest);
                Ok(index)
            })?,
        }
        Ok(())
    }

    /// Adds an auditor's output, using the primary's hints in order.
    pub fn auditor(
        &mut self,
        output: &Output<'_>,
        comparison: Comparison,
        hints: &mut impl Iterator<Item = i8>,
    ) -> Result<(), EncodingError> {
        self.header(output, comparison)?;
        match grid_exponent(output.dtype, comparison) {
            None => self.exact(output),
            Some(exponent) => self.each_float(output, |value| {
                let hint = hints.next().ok_or(EncodingError::Hints)?;
                Ok(grid::requantize(value, hint, exponent))
            })?,
        }
        Ok(())
    }

    /// The root.
    pub fn finish(self) -> Digest {
        Digest(self.hasher.finalize().into())
    }

    fn header(&mut self, output: &Output<'_>, comparison: Comparison) -> Result<(), EncodingError> {
        let elements = output
            .shape
            .iter()
            .try_fold(1_u64, |product, dim| product.checked_mul(*dim))
            .and_then(|count| usize::try_from(count).ok())
            .and_then(|count| count.checked_mul(output.dtype.size()));
        if elements != Some(output.data.len()) {
            return Err(EncodingError::Length);
        }
        let (kind, exponent) = match grid_exponent(output.dtype, comparison) {
            None => (0, 0),
            Some(exponent) => (1, exponent),
        };
        self.hasher.update(length(output.name.len())?);
        self.hasher.update(output.name.as_bytes());
        self.hasher
            .update([kind, exponent.cast_unsigned(), output.dtype as u8]);
        self.hasher.update(length(output.shape.len())?);
        for dim in output.shape {
            self.hasher.update(dim.to_le_bytes());
        }
        Ok(())
    }

    fn exact(&mut self, output: &Output<'_>) {
        let data = output.data;
        match output.dtype {
            DType::F16 => self.canonical(data, |bytes| canonical_16(bytes, 0x7c00, 0x7e00)),
            DType::BF16 => self.canonical(data, |bytes| canonical_16(bytes, 0x7f80, 0x7fc0)),
            DType::F32 => self.canonical(data, canonical_32),
            DType::F64 => self.canonical(data, canonical_64),
            DType::Bool => self.canonical(data, |[byte]: [u8; 1]| [u8::from(byte != 0)]),
            DType::U8
            | DType::I8
            | DType::U16
            | DType::I16
            | DType::U32
            | DType::I32
            | DType::U64
            | DType::I64 => self.hasher.update(data),
        }
    }

    fn canonical<const N: usize>(&mut self, data: &[u8], element: impl Fn([u8; N]) -> [u8; N]) {
        let (elements, _) = data.as_chunks::<N>();
        for bytes in elements {
            self.hasher.update(element(*bytes));
        }
    }

    /// Hashes the grid index of every element; `index` turns a value into it.
    fn each_float(
        &mut self,
        output: &Output<'_>,
        index: impl FnMut(f64) -> Result<i64, EncodingError>,
    ) -> Result<(), EncodingError> {
        let data = output.data;
        match output.dtype {
            DType::F16 => self.indexes(data, |bytes| f16::from_le_bytes(bytes).to_f64(), index),
            DType::BF16 => self.indexes(data, |bytes| bf16::from_le_bytes(bytes).to_f64(), index),
            DType::F32 => self.indexes(data, |bytes| f64::from(f32::from_le_bytes(bytes)), index),
            DType::F64 => self.indexes(data, f64::from_le_bytes, index),
            DType::Bool
            | DType::U8
            | DType::I8
            | DType::U16
            | DType::I16
            | DType::U32
            | DType::I32
            | DType::U64
            | DType::I64 => Ok(()),
        }
    }

    fn indexes<const N: usize>(
        &mut self,
        data: &[u8],
        value: impl Fn([u8; N]) -> f64,
        mut index: impl FnMut(f64) -> Result<i64, EncodingError>,
    ) -> Result<(), EncodingError> {
        let (elements, _) = data.as_chunks::<N>();
        for bytes in elements {
            let index = index(value(*bytes))?;
            self.hasher.update(index.to_le_bytes());
        }
        Ok(())
    }
}

fn length(value: usize) -> Result<[u8; 4], EncodingError> {
    u32::try_from(value)
        .map(u32::to_le_bytes)
        .map_err(|_| EncodingError::TooLarge)
}

fn grid_exponent(dtype: DType, comparison: Comparison) -> Option<i8> {
    match comparison {
        Comparison::Grid(exponent) if dtype.is_float() => Some(exponent),
        Comparison::Exact | Comparison::Grid(_) => None,
    }
}

/// Half-width floats by their bits: `infinity` is the exponent mask, `nan` the one NaN.
fn canonical_16(bytes: [u8; 2], infinity: u16, nan: u16) -> [u8; 2] {
    let bits = u16::from_le_bytes(bytes);
    let magnitude = bits & 0x7fff;
    let canonical = if magnitude > infinity {
        nan
    } else if magnitude == 0 {
        0
    } else {
        bits
    };
    canonical.to_le_bytes()
}

fn canonical_32(bytes: [u8; 4]) -> [u8; 4] {
    let value = f32::from_le_bytes(bytes);
    if value.is_nan() {
        0x7fc0_0000_u32.to_le_bytes()
    } else if value == 0.0 {
        [0; 4]
    } else {
        bytes
    }
}

fn canonical_64(bytes: [u8; 8]) -> [u8; 8] {
    let value = f64::from_le_bytes(bytes);
    if value.is_nan() {
        0x7ff8_0000_0000_0000_u64.to_le_bytes()
    } else if value == 0.0 {
        [0; 8]
    } else {
        bytes
    }
}
