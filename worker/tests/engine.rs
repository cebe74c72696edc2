//! The engine as the worker uses it: real models, a real ONNX Runtime, a real child process.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panicking"
)]

#[path = "engine/faults.rs"]
mod faults;
#[cfg(target_os = "linux")]
#[path = "determinism/jobs.rs"]
mod jobs;
#[path = "engine/kit.rs"]
mod kit;
#[cfg(target_os = "linux")]
#[path = "engine/optimised.rs"]
mod optimised;
#[cfg(target_os = "linux")]
#[path = "engine/pool.rs"]
mod pool;
#[path = "engine/providers.rs"]
mod providers;
#[path = "engine/raw.rs"]
mod raw;
#[path = "engine/sandbox.rs"]
mod sandbox;
#[path = "engine/sequences.rs"]
mod sequences;

use std::fs;

use assay_engine::{
    EngineConfig, EngineError, EngineState, EngineStatus, Fault, InputMismatch, Limits,
    ModelRefused, Outcome, Tensor, to_safetensors,
};
use assay_protocol::{Digest, OutputProfile, commitment::error_root};

use kit::{LONG, floats, host, host_with, integers, model, models, outputs, read_floats, run};

#[tokio::test]
async fn held_out_digits_are_read_correctly_and_repeatably() {
    let (host, digits) = (host(), model("digits.onnx"));
    let info = host.load(&digits).await.unwrap();
    let profile = OutputProfile::exact(info.outputs.len()).unwrap();
    info.check_profile(&profile).unwrap();
    let image: serde_json::Value =
        serde_json::from_str(&info.metadata["assay.input.image"]).unwrap();
    assert_eq!(
        (&image["input"], &image["width"]),
        (&"image".into(), &8.into())
    );

    let mut roots = Vec::new();
    for digit in 0..6_i64 {
        let file = models().join(format!("digits/sample-{digit}.safetensors"));
        let input = fs::read(file).unwrap();
        let outcome = host.run(&digits, &input, LONG).await.unwrap();
        let answer = outcome.answer(&profile).unwrap();
        assert!(answer.hints.is_empty());
        let tensors = outputs(outcome);
        let [probabilities, label] = tensors.as_slice() else {
            panic!("{tensors:?}")
        };
        assert_eq!(
            (probabilities.name.as_str(), label.name.as_str()),
            ("probabilities", "label")
        );
        assert_eq!(
            (&*probabilities.shape, &*label.shape),
            (&[1, 10][..], &[1][..])
        );
        assert_eq!(label.data, digit.to_le_bytes());
        let sum: f32 = read_floats(probabilities).iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "probabilities add up to {sum}");
        roots.push((input, answer.root));
    }
    // Another process, other threads, no warm-up: the same bits.
    let other = host_with(EngineConfig {
        threads: 2,
        warm_up: false,
        ..EngineConfig::default()
    });
    for (input, root) in &roots {
        let outcome = other.run(&digits, input, LONG).await.unwrap();
        assert_eq!(outcome.answer(&profile).unwrap().root, *root);
    }
    let distinct: std::collections::BTreeSet<Digest> =
        roots.iter().map(|(_, root)| *root).collect();
    assert_eq!(distinct.len(), roots.len());
}

#[tokio::test]
async fn model_that_fails_on_an_input_answers_canonically_and_lives_on() {
    let host = host();
    let profile = OutputProfile::exact(1).unwrap();
    let values = floats("values", &[4], &[1.0, 2.0, 3.0, 4.0]);
    let cases = [
        (
            model("odd/gather_index.onnx"),
            integers("index", &[1], &[9]),
            integers("index", &[1], &[-1]),
        ),
        (
            model("odd/reshape_data.onnx"),
            integers("shape", &[2], &[3, 2]),
            integers("shape", &[2], &[4, 1]),
        ),
        (
            model("odd/fill.onnx"),
            integers("shape", &[1], &[-3]),
            integers("shape", &[1], &[2]),
        ),
    ];
    for (model, bad, good) in cases {
        let info = host.load(&model).await.unwrap();
        let with = |choice: &Tensor| {
            let mut tensors = vec![values.clone(), choice.clone()];
            tensors.retain(|tensor| info.inputs.iter().any(|input| input.name == tensor.name));
            tensors
        };
        let outcome = run(&host, &model, &with(&bad)).await.unwrap();
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        assert_eq!(outcome.answer(&profile).unwrap().root, error_root());
        let outcome = run(&host, &model, &with(&good)).await.unwrap();
        assert_ne!(outcome.answer(&profile).unwrap().root, error_root());
    }
}

#[tokio::test]
async fn nan_and_infinity_are_answers() {
    let (host, specials) = (host(), model("odd/specials.onnx"));
    let x = floats("x", &[4], &[1.0, 0.0, -1.0, f32::NEG_INFINITY]);
    let outcome = run(&host, &specials, &[x]).await.unwrap();
    let exact = outcome.answer(&OutputProfile::exact(3).unwrap()).unwrap();
    let mut grid = OutputProfile::exact(3).unwrap();
    grid.0[..3].fill(-10);
    let on_grid = outcome.answer(&grid).unwrap();
    assert_ne!(exact.root, on_grid.root);
    assert_eq!((exact.hints.len(), on_grid.hints.len()), (0, 12));
    let tensors = outputs(outcome);
    let [log, reciprocal, nothing] = tensors.as_slice() else {
        panic!("{tensors:?}")
    };
    let log = read_floats(log);
    assert_eq!((log[0], log[1]), (0.0, f32::NEG_INFINITY));
    assert!(log[2].is_nan());
    assert_eq!(read_floats(reciprocal)[1], f32::INFINITY);
    assert!(read_floats(nothing)[3].is_nan());
}

#[tokio::test]
async fn input_that_does_not_fit_is_refused_before_it_runs() {
    let (host, digits) = (host(), model("digits.onnx"));
    let wrong = [
        floats("image", &[1, 64], &[0.0; 64]),
        floats("picture", &[1, 1, 8, 8], &[0.0; 64]),
        integers("image", &[1, 1, 8, 8], &[0; 64]),
    ];
    for tensor in wrong {
        let error = run(&host, &digits, &[tensor]).await.unwrap_err();
        assert_eq!(
            (error.code(), error.fault()),
            ("input_mismatch", Fault::Job)
        );
    }
    let error = host.run(&digits, b"no tensors", LONG).await.unwrap_err();
    assert!(
        matches!(
            error,
            EngineError::Input(InputMismatch::NotSafetensors { .. })
        ),
        "{error}"
    );

    let shared = model("odd/shared_dimension.onnx");
    let left = floats("left", &[2, 3], &[0.0; 6]);
    let right = floats("right", &[1, 3], &[0.0; 3]);
    let error = run(&host, &shared, &[left.clone(), right])
        .await
        .unwrap_err();
    assert!(
        matches!(error, EngineError::Input(InputMismatch::Dimension { .. })),
        "{error}"
    );
    let right = floats("right", &[2, 3], &[1.0; 6]);
    let sum = outputs(run(&host, &shared, &[left, right]).await.unwrap());
    assert_eq!(read_floats(&sum[0]), [1.0; 6]);
}

#[tokio::test]
async fn odd_models_are_refused_with_the_reason() {
    let host = host();
    let refusal = async |name: &str| {
        let error = host.load(&model(name)).await.unwrap_err();
        let EngineError::Model(refused) = error else {
            panic!("{name}: {error}")
        };
        refused
    };
    let external = ModelRefused::ExternalData { name: "w".into() };
    assert_eq!(refusal("odd/external_data.onnx").await, external);
    assert_eq!(refusal("odd/external_attribute.onnx").await, external);
    for name in ["odd/truncated.onnx", "odd/not_onnx.onnx", "odd/empty.onnx"] {
        let refused = refusal(name).await;
        assert!(
            matches!(refused, ModelRefused::NotOnnx { .. }),
            "{name}: {refused}"
        );
    }
    for (name, port, found) in [
        ("odd/strings.onnx", "text", "a tensor of String"),
        ("odd/sequence.onnx", "pair", "a sequence"),
    ] {
        let expected = ModelRefused::Type {
            name: port.into(),
            found: found.into(),
        };
        assert_eq!(refusal(name).await, expected);
    }
    let refused = refusal("odd/custom_operator.onnx").await;
    assert!(refused.to_string().contains("Mystery"), "{refused}");

    let limits = Limits {
        model_bytes: 100,
        ..Limits::default()
    };
    let small = host_with(EngineConfig {
        limits,
        ..EngineConfig::default()
    });
    let error = small.load(&model("digits.onnx")).await.unwrap_err();
    assert!(matches!(
        error,
        EngineError::Model(ModelRefused::TooLarge { limit: 100, .. })
    ));
}

#[tokio::test]
async fn ps_tells_engines_and_measured_times() {
    let (host, digits) = (host(), model("digits.onnx"));
    assert_eq!(host.measured(&digits.digest()), None);
    host.load(&digits).await.unwrap();
    let input = fs::read(models().join("digits/sample-3.safetensors")).unwrap();
    for _ in 0..3 {
        host.run(&digits, &input, LONG).await.unwrap();
    }
    let ps = host.ps();
    let engine = ps
        .engines
        .iter()
        .find(|engine| engine.model == Some(digits.digest()));
    let engine = engine.unwrap();
    assert_eq!((engine.state, engine.runs), (EngineState::Idle, 3));
    assert_eq!(engine.placement.providers(), [("CPUExecutionProvider", 8)]);
    assert!(engine.memory_bytes.unwrap() > 1 << 20);
    assert!(engine.loaded_for <= Some(engine.started_for));
    let measured = host.measured(&digits.digest()).unwrap();
    assert_eq!(ps.models, std::slice::from_ref(&measured));
    assert_eq!((measured.runs, measured.samples.len()), (3, 3));
    assert_eq!(measured.samples[0].input_bytes, input.len() as u64);
    let median = measured.median_ms.unwrap();
    assert!(median > 0.0 && median <= measured.p95_ms.unwrap());
    assert!(measured.load_ms.unwrap() > 0.0);

    let looping = model("odd/loop.onnx");
    host.load(&looping).await.unwrap();
    let forever = to_safetensors(&[integers("turns", &[], &[i64::MAX])]).unwrap();
    let running = host.run(&looping, &forever, LONG);
    let looking = async {
        let is_running = |engine: &EngineStatus| engine.state == EngineState::Running;
        let engine = loop {
            // The run finds its engine in some steps, and ends only by what follows.
            tokio::task::yield_now().await;
            if let Some(engine) = host.ps().engines.into_iter().find(is_running) {
                break engine;
            }
        };
        assert_eq!(
            (engine.model, engine.idle_for),
            (Some(looping.digest()), None)
        );
        host.kill();
    };
    let (ended, ()) = tokio::join!(running, looking);
    ended.unwrap_err();
    // A spare process that was still starting goes too, once its task has heard of the end.
    while let Some(engine) = host.ps().engines.first() {
        assert_eq!(engine.model, None, "the process is given up with its run");
        tokio::task::yield_now().await;
    }
}
