//! Constants that are not what they say.

use crate::{
    Case,
    onnx::{
        FLOAT, Graph, INT32, INT64, Message, STRING, data, floats, integers, node, port, untyped,
    },
};

pub fn cases() -> Vec<Case> {
    let weight = |tensor: Message| {
        Graph::of([node("Add", &["x", "w"], &["y"], &[])])
            .constant(tensor)
            .file()
    };
    let mut cases: Vec<Case> = wrong()
        .into_iter()
        .map(|(name, tensor)| Case::refused(format!("tensor {name}"), "tensor", weight(tensor)))
        .collect();
    cases.extend(ports());
    cases.push(Case::any(
        "tensor of nothing",
        weight(data("w", FLOAT, &[0], &[])),
    ));
    cases.push(Case::any("tensor of strings", {
        let words = Message::new()
            .numbers(1, &[2])
            .number(2, STRING)
            .text(8, "w")
            .texts(6, &["a", "b"]);
        weight(words)
    }));
    cases
}

fn wrong() -> Vec<(String, Message)> {
    let sixteen = [0; 16];
    let of = |kind: u64, dims: &[i64]| data("w", kind, dims, &sixteen);
    let typed = |kind: u64, dims: &[i64], field: u32, bytes: &[u8]| {
        Message::new()
            .numbers(1, dims)
            .number(2, kind)
            .text(8, "w")
            .bytes(field, bytes)
    };
    let mut wrong: Vec<(String, Message)> = [
        ("with a negative side", of(FLOAT, &[-4])),
        ("with the most negative side", of(FLOAT, &[i64::MIN])),
        ("with two negative sides", of(FLOAT, &[-2, -2])),
        ("with 2^40 elements and 16 bytes", of(FLOAT, &[1 << 40])),
        ("with 2^63 elements", of(FLOAT, &[1 << 62, 2])),
        ("with 2^64 elements", of(FLOAT, &[1 << 32, 1 << 32])),
        (
            "that overflows to four elements",
            of(FLOAT, &[(1 << 62) + 1, 4]),
        ),
        (
            "that overflows and is empty",
            of(FLOAT, &[i64::MAX, i64::MAX, 0]),
        ),
        ("a byte short", data("w", FLOAT, &[4], &[0; 15])),
        ("a byte long", data("w", FLOAT, &[4], &[0; 17])),
        (
            "that is empty but for its shape",
            data("w", FLOAT, &[4], &[]),
        ),
        (
            "without any data",
            Message::new()
                .numbers(1, &[4])
                .number(2, FLOAT)
                .text(8, "w"),
        ),
        ("of no type", of(0, &[4])),
        ("of type 27", of(27, &[16])),
        ("of type 2^32 + 1", of((1 << 32) + 1, &[4])),
        ("of type -1", of(u64::MAX, &[4])),
        ("of strings in raw bytes", of(STRING, &[16])),
        ("in 65 dimensions", of(FLOAT, &[1; 65])),
        ("in 100 000 dimensions", of(FLOAT, &vec![1; 100_000])),
        (
            "in packed dimensions that do not fit",
            Message::new()
                .bytes(1, &[0x80, 0x80, 0x80, 0x80, 0x10])
                .number(2, FLOAT)
                .text(8, "w")
                .bytes(9, &sixteen),
        ),
        ("with floats for integers", typed(INT64, &[4], 4, &sixteen)),
        ("with too few floats", typed(FLOAT, &[5], 4, &sixteen)),
        ("with too many floats", typed(FLOAT, &[3], 4, &sixteen)),
        (
            "with too few 64-bit integers",
            typed(INT64, &[5], 7, &[1, 2, 3, 4]),
        ),
        (
            "with too few small integers",
            typed(INT32, &[5], 5, &[1, 2, 3, 4]),
        ),
        ("with too few doubles", typed(11, &[3], 10, &sixteen)),
        (
            "with too few unsigned integers",
            typed(13, &[3], 11, &[1, 2]),
        ),
        ("with too few nibbles", typed(22, &[5], 5, &[1, 2])),
        (
            "with half of its complex numbers",
            typed(14, &[4], 4, &sixteen),
        ),
        (
            "with too few strings",
            Message::new()
                .numbers(1, &[3])
                .number(2, STRING)
                .text(8, "w")
                .texts(6, &["a", "b"]),
        ),
        (
            "that is a segment",
            of(FLOAT, &[4]).with(3, &Message::new().number(1, 0).number(2, 4)),
        ),
    ]
    .map(|(name, tensor)| (name.to_owned(), tensor))
    .into();
    // Each type with one element more than its bytes hold.
    for (kind, bits) in [
        (2, 8),
        (3, 8),
        (4, 16),
        (5, 16),
        (6, 32),
        (7, 64),
        (9, 8),
        (10, 16),
        (11, 64),
        (12, 32),
        (16, 16),
        (21, 4),
    ] {
        let dims = [128 / bits + 1];
        wrong.push((
            format!("of type {kind} with an element too many"),
            data("w", kind, &dims, &sixteen),
        ));
    }
    wrong
}

fn ports() -> Vec<Case> {
    let input = |dims: &[i64]| {
        Graph::of([node("Identity", &["x"], &["y"], &[])])
            .inputs([port("x", FLOAT, dims)])
            .file()
    };
    let many = (0..5_000).map(|number| port(&format!("x{number}"), FLOAT, &[1]));
    vec![
        Case::refused(
            "input of 2^64 elements",
            "tensor",
            input(&[1 << 32, 1 << 32]),
        ),
        Case::refused("input in 65 dimensions", "tensor", input(&[1; 65])),
        Case::any("input of 2^40 elements", input(&[1 << 40])),
        Case::any("input with a negative side", input(&[-7, 4])),
        Case::any("input of no elements", input(&[0])),
        Case::refused(
            "output of 2^64 elements",
            "tensor",
            Graph::of([node("Identity", &["x"], &["y"], &[])])
                .outputs([port("y", FLOAT, &[1 << 32, 1 << 32])])
                .file(),
        ),
        Case::refused(
            "5 000 inputs",
            "too_many",
            Graph::of([node("Identity", &["x0"], &["y"], &[])])
                .inputs(many)
                .file(),
        ),
        Case::any("output that is larger than it says", {
            let tile = node("Tile", &["x", "n"], &["y"], &[]);
            Graph::of([tile])
                .constant(integers("n", &[1 << 20]))
                .outputs([port("y", FLOAT, &[4])])
                .file()
        }),
        Case::any(
            "output that nobody makes",
            Graph::of([node("Identity", &["x"], &["z"], &[])]).file(),
        ),
        Case::any(
            "input that is a constant too",
            Graph::of([node("Identity", &["x"], &["y"], &[])])
                .constant(floats("x", &[4], &[0.0; 4]))
                .file(),
        ),
        Case::any(
            "output of another type than it says",
            Graph::of([node("Identity", &["x"], &["y"], &[])])
                .outputs([port("y", INT64, &[4])])
                .file(),
        ),
        Case::any(
            "no outputs",
            Graph::of([node("Identity", &["x"], &["y"], &[])])
                .outputs([])
                .file(),
        ),
        Case::any("no nodes", Graph::of([]).outputs([untyped("x")]).file()),
    ]
}
