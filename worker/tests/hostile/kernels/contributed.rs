//! Microsoft's own operators, whose kernels were written for graphs that its optimiser makes.

use super::one;
use crate::{
    Case,
    onnx::{INT32, INT64, Message, UINT8, data, float, floats, int, integers, text},
};

pub fn cases() -> Vec<Case> {
    let of = |name: &str, inputs: &[&str], attributes: &[Message], constants: &[Message]| {
        one(
            &format!("com.microsoft:{name}"),
            inputs,
            attributes,
            constants,
        )
    };
    let cube = || floats("r", &[1, 2, 4], &[1.0; 8]);
    let weights = || floats("w", &[4, 12], &[1.0; 48]);
    let bias = || floats("b", &[12], &[1.0; 12]);
    let ids = |value: i32| {
        data(
            "i",
            INT32,
            &[1, 2],
            &[value.to_le_bytes(), value.to_le_bytes()].concat(),
        )
    };
    let table = |name: &str| floats(name, &[2, 4], &[1.0; 8]);
    let packed = || data("q", UINT8, &[4, 1, 16], &[0x77; 64]);
    [
        of(
            "Attention",
            &["r", "w", "b"],
            &[int("num_heads", 0)],
            &[cube(), weights(), bias()],
        ),
        of(
            "Attention",
            &["r", "w", "b"],
            &[int("num_heads", 3)],
            &[cube(), weights(), bias()],
        ),
        of(
            "Attention",
            &["r", "w", "b"],
            &[int("num_heads", 1 << 40)],
            &[cube(), weights(), bias()],
        ),
        of(
            "MultiHeadAttention",
            &["r", "r", "r"],
            &[int("num_heads", -1)],
            &[cube()],
        ),
        of(
            "GroupQueryAttention",
            &["r", "r", "r", "", "", "i", "i"],
            &[int("num_heads", 2), int("kv_num_heads", 0)],
            &[cube(), ids(i32::MAX)],
        ),
        of(
            "GroupQueryAttention",
            &["r", "r", "r", "", "", "i", "i"],
            &[int("num_heads", 1), int("kv_num_heads", 1)],
            &[cube(), ids(-7)],
        ),
        of(
            "EmbedLayerNormalization",
            &["i", "", "t", "u", "", "g", "g"],
            &[],
            &[
                ids(1 << 30),
                table("t"),
                table("u"),
                floats("g", &[4], &[1.0; 4]),
            ],
        ),
        of(
            "EmbedLayerNormalization",
            &["i", "", "t", "u", "", "g", "g"],
            &[],
            &[
                ids(-1),
                table("t"),
                table("u"),
                floats("g", &[4], &[1.0; 4]),
            ],
        ),
        of(
            "MatMulNBits",
            &["r", "q", "s"],
            &[
                int("K", 4),
                int("N", 4),
                int("bits", 4),
                int("block_size", 32),
            ],
            &[cube(), packed(), floats("s", &[1], &[1.0])],
        ),
        of(
            "MatMulNBits",
            &["r", "q", "s"],
            &[
                int("K", 1 << 40),
                int("N", 1 << 20),
                int("bits", 4),
                int("block_size", 16),
            ],
            &[cube(), packed(), floats("s", &[4], &[1.0; 4])],
        ),
        of(
            "RotaryEmbedding",
            &["r", "p", "t", "t"],
            &[],
            &[
                cube(),
                integers("p", &[1 << 40]),
                floats("t", &[2, 2], &[1.0; 4]),
            ],
        ),
        of(
            "RotaryEmbedding",
            &["r", "p", "t", "t"],
            &[int("rotary_embedding_dim", 1 << 20), int("num_heads", 1)],
            &[
                cube(),
                integers("p", &[-1]),
                floats("t", &[2, 2], &[1.0; 4]),
            ],
        ),
        of(
            "SkipLayerNormalization",
            &["r", "r", "g"],
            &[],
            &[cube(), floats("g", &[400], &[1.0; 400])],
        ),
        of("BiasGelu", &["r", "b"], &[], &[cube(), bias()]),
        of(
            "NGramRepeatBlock",
            &["i", "s"],
            &[int("ngram_size", 1 << 40)],
            &[
                data("i", INT64, &[1, 2], &[0xff; 16]),
                floats("s", &[1, 4], &[0.0; 4]),
            ],
        ),
        of(
            "GatherBlockQuantized",
            &["q", "i", "s"],
            &[int("block_size", 16)],
            &[packed(), ids(1 << 30), floats("s", &[4, 1, 1], &[1.0; 4])],
        ),
        of(
            "QMoE",
            &["r", "r", "q", "s", "", "q", "s"],
            &[int("k", 99)],
            &[cube(), packed(), floats("s", &[4], &[1.0; 4])],
        ),
        of("MoE", &["x", "x", "x", "", "x"], &[int("k", -1)], &[]),
        of(
            "CropAndResize",
            &["r", "o", "i", "z"],
            &[],
            &[
                floats("r", &[1, 1, 2, 2], &[0.0; 4]),
                floats("o", &[1, 4], &[-1e30, 1e30, -1e30, 1e30]),
                data("i", INT32, &[1], &i32::MAX.to_le_bytes()),
                integers("z", &[1 << 20, 1 << 20]),
            ],
        ),
        of(
            "FusedConv",
            &["r", "w"],
            &[
                text("activation", "Clip"),
                Message::new().text(1, "activation_params").number(20, 6),
            ],
            &[
                floats("r", &[1, 1, 2, 2], &[0.0; 4]),
                floats("w", &[1, 1, 1, 1], &[0.0]),
            ],
        ),
        of("Sampling", &["i"], &[int("vocab_size", -1)], &[ids(1)]),
        of(
            "BeamSearch",
            &["i", "i", "i", "i", "i"],
            &[int("eos_token_id", 1)],
            &[ids(1)],
        ),
        of(
            "WordConvEmbedding",
            &["i", "t", "u", "x"],
            &[int("char_embedding_size", 1 << 40)],
            &[ids(99), table("t"), table("u")],
        ),
        of("Inverse", &["r"], &[], &[floats("r", &[2, 2], &[0.0; 4])]),
        of(
            "Tokenizer",
            &["w"],
            &[int("mark", 1), text("pad_value", ""), int("mincharnum", -1)],
            &[Message::new()
                .numbers(1, &[1])
                .number(2, 8)
                .text(8, "w")
                .text(6, "words")],
        ),
        of(
            "ExpandDims",
            &["x", "i"],
            &[],
            &[data("i", INT32, &[], &i32::MIN.to_le_bytes())],
        ),
        of(
            "DynamicQuantizeLSTM",
            &["r", "q", "q", "", "", "", "", "x", "q", "x", "q"],
            &[int("hidden_size", 1)],
            &[cube(), packed()],
        ),
        of("Unique", &["x"], &[], &[]),
        of(
            "Irfft",
            &["r"],
            &[
                int("signal_ndim", 99),
                int("normalized", 0),
                int("onesided", 1),
            ],
            &[cube()],
        ),
        of(
            "TransposeMatMul",
            &["r", "r"],
            &[float("alpha", f32::NAN), int("transA", 1), int("transB", 1)],
            &[cube()],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
