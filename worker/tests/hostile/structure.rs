//! Graphs that are none: circles, doubles, pits.

use crate::{
    Case,
    onnx::{BOOL, Graph, Message, data, file, graph, int, node, scalar, untyped},
};

pub fn cases() -> Vec<Case> {
    let mut cases = circles();
    cases.extend(doubles());
    cases.extend(pits());
    cases.extend(crowds());
    cases
}

fn circles() -> Vec<Case> {
    let ring = |length: usize| {
        let name = |step: usize| {
            if step == 0 {
                "y".to_owned()
            } else {
                format!("v{step}")
            }
        };
        let link = |step: usize| node("Relu", &[&name((step + 1) % length)], &[&name(step)], &[]);
        Graph::of((0..length).map(link)).file()
    };
    let mixed = Graph::of([
        node("Add", &["x", "b"], &["a"], &[]),
        node("Add", &["a", "x"], &["b"], &[]),
        node("Add", &["a", "b"], &["y"], &[]),
    ]);
    let beside = Graph::of([
        node("Relu", &["x"], &["y"], &[]),
        node("Relu", &["a"], &["a"], &[]),
    ]);
    let branch = Graph::of([
        node("Relu", &["b"], &["a"], &[]),
        node("Relu", &["a"], &["b"], &[]),
    ])
    .inputs([])
    .outputs([untyped("a")])
    .message();
    let inside = Graph::of([node(
        "If",
        &["c"],
        &["y"],
        &[graph("then_branch", &branch), graph("else_branch", &branch)],
    )])
    .constant(data("c", BOOL, &[], &[1]));
    let through = {
        let branch = Graph::of([node("Relu", &["y"], &["z"], &[])])
            .inputs([])
            .outputs([untyped("z")])
            .message();
        Graph::of([node(
            "If",
            &["c"],
            &["y"],
            &[graph("then_branch", &branch), graph("else_branch", &branch)],
        )])
        .constant(data("c", BOOL, &[], &[1]))
    };
    vec![
        Case::refused("a node that needs itself", "circle", ring(1)),
        Case::refused("two nodes in a circle", "circle", ring(2)),
        Case::refused("a circle of 10 000", "circle", ring(10_000)),
        Case::refused("a circle with a way in", "circle", mixed.file()),
        Case::refused("a circle that nobody needs", "circle", beside.file()),
        Case::refused("a circle in a branch", "circle", inside.file()),
        Case::any("a circle through a branch", through.file()),
        Case::any(
            "nodes in the wrong order",
            Graph::of([
                node("Relu", &["a"], &["y"], &[]),
                node("Relu", &["x"], &["a"], &[]),
            ])
            .file(),
        ),
        Case::any(
            "a value that nobody makes",
            Graph::of([node("Add", &["x", "nowhere"], &["y"], &[])]).file(),
        ),
    ]
}

fn doubles() -> Vec<Case> {
    let relu = node("Relu", &["x"], &["y"], &[]);
    vec![
        Case::refused(
            "a value made twice",
            "twice",
            Graph::of([relu.clone(), relu.clone()]).file(),
        ),
        Case::refused(
            "a value made twice by one node",
            "twice",
            Graph::of([node("Split", &["x"], &["y", "y"], &[])]).file(),
        ),
        Case::refused(
            "an input that is made",
            "twice",
            Graph::of([node("Relu", &["x"], &["x"], &[]), relu.clone()]).file(),
        ),
        Case::refused(
            "a constant that is made",
            "twice",
            Graph::of([node("Relu", &["x"], &["w"], &[]), relu.clone()])
                .constant(scalar("w", 1))
                .file(),
        ),
        Case::any(
            "a constant twice",
            Graph::of([relu.clone()])
                .constant(scalar("w", 1))
                .constant(scalar("w", 2))
                .file(),
        ),
        Case::any(
            "an attribute twice",
            Graph::of([node(
                "Concat",
                &["x", "x"],
                &["y"],
                &[int("axis", 0), int("axis", 9)],
            )])
            .file(),
        ),
        Case::any(
            "an output twice",
            Graph::of([relu.clone()])
                .outputs([untyped("y"), untyped("y")])
                .file(),
        ),
        Case::any(
            "an input twice",
            Graph::of([relu])
                .inputs([untyped("x"), untyped("x")])
                .file(),
        ),
    ]
}

fn pits() -> Vec<Case> {
    let nested = |depth: usize, attribute: &str| {
        let mut inner = Graph::of([node("Relu", &["x"], &["y"], &[])])
            .inputs([])
            .message();
        for _ in 0..depth {
            let choice = node("If", &["c"], &["y"], &[graph(attribute, &inner)]);
            inner = Graph::of([choice]).inputs([]).message();
        }
        file(&inner)
    };
    // Nobody knows these fields, so nobody looks into them.
    let unknown = (0..5_000).fold(Message::new().number(1, 1), |inner, _| {
        Message::new().with(100, &inner)
    });
    let typed = |depth: usize| {
        let element = Message::new().with(1, &Message::new().number(1, 1));
        let of = (0..depth).fold(element, |inner, _| {
            Message::new().with(4, &Message::new().with(1, &inner))
        });
        let port = Message::new().text(1, "x").with(2, &of);
        Graph::of([node("Identity", &["x"], &["y"], &[])])
            .inputs([port])
            .file()
    };
    vec![
        Case::refused("branches 17 deep", "too_deep", nested(17, "then_branch")),
        Case::refused("branches 100 deep", "too_deep", nested(100, "then_branch")),
        Case::refused(
            "branches 1 000 deep",
            "too_deep",
            nested(1_000, "then_branch"),
        ),
        Case::refused(
            "graphs 300 deep that no operator has",
            "too_deep",
            nested(300, "surprise"),
        ),
        Case::any("branches 15 deep", nested(15, "then_branch")),
        Case::refused("sequences 9 deep", "too_deep", typed(9)),
        Case::refused("sequences 5 000 deep", "too_deep", typed(5_000)),
        Case::any(
            "unknown fields, deep",
            file(
                &Graph::of([node("Relu", &["x"], &["y"], &[])])
                    .message()
                    .with(100, &unknown),
            ),
        ),
    ]
}

fn crowds() -> Vec<Case> {
    let graph = |nodes: Vec<Message>| Graph::of(nodes).file();
    let relu = node("Relu", &["x"], &["y"], &[]);
    let nodes = (0..200_001).map(|_| Message::new().text(4, "A")).collect();
    let mut edges = relu.clone();
    for _ in 0..2_000_001 {
        edges = edges.raw(&[0x0a, 0]);
    }
    let mut attributes = relu.clone();
    for _ in 0..1_000_001 {
        attributes = attributes.raw(&[0x2a, 0]);
    }
    let mut whole = Graph::of([relu.clone()]);
    whole.constants = vec![Message::new().numbers(1, &[0]).number(2, 1); 200_001];
    let functions = (0..4_097).fold(Message::new(), |all, number| {
        all.with(25, &Message::new().text(1, &format!("f{number}")))
    });
    let described = (0..2_000_001).fold(Graph::of([relu.clone()]).message(), |all, _| {
        all.raw(&[0x6a, 0])
    });
    let mut inner = relu.clone();
    for _ in 0..10_001 {
        inner = inner.raw(&[0x2a, 2, 0x32, 0]);
    }
    let pairs = (0..40).fold(Message::new(), |all, number| {
        all.with(
            14,
            &Message::new()
                .text(1, &format!("k{number}"))
                .text(2, &"v".repeat(40_000)),
        )
    });
    let with = |extra: &Message| {
        Message(file(&Graph::of([relu.clone()]).message()))
            .raw(&extra.0)
            .0
    };
    vec![
        Case::refused("200 001 nodes", "too_many", graph(nodes)),
        Case::refused("2 000 001 inputs of a node", "too_many", graph(vec![edges])),
        Case::refused("1 000 001 attributes", "too_many", graph(vec![attributes])),
        Case::refused("200 001 constants", "too_many", whole.file()),
        Case::refused("4 097 functions", "too_many", with(&functions)),
        Case::refused("2 000 001 descriptions", "too_many", file(&described)),
        Case::refused("10 001 inner graphs", "too_many", graph(vec![inner])),
        Case::refused("metadata of more than a megabyte", "too_many", with(&pairs)),
    ]
}
