use assay_engine::{DType, ModelFailure};

use super::*;

fn outcome(shape: &[usize], data: &[u8]) -> Outcome {
    Outcome::Outputs(vec![Tensor {
        name: "y".into(),
        dtype: DType::U8,
        shape: shape.into(),
        data: data.into(),
    }])
}

fn failed() -> Outcome {
    Outcome::Failed(ModelFailure {
        message: "odd".into(),
    })
}

#[test]
fn rows_that_are_what_they_were_alone_are_the_same() {
    let alone = [outcome(&[1, 2], &[1, 2]), outcome(&[1, 2], &[3, 4])];
    let together =
        |shape: &[usize], data: &[u8]| compare(alone.each_ref(), &outcome(shape, data), 1);
    assert_eq!(together(&[2, 2], &[1, 2, 3, 4]), Trial::Same);
    assert_eq!(together(&[2, 2], &[3, 4, 1, 2]), Trial::Other);
    assert_eq!(together(&[1, 2], &[4, 6]), Trial::Other, "one sum");
    assert_eq!(compare(alone.each_ref(), &failed(), 1), Trial::Other);
}

#[test]
fn trial_that_could_not_fail_tells_nothing() {
    let same = [outcome(&[1, 1], &[0]), outcome(&[1, 1], &[0])];
    let together = outcome(&[2, 1], &[0, 0]);
    assert_eq!(compare(same.each_ref(), &together, 1), Trial::Nothing);
    let one_fails = [outcome(&[1, 1], &[0]), failed()];
    assert_eq!(compare(one_fails.each_ref(), &together, 1), Trial::Nothing);
}

#[test]
fn sharing_begins_with_a_trial_that_tells_and_ends_for_good() {
    let sharing = Sharing::new(true);
    assert!(sharing.is_open() && !sharing.is_known_to_work());
    assert!(!sharing.tried(Trial::Nothing));
    assert!(sharing.tried(Trial::Same));
    assert!(!sharing.is_open() && sharing.is_known_to_work());
    assert!(
        !sharing.tried(Trial::Other),
        "two trials at once: the first tells"
    );
    assert!(sharing.is_known_to_work());
    sharing.never();
    assert!(!sharing.tried(Trial::Same));
    assert!(!sharing.is_open() && !sharing.is_known_to_work());
    let other = Sharing::new(true);
    for _ in 1..TRIALS {
        assert!(!other.tried(Trial::Nothing));
    }
    assert!(other.is_open());
    assert!(other.tried(Trial::Nothing));
    assert!(!other.is_open() && !other.is_known_to_work());
    assert!(!Sharing::new(false).is_open());
}
