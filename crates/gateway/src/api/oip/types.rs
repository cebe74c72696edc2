//! Triton's names of element types.

use safetensors::Dtype;

/// The name of an element type; none for those that the protocol does not know.
pub const fn triton(dtype: Dtype) -> Option<&'static str> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    Some(match dtype {
        Dtype::BOOL => "BOOL",
        Dtype::U8 => "UINT8",
        Dtype::U16 => "UINT16",
        Dtype::U32 => "UINT32",
        Dtype::U64 => "UINT64",
        Dtype::I8 => "INT8",
        Dtype::I16 => "INT16",
        Dtype::I32 => "INT32",
        Dtype::I64 => "INT64",
        Dtype::F16 => "FP16",
        Dtype::BF16 => "BF16",
        Dtype::F32 => "FP32",
        Dtype::F64 => "FP64",
        _ => return None,
    })
}

/// The element type of a name, and the bytes of one element.
pub fn known(name: &str) -> Option<(Dtype, usize)> {
    Some(match name {
        "BOOL" => (Dtype::BOOL, 1),
        "UINT8" => (Dtype::U8, 1),
        "UINT16" => (Dtype::U16, 2),
        "UINT32" => (Dtype::U32, 4),
        "UINT64" => (Dtype::U64, 8),
        "INT8" => (Dtype::I8, 1),
        "INT16" => (Dtype::I16, 2),
        "INT32" => (Dtype::I32, 4),
        "INT64" => (Dtype::I64, 8),
        "FP16" => (Dtype::F16, 2),
        "BF16" => (Dtype::BF16, 2),
        "FP32" => (Dtype::F32, 4),
        "FP64" => (Dtype::F64, 8),
        _ => return None,
    })
}

/// The name of a port's element type.
pub fn of_port(dtype: &str) -> &str {
    crate::api::tensors::dtype(dtype)
        .and_then(triton)
        .unwrap_or(dtype)
}
