//! Numbers that do not add up.

use super::one;
use crate::{
    Case,
    onnx::{Graph, INT32, INT64, UINT8, data, floats, int, integers, node, port, scalar, text},
};

pub fn cases() -> Vec<Case> {
    let zero = data("z", INT32, &[1], &[0; 4]);
    let least = data("m", INT32, &[1], &i32::MIN.to_le_bytes());
    let minus = data("n", INT32, &[1], &(-1_i32).to_le_bytes());
    let by_input = Graph::of([node("Div", &["n", "x"], &["y"], &[])])
        .inputs([port("x", INT32, &[1])])
        .constant(minus.clone())
        .file();
    let rest_by_input = Graph::of([node("Mod", &["n", "x"], &["y"], &[])])
        .inputs([port("x", INT64, &[1])])
        .constant(integers("n", &[7]))
        .file();
    let mut cases: Vec<Case> = [
        one("Div", &["n", "z"], &[], &[minus.clone(), zero.clone()]),
        one("Mod", &["n", "z"], &[], &[minus.clone(), zero]),
        one("Div", &["m", "n"], &[], &[least.clone(), minus.clone()]),
        one("Mod", &["m", "n"], &[], &[least, minus]),
        one("Pow", &["x", "x"], &[], &[]),
        one("Cast", &["x"], &[int("to", 999)], &[]),
        one("Cast", &["x"], &[int("to", i64::MIN)], &[]),
        one(
            "BitShift",
            &["b", "b"],
            &[text("direction", "LEFT")],
            &[data("b", UINT8, &[2], &[255, 255])],
        ),
        one("Einsum", &["x"], &[text("equation", "i,j,k,l->ijkl")], &[]),
        one("Einsum", &["x"], &[text("equation", "...->->")], &[]),
        one(
            "Einsum",
            &["x", "x"],
            &[text("equation", &"i".repeat(10_000))],
            &[],
        ),
        one(
            "MatMul",
            &["x", "r"],
            &[],
            &[floats("r", &[3, 2], &[0.0; 6])],
        ),
        one("Gemm", &["x", "x"], &[int("transA", 1)], &[]),
        one(
            "DFT",
            &["r", "l"],
            &[int("axis", 99)],
            &[floats("r", &[1, 4, 1], &[0.0; 4]), scalar("l", 1 << 40)],
        ),
        one(
            "STFT",
            &["r", "l"],
            &[],
            &[floats("r", &[1, 4, 1], &[0.0; 4]), scalar("l", 0)],
        ),
        one(
            "MelWeightMatrix",
            &["a", "a", "a", "f", "f"],
            &[],
            &[scalar("a", 1 << 20), floats("f", &[], &[1.0])],
        ),
        one("HannWindow", &["a"], &[], &[scalar("a", 1 << 50)]),
        one(
            "Range",
            &["f", "f", "f"],
            &[],
            &[floats("f", &[], &[f32::NAN])],
        ),
        one(
            "Multinomial",
            &["r"],
            &[int("sample_size", 1 << 40)],
            &[floats("r", &[1, 4], &[0.0; 4])],
        ),
        one(
            "DequantizeLinear",
            &["b", "x", "b"],
            &[int("axis", 77)],
            &[data("b", UINT8, &[4], &[1; 4])],
        ),
        one(
            "QuantizeLinear",
            &["x", "s"],
            &[int("block_size", -3)],
            &[floats("s", &[4], &[0.0; 4])],
        ),
        one(
            "ReduceSum",
            &["x", "i"],
            &[],
            &[integers("i", &[1 << 40, 3])],
        ),
        one(
            "LayerNormalization",
            &["x", "x"],
            &[int("axis", 1 << 40)],
            &[],
        ),
        one("Softmax", &["x"], &[int("axis", i64::MIN)], &[]),
        one(
            "OneHot",
            &["i", "d", "v"],
            &[],
            &[
                integers("i", &[0]),
                integers("d", &[-5]),
                floats("v", &[2], &[0.0; 2]),
            ],
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    cases.push(Case::slow("Div by an input of zero", by_input));
    cases.push(Case::slow("Mod by an input of zero", rest_by_input));
    cases
}
