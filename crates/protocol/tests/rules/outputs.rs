//! Roots of outputs: total over values, sensitive to everything that names a tensor.

use assay_protocol::{
    Digest,
    outputs::{DType, EncodingError, Output, RootHasher},
    profile::Comparison,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

pub const DTYPES: [DType; 13] = [
    DType::Bool,
    DType::U8,
    DType::I8,
    DType::U16,
    DType::I16,
    DType::U32,
    DType::I32,
    DType::U64,
    DType::I64,
    DType::F16,
    DType::BF16,
    DType::F32,
    DType::F64,
];

/// Root and hints of one output as the primary computes them.
pub fn primary(
    output: &Output<'_>,
    comparison: Comparison,
) -> Result<(Digest, Vec<i8>), EncodingError> {
    let mut hints = Vec::new();
    let mut hasher = RootHasher::new(1)?;
    hasher.primary(output, comparison, |hint| hints.push(hint))?;
    Ok((hasher.finish(), hints))
}

/// Root of one output as an auditor computes it.
pub fn auditor(
    output: &Output<'_>,
    comparison: Comparison,
    hints: &[i8],
) -> Result<Digest, EncodingError> {
    let mut hasher = RootHasher::new(1)?;
    hasher.auditor(output, comparison, &mut hints.iter().copied())?;
    Ok(hasher.finish())
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn output<'a>(dtype: DType, shape: &'a [u64], data: &'a [u8]) -> Output<'a> {
    Output {
        name: "y",
        dtype,
        shape,
        data,
    }
}

/// The bytes under a root, written out independently of `RootHasher`.
fn preimage(name: &str, kind: u8, exponent: i8, dtype: u8, shape: &[u64], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"assay/root/1".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes.push(kind);
    bytes.extend(exponent.to_le_bytes());
    bytes.push(dtype);
    bytes.extend(u32::try_from(shape.len()).unwrap().to_le_bytes());
    bytes.extend(shape.iter().flat_map(|dim| dim.to_le_bytes()));
    bytes.extend(data);
    bytes
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

#[test]
fn dtype_codes_are_pinned() {
    let codes: Vec<_> = DTYPES
        .iter()
        .map(|dtype| (*dtype as u8, dtype.size(), dtype.is_float()))
        .collect();
    assert_eq!(
        codes,
        [
            (1, 1, false),
            (2, 1, false),
            (3, 1, false),
            (4, 2, false),
            (5, 2, false),
            (6, 4, false),
            (7, 4, false),
            (8, 8, false),
            (9, 8, false),
            (10, 2, true),
            (11, 2, true),
            (12, 4, true),
            (13, 8, true),
        ]
    );
}

#[test]
fn exact_root_is_the_documented_hash() {
    let data = [1_u8, 2, 3, 4, 5, 6];
    let expected = sha256(&preimage("logits", 0, 0, 4, &[3, 1], &data));
    let output = Output {
        name: "logits",
        dtype: DType::U16,
        shape: &[3, 1],
        data: &data,
    };
    assert_eq!(primary(&output, Comparison::Exact), Ok((expected, vec![])));
    // A grid does not concern integers: same root, no hints.
    assert_eq!(
        primary(&output, Comparison::Grid(-3)),
        Ok((expected, vec![]))
    );
}

#[test]
fn grid_root_is_the_documented_hash() {
    let data = f32s(&[0.3, -1.0, f32::NAN, f32::NEG_INFINITY, f32::INFINITY]);
    // 0.3 / 0.25 = 1.2: index 1, a fifth of the step above it.
    let indexes = [1, -4, i64::MIN, i64::MIN + 1, i64::MAX]
        .map(i64::to_le_bytes)
        .concat();
    let expected = sha256(&preimage("y", 1, -2, 12, &[5], &indexes));
    let found = primary(&output(DType::F32, &[5], &data), Comparison::Grid(-2));
    assert_eq!(found, Ok((expected, vec![51, 0, 0, 0, 0])));
}

#[test]
fn zeros_and_nans_are_canonical_under_exact() {
    type Pair<'a> = [&'a [u8]; 2];
    let cases: [(DType, Pair<'_>, Pair<'_>); 4] = [
        (
            DType::F16,
            [&[0, 0], &[0, 0x80]],
            [&[1, 0x7c], &[0xff, 0xff]],
        ),
        (
            DType::BF16,
            [&[0, 0], &[0, 0x80]],
            [&[0x81, 0x7f], &[0xff, 0xff]],
        ),
        (
            DType::F32,
            [&[0; 4], &[0, 0, 0, 0x80]],
            [&[1, 0, 0x80, 0x7f], &[0xff; 4]],
        ),
        (
            DType::F64,
            [&[0; 8], &[0, 0, 0, 0, 0, 0, 0, 0x80]],
            [&[1, 0, 0, 0, 0, 0, 0xf0, 0x7f], &[0xff; 8]],
        ),
    ];
    for (dtype, zeros, nans) in cases {
        let root = |data| primary(&output(dtype, &[1], data), Comparison::Exact).unwrap();
        assert_eq!(root(zeros[0]), root(zeros[1]), "{dtype:?}");
        assert_eq!(root(nans[0]), root(nans[1]), "{dtype:?}");
        assert_ne!(root(zeros[0]), root(nans[0]), "{dtype:?}");
    }
    let bool_root = |byte| primary(&output(DType::Bool, &[1], &[byte]), Comparison::Exact).unwrap();
    assert_eq!(bool_root(1), bool_root(255));
    assert_ne!(bool_root(0), bool_root(1));
}

#[test]
fn infinities_differ_from_each_other_and_from_nan() {
    for comparison in [Comparison::Exact, Comparison::Grid(0)] {
        let roots: Vec<_> = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::MAX,
            f32::MIN,
            0.0,
        ]
        .map(|value| {
            primary(&output(DType::F32, &[1], &f32s(&[value])), comparison)
                .unwrap()
                .0
        })
        .to_vec();
        for (position, root) in roots.iter().enumerate() {
            assert!(
                !roots[..position].contains(root),
                "{comparison:?} {position}"
            );
        }
    }
}

#[test]
fn roots_name_their_tensors() {
    let data = f32s(&[1.0, 2.0, 3.0, 4.0]);
    let base = Output {
        name: "y",
        dtype: DType::F32,
        shape: &[2, 2],
        data: &data,
    };
    let root = |output: &Output<'_>, comparison| primary(output, comparison).unwrap().0;
    let reference = root(&base, Comparison::Exact);
    for other in [
        Output { name: "z", ..base },
        Output { name: "", ..base },
        Output {
            shape: &[4],
            ..base
        },
        Output {
            shape: &[1, 2, 2],
            ..base
        },
        Output {
            dtype: DType::I32,
            ..base
        },
    ] {
        assert_ne!(root(&other, Comparison::Exact), reference, "{other:?}");
    }
    assert_ne!(root(&base, Comparison::Grid(0)), reference);
    assert_ne!(
        root(&base, Comparison::Grid(0)),
        root(&base, Comparison::Grid(1))
    );
}

#[test]
fn output_order_and_count_matter() {
    let (a, b) = (f32s(&[1.0]), f32s(&[2.0]));
    let of = |count, parts: &[&[u8]]| {
        let mut hasher = RootHasher::new(count).unwrap();
        for data in parts {
            hasher
                .primary(&output(DType::F32, &[1], data), Comparison::Exact, |_| ())
                .unwrap();
        }
        hasher.finish()
    };
    assert_ne!(of(2, &[&a, &b]), of(2, &[&b, &a]));
    assert_ne!(of(1, &[&a]), of(2, &[&a]));
}

#[test]
fn wrong_lengths_and_hints_are_the_callers_mistake() {
    let data = f32s(&[1.0, 2.0]);
    for shape in [
        &[1_u64][..],
        &[3],
        &[2, 2],
        &[0],
        &[u64::MAX, u64::MAX],
        &[u64::MAX],
        &[],
    ] {
        let wrong = output(DType::F32, shape, &data);
        assert_eq!(
            primary(&wrong, Comparison::Exact),
            Err(EncodingError::Length),
            "{shape:?}"
        );
        assert_eq!(
            auditor(&wrong, Comparison::Grid(0), &[0; 9]),
            Err(EncodingError::Length)
        );
    }
    let right = output(DType::F32, &[2], &data);
    assert_eq!(
        auditor(&right, Comparison::Grid(0), &[0]),
        Err(EncodingError::Hints)
    );
    assert!(auditor(&right, Comparison::Grid(0), &[0, 0]).is_ok());
    assert!(auditor(&right, Comparison::Exact, &[]).is_ok());
}

#[test]
fn scalars_and_empty_tensors_have_roots() {
    let one = f32s(&[1.0]);
    assert!(primary(&output(DType::F32, &[], &one), Comparison::Grid(0)).is_ok());
    for dtype in DTYPES {
        for shape in [&[0_u64][..], &[3, 0], &[0, u64::MAX]] {
            let found = primary(&output(dtype, shape, &[]), Comparison::Grid(4));
            assert!(
                found.is_ok_and(|(_, hints)| hints.is_empty()),
                "{dtype:?} {shape:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Whatever bytes a model yields, there is a root, and an auditor with the same bytes has it too.
    #[test]
    fn encoding_is_total(bytes in prop::collection::vec(any::<u8>(), 0..96), dtype in 0_usize..13, exponent in -64_i8..=64, exact: bool) {
        let dtype = DTYPES[dtype];
        let count = bytes.len() / dtype.size();
        let shape = [u64::try_from(count).unwrap()];
        let output = output(dtype, &shape, &bytes[..count * dtype.size()]);
        let comparison = if exact { Comparison::Exact } else { Comparison::Grid(exponent) };
        let (root, hints) = primary(&output, comparison).unwrap();
        prop_assert_eq!(hints.len(), if dtype.is_float() && !exact { count } else { 0 });
        prop_assert_eq!(auditor(&output, comparison, &hints), Ok(root));
    }

    /// A deviation within the promise keeps the root; one past it, of a single element, does not.
    #[test]
    fn roots_follow_the_tolerance(
        values in prop::collection::vec(-1.0e4_f64..1.0e4, 1..12),
        shares in prop::collection::vec(-0.49_f64..0.49, 12),
        victim: prop::sample::Index,
        exponent in -20_i8..=2,
    ) {
        let step = assay_protocol::grid::step(exponent);
        let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        let shape = [u64::try_from(values.len()).unwrap()];
        let own = bytes(&values);
        let (root, hints) = primary(&output(DType::F64, &shape, &own), Comparison::Grid(exponent)).unwrap();
        let near: Vec<_> = values.iter().zip(&shares).map(|(value, share)| value + share * step).collect();
        prop_assert_eq!(auditor(&output(DType::F64, &shape, &bytes(&near)), Comparison::Grid(exponent), &hints), Ok(root));
        let mut far = near;
        let victim = victim.index(values.len());
        far[victim] = values[victim] + 0.51 * step;
        prop_assert_ne!(auditor(&output(DType::F64, &shape, &bytes(&far)), Comparison::Grid(exponent), &hints), Ok(root));
    }
}
