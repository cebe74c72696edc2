//! Writes ONNX files, right and wrong ones, byte by byte.

/// A protobuf message, or what pretends to be one.
#[derive(Clone, Debug, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn number(mut self, field: u32, value: u64) -> Self {
        self.tag(field, 0);
        varint(&mut self.0, value);
        self
    }

    pub fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.tag(field, 2);
        varint(&mut self.0, bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn with(self, field: u32, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub fn all<'a>(self, field: u32, messages: impl IntoIterator<Item = &'a Self>) -> Self {
        let add = |whole: Self, part| whole.with(field, part);
        messages.into_iter().fold(self, add)
    }

    pub fn texts(self, field: u32, texts: &[&str]) -> Self {
        texts
            .iter()
            .fold(self, |whole, text| whole.text(field, text))
    }

    pub fn numbers(self, field: u32, numbers: &[i64]) -> Self {
        let add = |whole: Self, number: &i64| whole.number(field, number.cast_unsigned());
        numbers.iter().fold(self, add)
    }

    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.tag(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Bytes as they are, in the place of fields.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn tag(&mut self, field: u32, kind: u64) {
        varint(&mut self.0, (u64::from(field) << 3) | kind);
    }
}

pub fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

pub const FLOAT: u64 = 1;
pub const UINT8: u64 = 2;
pub const INT32: u64 = 6;
pub const INT64: u64 = 7;
pub const STRING: u64 = 8;
pub const BOOL: u64 = 9;

/// A graph in the making: `x` of four floats in, `y` out, unless told otherwise.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Message>,
    pub constants: Vec<Message>,
    pub inputs: Vec<Message>,
    pub outputs: Vec<Message>,
}

impl Graph {
    pub fn of(nodes: impl IntoIterator<Item = Message>) -> Self {
        Self {
            nodes: nodes.into_iter().collect(),
            constants: vec![],
            inputs: vec![port("x", FLOAT, &[4])],
            outputs: vec![untyped("y")],
        }
    }

    pub fn constant(mut self, tensor: Message) -> Self {
        self.constants.push(tensor);
        self
    }

    pub fn inputs(mut self, inputs: impl IntoIterator<Item = Message>) -> Self {
        self.inputs = inputs.into_iter().collect();
        self
    }

    pub fn outputs(mut self, outputs: impl IntoIterator<Item = Message>) -> Self {
        self.outputs = outputs.into_iter().collect();
        self
    }

    pub fn message(&self) -> Message {
        Message::new()
            .all(1, &self.nodes)
            .text(2, "hostile")
            .all(5, &self.constants)
            .all(11, &self.inputs)
            .all(12, &self.outputs)
    }

    pub fn file(&self) -> Vec<u8> {
        file(&self.message())
    }
}

/// A model file around a graph.
pub fn file(graph: &Message) -> Vec<u8> {
    header(8, 17).with(7, graph).0
}

pub fn header(ir_version: u64, opset: u64) -> Message {
    Message::new()
        .number(1, ir_version)
        .with(8, &import("", opset))
        .with(8, &import("com.microsoft", 1))
        .with(8, &import("ai.onnx.ml", 3))
}

pub fn import(domain: &str, version: u64) -> Message {
    Message::new().text(1, domain).number(2, version)
}

/// Inputs and outputs by name; an operator of another domain is written `domain:operator`.
pub fn node(operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Message]) -> Message {
    let (domain, operator) = operator.rsplit_once(':').unwrap_or(("", operator));
    Message::new()
        .texts(1, inputs)
        .texts(2, outputs)
        .text(4, operator)
        .all(5, attributes)
        .text(7, domain)
}

pub fn int(name: &str, value: i64) -> Message {
    Message::new()
        .text(1, name)
        .number(3, value.cast_unsigned())
        .number(20, 2)
}

pub fn float(name: &str, value: f32) -> Message {
    Message::new().text(1, name).float(2, value).number(20, 1)
}

pub fn text(name: &str, value: &str) -> Message {
    Message::new().text(1, name).text(4, value).number(20, 3)
}

pub fn ints(name: &str, values: &[i64]) -> Message {
    Message::new()
        .text(1, name)
        .numbers(8, values)
        .number(20, 7)
}

pub fn tensor(name: &str, value: &Message) -> Message {
    Message::new().text(1, name).with(5, value).number(20, 4)
}

pub fn graph(name: &str, value: &Message) -> Message {
    Message::new().text(1, name).with(6, value).number(20, 5)
}

/// A constant with raw bytes, whether they fit or not.
pub fn data(name: &str, kind: u64, dims: &[i64], bytes: &[u8]) -> Message {
    let dims = Message::new().numbers(1, dims);
    dims.number(2, kind).text(8, name).bytes(9, bytes)
}

pub fn integers(name: &str, values: &[i64]) -> Message {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    data(name, INT64, &[values.len() as i64], &bytes)
}

pub fn scalar(name: &str, value: i64) -> Message {
    data(name, INT64, &[], &value.to_le_bytes())
}

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Message {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    data(name, FLOAT, dims, &bytes)
}

pub fn port(name: &str, kind: u64, dims: &[i64]) -> Message {
    let side = |side: &i64| Message::new().number(1, side.cast_unsigned());
    let shape = dims
        .iter()
        .map(side)
        .fold(Message::new(), |shape, side| shape.with(1, &side));
    let of = Message::new().number(1, kind).with(2, &shape);
    Message::new()
        .text(1, name)
        .with(2, &Message::new().with(1, &of))
}

/// Of some type that ONNX Runtime finds out itself.
pub fn untyped(name: &str) -> Message {
    Message::new().text(1, name)
}

/// A function of the model.
pub fn function(
    domain: &str,
    name: &str,
    inputs: &[&str],
    outputs: &[&str],
    nodes: &[Message],
) -> Message {
    Message::new()
        .text(1, name)
        .texts(4, inputs)
        .texts(5, outputs)
        .all(7, nodes)
        .with(9, &import("", 17))
        .with(9, &import(domain, 1))
        .text(10, domain)
}

/// A model whose main graph calls functions of the domain `own`.
pub fn with_functions(graph: &Graph, functions: &[Message]) -> Vec<u8> {
    header(8, 17)
        .with(8, &import("own", 1))
        .with(7, &graph.message())
        .all(25, functions)
        .0
}
