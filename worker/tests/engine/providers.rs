//! Which provider `auto` means, and what a trial says of one.

use assay_engine::{
    EngineConfig, HostConfig, Mode, Provider, Selection, TrialFault, Verdict, trial,
};

use crate::kit::{host_with, model, program};

fn config(provider: Provider) -> HostConfig {
    HostConfig {
        engine: EngineConfig {
            provider,
            ..EngineConfig::default()
        },
        program: program(),
        arguments: vec!["engine".into()],
    }
}

#[tokio::test]
async fn auto_takes_the_first_provider_that_works_and_says_why_not_the_others() {
    let (resolved, selection) = config(Provider::Auto).resolve().await.unwrap();
    let Selection { provider, tried } = selection.unwrap();
    assert_eq!(resolved.engine.provider, provider);
    let position = tried
        .iter()
        .position(|tried| tried.provider == provider)
        .unwrap();
    for (place, tried) in tried.iter().enumerate() {
        let expected = match &tried.verdict {
            Verdict::Refused { reason } => place < position && !reason.is_empty(),
            Verdict::Works { .. } => place == position,
            Verdict::NotTried => place > position,
        };
        assert!(expected, "{provider:?} was chosen, and {tried}");
    }
    // What it was resolved to runs.
    let host = host_with(resolved.engine.clone());
    host.load(&model("digits.onnx")).await.unwrap();
    assert_eq!(host.ps().engines[0].provider, provider);
    let (named, selection) = resolved.resolve().await.unwrap();
    assert_eq!((named.engine.provider, selection), (provider, None));
}

#[tokio::test]
async fn processor_passes_its_own_trial() {
    let trial = trial(&config(Provider::Cpu), Provider::Cpu).await.unwrap();
    let names: Vec<_> = trial.models.iter().map(|model| model.model).collect();
    assert_eq!(names, ["digits", "convolutional"]);
    for model in &trial.models {
        assert_eq!(model.steps, 0.0, "{model:?}");
        assert_eq!(model.placement.elsewhere(Provider::Cpu).count(), 0);
        assert!(model.inputs > 1 && model.load_ms > 0.0 && model.run_ms > 0.0);
    }
    let absent = [Provider::Coreml, Provider::Directml]
        .into_iter()
        .find(|provider| !trial.runtime.providers.contains(provider))
        .unwrap();
    let fault = self::trial(&config(Provider::Cpu), absent)
        .await
        .unwrap_err();
    assert!(matches!(fault, TrialFault::NotBuilt { .. }), "{fault}");
    assert!(fault.to_string().contains("engine.library"), "{fault}");
}

#[tokio::test]
async fn fast_engine_runs_the_same_model_on_its_own_threads() {
    let host = host_with(EngineConfig {
        fast_threads: 2,
        ..EngineConfig::default()
    });
    let host = host.in_mode(Mode::Fast);
    host.load(&model("digits.onnx")).await.unwrap();
    assert_eq!(host.ps().engines[0].mode, Mode::Fast);
}
