//! `assay verify` with the real runtime and a real model: what a provider could hand over, judged by a re-run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use assay_client::{
    PROGRAM_ID,
    delivery::{Delivery, Outcome as Claim, OutputInfo},
    outputs::digest,
    protocol::{
        Address, Digest, OutputProfile,
        commitment::{Opening, Role},
    },
};
use assay_engine::{EngineConfig, Host, HostConfig, Model, Outcome, Tensor};
use serde_json::{Value, json};
use tempfile::TempDir;

const ASSAY: &str = env!("CARGO_BIN_EXE_assay");
/// A step of 2^-10 for the digits model's probabilities.
const EXPONENT: i16 = -10;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn model() -> PathBuf {
    models().join("digits.onnx")
}

fn sample(number: u32) -> PathBuf {
    models().join(format!("digits/sample-{number}.safetensors"))
}

/// What the model gives, from the engine that `assay` itself starts.
fn outputs(input: &Path) -> Vec<Tensor> {
    let mut config = HostConfig::new(EngineConfig::default()).unwrap();
    config.program = ASSAY.into();
    let host = Host::new(config);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let model = Model::new(fs::read(model()).unwrap());
    let input = fs::read(input).unwrap();
    let outcome = runtime
        .block_on(host.run(&model, &input, Duration::from_secs(60)))
        .unwrap();
    match outcome {
        Outcome::Outputs(tensors) => tensors,
        Outcome::Failed(failure) => panic!("{failure}"),
    }
}

/// Adds to the first value, which is a float.
fn shift(mut outputs: Vec<Tensor>, by: f32) -> Vec<Tensor> {
    let tensor = &mut outputs[0];
    let bytes: [u8; 4] = tensor.data[..4].try_into().unwrap();
    let value = f32::from_le_bytes(bytes) + by;
    tensor.data[..4].copy_from_slice(&value.to_le_bytes());
    outputs
}

/// A job's files as a provider's claim of these outputs would leave them.
struct Claimed {
    folder: TempDir,
}

impl Claimed {
    fn new(outputs: Vec<Tensor>) -> Self {
        let mut profile = OutputProfile([OutputProfile::UNUSED; 8]);
        for entry in profile.0.iter_mut().take(outputs.len()) {
            *entry = EXPONENT;
        }
        let answer = Outcome::Outputs(outputs.clone()).answer(&profile).unwrap();
        let file = answer.outputs.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let receipt = receipt(&outputs, &file, answer.root, answer.hints_digest);
        fs::write(folder.path().join("y.safetensors"), &file).unwrap();
        fs::write(folder.path().join("y.hints"), &answer.hints).unwrap();
        fs::write(
            folder.path().join("receipt.json"),
            serde_json::to_vec(&receipt).unwrap(),
        )
        .unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn verify(&self, model: &Path, input: &Path, more: &[&str]) -> (i32, Value) {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(ASSAY)
            .args(["--json", "verify"])
            .arg(self.path("receipt.json"))
            .arg("--model")
            .arg(model)
            .arg("--input")
            .arg(input)
            .args(more)
            .output()
            .unwrap();
        let answer = serde_json::from_slice(&stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
        (status.code().unwrap(), answer)
    }
}

fn receipt(outputs: &[Tensor], file: &[u8], root: Digest, hints_digest: Digest) -> Value {
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
        generation: 1,
        salt: &[1; 32],
        root: &root,
        hints_digest: &hints_digest,
        runtime_class: &[0; 32],
    }
    .commitment();
    let info = |tensor: &Tensor| OutputInfo {
        name: tensor.name.clone(),
        dtype: "F32".into(),
        shape: tensor
            .shape
            .iter()
            .map(|size| u64::try_from(*size).unwrap())
            .collect(),
    };
    let delivery = Delivery {
        job,
        attempt: 0,
        provider,
        generation: 1,
        salt: [1; 32],
        root: root.0,
        hints_digest: hints_digest.0,
        runtime_class: [0; 32],
        worker_secret_hash: [2; 32],
        commitment: commitment.0,
        outcome: Claim::Outputs,
        message: None,
        outputs_digest: digest(file).0,
        outputs_bytes: u64::try_from(file.len()).unwrap(),
        hints_bytes: 0,
        outputs: outputs.iter().map(info).collect(),
        runtime: "elsewhere".into(),
        compute_ms: 1,
    };
    let sha256 = |path: &Path| hex::encode(digest(&fs::read(path).unwrap()).0);
    json!({
        "version": 2,
        "program": PROGRAM_ID.to_string(),
        "job": {
            "address": job.to_string(),
            "provider": provider.to_string(),
            "attempt": 0,
            "model_digest": sha256(&model()),
            "input_digest": sha256(&sample(0)),
            "output_limit": 1 << 20,
            "runtime_class": null,
            "commitment": hex::encode(commitment.0),
            "hints_digest": hex::encode(hints_digest.0),
        },
        "profile": vec![EXPONENT.to_string(); outputs.len()],
        "outputs_file": "y.safetensors",
        "delivery": delivery,
        "root": hex::encode(root.0),
        "hints_digest": hex::encode(hints_digest.0),
        "commitment": hex::encode(commitment.0),
    })
}

#[test]
fn honest_result_matches() {
    let claimed = Claimed::new(outputs(&sample(0)));
    let (code, answer) = claimed.verify(&model(), &sample(0), &[]);
    assert_eq!((code, &answer["verdict"]), (0, &json!("match")), "{answer}");
    assert_eq!(answer["outputs"][0]["differ"], 0);
}

#[test]
fn small_deviation_is_within_tolerance() {
    let claimed = Claimed::new(shift(outputs(&sample(0)), 0.25 / 1_024.0));
    let (code, answer) = claimed.verify(&model(), &sample(0), &[]);
    assert_eq!(
        (code, &answer["verdict"]),
        (0, &json!("within_tolerance")),
        "{answer}"
    );
    let steps = answer["outputs"][0]["worst"]["steps"].as_f64().unwrap();
    assert!((steps - 0.25).abs() < 0.01, "{answer}");
}

#[test]
fn result_of_another_input_is_fraud() {
    let claimed = Claimed::new(outputs(&sample(1)));
    let (code, answer) = claimed.verify(&model(), &sample(0), &[]);
    assert_eq!((code, &answer["verdict"]), (1, &json!("fraud")), "{answer}");
    assert!(answer["outputs"][0]["refused"].as_u64().unwrap() > 0);
}

#[test]
fn hints_alone_suffice_for_a_verdict() {
    let claimed = Claimed::new(shift(outputs(&sample(0)), 1.0 / 1_024.0));
    let lost = claimed.path("y.safetensors");
    fs::remove_file(lost).unwrap();
    let (code, answer) = claimed.verify(&model(), &sample(0), &[]);
    assert_eq!(
        (code, &answer["verdict"]),
        (2, &json!("cannot_tell")),
        "{answer}"
    );
    let hints = claimed.path("y.hints");
    let (code, answer) =
        claimed.verify(&model(), &sample(0), &["--hints", hints.to_str().unwrap()]);
    assert_eq!((code, &answer["verdict"]), (1, &json!("fraud")), "{answer}");
}

#[test]
fn other_model_input_or_runtime_gives_no_verdict() {
    let claimed = Claimed::new(outputs(&sample(0)));
    let other = claimed.path("other.onnx");
    fs::write(&other, b"no model").unwrap();
    for (model, input, more, word) in [
        (other, sample(0), [].as_slice(), "another model"),
        (model(), sample(1), &[], "input is another one"),
        (
            model(),
            sample(0),
            &["--runtime", "/nonexistent/libonnxruntime.so"],
            "ONNX Runtime",
        ),
    ] {
        let (code, answer) = claimed.verify(&model, &input, more);
        assert_eq!(
            (code, &answer["verdict"]),
            (2, &json!("cannot_tell")),
            "{answer}"
        );
        assert!(
            answer["reason"].as_str().unwrap().contains(word),
            "{answer}"
        );
    }
}
