//! Vectors for implementations in other languages: `vectors/protocol.json`.
//!
//! Bytes are hex, 64-bit integers decimal strings (JSON numbers lose them), floats their f64 bits in hex, big-endian.
//! `ASSAY_BLESS=1 cargo test` writes the file anew; a difference in a released vector is a break of the protocol.

use std::{env, fs, path::PathBuf};

use assay_protocol::{
    Address, BasisPoints, Digest, Error, JobStatus, Lamports, OutputProfile, Voucher,
    amount::{late_slash, ramp_price, release_slash, split_price},
    commitment::{
        Opening, Role, draw_seed, empty_hints_digest, error_root, is_drawn, requester_secret,
        requester_secret_message, secret_hash,
    },
    grid::{quantize, requantize},
    outputs::{DType, Output},
    profile::Comparison,
    status::TRANSITIONS,
};
use serde_json::{Value, json};

use super::{layout, outputs};

mod panels;

#[test]
fn vectors_are_unchanged() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/protocol.json");
    let text = format!("{:#}\n", all());
    if env::var_os("ASSAY_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    let differing = kept
        .lines()
        .zip(text.lines())
        .enumerate()
        .find(|(_, (kept, now))| kept != now);
    assert!(
        kept == text,
        "{} differs from what the code computes, first at {differing:?}; if the change is meant and unreleased, run with ASSAY_BLESS=1",
        path.display()
    );
}

fn all() -> Value {
    json!({
        "commitments": commitments(),
        "secrets": secrets(),
        "draws": draws(),
        "panels": panels::panels(),
        "auditors": panels::auditors(),
        "verdicts": panels::verdicts(),
        "roots": roots(),
        "fixed": { "error_root": hex::encode(error_root().0), "empty_hints_digest": hex::encode(empty_hints_digest().0) },
        "grid": grid(),
        "prices": prices(),
        "fees": fees(),
        "slashes": slashes(),
        "statuses": statuses(),
        "errors": Error::ALL.iter().map(|error| json!({ "code": error.code(), "name": error.name() })).collect::<Value>(),
        "profile": { "exact": OutputProfile::EXACT, "unused": OutputProfile::UNUSED, "max_exponent": OutputProfile::MAX_EXPONENT },
        "layouts": layouts(),
        "vouchers": vouchers(),
    })
}

/// 32 bytes that count up from `first`, so that a swapped or reversed field shows.
fn bytes(first: u8) -> [u8; 32] {
    let mut bytes = [first; 32];
    for (byte, step) in bytes.iter_mut().zip(0_u8..) {
        *byte = byte.wrapping_add(step);
    }
    bytes
}

fn commitments() -> Value {
    let case = |attempt: u8, role: Role, generation: u64, seed: u8| {
        let field = |number: u8| bytes(seed.wrapping_add(number.wrapping_mul(32)));
        let opening = Opening {
            program_id: &Address::new_from_array(field(0)),
            job: &Address::new_from_array(field(1)),
            attempt,
            role,
            provider: &Address::new_from_array(field(2)),
            generation,
            salt: &field(3),
            root: &Digest(field(4)),
            hints_digest: &Digest(field(5)),
            runtime_class: &field(6),
        };
        json!({
            "program_id": hex::encode(field(0)),
            "job": hex::encode(field(1)),
            "attempt": attempt,
            "role": role as u8,
            "provider": hex::encode(field(2)),
            "generation": generation.to_string(),
            "salt": hex::encode(field(3)),
            "root": hex::encode(field(4)),
            "hints_digest": hex::encode(field(5)),
            "runtime_class": hex::encode(field(6)),
            "commitment": hex::encode(opening.commitment().0),
        })
    };
    json!([
        case(0, Role::Primary, 1, 0),
        case(2, Role::Primary, 0x0102_0304_0506_0708, 3),
        case(1, Role::PanelLevel1, u64::MAX, 9),
        case(0, Role::PanelLevel2, 0, 200),
    ])
}

fn secrets() -> Value {
    let (program, job) = (
        Address::new_from_array(bytes(1)),
        Address::new_from_array(bytes(70)),
    );
    let signature: [u8; 64] = [bytes(5), bytes(99)].concat().try_into().unwrap();
    let secret = requester_secret(&signature);
    json!({
        "program_id": hex::encode(program),
        "job": hex::encode(job),
        "requester_secret_message": hex::encode(requester_secret_message(&program, &job)),
        "signature": hex::encode(signature),
        "requester_secret": hex::encode(secret),
        "secret_hash": hex::encode(secret_hash(&secret).0),
    })
}

/// What a session key signs, and what carries it to the chain; the signature's bytes are any.
fn vouchers() -> Value {
    let key = Address::new_from_array(bytes(150));
    let signature: [u8; 64] = [bytes(5), bytes(99)].concat().try_into().unwrap();
    let case = |cumulative: u64, expires_at: i64, seed: u8| {
        let voucher = Voucher {
            session: Address::new_from_array(bytes(seed)),
            cumulative,
            expires_at,
        };
        json!({
            "session": hex::encode(bytes(seed)),
            "cumulative": cumulative.to_string(),
            "expires_at": expires_at.to_string(),
            "message": hex::encode(voucher.to_bytes()),
            "session_key": hex::encode(key),
            "signature": hex::encode(signature),
            "proof": hex::encode(voucher.proof(&key, &signature)),
        })
    };
    json!([
        case(0, 0, 0),
        case(0x0102_0304_0506_0708, 1_800_000_000, 40),
        case(u64::MAX, i64::MAX, 200),
        case(1, i64::MIN, 90),
    ])
}

fn draws() -> Value {
    (0_u8..6)
        .map(|attempt| {
            let (job, worker, requester) =
                (bytes(attempt), bytes(100 + attempt), bytes(200 + attempt));
            let seed = draw_seed(&Address::new_from_array(job), attempt, &worker, &requester);
            // The lowest rate at which the seed is drawn pins the whole threshold.
            let lowest = (0..=10_000_u16)
                .find(|rate| is_drawn(&seed, *rate))
                .unwrap();
            json!({
                "job": hex::encode(job),
                "attempt": attempt,
                "worker_secret": hex::encode(worker),
                "requester_secret": hex::encode(requester),
                "seed": hex::encode(seed.0),
                "drawn_from_bps": lowest,
            })
        })
        .collect()
}

/// Name, type, shape, bytes and comparison of an output.
type Tensor<'a> = (&'a str, DType, &'a [u64], &'a [u8], Comparison);

fn roots() -> Value {
    let f32s: Vec<u8> = [
        0.0_f32,
        -0.0,
        1.5,
        -2.25,
        0.1,
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN_POSITIVE,
        1e-45,
    ]
    .iter()
    .flat_map(|value| value.to_le_bytes())
    .collect();
    let f64s: Vec<u8> = [0.1_f64, -1e300, 5e-324, f64::NAN, -0.0, 3.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let halves: Vec<u8> = [
        0x3c00_u16, 0xbc00, 0x7c00, 0xfc00, 0x7e01, 0x8000, 0x0001, 0x7bff,
    ]
    .iter()
    .flat_map(|bits| bits.to_le_bytes())
    .collect();
    let small: Vec<u8> = (0_u8..8).collect();
    let cases: [Tensor<'_>; 12] = [
        ("y", DType::F32, &[3, 4], &f32s, Comparison::Exact),
        ("y", DType::F32, &[3, 4], &f32s, Comparison::Grid(-10)),
        ("y", DType::F32, &[12], &f32s, Comparison::Grid(-64)),
        ("y", DType::F32, &[12], &f32s, Comparison::Grid(64)),
        ("logits", DType::F64, &[6], &f64s, Comparison::Exact),
        ("logits", DType::F64, &[6], &f64s, Comparison::Grid(-3)),
        (
            "half",
            DType::F16,
            &[2, 2, 2],
            &halves,
            Comparison::Grid(-4),
        ),
        ("half", DType::BF16, &[8], &halves, Comparison::Exact),
        ("label", DType::I64, &[1], &small, Comparison::Grid(-4)),
        ("flag", DType::Bool, &[8], &small, Comparison::Exact),
        ("", DType::U8, &[0], &[], Comparison::Exact),
        (
            "scalar",
            DType::F32,
            &[],
            &[0, 0, 0x80, 0x3f],
            Comparison::Grid(0),
        ),
    ];
    cases
        .iter()
        .map(|(name, dtype, shape, data, comparison)| {
            let output = Output { name, dtype: *dtype, shape, data };
            let (root, hints) = outputs::primary(&output, *comparison).unwrap();
            assert_eq!(outputs::auditor(&output, *comparison, &hints), Ok(root));
            json!({
                "name": name,
                "dtype": *dtype as u8,
                "shape": shape,
                "data": hex::encode(data),
                "grid_exponent": match comparison { Comparison::Exact => Value::Null, Comparison::Grid(exponent) => json!(exponent) },
                "hints": hints,
                "root": hex::encode(root.0),
            })
        })
        .collect()
}

fn grid() -> Value {
    let edge = 2_f64.powi(52);
    let values = [
        0.0,
        -0.0,
        0.5,
        1.5,
        2.5,
        -0.5,
        -1.5,
        0.49,
        0.501_953_125,
        1.0 / 3.0,
        1e-300,
        1e300,
        edge - 0.5,
        edge - 1.5,
        edge,
        -edge,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::from_bits(1),
    ];
    [-64_i8, -7, 0, 5, 64]
        .iter()
        .flat_map(|exponent| values.iter().map(move |value| (*exponent, *value)))
        .map(|(exponent, value)| {
            let (index, hint) = quantize(value, exponent);
            let near = value + 0.3 * assay_protocol::grid::step(exponent);
            json!({
                "exponent": exponent,
                "value": format!("{:016x}", value.to_bits()),
                "index": index.to_string(),
                "hint": hint,
                "auditor_value": format!("{:016x}", near.to_bits()),
                "auditor_index": requantize(near, hint, exponent).to_string(),
            })
        })
        .collect()
}

fn prices() -> Value {
    [
        (0, 100, 0, 10),
        (0, 100, 3, 7),
        (50, 100, 9, 10),
        (50, 100, 10, 10),
        (5, 5, 1, 100),
        (1, 1 << 49, 4_294_967_294, u32::MAX),
        (7, 11, 0, 0),
        (0, u64::MAX, 12_345, 1_000_000),
    ]
    .iter()
    .map(|(floor, ceiling, elapsed, ramp)| {
        let price = ramp_price(Lamports(*floor), Lamports(*ceiling), *elapsed, *ramp).unwrap();
        json!({
            "floor": floor.to_string(),
            "ceiling": ceiling.to_string(),
            "elapsed_secs": elapsed,
            "ramp_secs": ramp,
            "price": price.0.to_string(),
        })
    })
    .collect()
}

fn fees() -> Value {
    [
        (1, 200),
        (49, 200),
        (50, 200),
        (1_000_000, 250),
        (9_999, 1_000),
        (u64::MAX, 1_000),
        (u64::MAX, 10_000),
        (123_456_789, 0),
    ]
    .iter()
    .map(|(price, bps)| {
        let split = split_price(Lamports(*price), BasisPoints(*bps)).unwrap();
        json!({
            "price": price.to_string(),
            "fee_bps": bps,
            "fee": split.fee.0.to_string(),
            "earned": split.earned.0.to_string(),
        })
    })
    .collect()
}

fn slashes() -> Value {
    [(0, 100), (100, 0), (7, 100), (100, 7), (3, 3)]
        .iter()
        .map(|(collateral, ceiling)| {
            let (collateral, ceiling) = (Lamports(*collateral), Lamports(*ceiling));
            json!({
                "collateral": collateral.0.to_string(),
                "ceiling": ceiling.0.to_string(),
                "late": late_slash(collateral, ceiling).0.to_string(),
                "release": release_slash(collateral, ceiling).0.to_string(),
            })
        })
        .collect()
}

fn statuses() -> Value {
    json!({
        "numbers": JobStatus::ALL.iter().map(|status| (status.name().to_owned(), json!(*status as u8))).collect::<serde_json::Map<_, _>>(),
        "terminal": JobStatus::ALL.iter().filter(|status| status.is_terminal()).map(|status| status.name()).collect::<Vec<_>>(),
        "transitions": TRANSITIONS.iter().map(|(from, to)| [from.name(), to.name()]).collect::<Vec<_>>(),
    })
}

fn layouts() -> Value {
    layout::all()
        .iter()
        .map(|layout| {
            json!({
                "name": layout.name,
                "size": layout.size,
                "fields": layout.fields.iter().map(|(name, offset, size)| json!({ "name": name, "offset": offset, "size": size })).collect::<Vec<_>>(),
            })
        })
        .collect()
}
