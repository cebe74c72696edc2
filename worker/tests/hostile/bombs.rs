//! Little files that ask for much: memory, time, nodes.

use crate::{
    Case,
    onnx::{
        BOOL, FLOAT, Graph, INT64, Message, UINT8, data, file, floats, function, graph, int,
        integers, ints, node, port, scalar, tensor, untyped, with_functions,
    },
};

pub fn cases() -> Vec<Case> {
    let mut cases = told();
    cases.extend(computed());
    cases.extend(endless());
    cases
}

fn sized(shape: &[i64], attributes: &[Message]) -> Vec<u8> {
    Graph::of([node("ConstantOfShape", &["s"], &["y"], attributes)])
        .constant(integers("s", shape))
        .file()
}

/// The file itself tells how much.
fn told() -> Vec<Case> {
    let wide = tensor("value", &data("v", 11, &[1], &[0; 8]));
    let narrow = tensor("value", &data("v", UINT8, &[1], &[7]));
    let made = |attribute| {
        let shape = node("Constant", &[], &["s"], &[attribute]);
        Graph::of([shape, node("ConstantOfShape", &["s"], &["y"], &[])]).file()
    };
    let typed = Message::new()
        .numbers(1, &[2])
        .number(2, INT64)
        .text(8, "s")
        .numbers(7, &[1 << 20, 1 << 20]);
    let packed = Message::new()
        .numbers(1, &[2])
        .number(2, INT64)
        .text(8, "s")
        .bytes(7, &[0x80, 0x80, 0x40, 0x80, 0x80, 0x40]);
    let of = |shape: Message| {
        Graph::of([node("ConstantOfShape", &["s"], &["y"], &[])])
            .constant(shape)
            .file()
    };
    let spread = |operator: &str, shape: &[i64]| {
        Graph::of([node(operator, &["x", "s"], &["y"], &[])])
            .constant(integers("s", shape))
            .file()
    };
    let sparse = |dims: &[i64]| {
        let values = floats("w", &[1], &[1.0]);
        let sparse = Message::new()
            .with(1, &values)
            .with(2, &integers("i", &[0]))
            .numbers(3, dims);
        file(
            &Graph::of([node("Add", &["x", "w"], &["y"], &[])])
                .message()
                .with(15, &sparse),
        )
    };
    let many = {
        let name = |number| format!("v{number}");
        let nodes = (0..64).map(|number| node("ConstantOfShape", &["s"], &[&name(number)], &[]));
        Graph::of(nodes)
            .constant(integers("s", &[1 << 27]))
            .outputs([untyped("v0")])
            .file()
    };
    let resized = Graph::of([node("Resize", &["x", "", "", "s"], &["y"], &[])])
        .constant(integers("s", &[1 << 40]))
        .file();
    let branch = Graph::of([node("ConstantOfShape", &["s"], &["y"], &[])])
        .constant(integers("s", &[1 << 50]))
        .inputs([]);
    let branched = Graph::of([node(
        "If",
        &["c"],
        &["y"],
        &[
            graph("then_branch", &branch.message()),
            graph("else_branch", &branch.message()),
        ],
    )])
    .constant(data("c", BOOL, &[], &[1]))
    .file();
    let body = [
        node("Constant", &[], &["s"], &[ints("value_ints", &[1 << 50])]),
        node("ConstantOfShape", &["s"], &["y"], &[]),
    ];
    let called = with_functions(
        &Graph::of([node("own:Fill", &[], &["y"], &[])]),
        &[function("own", "Fill", &[], &["y"], &body)],
    );
    [
        ("filled by 2^40", sized(&[1 << 40], &[])),
        ("filled by 2^20 squared", sized(&[1 << 20, 1 << 20], &[])),
        (
            "filled by more than can be counted",
            sized(&[i64::MAX, i64::MAX, i64::MAX], &[]),
        ),
        ("filled with doubles", sized(&[1 << 31], &[wide])),
        ("filled with bytes", sized(&[1 << 34], &[narrow])),
        (
            "filled by a constant node",
            made(tensor("value", &integers("v", &[1 << 40]))),
        ),
        (
            "filled by its integers",
            made(ints("value_ints", &[1 << 20, 1 << 20])),
        ),
        ("filled by its integer", made(int("value_int", 1 << 40))),
        ("filled by typed data", of(typed)),
        ("filled by packed data", of(packed)),
        ("filled 64 times", many),
        ("filled in a branch", branched),
        ("filled in a function", called),
        ("expanded", spread("Expand", &[1 << 40, 4])),
        ("tiled", spread("Tile", &[1 << 40])),
        ("resized", resized),
        ("sparse", sparse(&[1 << 40])),
        ("sparse in many dimensions", sparse(&[1 << 12; 5])),
        (
            "random",
            Graph::of([node(
                "RandomNormal",
                &[],
                &["y"],
                &[ints("shape", &[1 << 40])],
            )])
            .file(),
        ),
        (
            "uniform",
            Graph::of([node(
                "RandomUniform",
                &[],
                &["y"],
                &[ints("shape", &[1 << 20, 1 << 20])],
            )])
            .file(),
        ),
    ]
    .map(|(name, bytes)| Case::refused(format!("bomb {name}"), "unfolds", bytes))
    .into()
}

/// Only whoever computes it finds out how much it is.
fn computed() -> Vec<Case> {
    let doubling = |operator: fn(&str, &str) -> Message, count: usize| {
        let name = |step: usize| {
            if step == 0 {
                "x".to_owned()
            } else if step == count {
                "y".to_owned()
            } else {
                format!("v{step}")
            }
        };
        let nodes = (0..count).map(|step| operator(&name(step), &name(step + 1)));
        Graph::of(nodes).constant(integers("two", &[2]))
    };
    let concat = |from: &str, to: &str| node("Concat", &[from, from], &[to], &[int("axis", 0)]);
    let tile = |from: &str, to: &str| node("Tile", &[from, "two"], &[to], &[]);
    let folded = |graph: Graph| {
        graph
            .inputs([])
            .constant(floats("x", &[4], &[1.0; 4]))
            .file()
    };
    let square = [
        node("Mul", &["n", "n"], &["s"], &[]),
        node("ConstantOfShape", &["s"], &["y"], &[]),
    ];
    let range = |to: i64| {
        Graph::of([node("Range", &["a", "b", "c"], &["y"], &[])])
            .constant(scalar("a", 0))
            .constant(scalar("b", to))
            .constant(scalar("c", 1))
            .file()
    };
    let one_hot = Graph::of([node("OneHot", &["i", "d", "v"], &["y"], &[])])
        .constant(integers("i", &[1, 2]))
        .constant(scalar("d", 1 << 40))
        .constant(floats("v", &[2], &[0.0, 1.0]))
        .file();
    let padded = Graph::of([node("Pad", &["x", "p"], &["y"], &[])])
        .constant(integers("p", &[1 << 40, 1 << 40]))
        .file();
    let outer = Graph::of([
        node("Reshape", &["r", "col"], &["c"], &[]),
        node("Reshape", &["r", "row"], &["w"], &[]),
        node("MatMul", &["c", "w"], &["y"], &[]),
    ])
    .constant(floats("r", &[1 << 17], &vec![1.0; 1 << 17]))
    .constant(integers("col", &[-1, 1]))
    .constant(integers("row", &[1, -1]))
    .file();
    let wide = Graph::of([node(
        "Conv",
        &["i", "k"],
        &["y"],
        &[ints("pads", &[1 << 30, 1 << 30, 1 << 30, 1 << 30])],
    )])
    .constant(floats("i", &[1, 1, 2, 2], &[0.0; 4]))
    .constant(floats("k", &[1, 1, 1, 1], &[0.0]))
    .file();
    let transposed = Graph::of([node(
        "ConvTranspose",
        &["i", "k"],
        &["y"],
        &[ints("strides", &[1 << 30, 1 << 30])],
    )])
    .constant(floats("i", &[1, 1, 4, 4], &[0.0; 16]))
    .constant(floats("k", &[1, 1, 2, 2], &[0.0; 4]))
    .file();
    let upsampled = Graph::of([node("Resize", &["i", "", "s"], &["y"], &[])])
        .constant(floats("i", &[1, 1, 2, 2], &[0.0; 4]))
        .constant(floats("s", &[4], &[1.0, 1.0, 1e9, 1e9]))
        .file();
    vec![
        Case::slow("concat doubles 40 times", doubling(concat, 40).file()),
        Case::slow(
            "concat doubles a constant 40 times",
            folded(doubling(concat, 40)),
        ),
        Case::slow("tile doubles 40 times", doubling(tile, 40).file()),
        Case::slow(
            "tile doubles a constant 40 times",
            folded(doubling(tile, 40)),
        ),
        Case::slow(
            "a product is the shape",
            Graph::of(square).constant(integers("n", &[1 << 20])).file(),
        ),
        Case::slow("a range of 2^40", range(1 << 40)),
        Case::slow("a range of 2^62", range(1 << 62)),
        Case::slow("one hot of 2^40", one_hot),
        Case::slow("padding of 2^40", padded),
        Case::slow("an outer product", outer),
        Case::slow("a convolution that is all padding", wide),
        Case::slow("a transposed convolution of 2^30 steps", transposed),
        Case::slow("a resize by 10^9", upsampled),
    ]
}

/// Loops that end when everybody is dead.
fn endless() -> Vec<Case> {
    let step = |nodes: &[Message]| {
        Graph::of(nodes.iter().cloned())
            .inputs([
                port("i", INT64, &[]),
                port("go", BOOL, &[]),
                port("v", FLOAT, &[4]),
            ])
            .outputs([untyped("on"), untyped("w")])
            .message()
    };
    let keep = node("Identity", &["go"], &["on"], &[]);
    let add = node("Add", &["v", "v"], &["w"], &[]);
    let looped = |body: &Message| node("Loop", &["m", "c", "x"], &["y"], &[graph("body", body)]);
    let whole = |nodes: Vec<Message>| {
        Graph::of(nodes)
            .constant(scalar("m", i64::MAX))
            .constant(data("c", BOOL, &[], &[1]))
    };
    let plain = whole(vec![looped(&step(&[keep.clone(), add.clone()]))]);
    let nested = {
        let inner = node(
            "Loop",
            &["m", "c", "v"],
            &["w"],
            &[graph("body", &step(&[keep.clone(), add.clone()]).clone())],
        );
        whole(vec![looped(&step(&[keep.clone(), inner]))])
    };
    let growing = {
        let body = Graph::of([
            keep.clone(),
            add.clone(),
            node("Identity", &["w"], &["each"], &[]),
        ])
        .inputs([
            port("i", INT64, &[]),
            port("go", BOOL, &[]),
            port("v", FLOAT, &[4]),
        ])
        .outputs([untyped("on"), untyped("w"), untyped("each")])
        .message();
        whole(vec![node(
            "Loop",
            &["m", "c", "x"],
            &["last", "y"],
            &[graph("body", &body)],
        )])
    };
    let without_end = {
        let body = step(&[keep, add]);
        Graph::of([node(
            "Loop",
            &["", "c", "x"],
            &["y"],
            &[graph("body", &body)],
        )])
        .constant(data("c", BOOL, &[], &[1]))
    };
    let folded = |graph: &Graph| {
        graph
            .clone()
            .inputs([])
            .constant(floats("x", &[4], &[1.0; 4]))
            .file()
    };
    let scan = {
        let body = Graph::of([
            node("MatMul", &["s", "e"], &["t"], &[]),
            node("Identity", &["t"], &["o"], &[]),
        ])
        .inputs([port("s", FLOAT, &[64, 64]), port("e", FLOAT, &[64, 64])])
        .outputs([untyped("t"), untyped("o")])
        .message();
        let long = node("Expand", &["one", "shape"], &["all"], &[]);
        let scan = node(
            "Scan",
            &["start", "all"],
            &["last", "y"],
            &[graph("body", &body), int("num_scan_inputs", 1)],
        );
        Graph::of([long, scan])
            .constant(floats("one", &[1, 1, 1], &[1.0]))
            .constant(floats("start", &[64, 64], &[1.0; 4_096]))
            .constant(integers("shape", &[4_096, 64, 64]))
            .file()
    };
    vec![
        Case::slow("a loop of 2^63 turns", plain.file()),
        Case::slow("a loop of 2^63 turns over constants", folded(&plain)),
        Case::slow("a loop in a loop", nested.file()),
        Case::slow("a loop that keeps everything", growing.file()),
        Case::slow("a loop without a limit", without_end.file()),
        Case::slow("a long scan", scan),
    ]
}
