//! Chains of a product and a rectifier, and the input that they take.

use anyhow::Result;
use assay_engine::{DType, Tensor, to_safetensors};
use prost::Message;

/// Rows of the input: 32 KiB with the columns, as large as the output.
pub const ROWS: usize = 64;
/// Columns of the input, and of every weight.
pub const COLUMNS: usize = 128;

const FLOAT: i32 = 1;

/// The elements of the input that every run takes.
pub fn input() -> Vec<f32> {
    noise(7, ROWS * COLUMNS, 1.0)
}

/// The same as the file that a requester sends.
pub fn input_file() -> Result<Vec<u8>> {
    let tensor = Tensor {
        name: "x".into(),
        dtype: DType::F32,
        shape: vec![ROWS, COLUMNS],
        data: little_endian(&input()),
    };
    Ok(to_safetensors(&[tensor])?)
}

pub fn little_endian(elements: &[f32]) -> Vec<u8> {
    elements.iter().flat_map(|one| one.to_le_bytes()).collect()
}

/// The file of a model of so many products, each followed by a rectifier.
pub fn chain(layers: usize) -> Vec<u8> {
    // Keeps the size of the values from layer to layer, so that no arithmetic is of odd numbers.
    let amplitude = (6.0 / 128.0_f32).sqrt();
    let mut graph = Graph {
        name: "chain".into(),
        input: vec![port("x")],
        output: vec![port("y")],
        ..Graph::default()
    };
    let mut last = "x".to_owned();
    for layer in 0..layers {
        let (weight, product) = (format!("w{layer}"), format!("p{layer}"));
        let next = if layer + 1 == layers {
            "y".to_owned()
        } else {
            format!("r{layer}")
        };
        let seed = u32::try_from(layer).unwrap_or(u32::MAX);
        graph.initializer.push(Weights {
            dims: vec![128, 128],
            data_type: FLOAT,
            name: weight.clone(),
            raw_data: little_endian(&noise(seed, COLUMNS * COLUMNS, amplitude)),
        });
        graph.node.push(node("MatMul", &[&last, &weight], &product));
        graph.node.push(node("Relu", &[&product], &next));
        last = next;
    }
    let file = File {
        ir_version: 8,
        producer_name: "assay".into(),
        graph: Some(graph),
        opset_import: vec![Operators {
            domain: String::new(),
            version: 17,
        }],
    };
    file.encode_to_vec()
}

/// Evenly spread between plus and minus `amplitude`; the same for the same seed.
fn noise(seed: u32, count: usize, amplitude: f32) -> Vec<f32> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        // Xorshift: good enough to tell rows apart, and no library is needed.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [a, b, ..] = state.to_le_bytes();
        (f32::from(u16::from_le_bytes([a, b])) / 32_767.5 - 1.0) * amplitude
    };
    (0..count).map(|_| next()).collect()
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: operator.to_owned(),
    }
}

fn port(name: &str) -> Port {
    let dim = vec![Dimension { value: 64 }, Dimension { value: 128 }];
    let tensor = TensorType {
        elem_type: FLOAT,
        shape: Some(Shape { dim }),
    };
    Port {
        name: name.to_owned(),
        kind: Some(Kind {
            tensor_type: Some(tensor),
        }),
    }
}

// What is used of ONNX's messages.

#[derive(Message)]
struct File {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<Operators>,
}

#[derive(Message)]
struct Operators {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Weights>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<Port>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<Port>,
}

#[derive(Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
}

#[derive(Message)]
struct Weights {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Message)]
struct Port {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

#[derive(Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    value: i64,
}
