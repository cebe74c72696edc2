//! Places that are not there.

use super::one;
use crate::{
    Case,
    onnx::{BOOL, INT64, data, floats, int, integers, ints, scalar},
};

pub fn cases() -> Vec<Case> {
    let far = [integers("i", &[i64::MAX, i64::MIN, 4, -5])];
    let pair = [integers("i", &[-9]), floats("u", &[1], &[1.0])];
    let rows = data("i", INT64, &[1, 1], &(-(1_i64 << 40)).to_le_bytes());
    let ends = [
        integers("s", &[i64::MIN]),
        integers("e", &[i64::MAX]),
        integers("a", &[-1]),
        integers("p", &[i64::MIN]),
    ];
    [
        one("Gather", &["x", "i"], &[], &far),
        one("Gather", &["x", "i"], &[int("axis", 1 << 40)], &far),
        one("GatherElements", &["x", "i"], &[int("axis", -1)], &far),
        one("GatherND", &["x", "i"], &[], std::slice::from_ref(&rows)),
        one(
            "GatherND",
            &["x", "i"],
            &[int("batch_dims", 99)],
            std::slice::from_ref(&rows),
        ),
        one("ScatterElements", &["x", "i", "u"], &[], &pair),
        one(
            "ScatterND",
            &["x", "i", "u"],
            &[],
            &[rows, floats("u", &[1], &[1.0])],
        ),
        one("Slice", &["x", "s", "e", "a", "p"], &[], &ends),
        one(
            "Slice",
            &["x", "s", "e", "a", "p"],
            &[],
            &[
                integers("s", &[0]),
                integers("e", &[4]),
                integers("a", &[0]),
                integers("p", &[0]),
            ],
        ),
        one("Reshape", &["x", "i"], &[], &[integers("i", &[-1, -1])]),
        one("Reshape", &["x", "i"], &[], &[integers("i", &[1 << 62, 4])]),
        one("Squeeze", &["x", "i"], &[], &far),
        one("Unsqueeze", &["x", "i"], &[], &far),
        one("Transpose", &["x"], &[ints("perm", &[7, -1])], &[]),
        one("Concat", &["x", "x"], &[int("axis", i64::MIN)], &[]),
        one("Split", &["x", "i"], &[], &[integers("i", &[-1, 5])]),
        one("TopK", &["x", "i"], &[], &[integers("i", &[1 << 40])]),
        one("TopK", &["x", "i"], &[], &[integers("i", &[-1])]),
        one("ArgMax", &["x"], &[int("axis", 1 << 33)], &[]),
        one("CumSum", &["x", "i"], &[], &[integers("i", &[1 << 33])]),
        one(
            "Compress",
            &["x", "b"],
            &[int("axis", 5)],
            &[data("b", BOOL, &[9], &[1; 9])],
        ),
        one("ReverseSequence", &["x", "i"], &[], &far),
        one("Flatten", &["x"], &[int("axis", -(1 << 40))], &[]),
        one(
            "DepthToSpace",
            &["r"],
            &[int("blocksize", 0)],
            &[floats("r", &[1, 4, 1, 1], &[0.0; 4])],
        ),
        one(
            "EyeLike",
            &["r"],
            &[int("k", i64::MIN)],
            &[floats("r", &[2, 2], &[0.0; 4])],
        ),
        one(
            "Trilu",
            &["r", "i"],
            &[],
            &[floats("r", &[2, 2], &[0.0; 4]), scalar("i", i64::MIN)],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
