//! The parts of onnx.proto that hold test data.

use assay_engine::DType;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(message, required, tag = "7")]
    pub graph: GraphProto,
}

#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
}

impl TensorProto {
    pub fn dtype(&self) -> Option<DType> {
        Some(match self.data_type {
            1 => DType::F32,
            2 => DType::U8,
            3 => DType::I8,
            4 => DType::U16,
            5 => DType::I16,
            6 => DType::I32,
            7 => DType::I64,
            9 => DType::Bool,
            10 => DType::F16,
            11 => DType::F64,
            12 => DType::U32,
            13 => DType::U64,
            16 => DType::BF16,
            _ => return None,
        })
    }

    /// Little-endian elements, from whichever field holds them.
    pub fn bytes(&self, dtype: DType) -> Vec<u8> {
        fn low<T>(values: &[T], width: usize, bytes: impl Fn(&T) -> [u8; 8]) -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| bytes(value).into_iter().take(width))
                .collect()
        }
        if !self.raw_data.is_empty() {
            return self.raw_data.clone();
        }
        match dtype {
            DType::F32 => self
                .float_data
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            DType::F64 => self
                .double_data
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            DType::I64 => low(&self.int64_data, 8, |value| value.to_le_bytes()),
            DType::U64 | DType::U32 => {
                low(&self.uint64_data, dtype.size(), |value| value.to_le_bytes())
            }
            DType::Bool
            | DType::U8
            | DType::I8
            | DType::U16
            | DType::I16
            | DType::I32
            | DType::F16
            | DType::BF16 => low(&self.int32_data, dtype.size(), |value| {
                i64::from(*value).to_le_bytes()
            }),
        }
    }
}
