use super::*;

pub const FLOAT: u64 = 1;
const EVERYTHING: Least = Least { each: 1, total: 1 };

/// A message in the making.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        encode_bytes(field, bytes, &mut self.0);
        self
    }

    pub fn number(mut self, field: u32, number: u64) -> Self {
        encode_key(field, WireType::Varint, &mut self.0);
        encode_varint(number, &mut self.0);
        self
    }

    pub fn with(self, field: u32, messages: impl IntoIterator<Item = Self>) -> Self {
        let add = |of: Self, message: Self| of.bytes(field, &message.0);
        messages.into_iter().fold(self, add)
    }
}

pub fn weight(name: &str, dims: &[u64], bytes: &[u8]) -> Message {
    let dims = dims
        .iter()
        .fold(Message::default(), |of, side| of.number(1, *side));
    dims.number(2, FLOAT)
        .bytes(8, name.as_bytes())
        .bytes(9, bytes)
}

pub fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    let inputs = inputs
        .iter()
        .fold(Message::default(), |of, name| of.bytes(1, name.as_bytes()));
    inputs
        .bytes(2, output.as_bytes())
        .bytes(4, operator.as_bytes())
}

pub fn port(name: &str, dims: &[u64]) -> Message {
    let sides = dims.iter().map(|side| Message::default().number(1, *side));
    let tensor = Message::default()
        .number(1, FLOAT)
        .with(2, [Message::default().with(1, sides)]);
    let kind = Message::default().with(1, [tensor]);
    Message::default().bytes(1, name.as_bytes()).with(2, [kind])
}

/// A file with this graph; `before` is where it begins.
pub fn file(graph: Message) -> Vec<u8> {
    let operators = Message::default().bytes(1, b"").number(2, 17);
    Message::default()
        .number(1, 8)
        .with(7, [graph])
        .with(8, [operators])
        .0
}

fn of(tensors: impl IntoIterator<Item = Message>) -> Vec<u8> {
    let nodes = [node("Relu", &["w"], "y")];
    file(Message::default().with(1, nodes).with(5, tensors))
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

/// What stands for the raw bytes of a tensor.
fn reference(file: &[u8], bytes: &[u8]) -> Message {
    let offset = file.windows(bytes.len()).position(|at| at == bytes);
    let pairs = [
        ("location", FILE.to_owned()),
        ("offset", offset.unwrap().to_string()),
        ("length", bytes.len().to_string()),
    ];
    let pairs = pairs.map(|(key, value)| {
        Message::default()
            .bytes(1, key.as_bytes())
            .bytes(2, value.as_bytes())
    });
    Message::default().with(13, pairs).number(14, 1)
}

#[test]
fn large_weights_become_references_and_all_else_stays() {
    let (large, small) = (noise(4_096), noise(512));
    // With text, metadata and a field that nobody knows, between the others and after them.
    let odd = Message::default()
        .bytes(12, b"a text")
        .bytes(9, &large)
        .bytes(1, &[0x80, 0x08])
        .bytes(8, b"v")
        .number(2, FLOAT)
        .bytes(16, b"")
        .bytes(77, b"unknown");
    let without = Message::default()
        .bytes(12, b"a text")
        .bytes(1, &[0x80, 0x08])
        .bytes(8, b"v")
        .number(2, FLOAT)
        .bytes(16, b"")
        .bytes(77, b"unknown");
    let little = weight("s", &[128], &small);
    let file = of([odd, little.clone()]);
    let least = Least {
        each: 1_024,
        total: 4_096,
    };
    let reference = reference(&file, &large);
    let expected = of([Message([without.0, reference.0].concat()), little]);
    assert_eq!(refer(&file, least), Some(expected));
}

#[test]
fn what_gains_little_stays_whole() {
    let weight = weight("w", &[1_024], &noise(4_096));
    let file = of([weight.clone()]);
    let least = |each, total| Least { each, total };
    assert!(refer(&file, least(4_096, 4_096)).is_some());
    assert_eq!(refer(&file, least(4_097, 1)), None);
    assert_eq!(refer(&file, least(1, 4_097)), None);
    // Most of it would be copied once more.
    let text = Message(file.clone()).bytes(6, &noise(5_000)).0;
    assert_eq!(refer(&text, least(1, 1)), None);
    assert_eq!(refer(&file, Least::default()), None);
}

#[test]
fn tensors_that_could_be_read_in_two_ways_stay_what_they_are() {
    let bytes = noise(4_096);
    let plain = weight("w", &[1_024], &bytes);
    let pair = Message::default().bytes(1, b"location").bytes(2, b"m");
    let odd = [
        plain.clone().bytes(9, &bytes),
        plain.clone().bytes(4, &[0; 8]),
        plain.clone().bytes(5, &[1]),
        plain.clone().bytes(6, b"text"),
        plain.clone().bytes(7, &[1]),
        plain.clone().bytes(10, &[0; 8]),
        plain.clone().bytes(11, &[1]),
        plain.clone().bytes(3, b""),
        plain.clone().with(13, [pair]),
        plain.clone().number(14, 0),
        plain.clone().number(14, 1),
        plain.clone().number(2, FLOAT),
        plain.clone().number(9, 7),
        // Of no type, 32-bit and 64-bit integers, and texts.
        Message::default().bytes(9, &bytes),
        Message::default().bytes(2, b"").bytes(9, &bytes),
        Message::default().number(2, 0).bytes(9, &bytes),
        Message::default().number(2, 6).bytes(9, &bytes),
        Message::default().number(2, 7).bytes(9, &bytes),
        Message::default().number(2, 8).bytes(9, &bytes),
    ];
    for (number, tensor) in odd.into_iter().enumerate() {
        let file = of([tensor.clone()]);
        assert_eq!(refer(&file, EVERYTHING), None, "{number}");
        // Beside others it is passed through.
        let other = noise(20_000);
        let file = of([weight("o", &[5_000], &other), tensor.clone()]);
        let short = refer(&file, EVERYTHING).unwrap();
        assert!(short.len() < file.len() - 19_000);
        assert!(
            short.windows(tensor.0.len()).any(|at| at == tensor.0),
            "{number}"
        );
    }
}

#[test]
fn what_is_no_model_or_two_stays_whole() {
    let graph = Message::default().with(5, [weight("w", &[1_024], &noise(4_096))]);
    let once = Message::default().with(7, [graph.clone()]);
    assert!(refer(&once.0, EVERYTHING).is_some());
    let twice = Message::default().with(7, [Message::default(), graph]);
    let number = once.clone().number(7, 1);
    for file in [twice, number, Message::default()] {
        assert_eq!(refer(&file.0, EVERYTHING), None);
    }
    let group = [&once.0[..], &[0x0b, 0x0c]].concat();
    assert_eq!(refer(&group, EVERYTHING), None);
    for end in 0..once.0.len() {
        assert_eq!(refer(&once.0[..end], EVERYTHING), None, "{end}");
    }
}
