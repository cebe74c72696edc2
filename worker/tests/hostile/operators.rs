//! Other people's code, other devices' blobs, other types of values.

use crate::{
    Case,
    onnx::{
        BOOL, FLOAT, Graph, INT64, Message, STRING, data, function, graph, int, node, port, text,
        untyped, with_functions,
    },
};

pub fn cases() -> Vec<Case> {
    let mut cases = foreign();
    cases.extend(compiled());
    cases.extend(types());
    cases
}

fn foreign() -> Vec<Case> {
    let of = |operator: &str| Graph::of([node(operator, &["x"], &["y"], &[])]).file();
    let domains = [
        "evil:Run",
        "custom:Relu",
        "ai.onnx.contrib:PyOp",
        "ai.onnx.contrib:AzureAudioToText",
        "com.microsoft.extensions:OpenAI",
        "org.pytorch.aten:ATen",
        "com.microsoft.nchwc:ReorderInput",
        "com.microsoft.nchwc:Conv",
        "com.ms.internal.nhwc:Conv",
        "com.microsoft.dml:DmlFusedAdd",
        "com.microsoft.experimental:Quick",
        "ai.onnx.training:Adam",
        "ai.onnx.preview.training:Gradient",
        "AI.ONNX:Relu",
        "ai.onnx :Relu",
        "onnx:Relu",
        " :Relu",
    ];
    let mut cases: Vec<Case> = domains
        .map(|name| Case::refused(format!("operator {name}"), "operator", of(name)))
        .into();
    let branch = Graph::of([node("evil:Run", &["x"], &["y"], &[])])
        .inputs([])
        .message();
    let choice = node(
        "If",
        &["c"],
        &["y"],
        &[graph("then_branch", &branch), graph("else_branch", &branch)],
    );
    let hidden = Graph::of([choice]).constant(data("c", BOOL, &[], &[0]));
    cases.push(Case::refused(
        "foreign operator in a branch",
        "operator",
        hidden.file(),
    ));
    let inner = function(
        "own",
        "F",
        &["a"],
        &["b"],
        &[node("evil:Run", &["a"], &["b"], &[])],
    );
    let call = Graph::of([node("own:F", &["x"], &["y"], &[])]);
    cases.push(Case::refused(
        "foreign operator in a function",
        "operator",
        with_functions(&call, std::slice::from_ref(&inner)),
    ));
    let unused = Graph::of([node("Relu", &["x"], &["y"], &[])]);
    cases.push(Case::refused(
        "foreign operator in an unused function",
        "operator",
        with_functions(&unused, &[inner]),
    ));
    let overload = node("own:F", &["x"], &["y"], &[]).text(8, "other");
    let plain = function(
        "own",
        "F",
        &["a"],
        &["b"],
        &[node("Relu", &["a"], &["b"], &[])],
    );
    cases.push(Case::refused(
        "an overload that is not there",
        "operator",
        with_functions(&Graph::of([overload]), &[plain]),
    ));
    let shadow = function(
        "",
        "Relu",
        &["a"],
        &["b"],
        &[node("Neg", &["a"], &["b"], &[])],
    );
    cases.push(Case::any(
        "a function in the place of Relu",
        with_functions(&unused, &[shadow]),
    ));
    for unknown in [
        "Mystery",
        "com.microsoft:Mystery",
        "ai.onnx:Relu",
        "ai.onnx.ml:Mystery",
    ] {
        cases.push(Case::any(format!("operator {unknown}"), of(unknown)));
    }
    cases
}

fn compiled() -> Vec<Case> {
    let context = |domain: &str, embedded: i64| {
        let attributes = [
            int("embed_mode", embedded),
            int("main_context", 1),
            text("ep_cache_context", "../../../../etc/passwd"),
            text("source", "TensorrtExecutionProvider"),
        ];
        node(&format!("{domain}:EPContext"), &["x"], &["y"], &attributes)
    };
    let whole = |node: Message| Graph::of([node]).file();
    let branch = Graph::of([context("com.microsoft", 0)])
        .inputs([])
        .message();
    let choice = node(
        "If",
        &["c"],
        &["y"],
        &[graph("then_branch", &branch), graph("else_branch", &branch)],
    );
    let inner = function("own", "F", &["x"], &["y"], &[context("com.microsoft", 1)]);
    vec![
        Case::refused(
            "a blob beside the file",
            "compiled",
            whole(context("com.microsoft", 0)),
        ),
        Case::refused(
            "a blob in the file",
            "compiled",
            whole(context("com.microsoft", 1)),
        ),
        Case::refused("a blob of ONNX's own", "compiled", whole(context("", 0))),
        Case::refused(
            "a blob of somebody's",
            "compiled",
            whole(context("evil", 0)),
        ),
        Case::refused(
            "a blob in a branch",
            "compiled",
            Graph::of([choice])
                .constant(data("c", BOOL, &[], &[1]))
                .file(),
        ),
        Case::refused(
            "a blob in a function",
            "compiled",
            with_functions(&Graph::of([node("own:F", &["x"], &["y"], &[])]), &[inner]),
        ),
    ]
}

fn types() -> Vec<Case> {
    let same = node("Identity", &["x"], &["y"], &[]);
    let tensor = |kind: u64| {
        Message::new().with(1, &Message::new().number(1, kind).with(2, &Message::new()))
    };
    let input = |of: &Message| {
        Graph::of([same.clone()])
            .inputs([Message::new().text(1, "x").with(2, of)])
            .file()
    };
    let sequence = Message::new().with(4, &Message::new().with(1, &tensor(FLOAT)));
    let map = Message::new().with(5, &Message::new().number(1, INT64).with(2, &tensor(FLOAT)));
    let option = Message::new().with(9, &Message::new().with(1, &tensor(FLOAT)));
    let sparse = Message::new().with(8, &Message::new().number(1, FLOAT).with(2, &Message::new()));
    let opaque = Message::new().with(7, &Message::new().text(1, "evil").text(2, "Thing"));
    let made = Graph::of([node("SequenceConstruct", &["x"], &["y"], &[])])
        .outputs([untyped("y")])
        .file();
    let words = Graph::of([node(
        "Cast",
        &["x"],
        &["y"],
        &[int("to", STRING.cast_signed())],
    )])
    .file();
    let mut cases = vec![
        Case::refused("input of strings", "type", input(&tensor(STRING))),
        Case::refused("input of a sequence", "type", input(&sequence)),
        Case::any("input of a map", input(&map)),
        Case::refused("input of an option", "type", input(&option)),
        Case::refused("input of a sparse tensor", "type", input(&sparse)),
        Case::any("input of an opaque type", input(&opaque)),
        Case::any("input of no type", input(&Message::new())),
        Case::any(
            "input without a shape",
            Graph::of([same.clone()])
                .inputs([Message::new()
                    .text(1, "x")
                    .with(2, &Message::new().with(1, &Message::new().number(1, FLOAT)))])
                .file(),
        ),
        Case::refused("output of a sequence", "type", made),
        Case::refused("output of strings", "type", words),
    ];
    for kind in [0, 14, 15, 17, 21, 26, 27, 999, u64::MAX] {
        cases.push(Case::any(
            format!("input of type {kind}"),
            input(&tensor(kind)),
        ));
    }
    let mixed = Graph::of([node("Add", &["x", "n"], &["y"], &[])])
        .inputs([port("x", FLOAT, &[4]), port("n", INT64, &[4])])
        .file();
    cases.push(Case::any("a sum of floats and integers", mixed));
    cases
}
