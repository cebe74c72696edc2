//! Functions that call functions, until there are more nodes than atoms.

use crate::{
    Case,
    onnx::{BOOL, Graph, Message, data, function, graph, node, tensor, untyped, with_functions},
};

pub fn cases() -> Vec<Case> {
    let named = |number: usize| format!("F{number}");
    let call = |number: usize, from: &str, to: &str| {
        node(&format!("own:{}", named(number)), &[from], &[to], &[])
    };
    let start = Graph::of([call(0, "x", "y")]);
    let chain = |count: usize, calls: usize| {
        let functions: Vec<Message> = (0..count)
            .map(|number| {
                let steps: Vec<String> = (0..=calls)
                    .map(|step| {
                        if step == 0 {
                            "a".into()
                        } else if step == calls {
                            "b".into()
                        } else {
                            format!("s{step}")
                        }
                    })
                    .collect();
                let nodes: Vec<Message> = steps
                    .windows(2)
                    .map(|pair| {
                        if number + 1 == count {
                            node("Relu", &[&pair[0]], &[&pair[1]], &[])
                        } else {
                            call(number + 1, &pair[0], &pair[1])
                        }
                    })
                    .collect();
                function("own", &named(number), &["a"], &["b"], &nodes)
            })
            .collect();
        with_functions(&start, &functions)
    };
    let of = |nodes: &[Message], number| function("own", &named(number), &["a"], &["b"], nodes);
    let itself = with_functions(&start, &[of(&[call(0, "a", "b")], 0)]);
    let circle = with_functions(
        &start,
        &[
            of(&[call(1, "a", "b")], 0),
            of(&[call(2, "a", "b")], 1),
            of(&[call(0, "a", "b")], 2),
        ],
    );
    let hidden = {
        let branch = Graph::of([call(0, "a", "b")])
            .inputs([])
            .outputs([untyped("b")])
            .message();
        let choice = node(
            "If",
            &["c"],
            &["b"],
            &[graph("then_branch", &branch), graph("else_branch", &branch)],
        );
        let yes = node(
            "Constant",
            &[],
            &["c"],
            &[tensor("value", &data("v", BOOL, &[], &[1]))],
        );
        with_functions(&start, &[of(&[yes, choice], 0)])
    };
    vec![
        Case::refused("functions that double 40 times", "too_many", chain(41, 2)),
        Case::refused("functions that treble 20 times", "too_many", chain(21, 3)),
        Case::refused(
            "a function that is called 700 000 times",
            "too_many",
            chain(3, 840),
        ),
        Case::refused("functions 100 deep", "too_deep", chain(100, 1)),
        Case::refused("a function that calls itself", "recursion", itself),
        Case::refused("functions in a circle", "recursion", circle),
        Case::refused(
            "a function that calls itself in a branch",
            "recursion",
            hidden,
        ),
        Case::refused(
            "a function that is defined twice",
            "twice",
            with_functions(&start, &[of(&[], 0), of(&[], 0)]),
        ),
        Case::any("functions that double 10 times", chain(11, 2)),
    ]
}
