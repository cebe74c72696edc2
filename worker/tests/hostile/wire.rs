//! Files that are no protobuf, or that two readers may take for two models.

use crate::{
    Case,
    onnx::{Graph, Message, file, graph, header, import, node, port, tensor, untyped, varint},
};

pub fn cases() -> Vec<Case> {
    let mut cases = bytes();
    cases.extend(doubles());
    cases.extend(names());
    cases.extend(versions());
    cases
}

fn relu() -> Message {
    node("Relu", &["x"], &["y"], &[])
}

fn bytes() -> Vec<Case> {
    let good = Graph::of([relu()]).file();
    let after = |tail: &[u8]| [&good[..], tail].concat();
    let endless = {
        let mut bytes = vec![0x3a];
        varint(&mut bytes, u64::MAX);
        bytes
    };
    let long_number = [&[0x08][..], &[0x80; 11], &[0]].concat();
    let packed = Message::new()
        .bytes(1, &[0x80; 12])
        .number(2, 1)
        .text(8, "w");
    let constant = |tensor: Message| Graph::of([relu()]).constant(tensor).file();
    [
        ("nothing", vec![]),
        ("a zero", vec![0]),
        ("zeros", vec![0; 4_096]),
        ("0xff throughout", vec![0xff; 4_096]),
        ("a program", b"\x7fELF\x02\x01\x01".to_vec()),
        ("a page", b"<!DOCTYPE html><html>".to_vec()),
        ("a length beyond all memory", endless),
        ("a number of twelve bytes", long_number),
        ("field 0", after(&[0x00, 0x00])),
        ("a group", after(&[0x0b, 0x0c])),
        ("the end of a group", after(&[0x0c])),
        ("groups 200 deep", after(&[0x0b; 200])),
        ("kind 6", after(&[0x0e])),
        ("kind 7", after(&[0x0f])),
        (
            "a field number of 35 bits",
            after(&[0xf8, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00]),
        ),
        ("a cut tag", after(&[0x80])),
        ("a cut length", after(&[0x3a, 0x80])),
        ("a cut message", after(&[0x3a, 0x05, 0x01])),
        ("a graph that is a number", header(8, 17).number(7, 7).0),
        (
            "a node that is a number",
            file(&Message::new().number(1, 7)),
        ),
        (
            "a name that is a number",
            Graph::of([Message::new().number(4, 7)]).file(),
        ),
        ("dimensions that are cut", constant(packed)),
        (
            "a type that is text",
            constant(Message::new().text(2, "float").text(8, "w")),
        ),
        ("a version that is text", Message::new().text(1, "8").0),
        ("no graph", header(8, 17).0),
    ]
    .map(|(name, bytes)| Case::refused(format!("file of {name}"), "not_onnx", bytes))
    .into()
}

fn doubles() -> Vec<Case> {
    let graph_of = |nodes: Vec<Message>| Graph::of(nodes).message();
    let branch = Graph::of([relu()]).inputs([]).message();
    let value = crate::onnx::integers("v", &[1]);
    let shaped = Message::new()
        .with(2, &Message::new())
        .with(2, &Message::new());
    [
        (
            "a graph",
            header(8, 17)
                .with(7, &graph_of(vec![relu()]))
                .with(7, &graph_of(vec![]))
                .0,
        ),
        (
            "a version",
            header(8, 17)
                .number(1, 8)
                .with(7, &graph_of(vec![relu()]))
                .0,
        ),
        (
            "an operator",
            Graph::of([relu().text(4, "EPContext")]).file(),
        ),
        ("a domain", Graph::of([relu().text(7, "evil")]).file()),
        (
            "an attribute's tensor",
            Graph::of([node(
                "Constant",
                &[],
                &["y"],
                &[tensor("value", &value).with(5, &value)],
            )])
            .file(),
        ),
        (
            "an attribute's graph",
            Graph::of([node(
                "If",
                &["c"],
                &["y"],
                &[graph("then_branch", &branch).with(6, &branch)],
            )])
            .file(),
        ),
        (
            "a tensor's bytes",
            Graph::of([relu()])
                .constant(value.clone().bytes(9, &[0; 8]))
                .file(),
        ),
        (
            "a tensor's type",
            Graph::of([relu()]).constant(value.number(2, 1)).file(),
        ),
        (
            "an input's type",
            Graph::of([relu()])
                .inputs([port("x", 1, &[4]).with(2, &Message::new())])
                .file(),
        ),
        (
            "an input's shape",
            Graph::of([relu()])
                .inputs([Message::new()
                    .text(1, "x")
                    .with(2, &Message::new().with(1, &shaped))])
                .file(),
        ),
    ]
    .map(|(name, bytes)| Case::refused(format!("{name} twice"), "not_onnx", bytes))
    .into()
}

fn names() -> Vec<Case> {
    let long = "n".repeat(5_000);
    let odd = |name: &[u8]| {
        let nodes = [Message::new().bytes(1, name).text(2, "y").text(4, "Relu")];
        Graph::of(nodes)
            .inputs([Message::new().bytes(1, name)])
            .file()
    };
    let operator =
        |name: &[u8]| Graph::of([Message::new().text(1, "x").text(2, "y").bytes(4, name)]).file();
    let pair = |key: &[u8]| {
        Message(Graph::of([relu()]).file())
            .with(14, &Message::new().bytes(1, key).text(2, "v"))
            .0
    };
    let reserved = |name: &str| {
        Graph::of([node("Relu", &[name], &["y"], &[])])
            .inputs([port(name, 1, &[4])])
            .file()
    };
    vec![
        Case::refused("a name that is no UTF-8", "not_onnx", odd(&[0xff, 0xfe])),
        Case::refused("a name with a zero", "not_onnx", odd(b"x\0y")),
        Case::refused("a name of 5 000 bytes", "not_onnx", odd(long.as_bytes())),
        Case::refused(
            "a surrogate in a name",
            "not_onnx",
            odd(&[0xed, 0xa0, 0x80]),
        ),
        Case::refused(
            "an operator that is no UTF-8",
            "not_onnx",
            operator(&[0xc0, 0xaf]),
        ),
        Case::refused(
            "an operator with a zero",
            "not_onnx",
            operator(b"Relu\0evil"),
        ),
        Case::refused("metadata that is no UTF-8", "not_onnx", pair(&[0xff])),
        Case::refused(
            "the name of a tensor file's header",
            "name",
            reserved("__metadata__"),
        ),
        Case::refused(
            "no name",
            "name",
            Graph::of([relu()])
                .outputs([untyped("y"), untyped("")])
                .file(),
        ),
        Case::any("a name that moves the cursor", reserved("\u{1b}[2J\u{7}\r")),
        Case::any("a name of format letters", reserved("%s%n%p%x")),
        Case::any("no operator", operator(b"")),
    ]
}

fn versions() -> Vec<Case> {
    let whole = |head: Message| head.with(7, &Graph::of([relu()]).message()).0;
    let imports = |version: u64| whole(Message::new().number(1, 8).with(8, &import("", version)));
    let mut cases: Vec<Case> = [0, 1, 2, 14, 1 << 40, u64::MAX]
        .map(|version| {
            Case::refused(
                format!("format {version}"),
                "version",
                whole(header(version, 17)),
            )
        })
        .into();
    for version in [0, 27, 1 << 32, (1 << 32) + 17, u64::MAX] {
        cases.push(Case::refused(
            format!("operators {version}"),
            "version",
            imports(version),
        ));
    }
    let learning = whole(header(8, 17).with(8, &import("ai.onnx.ml", 99)));
    cases.push(Case::refused(
        "machine learning operators 99",
        "version",
        learning,
    ));
    cases.push(Case::any(
        "operators without a version",
        whole(Message::new().number(1, 8)),
    ));
    cases.push(Case::any(
        "operators of two versions",
        whole(header(8, 17).with(8, &import("", 7))),
    ));
    cases.push(Case::refused(
        "training information",
        "training",
        whole(header(8, 17).with(20, &Message::new())),
    ));
    cases
}
