use assay_protocol::{
    JobData, OutputProfile,
    commitment::{Opening, Role, error_root},
};
use bytemuck::Zeroable;
use safetensors::tensor::{Dtype, TensorView};
use solana_keypair::Keypair;

use super::*;
use crate::{outputs, program::PROGRAM_ID};

fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn request(operator: &Address) -> Request<'_> {
    Request {
        method: "GET",
        path: "/v1/jobs/x/result",
        timestamp: 1_000,
        body: b"",
        operator,
    }
}

fn headers<'a>(signed: &'a [(&'static str, String); 3]) -> SignedHeaders<'a> {
    let [(_, requester), (_, timestamp), (_, signature)] = signed;
    SignedHeaders {
        requester: Some(requester),
        timestamp: Some(timestamp),
        signature: Some(signature),
    }
}

#[test]
fn signed_request_names_its_signer_within_the_skew() {
    let wallet = Keypair::new_from_array([5; 32]);
    let operator = key(1);
    let signed = sign(&wallet, &request(&operator)).unwrap();
    for now in [700, 1_000, 1_300] {
        let who = authenticate(headers(&signed), &request(&operator), now);
        assert_eq!(who, Ok(wallet.pubkey()));
    }
    for now in [699, 1_301, i64::MIN, i64::MAX] {
        let stale = authenticate(headers(&signed), &request(&operator), now);
        assert_eq!(stale, Err(UnauthenticError::Stale { signed: 1_000, now }));
    }
}

#[test]
fn signature_for_another_request_is_refused() {
    let wallet = Keypair::new_from_array([5; 32]);
    let (operator, other) = (key(1), key(2));
    let signed = sign(&wallet, &request(&operator)).unwrap();
    let honest = request(&operator);
    for changed in [
        Request {
            method: "POST",
            ..honest
        },
        Request {
            path: "/v1/jobs/y/result",
            ..honest
        },
        Request {
            body: b"x",
            ..honest
        },
        Request {
            operator: &other,
            ..honest
        },
    ] {
        let refused = authenticate(headers(&signed), &changed, 1_000);
        assert_eq!(refused, Err(UnauthenticError::Signature));
    }
    let later = SignedHeaders {
        timestamp: Some("1001"),
        ..headers(&signed)
    };
    assert_eq!(
        authenticate(later, &honest, 1_000),
        Err(UnauthenticError::Signature)
    );
    let stranger = key(9).to_string();
    let claimed = SignedHeaders {
        requester: Some(&stranger),
        ..headers(&signed)
    };
    assert_eq!(
        authenticate(claimed, &honest, 1_000),
        Err(UnauthenticError::Signature)
    );
    let missing = SignedHeaders {
        signature: None,
        ..headers(&signed)
    };
    assert_eq!(
        authenticate(missing, &honest, 1_000),
        Err(UnauthenticError::Header(SIGNATURE_HEADER))
    );
}

/// Golden text: other languages sign exactly this.
#[test]
fn signing_text_is_pinned() {
    let operator = PROGRAM_ID;
    let text = signing_text(&Request {
        body: b"abc",
        ..request(&operator)
    });
    let expected = format!(
        "assay/http/1\nGET\n/v1/jobs/x/result\n1000\n\
         ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n{PROGRAM_ID}"
    );
    assert_eq!(text, expected);
}

#[test]
fn info_reads_any_model_and_lists() {
    for models in ["\"any\"", "[\"00ff\"]"] {
        let text = format!(
            "{{\"min_price_lamports\":5,\"models\":{models},\"max_input_bytes\":1,\"max_model_bytes\":2}}"
        );
        let policy: Policy = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&policy).unwrap(), text);
    }
}

#[test]
fn acknowledgement_never_shows_its_secret() {
    let body = Acknowledgement {
        requester_secret: [0xab; 32],
    };
    assert!(!format!("{body:?}").contains("ab"));
    let json = serde_json::to_string(&body).unwrap();
    assert_eq!(
        json,
        format!("{{\"requester_secret\":\"{}\"}}", "ab".repeat(32))
    );
}

struct Case {
    job: JobData,
    delivery: Delivery,
    outputs: Vec<u8>,
    hints: Vec<u8>,
}

impl Case {
    fn new(outcome: Outcome) -> Self {
        let mut profile = [OutputProfile::UNUSED; 8];
        profile[0] = -10;
        let (outputs, canonical) = match outcome {
            Outcome::ModelError => (Vec::new(), None),
            Outcome::Outputs => {
                let data: Vec<u8> = [0.1_f32, 0.9]
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect();
                let view = TensorView::new(Dtype::F32, vec![1, 2], &data).unwrap();
                let file = safetensors::serialize([("p", view)], None).unwrap();
                let found = outputs::canonical(&file, &["p"], &OutputProfile(profile)).unwrap();
                (file, Some(found))
            }
        };
        let (root, hints) = canonical.map_or((error_root(), Vec::new()), |c| (c.root, c.hints));
        let hints_digest = outputs::digest(&hints);
        let mut job = JobData {
            status: assay_protocol::JobStatus::Committed as u8,
            attempt: 1,
            provider: key(6),
            generation: 99,
            output_limit: 4_096,
            output_profile: profile,
            worker_secret_hash: [8; 32],
            hints_digest: hints_digest.0,
            ..JobData::zeroed()
        };
        let opening = Opening {
            program_id: &PROGRAM_ID,
            job: &key(7),
            attempt: 1,
            role: Role::Primary,
            provider: &job.provider,
            generation: 99,
            salt: &[3; 32],
            root: &root,
            hints_digest: &hints_digest,
            runtime_class: &[0; 32],
        };
        job.commitment = opening.commitment().0;
        let info = OutputInfo {
            name: "p".into(),
            dtype: "F32".into(),
            shape: vec![1, 2],
        };
        let delivery = Delivery {
            job: key(7),
            attempt: 1,
            provider: job.provider,
            generation: 99,
            salt: [3; 32],
            root: root.0,
            hints_digest: hints_digest.0,
            runtime_class: [0; 32],
            worker_secret_hash: [8; 32],
            commitment: job.commitment,
            outcome,
            message: None,
            outputs_digest: outputs::digest(&outputs).0,
            outputs_bytes: outputs.len() as u64,
            hints_bytes: hints.len() as u64,
            outputs: if outcome == Outcome::Outputs {
                vec![info]
            } else {
                Vec::new()
            },
            runtime: "onnxruntime".into(),
            compute_ms: 1,
        };
        Self {
            job,
            delivery,
            outputs,
            hints,
        }
    }

    fn verify(&self) -> Result<Verified, MismatchError> {
        let received = Received {
            delivery: &self.delivery,
            outputs: &self.outputs,
            hints: &self.hints,
        };
        verify(&key(7), &self.job, &received)
    }
}

#[test]
fn honest_delivery_verifies() {
    for outcome in [Outcome::Outputs, Outcome::ModelError] {
        let case = Case::new(outcome);
        let verified = case.verify().unwrap();
        assert_eq!(verified.commitment.0, case.job.commitment);
        assert_eq!(verified.root.0, case.delivery.root);
        let text = serde_json::to_string(&case.delivery).unwrap();
        assert_eq!(
            serde_json::from_str::<Delivery>(&text).unwrap(),
            case.delivery
        );
    }
}

#[test]
fn delivery_with_other_outputs_is_refused() {
    let mut swapped = Case::new(Outcome::Outputs);
    let last = swapped.outputs.len() - 1;
    swapped.outputs[last] ^= 1;
    assert!(matches!(
        swapped.verify(),
        Err(MismatchError::File { what: "outputs" })
    ));
    // A liar that also names the changed file's digest is caught by the root.
    swapped.delivery.outputs_digest = outputs::digest(&swapped.outputs).0;
    assert!(matches!(swapped.verify(), Err(MismatchError::Root)));

    let mut other_hints = Case::new(Outcome::Outputs);
    other_hints.hints[0] ^= 1;
    assert!(matches!(
        other_hints.verify(),
        Err(MismatchError::File { what: "hints" })
    ));
    other_hints.delivery.hints_digest = outputs::digest(&other_hints.hints).0;
    other_hints.job.hints_digest = other_hints.delivery.hints_digest;
    assert!(matches!(other_hints.verify(), Err(MismatchError::Hints)));
}

#[test]
fn delivery_that_does_not_open_the_commitment_is_refused() {
    let mut salted = Case::new(Outcome::Outputs);
    salted.delivery.salt = [4; 32];
    assert!(matches!(salted.verify(), Err(MismatchError::Commitment)));

    let mut elsewhere = Case::new(Outcome::Outputs);
    elsewhere.delivery.attempt = 0;
    assert!(matches!(
        elsewhere.verify(),
        Err(MismatchError::Field { field: "attempt" })
    ));

    let mut failed = Case::new(Outcome::Outputs);
    failed.delivery.outcome = Outcome::ModelError;
    assert!(matches!(failed.verify(), Err(MismatchError::Root)));

    let mut large = Case::new(Outcome::Outputs);
    large.job.output_limit = 8;
    assert!(matches!(
        large.verify(),
        Err(MismatchError::TooLarge { limit: 8, .. })
    ));

    let mut early = Case::new(Outcome::Outputs);
    early.job.status = assay_protocol::JobStatus::Claimed as u8;
    assert!(matches!(
        early.verify(),
        Err(MismatchError::NotCommitted(_))
    ));
}
