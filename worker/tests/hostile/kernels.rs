//! Graphs that pass every check and ask a kernel for what is not there: beyond the end, by zero, of
//! the wrong rank.

use crate::{
    Case,
    onnx::{Graph, Message, floats, node},
};

#[path = "kernels/arithmetic.rs"]
mod arithmetic;
#[path = "kernels/contributed.rs"]
mod contributed;
#[path = "kernels/indices.rs"]
mod indices;
#[path = "kernels/sequences.rs"]
mod sequences;
#[path = "kernels/windows.rs"]
mod windows;

pub fn cases() -> Vec<Case> {
    let mut cases = indices::cases();
    cases.extend(arithmetic::cases());
    cases.extend(windows::cases());
    cases.extend(sequences::cases());
    cases.extend(contributed::cases());
    cases
}

/// One node over the input `x` and constants by name; each also with `x` a constant, so that it is
/// computed when the model is loaded.
fn both(name: &str, nodes: &[Message], constants: &[Message]) -> [Case; 2] {
    let mut graph = Graph::of(nodes.iter().cloned());
    graph.constants = constants.to_vec();
    let folded = graph
        .clone()
        .inputs([])
        .constant(floats("x", &[4], &[1.0, 2.0, 3.0, 4.0]));
    [
        Case::slow(format!("{name}, at run time"), graph.file()),
        Case::slow(format!("{name}, at load time"), folded.file()),
    ]
}

fn one(
    operator: &str,
    inputs: &[&str],
    attributes: &[Message],
    constants: &[Message],
) -> [Case; 2] {
    both(
        operator,
        &[node(operator, inputs, &["y"], attributes)],
        constants,
    )
}
