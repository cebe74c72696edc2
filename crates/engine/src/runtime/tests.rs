use super::*;

fn backend(provider: Provider) -> OrtBackend {
    let config = EngineConfig {
        provider,
        ..EngineConfig::default()
    };
    OrtBackend::open(&config, Mode::Audited).unwrap()
}

fn model(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/../../models/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

#[test]
fn runtime_tells_version_build_and_providers() {
    let backend = backend(Provider::Cpu);
    let runtime = backend.runtime();
    let numbers: Vec<u32> = runtime
        .version
        .split('.')
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(numbers.as_slice() >= &[1, 24], "{runtime:?}");
    assert!(runtime.build.contains("ORT Build Info"), "{runtime:?}");
    assert!(runtime.providers.contains(&Provider::Cpu));
    assert_eq!(runtime.instruction_sets, instruction_sets());
}

#[test]
fn every_node_of_a_loaded_model_is_placed() {
    let mut backend = backend(Provider::Cpu);
    assert_eq!(backend.placement().unwrap(), Placement::default());
    backend.load(&model("digits.onnx")).unwrap();
    let placement = backend.placement().unwrap();
    assert_eq!(placement.elsewhere(Provider::Cpu).count(), 0);
    let nodes = |operator: &str| {
        let of = placement
            .0
            .iter()
            .filter(|placed| placed.operator == operator);
        of.map(|placed| placed.nodes).sum::<u32>()
    };
    assert_eq!(
        (nodes("Gemm"), nodes("Softmax"), nodes("ArgMax")),
        (3, 1, 1),
        "{placement:?}"
    );
    backend.load(&model("odd/loop.onnx")).unwrap();
    assert!(backend.placement().unwrap().to_string().starts_with("CPU "));
}

#[test]
fn model_that_would_fall_back_in_silence_is_refused() {
    let backend = backend(Provider::Cpu);
    let session = Session::builder(&backend.environment)
        .unwrap()
        .with_disable_cpu_fallback()
        .unwrap()
        .commit_from_memory(&model("digits.onnx"));
    let error = session.map(|_| ()).unwrap_err();
    let provider = "cuda".to_owned();
    assert_eq!(
        refusal(&error, Provider::Cuda),
        LoadError::Refused(ModelRefused::NotPlaced { provider }),
        "{error}"
    );
}

#[test]
fn auto_is_no_provider() {
    let mut backend = backend(Provider::Auto);
    let error = backend.load(&model("digits.onnx")).unwrap_err();
    assert!(
        matches!(error, LoadError::Fault(RuntimeFault::Unexpected { .. })),
        "{error}"
    );
}
