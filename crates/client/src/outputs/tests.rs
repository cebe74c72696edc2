use assay_protocol::{commitment::empty_hints_digest, grid};
use safetensors::tensor::TensorView;

use super::*;

/// A safetensors file of one f32 tensor named `p` and one i64 tensor named `label`.
pub fn file(values: &[f32], label: i64) -> Vec<u8> {
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let label = label.to_le_bytes();
    let views = [
        (
            "p",
            TensorView::new(Dtype::F32, vec![1, values.len()], &data).unwrap(),
        ),
        (
            "label",
            TensorView::new(Dtype::I64, vec![1], &label).unwrap(),
        ),
    ];
    safetensors::serialize(views, None).unwrap()
}

fn profile(entries: &[i16]) -> OutputProfile {
    let mut profile = [OutputProfile::UNUSED; 8];
    profile[..entries.len()].copy_from_slice(entries);
    OutputProfile(profile)
}

#[test]
fn canonical_follows_the_models_order_not_the_files() {
    let file = file(&[0.25, 0.75], 1);
    let exact = profile(&[OutputProfile::EXACT; 2]);
    let one = canonical(&file, &["p", "label"], &exact).unwrap();
    let other = canonical(&file, &["label", "p"], &exact).unwrap();
    assert_ne!(one.root, other.root);
    assert_eq!(one.hints_digest(), empty_hints_digest());
}

#[test]
fn canonical_on_a_grid_gives_one_hint_a_float() {
    let file = file(&[0.25, 0.3], 1);
    let grid = profile(&[-2, OutputProfile::EXACT]);
    let found = canonical(&file, &["p", "label"], &grid).unwrap();
    let hints = [0.25_f32, 0.3].map(|x| grid::quantize(f64::from(x), -2).1.cast_unsigned());
    assert_eq!(found.hints, hints);
    assert_eq!(found.hints_digest(), digest(&hints));
    // The root alone does not tell values of one cell apart; the hints do.
    let near = canonical(&self::file(&[0.25, 0.301], 1), &["p", "label"], &grid).unwrap();
    assert_eq!(near.root, found.root);
}

#[test]
fn canonical_refuses_another_number_of_outputs() {
    let file = file(&[0.25], 1);
    let exact = profile(&[OutputProfile::EXACT; 2]);
    let count = canonical(&file, &["p"], &exact).unwrap_err();
    assert!(
        matches!(
            count,
            OutputsError::Count {
                profile: 2,
                found: 2
            }
        ),
        "{count}"
    );
    let one = profile(&[OutputProfile::EXACT]);
    assert!(matches!(
        canonical(&file, &["p"], &one),
        Err(OutputsError::Count { .. })
    ));
    let missing = canonical(&file, &["p", "x"], &exact).unwrap_err();
    assert!(matches!(missing, OutputsError::Missing { name } if name == "x"));
    assert!(matches!(
        canonical(b"junk", &["p"], &one),
        Err(OutputsError::File(_))
    ));
}
