//! Windows that lie beside the image, or have no size.

use super::one;
use crate::{
    Case,
    onnx::{INT64, Message, data, floats, int, integers, ints, scalar, text},
};

pub fn cases() -> Vec<Case> {
    let image = || floats("r", &[1, 2, 4, 4], &[1.0; 32]);
    let kernel = || floats("k", &[2, 2, 1, 1], &[1.0; 4]);
    let conv = |attributes: &[Message]| one("Conv", &["r", "k"], attributes, &[image(), kernel()]);
    let pool = |attributes: &[Message]| one("MaxPool", &["r"], attributes, &[image()]);
    let regions = floats("o", &[1, 4], &[-1e30, 1e30, f32::NAN, f32::INFINITY]);
    [
        conv(&[int("group", 0)]),
        conv(&[int("group", -2)]),
        conv(&[ints("strides", &[0, 0])]),
        conv(&[ints("dilations", &[i64::MIN, 0])]),
        conv(&[ints("pads", &[-9, -9, -9, -9])]),
        conv(&[ints("pads", &[1])]),
        conv(&[ints("kernel_shape", &[1 << 40, 1 << 40])]),
        conv(&[ints("kernel_shape", &[-1, -1])]),
        pool(&[ints("kernel_shape", &[0, 0])]),
        pool(&[ints("kernel_shape", &[1 << 40, 1])]),
        pool(&[ints("kernel_shape", &[2, 2]), ints("strides", &[0, 1])]),
        pool(&[
            ints("kernel_shape", &[2, 2]),
            ints("dilations", &[1 << 60, 1]),
        ]),
        pool(&[ints("kernel_shape", &[2, 2]), ints("pads", &[1 << 40; 4])]),
        one(
            "MaxUnpool",
            &["r", "i"],
            &[ints("kernel_shape", &[2, 2])],
            &[
                floats("r", &[1, 1, 1, 1], &[1.0]),
                data("i", INT64, &[1, 1, 1, 1], &(1_i64 << 40).to_le_bytes()),
            ],
        ),
        one(
            "RoiAlign",
            &["r", "o", "b"],
            &[int("sampling_ratio", 1 << 20)],
            &[image(), regions.clone(), integers("b", &[99])],
        ),
        one(
            "MaxRoiPool",
            &["r", "q"],
            &[ints("pooled_shape", &[2, 2])],
            &[image(), floats("q", &[1, 5], &[99.0, -1e9, -1e9, 1e9, 1e9])],
        ),
        one(
            "GridSample",
            &["r", "g"],
            &[],
            &[image(), floats("g", &[1, 2, 2, 2], &[1e30; 8])],
        ),
        one(
            "AffineGrid",
            &["t", "i"],
            &[],
            &[
                floats("t", &[1, 2, 3], &[0.0; 6]),
                integers("i", &[1, 1, 1 << 20, 1 << 20]),
            ],
        ),
        one(
            "Resize",
            &["r", "", "s"],
            &[text("mode", "cubic")],
            &[image(), floats("s", &[4], &[0.0, -1.0, f32::NAN, 1e30])],
        ),
        one(
            "NonMaxSuppression",
            &["o", "c", "m"],
            &[],
            &[
                floats("o", &[1, 1, 4], &[0.0; 4]),
                floats("c", &[1, 1, 1], &[1.0]),
                scalar("m", i64::MIN),
            ],
        ),
        one(
            "Col2Im",
            &["r", "i", "i"],
            &[],
            &[
                floats("r", &[1, 4, 4], &[0.0; 16]),
                integers("i", &[1 << 30, 1 << 30]),
            ],
        ),
        one("LRN", &["r"], &[int("size", 0)], &[image()]),
        one("InstanceNormalization", &["r", "x", "x"], &[], &[image()]),
        one(
            "LpPool",
            &["r"],
            &[ints("kernel_shape", &[2, 2]), int("p", 0)],
            &[image()],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
