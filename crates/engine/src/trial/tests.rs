use super::*;
use crate::{backend::ModelFailure, placement::Placed};

fn sample() -> Sample {
    Sample {
        name: "made up",
        model: &[],
        inputs: &[],
        profile: &[-10, OutputProfile::EXACT],
    }
}

fn ran(provider: &str, value: f32, label: u8) -> Ran {
    let tensor = |name: &str, dtype, data: Vec<u8>| Tensor {
        name: name.into(),
        dtype,
        shape: vec![1],
        data,
    };
    let outputs = vec![
        tensor("y", DType::F32, value.to_le_bytes().to_vec()),
        tensor("label", DType::U8, vec![label]),
    ];
    let placed = Placed {
        provider: format!("{provider}ExecutionProvider"),
        operator: "Gemm".into(),
        nodes: 2,
    };
    Ran {
        outcomes: vec![Outcome::Outputs(outputs)],
        placement: Placement(vec![placed]),
        load_ms: 1.0,
        run_ms: 1.0,
    }
}

#[test]
fn provider_within_half_a_step_of_the_cpu_passes_with_its_distance() {
    let honest = ran("CPU", 1.0, 3);
    let step = 2_f32.powi(-10);
    let judged = judge(
        &sample(),
        Provider::Cuda,
        &honest,
        ran("CUDA", 1.0 + step / 4.0, 3),
    );
    let judged = judged.unwrap();
    assert!((judged.steps - 0.25).abs() < 1e-3, "{judged:?}");
    let far = judge(
        &sample(),
        Provider::Cuda,
        &honest,
        ran("CUDA", 1.0 + step, 3),
    );
    assert!(
        matches!(far, Err(TrialFault::Inexact { steps, .. }) if (steps - 1.0).abs() < 1e-3),
        "{far:?}"
    );
    let other = judge(&sample(), Provider::Cuda, &honest, ran("CUDA", 1.0, 4));
    assert!(matches!(other, Err(TrialFault::Inexact { steps, .. }) if steps.is_infinite()));
    let nan = judge(&sample(), Provider::Cuda, &honest, ran("CUDA", f32::NAN, 3));
    assert!(matches!(nan, Err(TrialFault::Inexact { .. })), "{nan:?}");
}

#[test]
fn provider_that_leaves_nodes_to_another_fails_however_right_it_is() {
    let honest = ran("CPU", 1.0, 3);
    let mut tried = ran("CUDA", 1.0, 3);
    tried.placement.0.extend(ran("CPU", 1.0, 3).placement.0);
    let judged = judge(&sample(), Provider::Cuda, &honest, tried).unwrap_err();
    assert!(judged.to_string().contains("CPU 2, CUDA 2"), "{judged}");
    // Nor does one that does not say.
    let mut tried = ran("CUDA", 1.0, 3);
    tried.placement = Placement::default();
    let judged = judge(&sample(), Provider::Cuda, &honest, tried);
    assert!(matches!(judged, Err(TrialFault::Elsewhere { .. })));
}

#[test]
fn provider_that_fails_where_the_cpu_does_not_says_why() {
    let honest = ran("CPU", 1.0, 3);
    let mut tried = ran("CUDA", 1.0, 3);
    let message = "no kernel image".to_owned();
    tried.outcomes = vec![Outcome::Failed(ModelFailure { message })];
    let judged = judge(&sample(), Provider::Cuda, &honest, tried).unwrap_err();
    assert!(judged.to_string().contains("no kernel image"), "{judged}");
}
