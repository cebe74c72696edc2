//! Engines that take their virtual time and compute the same everywhere.

use std::time::Duration;

use assay_client::protocol::{Digest, outputs::DType};
use assay_engine::{EngineError, Model, ModelInfo, Outcome, Tensor, TensorInfo, to_safetensors};
use assay_worker::driver::Engines;
use futures_util::future::BoxFuture;

/// Bytes of an input's only tensor.
const INPUT: usize = 16;

/// The same for every node; what differs is how long each takes.
pub struct SimEngines {
    pub load_ms: u64,
    pub run_ms: u64,
}

impl Engines for SimEngines {
    fn load<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(self.load_ms)).await;
            Ok(info())
        })
    }

    fn run<'a>(
        &'a self,
        model: &'a Model,
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        Box::pin(async move {
            let takes = Duration::from_millis(self.run_ms);
            tokio::time::sleep(takes.min(limit)).await;
            if takes > limit {
                let doing = "run the model";
                return Err(EngineError::TimedOut { doing, limit });
            }
            let data = Digest::of(&[&model.digest().0, input]).0.to_vec();
            Ok(Outcome::Outputs(vec![tensor("y", data)]))
        })
    }

    fn kill(&self) {}
}

fn tensor(name: &str, data: Vec<u8>) -> Tensor {
    Tensor {
        name: name.into(),
        dtype: DType::U8,
        shape: vec![data.len()],
        data,
    }
}

fn info() -> ModelInfo {
    let of = |name: &str| TensorInfo {
        name: name.into(),
        dtype: DType::U8,
        shape: None,
    };
    ModelInfo {
        inputs: vec![of("x")],
        outputs: vec![of("y")],
        ..ModelInfo::default()
    }
}

/// An input file of which no other run has the same.
pub fn input(bytes: &[u8; 32]) -> Vec<u8> {
    to_safetensors(&[tensor("x", bytes[..INPUT].to_vec())]).expect("one small tensor")
}
