//! Weights large enough to be taken from the file as they lie there, and what a file might say of them
//! to have others taken.

use crate::{
    Case,
    onnx::{FLOAT, Graph, INT32, Message, data, file, header, int, node, tensor, varint},
};

/// Elements, of four bytes: a megabyte.
const MANY: usize = 256 << 10;
/// What the engine calls the file in which they lie.
const FILE: &str = assay_engine::WEIGHTS_FILE;

pub fn cases() -> Vec<Case> {
    let mut cases = loaded();
    cases.extend(refused());
    cases
}

fn bytes() -> Vec<u8> {
    (0..MANY as u32).flat_map(u32::to_le_bytes).collect()
}

fn weight(name: &str) -> Message {
    data(name, FLOAT, &[MANY as i64], &bytes())
}

fn joined(weights: &[&str]) -> Graph {
    let inputs: Vec<&str> = ["x"].iter().chain(weights).copied().collect();
    Graph::of([node("Concat", &inputs, &["y"], &[int("axis", 0)])])
}

fn entries(offset: &str, length: &str) -> Message {
    let pairs = [("location", FILE), ("offset", offset), ("length", length)];
    let of = |of: Message, (key, value): (&str, &str)| {
        of.with(13, &Message::new().text(1, key).text(2, value))
    };
    pairs.into_iter().fold(Message::new(), of)
}

/// What is odd, and no harm.
fn loaded() -> Vec<Case> {
    let raw = bytes();
    let many = MANY as i64;
    let backwards = Message::new()
        .bytes(9, &raw)
        .text(8, "w")
        .number(2, FLOAT)
        .number(1, MANY as u64);
    // Tag, kind and length with more bytes than they need.
    let padded = {
        let head = Message::new().numbers(1, &[many]).number(2, FLOAT);
        let mut tensor = head.text(8, "w").raw(&[0xca, 0x80, 0x00]).0;
        varint(&mut tensor, raw.len() as u64 | 1 << 34);
        let length = tensor.len() - 5;
        tensor[length + 4] = 0;
        tensor.extend(&raw);
        Message(tensor)
    };
    let twice = joined(&["w"]).constant(weight("w"));
    let shared =
        joined(&["w", "v"])
            .constant(weight("w"))
            .constant(data("v", FLOAT, &[1], &[0; 4]));
    let files = [
        ("called as the file", joined(&[FILE]).constant(weight(FILE))),
        ("written backwards", joined(&["w"]).constant(backwards)),
        ("of padded numbers", joined(&["w"]).constant(padded)),
        ("twice", twice.clone().constant(weight("w"))),
        (
            "twice, once of another size",
            twice.constant(data("w", FLOAT, &[1], &[0; 4])),
        ),
        ("beside a small one", shared),
        (
            "with numbers beside its bytes",
            joined(&["w"]).constant(weight("w").bytes(4, &[0; 8])),
        ),
        (
            "of integers",
            joined(&["w"]).constant(data("w", INT32, &[many], &raw)),
        ),
        (
            "as the shape of another",
            Graph::of([node("Reshape", &["x", "w"], &["y"], &[])]).constant(weight("w")),
        ),
        (
            "that is an attribute",
            Graph::of([
                node("Constant", &[], &["w"], &[tensor("value", &weight("w"))]),
                node("Concat", &["x", "w", "v"], &["y"], &[int("axis", 0)]),
            ])
            .constant(weight("v")),
        ),
        (
            "that nobody asks for",
            Graph::of([node("Relu", &["x"], &["y"], &[])]).constant(weight("w")),
        ),
    ];
    files
        .map(|(name, graph)| Case::any(format!("a large weight {name}"), graph.file()))
        .into()
}

fn refused() -> Vec<Case> {
    let length = (MANY * 4).to_string();
    let outside = |offset: &str, length: &str| {
        let tensor = Message::new()
            .numbers(1, &[MANY as i64])
            .number(2, FLOAT)
            .text(8, "v")
            .number(14, 1);
        Message([tensor.0, entries(offset, length).0].concat())
    };
    let beside = |tensor: &Message| {
        let graph = joined(&["w", "v"]).constant(weight("w"));
        graph.constant(tensor.clone()).file()
    };
    let mut cases: Vec<Case> = [
        ("0", length.as_str()),
        ("1048576", &length),
        ("-1048576", &length),
        ("18446744073709551615", &length),
        ("9223372036854775807", "9223372036854775807"),
        ("0", "0"),
        ("", ""),
    ]
    .into_iter()
    .map(|(offset, length)| {
        let name = format!("a weight that lies in the file itself at {offset:?}, {length:?} long");
        Case::refused(name, "external_data", beside(&outside(offset, length)))
    })
    .collect();
    let both = Message([weight("v").0, entries("0", &length).0].concat());
    let graph = joined(&["w"]).constant(weight("w")).message();
    let attribute = node(
        "Constant",
        &[],
        &["v"],
        &[tensor("value", &outside("0", &length))],
    );
    let mut in_attribute = joined(&["w", "v"]).constant(weight("w"));
    in_attribute.nodes.insert(0, attribute);
    cases.extend([
        Case::refused(
            "a weight here and elsewhere",
            "external_data",
            beside(&both),
        ),
        Case::refused(
            "an attribute that lies in the file itself",
            "external_data",
            in_attribute.file(),
        ),
        Case::refused(
            "a large weight's bytes twice",
            "not_onnx",
            beside(&weight("v").bytes(9, &bytes())),
        ),
        Case::refused(
            "a large weight of more elements than it has",
            "tensor",
            beside(&data("v", FLOAT, &[MANY as i64 + 1], &bytes())),
        ),
        Case::refused(
            "a graph of large weights twice",
            "not_onnx",
            header(8, 17).with(7, &graph).with(7, &graph).0,
        ),
        Case::refused("a large weight that ends with the file", "not_onnx", {
            let mut cut = file(&graph);
            cut.truncate(cut.len() - 1);
            cut
        }),
    ]);
    cases
}
