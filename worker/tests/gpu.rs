//! A GPU, where one is: `ASSAY_GPU=cuda cargo test -p assay-engine -p assay-worker --test gpu -- --nocapture`,
//! with a GPU build of ONNX Runtime in ORT_DYLIB_PATH. Without the variable nothing is tested here, and the test says so.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panicking"
)]

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use assay_engine::{
    Class, EngineConfig, Host, HostConfig, Mode, Model, Outcome, Provider, Sensors, trial,
};
use assay_protocol::OutputProfile;

const LONG: Duration = Duration::from_secs(120);
/// Runs of one input on the device, to see whether it repeats itself.
const RUNS: u32 = 1_000;

/// The provider to test; none if no one asked for it.
fn asked() -> Option<Provider> {
    let name = std::env::var("ASSAY_GPU").unwrap_or_default();
    match name.as_str() {
        "" => {
            // Past the test harness, which would keep it to itself.
            let said =
                b"SKIPPED: no GPU was tested; set ASSAY_GPU=cuda (or tensorrt, coreml, directml)\n";
            std::io::stderr().write_all(said).unwrap();
            None
        }
        "cuda" => Some(Provider::Cuda),
        "tensorrt" => Some(Provider::Tensorrt),
        "coreml" => Some(Provider::Coreml),
        "directml" => Some(Provider::Directml),
        other => panic!("ASSAY_GPU is {other:?}, and should be cuda, tensorrt, coreml or directml"),
    }
}

fn config(provider: Provider) -> HostConfig {
    HostConfig {
        engine: EngineConfig {
            provider,
            load_timeout_secs: 600,
            ..EngineConfig::default()
        },
        program: PathBuf::from(env!("CARGO_BIN_EXE_assay-worker")),
        arguments: vec!["engine".into()],
    }
}

#[tokio::test]
async fn gpu_runs_digits_alone_within_the_calibrated_step() {
    let Some(provider) = asked() else { return };
    let host = Host::new(config(provider));
    let runtime = host.probe().await.unwrap().runtime;
    let class = Class::of(&config(provider).engine, &runtime).unwrap();
    eprintln!("{}", class.text);
    let sensors = Sensors::open();
    let before = sensors.read();

    // Every node its own, and every result one that an auditor with a CPU confirms.
    let trial = trial(&config(provider), provider).await.unwrap();
    for model in &trial.models {
        eprintln!("{model:?}");
        assert_eq!(model.placement.elsewhere(provider).count(), 0);
        assert!(model.steps <= 0.5, "{model:?}");
    }
    let fast = Host::new(config(provider)).in_mode(Mode::Fast);
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
    let digits = Model::new(fs::read(models.join("digits.onnx")).unwrap());
    let exact = OutputProfile::exact(2).unwrap();
    let mut roots = BTreeSet::new();
    for digit in 0..6_i64 {
        let file = models.join(format!("digits/sample-{digit}.safetensors"));
        let input = fs::read(file).unwrap();
        for host in [&host, &fast] {
            let outcome = host.run(&digits, &input, LONG).await.unwrap();
            let Outcome::Outputs(outputs) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!(outputs[1].data, digit.to_le_bytes());
        }
    }
    let input = fs::read(models.join("digits/sample-0.safetensors")).unwrap();
    for _ in 0..RUNS {
        let outcome = host.run(&digits, &input, LONG).await.unwrap();
        roots.insert(outcome.answer(&exact).unwrap().root);
    }
    eprintln!(
        "{RUNS} runs of one input: {} root(s) under the exact comparison",
        roots.len()
    );
    let after = sensors.read();
    eprintln!("{after:?}, used {:?}", after.energy_since(&before));
}
