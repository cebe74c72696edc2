use assay_engine::{DType, Tensor};

use super::*;

fn outcome(values: &[f32]) -> Outcome {
    Outcome::Outputs(vec![Tensor {
        name: "y".into(),
        dtype: DType::F32,
        shape: vec![values.len()],
        data: values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    }])
}

fn grid(exponent: i16) -> OutputProfile {
    let mut profile = OutputProfile([OutputProfile::UNUSED; 8]);
    profile.0[0] = exponent;
    profile
}

/// Three variations, two of them equal, on two samples.
fn honest() -> Honest {
    let same = vec![outcome(&[0.25, 0.75]), outcome(&[1.0, -1.0])];
    let other = vec![outcome(&[0.250_01, 0.75]), outcome(&[1.0, -1.0])];
    Honest::new(vec![same.clone(), other, same])
}

fn attack(outcomes: &[Outcome]) -> Attack {
    Attack {
        name: "an attack",
        detail: "on two samples".into(),
        weights: true,
        outcomes: outcomes.iter().cloned().map(Some).collect(),
    }
}

fn judged(exponent: i16, outcomes: &[Outcome]) -> (Vec<Refusal>, Verdict) {
    let (honest, profile) = (honest(), grid(exponent));
    let measured = choose::measure(&honest.distinct());
    let attack = attack(outcomes);
    let verdict = judge(&honest, &attack, &profile, &measured).unwrap();
    let rate = honest_rejects(&honest, &profile).unwrap();
    let refusals = refusals(
        &profile,
        true,
        &measured,
        rate,
        &[(attack, verdict.clone())],
    );
    (refusals, verdict)
}

#[test]
fn honest_results_are_measured_over_all_pairs() {
    let honest = honest();
    let measured = choose::measure(&honest.distinct());
    assert!((measured[0].worst - 1e-5).abs() < 1e-7);
    assert_eq!(measured[0].magnitude, 1.0);
    let spread = honest.spread(3, 1);
    assert_eq!((spread[0][0], spread[2][0]), (0.0, 0.0));
    assert_eq!(spread[1][0], measured[0].worst);
    // Two samples, three primaries, two auditors each.
    let rate = honest_rejects(&honest, &grid(-10)).unwrap();
    assert_eq!(rate, Rate { pairs: 12, hits: 0 });
    // Exactly, the two equal variations agree with each other only: 4 of the first sample's 6 pairs fail.
    let rate = honest_rejects(&honest, &grid(OutputProfile::EXACT)).unwrap();
    assert_eq!(rate, Rate { pairs: 12, hits: 4 });
}

#[test]
fn cheat_beyond_the_step_is_caught_by_every_auditor() {
    let (refusals, verdict) = judged(-10, &[outcome(&[0.26, 0.75]), outcome(&[1.0, -1.0])]);
    assert_eq!(refusals, []);
    assert_eq!((verdict.changed, verdict.unchanged), (1, 1));
    assert_eq!(verdict.accepted, Rate { pairs: 3, hits: 0 });
    let nearest = verdict.nearest().unwrap();
    assert!((nearest.absolute - 0.009_99).abs() < 1e-6);
    assert!((nearest.steps - nearest.absolute * 1_024.0).abs() < 1e-9);
}

#[test]
fn cheat_that_passes_and_says_something_else_refuses_the_profile() {
    // A step of 2, in which 0.25 and 0.75 change places unnoticed.
    let cheat = [outcome(&[0.75, 0.25]), outcome(&[1.0, -1.000_1])];
    let (refusals, verdict) = judged(1, &cheat);
    assert_eq!((verdict.accepted.share(), verdict.misled), (1.0, 1));
    let passing = vec![("an attack".to_owned(), 1.0)];
    let attacks = 1;
    assert_eq!(refusals, [Refusal::Cheat { attacks, passing }]);
    let (refusals, _) = judged(-15, &cheat);
    assert_eq!(
        refusals
            .iter()
            .filter(|refusal| matches!(refusal, Refusal::Cheat { .. }))
            .count(),
        0
    );
}

#[test]
fn accepted_cheat_that_says_something_else_refuses_the_profile() {
    // A step of 2: 0.25 and 0.75 change places unnoticed on one sample of two, far off on the other.
    let (honest, profile) = (honest(), grid(1));
    let attack = attack(&[outcome(&[0.75, 0.25]), outcome(&[100.0, -1.0])]);
    let measured = choose::measure(&honest.distinct());
    let mut verdict = judge(&honest, &attack, &profile, &measured).unwrap();
    assert_eq!((verdict.decisions, verdict.accepted.hits), (1, 3));
    // Were it one audit of many, the changed decision alone would still count.
    verdict.accepted.pairs = 1_000;
    let found = refusals(
        &profile,
        true,
        &measured,
        Rate::default(),
        &[(attack, verdict)],
    );
    assert!(matches!(
        found.as_slice(),
        [Refusal::Decision { samples: 1, .. }]
    ));
}

#[test]
fn cheat_that_passes_and_says_the_same_is_remarked_upon() {
    let (honest, profile) = (honest(), grid(-10));
    let measured = choose::measure(&honest.distinct());
    let attack = attack(&[outcome(&[0.250_1, 0.75]), outcome(&[1.0, -1.000_1])]);
    let verdict = judge(&honest, &attack, &profile, &measured).unwrap();
    assert_eq!((verdict.accepted.share(), verdict.misled), (1.0, 0));
    let judged = [(attack, verdict)];
    assert_eq!(
        refusals(&profile, true, &measured, Rate::default(), &judged),
        []
    );
    assert!(matches!(remarks(&judged).as_slice(), [text] if text.contains("100.0 %")));
    // Nobody needs so much tolerance: then it is refused.
    let found = refusals(&profile, false, &measured, Rate::default(), &judged);
    assert!(matches!(
        found.as_slice(),
        [Refusal::Cheat { attacks: 1, .. }]
    ));
}

#[test]
fn spread_beyond_a_quarter_step_is_refused() {
    let cheat = [outcome(&[0.5, 0.75]), outcome(&[2.0, -1.0])];
    // 1e-5 is 0.16 steps of 2^-14 and 0.33 steps of 2^-15.
    assert_eq!(judged(-14, &cheat).0, []);
    assert!(matches!(
        judged(-15, &cheat).0.as_slice(),
        [Refusal::Spread { .. }]
    ));
    let exact = judged(OutputProfile::EXACT, &cheat).0;
    assert!(matches!(
        exact.as_slice(),
        [Refusal::Exact { .. }, Refusal::Honest(_)]
    ));
}

#[test]
fn outputs_that_nothing_changes_are_refused() {
    let (refusals, verdict) = judged(-10, &[outcome(&[0.25, 0.75]), outcome(&[1.0, -1.0])]);
    assert_eq!(verdict.unchanged, 2);
    assert_eq!(refusals, [Refusal::Nothing]);
}
