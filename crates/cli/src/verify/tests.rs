use assay_client::{
    PROGRAM_ID,
    delivery::{Delivery, Outcome as Claim, OutputInfo},
    outputs::{canonical, digest},
    protocol::{
        Address, Digest, OutputProfile,
        commitment::{Opening, Role, empty_hints_digest, error_root},
        outputs::DType,
    },
};
use assay_engine::{ModelFailure, Outcome, Tensor, to_safetensors};
use serde_json::{Value, json};

use super::{
    evidence::{Evidence, Files, Receipt},
    judge::{Judgement, Verdict, judge},
};

/// A provider's result: what it delivered, and the receipt of it.
struct Case {
    receipt: Value,
    outputs: Vec<u8>,
    hints: Vec<u8>,
}

fn floats(values: &[f32]) -> Tensor {
    Tensor {
        name: "y".into(),
        dtype: DType::F32,
        shape: vec![values.len()],
        data: values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    }
}

fn own(values: &[f32]) -> Outcome {
    Outcome::Outputs(vec![floats(values)])
}

impl Case {
    /// Values that were committed to under a profile of one entry.
    fn new(values: &[f32], entry: i16) -> Self {
        let outputs = to_safetensors(&[floats(values)]).unwrap();
        let mut profile = OutputProfile([OutputProfile::UNUSED; 8]);
        profile.0[0] = entry;
        let canonical = canonical(&outputs, &["y"], &profile).unwrap();
        let info = OutputInfo {
            name: "y".into(),
            dtype: "F32".into(),
            shape: vec![u64::try_from(values.len()).unwrap()],
        };
        let text = if entry == OutputProfile::EXACT {
            "exact".to_owned()
        } else {
            entry.to_string()
        };
        Self {
            receipt: receipt(
                (canonical.root, canonical.hints_digest()),
                (Claim::Outputs, vec![info]),
                &outputs,
                &text,
            ),
            outputs,
            hints: canonical.hints,
        }
    }

    fn failure() -> Self {
        let claim = (Claim::ModelError, Vec::new());
        Self {
            receipt: receipt((error_root(), empty_hints_digest()), claim, &[], "-10"),
            outputs: Vec::new(),
            hints: Vec::new(),
        }
    }

    fn parse(&self) -> anyhow::Result<Receipt> {
        Receipt::parse(&serde_json::to_vec(&self.receipt).unwrap(), None)
    }

    /// The verdict with the files that are named.
    fn verdict(&self, own: &Outcome, outputs: bool, hints: bool) -> anyhow::Result<Judgement> {
        let receipt = self.parse()?;
        let files = Files {
            outputs: outputs.then(|| self.outputs.clone()),
            hints: hints.then(|| self.hints.clone()),
        };
        judge(&receipt, &Evidence::new(&receipt, files)?, own)
    }
}

fn receipt(
    (root, hints_digest): (Digest, Digest),
    (outcome, infos): (Claim, Vec<OutputInfo>),
    outputs: &[u8],
    profile: &str,
) -> Value {
    let (job, provider) = (
        Address::new_from_array([7; 32]),
        Address::new_from_array([8; 32]),
    );
    let commitment = Opening {
        program_id: &PROGRAM_ID,
        job: &job,
        attempt: 0,
        role: Role::Primary,
        provider: &provider,
        generation: 3,
        salt: &[1; 32],
        root: &root,
        hints_digest: &hints_digest,
        runtime_class: &[0; 32],
    }
    .commitment();
    let delivery = Delivery {
        job,
        attempt: 0,
        provider,
        generation: 3,
        salt: [1; 32],
        root: root.0,
        hints_digest: hints_digest.0,
        runtime_class: [0; 32],
        worker_secret_hash: [2; 32],
        commitment: commitment.0,
        outcome,
        message: None,
        outputs_digest: digest(outputs).0,
        outputs_bytes: u64::try_from(outputs.len()).unwrap(),
        hints_bytes: 0,
        outputs: infos,
        runtime: "test".into(),
        compute_ms: 1,
    };
    json!({
        "version": 2,
        "program": PROGRAM_ID.to_string(),
        "cluster": "http://localhost",
        "job": {
            "address": job.to_string(),
            "provider": provider.to_string(),
            "attempt": 0,
            "model_digest": hex::encode([4; 32]),
            "input_digest": hex::encode([5; 32]),
            "output_limit": 1_000,
            "runtime_class": null,
            "commitment": hex::encode(commitment.0),
            "hints_digest": hex::encode(hints_digest.0),
        },
        "profile": [profile],
        "outputs_file": "y.safetensors",
        "delivery": delivery,
        "root": hex::encode(root.0),
        "hints_digest": hex::encode(hints_digest.0),
        "commitment": hex::encode(commitment.0),
    })
}

#[test]
fn same_outputs_match_with_and_without_the_files() {
    let case = Case::new(&[0.3, 0.7], -4);
    for (outputs, hints) in [(true, false), (false, true), (false, false)] {
        let judgement = case.verdict(&own(&[0.3, 0.7]), outputs, hints).unwrap();
        assert_eq!(judgement.verdict, Verdict::Match);
    }
}

#[test]
fn deviations_within_the_profile_are_tolerated_and_measured() {
    // A step of 1/16: 0.02 is a third of it.
    let case = Case::new(&[0.3, 0.7], -4);
    let judgement = case.verdict(&own(&[0.3, 0.72]), true, false).unwrap();
    assert_eq!(judgement.verdict, Verdict::WithinTolerance);
    let worst = judgement.outputs[0].worst.as_ref().unwrap();
    assert_eq!(worst.at, [1]);
    assert!((worst.steps.unwrap() - 0.32).abs() < 1e-4);
    // The hints alone give the same verdict, without the measure.
    let judgement = case.verdict(&own(&[0.3, 0.72]), false, true).unwrap();
    assert_eq!(judgement.verdict, Verdict::WithinTolerance);
    assert!(judgement.outputs.is_empty());
}

#[test]
fn deviations_beyond_the_profile_are_fraud_and_located() {
    let case = Case::new(&[0.3, 0.7], -4);
    let judgement = case.verdict(&own(&[0.3, 0.74]), true, false).unwrap();
    assert_eq!(judgement.verdict, Verdict::Fraud);
    assert_eq!(judgement.outputs[0].refused, 1);
    assert_eq!(judgement.outputs[0].worst.as_ref().unwrap().at, [1]);
    let judgement = case.verdict(&own(&[0.3, 0.74]), false, true).unwrap();
    assert_eq!(judgement.verdict, Verdict::Fraud);
    assert!(judgement.notes.iter().any(|note| note.contains("where")));
}

#[test]
fn values_rounded_alike_but_hinted_apart_are_judged_as_auditors_do() {
    // Both round to 0, yet they lie 0.9 steps apart: the hint tells.
    let case = Case::new(&[0.45], 0);
    let judgement = case.verdict(&own(&[-0.45]), true, false).unwrap();
    assert_eq!(judgement.verdict, Verdict::Fraud);
}

#[test]
fn exact_floats_that_differ_come_with_a_caution() {
    let case = Case::new(&[0.3], OutputProfile::EXACT);
    let matching = case.verdict(&own(&[0.3]), false, false).unwrap();
    assert_eq!(matching.verdict, Verdict::Match);
    let differing = case.verdict(&own(&[0.300_001]), true, false).unwrap();
    assert_eq!(differing.verdict, Verdict::Fraud);
    assert!(differing.notes.iter().any(|note| note.contains("honestly")));
}

#[test]
fn other_shapes_are_fraud() {
    let case = Case::new(&[0.3, 0.7], -4);
    let judgement = case.verdict(&own(&[0.3, 0.7, 0.1]), true, false).unwrap();
    assert_eq!(judgement.verdict, Verdict::Fraud);
    assert!(judgement.outputs[0].mismatch.is_some());
}

#[test]
fn model_errors_are_results_too() {
    let failed = Outcome::Failed(ModelFailure {
        message: "index out of range".into(),
    });
    let case = Case::failure();
    let verdict = |case: &Case, own: &Outcome| case.verdict(own, false, false).unwrap().verdict;
    assert_eq!(verdict(&case, &failed), Verdict::Match);
    assert_eq!(verdict(&case, &own(&[1.0])), Verdict::Fraud);
    assert_eq!(verdict(&Case::new(&[1.0], -4), &failed), Verdict::Fraud);
}

#[test]
fn without_files_another_result_cannot_be_judged() {
    let case = Case::new(&[0.3], -4);
    let error = case.verdict(&own(&[0.31]), false, false).unwrap_err();
    assert!(error.to_string().contains("--hints"), "{error}");
}

#[test]
fn files_of_another_job_are_refused() {
    let case = Case::new(&[0.3], -4);
    let mut other = Case::new(&[0.4], -4);
    other.receipt = case.receipt.clone();
    for (outputs, hints) in [(true, false), (false, true)] {
        let error = other.verdict(&own(&[0.3]), outputs, hints).unwrap_err();
        assert!(error.to_string().contains("not this job's"), "{error}");
    }
}

#[test]
fn receipts_that_do_not_agree_with_themselves_prove_nothing() {
    let zeros = json!(hex::encode([0; 32]));
    for (pointer, value) in [
        ("/root", zeros.clone()),
        ("/commitment", zeros.clone()),
        ("/hints_digest", zeros.clone()),
        ("/job/commitment", zeros.clone()),
        ("/job/hints_digest", zeros.clone()),
        ("/job/attempt", json!(1)),
        ("/job/runtime_class", json!(hex::encode([1; 32]))),
        ("/job/provider", json!(Address::default().to_string())),
        ("/job/address", json!(Address::default().to_string())),
        ("/delivery/salt", zeros.clone()),
        ("/delivery/root", zeros.clone()),
        ("/delivery/generation", json!(4)),
    ] {
        let mut case = Case::new(&[0.3], -4);
        *case.receipt.pointer_mut(pointer).unwrap() = value;
        let error = format!("{:#}", case.parse().unwrap_err());
        assert!(error.contains("agree with itself"), "{pointer}: {error}");
    }
    // Root and commitment may be forged together; the outputs do not follow.
    let mut case = Case::new(&[0.3], -4);
    case.receipt["profile"] = json!(["-3"]);
    let error = case.verdict(&own(&[0.3]), true, false).unwrap_err();
    assert!(error.to_string().contains("profile"), "{error}");
}

#[test]
fn older_receipts_need_their_profile() {
    let mut case = Case::new(&[0.3], -4);
    case.receipt["version"] = json!(1);
    case.receipt.as_object_mut().unwrap().remove("profile");
    case.receipt.as_object_mut().unwrap().remove("outputs_file");
    let text = serde_json::to_vec(&case.receipt).unwrap();
    let error = Receipt::parse(&text, None).unwrap_err();
    assert!(error.to_string().contains("--profile"), "{error}");
    let receipt = Receipt::parse(&text, Some("-4")).unwrap();
    assert!(receipt.outputs_file.ends_with(".safetensors"));
    case.receipt["version"] = json!(3);
    let text = serde_json::to_vec(&case.receipt).unwrap();
    assert!(Receipt::parse(&text, Some("-4")).is_err());
}
