//! Elements of tensors as JSON.

use bytes::Bytes;
use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::{Number, Value};

/// Reads numbers, in arrays within arrays as deep as one likes, in row-major order.
pub fn read(values: &Value, dtype: Dtype, elements: usize) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let mut count = 0_usize;
    flat(values, &mut |value| {
        count += 1;
        if count > elements {
            return Err(format!(
                "there are more than the {elements} elements of its shape"
            ));
        }
        element(value, dtype, &mut bytes)
            .ok_or_else(|| format!("{value} is no element of its datatype"))
    })?;
    if count < elements {
        return Err(format!(
            "there are {count} elements; its shape has {elements}"
        ));
    }
    Ok(Bytes::from(bytes))
}

fn flat(values: &Value, take: &mut impl FnMut(&Value) -> Result<(), String>) -> Result<(), String> {
    match values {
        Value::Array(values) => values.iter().try_for_each(|value| flat(value, take)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            take(values)
        }
    }
}

fn element(value: &Value, dtype: Dtype, bytes: &mut Vec<u8>) -> Option<()> {
    fn signed<T: TryFrom<i64>>(value: &Value) -> Option<T> {
        value.as_i64().and_then(|number| T::try_from(number).ok())
    }
    fn unsigned<T: TryFrom<u64>>(value: &Value) -> Option<T> {
        value.as_u64().and_then(|number| T::try_from(number).ok())
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    match dtype {
        // numpy sends its bools as true and false, other clients as 0 and 1.
        Dtype::BOOL => bytes.push(match value.as_bool() {
            Some(flag) => u8::from(flag),
            None => unsigned::<u8>(value).filter(|number| *number <= 1)?,
        }),
        Dtype::U8 => bytes.push(unsigned(value)?),
        Dtype::U16 => bytes.extend(unsigned::<u16>(value)?.to_le_bytes()),
        Dtype::U32 => bytes.extend(unsigned::<u32>(value)?.to_le_bytes()),
        Dtype::U64 => bytes.extend(value.as_u64()?.to_le_bytes()),
        Dtype::I8 => bytes.extend(signed::<i8>(value)?.to_le_bytes()),
        Dtype::I16 => bytes.extend(signed::<i16>(value)?.to_le_bytes()),
        Dtype::I32 => bytes.extend(signed::<i32>(value)?.to_le_bytes()),
        Dtype::I64 => bytes.extend(value.as_i64()?.to_le_bytes()),
        Dtype::F16 => bytes.extend(f16::from_f64(value.as_f64()?).to_le_bytes()),
        Dtype::BF16 => bytes.extend(bf16::from_f64(value.as_f64()?).to_le_bytes()),
        Dtype::F32 => bytes.extend(nearest(value.as_f64()?).to_le_bytes()),
        Dtype::F64 => bytes.extend(value.as_f64()?.to_le_bytes()),
        _ => return None,
    }
    Some(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float's nearest neighbour is what is wanted"
)]
const fn nearest(value: f64) -> f32 {
    value as f32
}

/// Writes elements as one flat array; none where one has no JSON, as NaN, or the type is not known.
pub fn write(data: &[u8], dtype: Dtype) -> Option<Value> {
    fn each<const N: usize>(
        data: &[u8],
        value: impl Fn([u8; N]) -> Option<Value>,
    ) -> Option<Value> {
        let (elements, rest) = data.as_chunks::<N>();
        let values: Option<Vec<Value>> = elements.iter().map(|bytes| value(*bytes)).collect();
        values.filter(|_| rest.is_empty()).map(Value::Array)
    }
    let float = |number: f64| Number::from_f64(number).map(Value::Number);
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    match dtype {
        Dtype::BOOL => each(data, |[byte]| Some(Value::Bool(byte != 0))),
        Dtype::U8 => each(data, |[byte]| Some(byte.into())),
        Dtype::I8 => each(data, |bytes| Some(i8::from_le_bytes(bytes).into())),
        Dtype::U16 => each(data, |bytes| Some(u16::from_le_bytes(bytes).into())),
        Dtype::I16 => each(data, |bytes| Some(i16::from_le_bytes(bytes).into())),
        Dtype::U32 => each(data, |bytes| Some(u32::from_le_bytes(bytes).into())),
        Dtype::I32 => each(data, |bytes| Some(i32::from_le_bytes(bytes).into())),
        Dtype::U64 => each(data, |bytes| Some(u64::from_le_bytes(bytes).into())),
        Dtype::I64 => each(data, |bytes| Some(i64::from_le_bytes(bytes).into())),
        Dtype::F16 => each(data, |bytes| float(f16::from_le_bytes(bytes).to_f64())),
        Dtype::BF16 => each(data, |bytes| float(bf16::from_le_bytes(bytes).to_f64())),
        Dtype::F32 => each(data, |bytes| float(f64::from(f32::from_le_bytes(bytes)))),
        Dtype::F64 => each(data, |bytes| float(f64::from_le_bytes(bytes))),
        _ => None,
    }
}
