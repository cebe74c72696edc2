use super::*;
use crate::{
    tensor::DType,
    weights::tests::{Message, file, node, port, weight},
};

/// Rows and columns of the weights: a megabyte each.
const SIDES: [u64; 2] = [1_024, 256];

/// A model that adds a weight, multiplies by one after its optimisation has computed it, and gives one out.
fn heavy() -> Vec<u8> {
    let noise = |seed: u16| -> Vec<u8> {
        let elements = (0..=u16::MAX).cycle().skip(usize::from(seed));
        let elements = elements.map(|at| f32::from(at.wrapping_mul(40_503)) / 65_536.0 - 0.5);
        let elements = elements.take(256 << 10);
        elements.flat_map(f32::to_le_bytes).collect()
    };
    let nodes = [
        node("Add", &["x", "added"], "sum"),
        node("Softmax", &["folded"], "constant"),
        node("Mul", &["sum", "constant"], "y"),
    ];
    let names = ["added", "folded", "given"];
    let weights = names.into_iter().zip(1..);
    let weights = weights.map(|(name, seed)| weight(name, &SIDES, &noise(seed)));
    let graph = Message::default()
        .with(1, nodes)
        .bytes(2, b"heavy")
        .with(5, weights)
        .with(11, [port("x", &SIDES)])
        .with(12, ["y", "given"].map(|name| port(name, &SIDES)));
    file(graph)
}

fn outputs(backend: &mut OrtBackend, session: Session) -> Vec<Tensor> {
    backend.take(session, &Inspected::default()).unwrap();
    let x = Tensor {
        name: "x".into(),
        dtype: DType::F32,
        shape: vec![1_024, 256],
        data: 0.25_f32.to_le_bytes().repeat(256 << 10),
    };
    backend.run(&[x]).unwrap()
}

#[test]
fn model_without_its_weights_computes_the_same_and_needs_the_file_no_more() {
    let mut backend = backend(Provider::Cpu);
    let mut model = heavy();
    let whole = backend.make_whole(&model, Graph::AsMade).unwrap();
    let whole = outputs(&mut backend, whole);
    for graph in [Graph::AsMade, Graph::Optimised] {
        let mut model = model.clone();
        let short = weights::refer(&model, Least::default()).unwrap();
        assert!(short.len() < 2_000, "{}", short.len());
        let session = backend.make_short(&model, &short, graph).unwrap();
        // As the host does with the memory in which it gave the model.
        model.fill(0xee);
        assert_eq!(outputs(&mut backend, session), whole);
    }
    let short = weights::refer(&model, Least::default()).unwrap();
    let weight = model.len() / 2;
    model[weight..weight + 512].fill(0);
    let session = backend.make_short(&model, &short, Graph::AsMade).unwrap();
    assert_ne!(
        outputs(&mut backend, session),
        whole,
        "they are the file's weights"
    );
}

#[test]
fn graph_that_is_kept_holds_its_weights_however_they_came() {
    let backend = backend(Provider::Cpu);
    let folder = tempfile::tempdir().unwrap();
    for model in [heavy(), model("packages/rows.onnx")] {
        let short = weights::refer(&model, Least::default()).unwrap();
        let kept = ["whole", "short"].map(|name| folder.path().join(name));
        let [whole, referring] = kept.each_ref().map(|path| Graph::Kept(path));
        backend.make_whole(&model, whole).unwrap();
        backend.make_short(&model, &short, referring).unwrap();
        let [whole, referring] = kept.map(|path| std::fs::read(path).unwrap());
        assert!(whole.len() > 1 << 20);
        assert!(whole == referring);
    }
}

#[test]
fn model_that_does_not_load_without_its_weights_is_given_whole() {
    let mut backend = backend(Provider::Cpu);
    // The name of a file means nothing inside it.
    let graph = |rows: u64| {
        let added = weight(weights::FILE, &[rows, 256], &vec![0; 1 << 20]);
        let graph = Message::default().with(1, [node("Add", &["x", weights::FILE], "y")]);
        let graph = graph.bytes(2, b"g").with(5, [added]);
        file(
            graph
                .with(11, [port("x", &[rows, 256])])
                .with(12, [port("y", &[rows, 256])]),
        )
    };
    backend.load(&graph(1_024)).unwrap();
    let (cut, said) = (graph(2_048), |loaded: Result<Session, LoadError>| {
        loaded.map(drop).unwrap_err()
    });
    let short = weights::refer(&cut, Least::default()).unwrap();
    let earned = said(backend.make_whole(&cut, Graph::AsMade));
    assert_ne!(
        said(backend.make_short(&cut, &short, Graph::AsMade)),
        earned
    );
    assert_eq!(said(backend.make(&cut, Graph::AsMade)), earned);
}

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
