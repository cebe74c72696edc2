//! Data that lies in another file, under every name that such a file might be given.

use crate::{
    Case, Tripwire,
    onnx::{
        FLOAT, Graph, Message, data, floats, function, graph, int, integers, node, tensor,
        with_functions,
    },
    tripwire::CANARY_BYTES,
};

pub fn cases(wire: &Tripwire) -> Vec<Case> {
    let canary = wire.canary();
    let canary = canary.to_str().unwrap();
    let mut cases: Vec<Case> = spellings(canary, wire.port())
        .iter()
        .enumerate()
        .map(|(number, path)| {
            Case::refused(
                format!("path {number}"),
                "external_data",
                initializer(&outside(path)),
            )
        })
        .collect();
    let relative = outside(&format!("../../../../../../../..{canary}"));
    for (place, bytes) in places(&outside(canary))
        .into_iter()
        .chain(places(&relative))
    {
        cases.push(Case::refused(format!("in {place}"), "external_data", bytes));
    }
    for (telling, tensor) in tellings(canary) {
        cases.push(Case::refused(
            format!("told by {telling}"),
            "external_data",
            initializer(&tensor),
        ));
    }
    cases
}

fn spellings(canary: &str, port: u16) -> Vec<String> {
    let up = "../".repeat(12);
    let long = format!("{}canary", "./".repeat(3_000));
    [
        canary,
        "canary",
        "./canary",
        "../canary",
        "link",
        "./link",
        "../../canary",
        "..\\canary",
        "..\\..\\canary",
        "a/../../canary",
        "a/b/../../../canary",
        "....//canary",
        "%2e%2e/canary",
        "..%2fcanary",
        "..%c0%afcanary",
        "/",
        "",
        ".",
        "..",
        "~/.ssh/id_ed25519",
        "$HOME/operator.json",
        "operator.json",
        "/etc/passwd",
        "/etc/shadow",
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/self/fd/0",
        "/proc/1/environ",
        "/dev/zero",
        "/dev/stdin",
        "/dev/shm/canary",
        "file:///etc/passwd",
        "\\\\127.0.0.1\\share\\canary",
        "\\\\?\\C:\\canary",
        "C:\\canary",
        "C:canary",
        "CON",
        "canary:stream",
        "canary ",
        "canary\n",
        "\u{202e}yranac",
        "*",
        "canary;id",
        "|id",
    ]
    .into_iter()
    .map(String::from)
    .chain([
        format!("{up}{canary}"),
        format!("x/{up}{canary}"),
        format!("/..{canary}"),
        format!("//{canary}"),
        format!("/dev/tcp/127.0.0.1/{port}"),
        format!("http://127.0.0.1:{port}/canary"),
        long,
    ])
    .collect()
}

fn entry(key: &str, value: &str) -> Message {
    Message::new().text(1, key).text(2, value)
}

/// A weight that is said to lie at a path. Large enough to be left alone until it is read.
fn outside(path: &str) -> Message {
    let elements = CANARY_BYTES / 4;
    Message::new()
        .numbers(1, &[elements as i64])
        .number(2, FLOAT)
        .text(8, "w")
        .number(14, 1)
        .with(13, &entry("location", path))
        .with(13, &entry("offset", "0"))
        .with(13, &entry("length", &CANARY_BYTES.to_string()))
}

/// Joined to the input: nothing that ONNX Runtime's optimiser has a look at before the data is read.
fn initializer(weight: &Message) -> Vec<u8> {
    let joined = node("Concat", &["x", "w"], &["y"], &[int("axis", 0)]);
    Graph::of([joined]).constant(weight.clone()).file()
}

/// Everywhere that a tensor may stand.
fn places(weight: &Message) -> Vec<(&'static str, Vec<u8>)> {
    let constant =
        |attribute: &Message| node("Constant", &[], &["w"], std::slice::from_ref(attribute));
    let sum = node("Add", &["x", "w"], &["y"], &[]);
    let made = [constant(&tensor("value", weight)), sum.clone()];
    let many = Message::new()
        .text(1, "value")
        .with(10, weight)
        .number(20, 9);
    let sparse = Message::new()
        .with(1, weight)
        .with(2, &integers("i", &[0, 1, 2, 3]))
        .numbers(3, &[4]);
    let indexed = Message::new()
        .with(1, &floats("w", &[4], &[0.0; 4]))
        .with(2, weight)
        .numbers(3, &[4]);
    let branch = Graph {
        inputs: vec![],
        ..Graph::of(made.clone())
    };
    let choice = |attribute: &str| {
        let yes = data("yes", 9, &[], &[1]);
        Graph::of([node(
            "If",
            &["yes"],
            &["y"],
            &[
                graph(attribute, &branch.message()),
                graph("else_branch", &branch.message()),
            ],
        )])
        .constant(yes)
        .file()
    };
    let inner = function("own", "Weigh", &["x"], &["y"], &made);
    let defaults = function("own", "Weigh", &["x"], &["y"], std::slice::from_ref(&sum))
        .with(11, &tensor("t", weight));
    let call = Graph::of([node("own:Weigh", &["x"], &["y"], &[])]);
    let in_list = Graph::of([constant(&many), sum.clone()]).file();
    let whole = Graph::of([sum.clone()]);
    vec![
        ("an attribute", Graph::of(made.clone()).file()),
        ("a list of tensors", in_list),
        (
            "a sparse value",
            crate::onnx::file(&whole.message().with(15, &sparse)),
        ),
        (
            "sparse indices",
            crate::onnx::file(&whole.message().with(15, &indexed)),
        ),
        (
            "a sparse attribute",
            Graph::of([
                constant(
                    &Message::new()
                        .text(1, "sparse_value")
                        .with(22, &sparse)
                        .number(20, 11),
                ),
                sum.clone(),
            ])
            .file(),
        ),
        ("a branch", choice("then_branch")),
        ("a graph that no operator has", choice("surprise")),
        ("a function", with_functions(&call, &[inner])),
        ("a function's default", with_functions(&call, &[defaults])),
    ]
}

/// All ways to say that data lies outside, and some that only one of two readers may understand.
fn tellings(canary: &str) -> Vec<(&'static str, Message)> {
    let weight = floats("w", &[4], &[1.0; 4]);
    let location = entry("location", canary);
    vec![
        ("its location alone", weight.clone().number(14, 1)),
        ("an entry alone", weight.clone().with(13, &location)),
        ("an empty entry", weight.clone().with(13, &Message::new())),
        ("a location that nobody knows", weight.clone().number(14, 2)),
        (
            "a location beyond 32 bits",
            weight.clone().number(14, 0x1_0000_0001),
        ),
        ("a negative location", weight.clone().number(14, u64::MAX)),
        (
            "two locations, the first outside",
            weight.clone().number(14, 1).number(14, 0),
        ),
        (
            "two locations, the second outside",
            weight.clone().number(14, 0).number(14, 1),
        ),
        ("a padded number", weight.raw(&[0x70, 0x81, 0x00])),
    ]
}
