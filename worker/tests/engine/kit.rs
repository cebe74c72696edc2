//! Models, tensors and hosts for the tests.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use assay_engine::{
    DType, EngineConfig, EngineError, Host, HostConfig, Model, OptimisedModels, Outcome, Tensor,
    to_safetensors,
};

pub const LONG: Duration = Duration::from_secs(60);

pub fn models() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}

pub fn model(name: &str) -> Model {
    Model::new(fs::read(models().join(name)).unwrap())
}

pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_assay-worker"))
}

pub fn host_with(engine: EngineConfig) -> Host {
    Host::new(HostConfig {
        engine,
        program: program(),
        arguments: vec!["engine".into()],
    })
}

pub fn host() -> Host {
    host_with(EngineConfig::default())
}

/// A host that keeps models in this folder, with engines of its own.
pub fn keeping(folder: &Path, engine: EngineConfig) -> Host {
    host_with(engine).keeping(OptimisedModels::open(folder, 1 << 30).unwrap())
}

/// A host whose engine is a shell script instead.
pub fn scripted(script: &str, engine: EngineConfig) -> Host {
    let arguments = vec!["-c".into(), script.into()];
    Host::new(HostConfig {
        engine,
        program: "/bin/sh".into(),
        arguments,
    })
}

pub fn floats(name: &str, shape: &[usize], values: &[f32]) -> Tensor {
    let data = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Tensor {
        name: name.into(),
        dtype: DType::F32,
        shape: shape.into(),
        data,
    }
}

pub fn integers(name: &str, shape: &[usize], values: &[i64]) -> Tensor {
    let data = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Tensor {
        name: name.into(),
        dtype: DType::I64,
        shape: shape.into(),
        data,
    }
}

pub fn read_floats(tensor: &Tensor) -> Vec<f32> {
    assert_eq!(tensor.dtype, DType::F32);
    tensor
        .data
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

pub fn outputs(outcome: Outcome) -> Vec<Tensor> {
    match outcome {
        Outcome::Outputs(outputs) => outputs,
        Outcome::Failed(failure) => panic!("{failure}"),
    }
}

pub async fn run(host: &Host, model: &Model, tensors: &[Tensor]) -> Result<Outcome, EngineError> {
    host.run(model, &to_safetensors(tensors).unwrap(), LONG)
        .await
}
