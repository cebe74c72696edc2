//! Steps, sequences and words.

use super::{both, one};
use crate::{
    Case,
    onnx::{FLOAT, INT32, Message, data, floats, int, node, scalar, text},
};

pub fn cases() -> Vec<Case> {
    let steps = || floats("r", &[2, 1, 3], &[1.0; 6]);
    let weights = |gates: i64| floats("w", &[1, gates, 3], &vec![1.0; gates as usize * 3]);
    let again = |gates: i64| floats("a", &[1, gates, 1], &vec![1.0; gates as usize]);
    let lengths = data("l", INT32, &[1], &i32::MAX.to_le_bytes());
    let of = |operator: &str, gates: i64, hidden: i64| {
        one(
            operator,
            &["r", "w", "a", "", "l"],
            &[int("hidden_size", hidden)],
            &[steps(), weights(gates), again(gates), lengths.clone()],
        )
    };
    [
        of("LSTM", 4, 1),
        of("LSTM", 4, 1 << 40),
        of("LSTM", 3, -1),
        of("GRU", 3, 1),
        of("GRU", 1, 0),
        of("RNN", 1, 1 << 31),
        one("SequenceAt", &["q", "i"], &[], &[scalar("i", 1 << 40)]),
        both(
            "SequenceAt beyond the end",
            &[
                node("SequenceConstruct", &["x"], &["q"], &[]),
                node("SequenceAt", &["q", "i"], &["y"], &[]),
            ],
            &[scalar("i", i64::MIN)],
        ),
        both(
            "SplitToSequence by zero",
            &[
                node("SplitToSequence", &["x", "i"], &["q"], &[]),
                node("ConcatFromSequence", &["q"], &["y"], &[int("axis", 9)]),
            ],
            &[scalar("i", 0)],
        ),
        both(
            "OptionalGetElement of nothing",
            &[
                node("Optional", &["x"], &["q"], &[]),
                node("OptionalGetElement", &["q"], &["y"], &[]),
            ],
            &[],
        ),
        both(
            "strings",
            &[
                node("Cast", &["x"], &["q"], &[int("to", 8)]),
                node(
                    "StringNormalizer",
                    &["q"],
                    &["p"],
                    &[
                        text("locale", "../../etc/passwd"),
                        text("case_change_action", "UPPER"),
                    ],
                ),
                node("Cast", &["p"], &["y"], &[int("to", 1)]),
            ],
            &[],
        ),
        both(
            "numbers from words",
            &[node(
                "Cast",
                &["w"],
                &["y"],
                &[int("to", FLOAT.cast_signed())],
            )],
            &[Message::new()
                .numbers(1, &[1])
                .number(2, 8)
                .text(8, "w")
                .text(6, &"9".repeat(100_000))],
        ),
        both(
            "a pattern",
            &[node(
                "RegexFullMatch",
                &["w"],
                &["y"],
                &[text("pattern", "(a*)*(a*)*(a*)*b")],
            )],
            &[Message::new()
                .numbers(1, &[1])
                .number(2, 8)
                .text(8, "w")
                .text(6, &"a".repeat(50_000))],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
