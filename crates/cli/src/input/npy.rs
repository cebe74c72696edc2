//! NumPy's `.npy` files: a header in Python's notation, then the elements.

use anyhow::{Context as _, Result, bail};
use safetensors::Dtype;

/// An array, row-major and little-endian.
#[derive(Debug, PartialEq, Eq)]
pub struct Array {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

/// Reads versions 1 to 3 of the format.
pub fn parse(bytes: &[u8]) -> Result<Array> {
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .context("the file is no .npy file")?;
    let (version, rest) = rest.split_at_checked(2).context("the file is cut off")?;
    let (length, rest) = match version {
        [1, _] => {
            let (length, rest) = rest.split_first_chunk().context("the file is cut off")?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        [2 | 3, _] => {
            let (length, rest) = rest.split_first_chunk().context("the file is cut off")?;
            (usize::try_from(u32::from_le_bytes(*length))?, rest)
        }
        _ => bail!("the file has version {version:?} of the format; 1 to 3 are known"),
    };
    let (header, data) = rest
        .split_at_checked(length)
        .context("the file is cut off")?;
    let header = std::str::from_utf8(header).context("the header is no text")?;
    let dtype = dtype(quoted(field(header, "descr")?)?)?;
    if field(header, "fortran_order")?.starts_with("True") {
        bail!("the array is column-major; save numpy.ascontiguousarray(array) instead");
    }
    let shape = shape(field(header, "shape")?)?;
    let count = shape
        .iter()
        .try_fold(1_usize, |count, dim| count.checked_mul(*dim));
    let expected = count.and_then(|count| count.checked_mul(dtype.bitsize() / 8));
    if expected != Some(data.len()) {
        bail!(
            "the array of shape {shape:?} does not have {} bytes of data",
            data.len()
        );
    }
    Ok(Array {
        dtype,
        shape,
        data: data.to_vec(),
    })
}

/// What follows a key of the header.
fn field<'a>(header: &'a str, key: &str) -> Result<&'a str> {
    header
        .split_once(&format!("'{key}'"))
        .and_then(|(_, rest)| rest.split_once(':'))
        .map(|(_, value)| value.trim_start())
        .with_context(|| format!("the header lacks {key:?}"))
}

fn quoted(value: &str) -> Result<&str> {
    value
        .strip_prefix('\'')
        .and_then(|rest| rest.split_once('\''))
        .map(|(text, _)| text)
        .context("the array has named fields; save a plain array")
}

fn shape(value: &str) -> Result<Vec<usize>> {
    let (inner, _) = value
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .context("the header's shape is no tuple")?;
    inner
        .split(',')
        .map(str::trim)
        .filter(|dim| !dim.is_empty())
        .map(|dim| {
            dim.parse()
                .with_context(|| format!("the dimension {dim:?} is no number"))
        })
        .collect()
}

fn dtype(descr: &str) -> Result<Dtype> {
    Ok(match descr {
        "|b1" => Dtype::BOOL,
        "|u1" => Dtype::U8,
        "|i1" => Dtype::I8,
        "<u2" => Dtype::U16,
        "<i2" => Dtype::I16,
        "<u4" => Dtype::U32,
        "<i4" => Dtype::I32,
        "<u8" => Dtype::U64,
        "<i8" => Dtype::I64,
        "<f2" => Dtype::F16,
        "<f4" => Dtype::F32,
        "<f8" => Dtype::F64,
        other if other.starts_with('>') => {
            bail!(
                "the array is big-endian ({other}); save array.astype(array.dtype.newbyteorder('<'))"
            )
        }
        other => {
            bail!("elements of type {other:?} are not supported; use integers, booleans or floats")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn real_file_reads() {
        let array = parse(include_bytes!("../../../../models/digits/sample-0.npy")).unwrap();
        assert_eq!(
            (array.dtype, array.shape.as_slice()),
            (Dtype::F32, &[1, 1, 8, 8][..])
        );
        assert_eq!(array.data.len(), 256);
    }

    #[test]
    fn shapes_of_any_rank_read() {
        for (text, expected) in [("()", vec![]), ("(2,)", vec![2]), ("(2, 1)", vec![2, 1])] {
            let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {text}, }}");
            let count = expected.iter().product();
            assert_eq!(
                parse(&file(&header, &vec![7; count])).unwrap().shape,
                expected
            );
        }
    }

    #[test]
    fn what_cannot_be_an_input_is_refused_with_the_reason() {
        let with = |descr: &str, order: &str| {
            let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': (1,), }}");
            parse(&file(&header, &[0; 4])).unwrap_err().to_string()
        };
        assert!(with("'>f4'", "False").contains("big-endian"));
        assert!(with("'<f4'", "True").contains("column-major"));
        assert!(with("'<U4'", "False").contains("not supported"));
        assert!(with("[('a', '<f4')]", "False").contains("named fields"));
        assert!(with("'<f8'", "False").contains("bytes of data"));
        assert!(parse(b"\x93NUMPY\x01\x00\xff").is_err());
        assert!(parse(b"PK").is_err());
    }
}
