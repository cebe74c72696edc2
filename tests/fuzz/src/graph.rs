//! Model files: the first bytes of a stranger's model that anything looks at.

use std::{ops::Range, str::FromStr};

use assay_engine::{LeastWeights, WEIGHTS_FILE, inspect, refer_to_weights};
use prost::Message;

/// The check ends, on whatever file, and says the same twice. What is made of the file without its weights is
/// the file again once they are put back.
pub fn graph(bytes: &[u8]) {
    let limits = assay_engine::Limits::default();
    let first = inspect(bytes, limits.model_bytes).map(drop);
    assert!(first == inspect(bytes, limits.model_bytes).map(drop));
    let everything = LeastWeights { each: 1, total: 1 };
    let Some(short) = refer_to_weights(bytes, everything) else {
        return;
    };
    // A file that takes the engine's words into its mouth, and one that another reader does not take, cannot
    // be compared.
    let name = WEIGHTS_FILE.as_bytes();
    if bytes.windows(name.len()).any(|found| found == name) {
        return;
    }
    let Ok(model) = Model::decode(bytes) else {
        return;
    };
    let mut again = Model::decode(short.as_slice()).unwrap_or_default();
    let mut back = 0;
    for tensor in again
        .graph
        .iter_mut()
        .flat_map(|graph| &mut graph.initializer)
    {
        back += usize::from(tensor.put_back(bytes));
    }
    assert!(back > 0);
    assert!(again == model);
}

// What is used of ONNX's messages. Fields of a number that is not named here are in neither.

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(bytes = "vec", repeated, tag = "8")]
    operators: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "14")]
    metadata: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "25")]
    functions: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(bytes = "vec", repeated, tag = "1")]
    node: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "11")]
    input: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "12")]
    output: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "15")]
    sparse: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int64, optional, tag = "2")]
    kind: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "8")]
    name: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "9")]
    raw: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "13")]
    outside: Vec<Entry>,
    #[prost(int64, optional, tag = "14")]
    is_outside: Option<i64>,
    #[prost(bytes = "vec", repeated, tag = "16")]
    metadata: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl Tensor {
    /// Puts the bytes back that it refers to. None of its own making is left: those would be outside.
    fn put_back(&mut self, model: &[u8]) -> bool {
        let Some(range) = self.range() else {
            return false;
        };
        let bytes = model.get(range);
        assert!(bytes.is_some() && self.raw.is_none());
        self.raw = bytes.map(<[u8]>::to_vec);
        self.outside.clear();
        self.is_outside = None;
        true
    }

    fn range(&self) -> Option<Range<usize>> {
        let [location, offset, length] = self.outside.as_slice() else {
            return None;
        };
        if location.value != WEIGHTS_FILE.as_bytes() || self.is_outside != Some(1) {
            return None;
        }
        let number = |entry: &Entry| usize::from_str(str::from_utf8(&entry.value).ok()?).ok();
        let (offset, length) = (number(offset)?, number(length)?);
        Some(offset..offset.checked_add(length)?)
    }
}
