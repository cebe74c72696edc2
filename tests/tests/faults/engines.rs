//! Engines that take their virtual time and compute the same everywhere.

use std::time::Duration;

use assay_client::protocol::{Digest, outputs::DType};
use assay_engine::{
    EngineError, Model, ModelInfo, Outcome, RuntimeFault, Tensor, TensorInfo, to_safetensors,
};
use assay_worker::driver::Engines;
use futures_util::future::BoxFuture;

use super::{
    link::Life,
    mishaps::{Call, Fault},
};

/// Bytes of an input's only tensor.
const INPUT: usize = 16;
/// Longest time for a load.
const LOAD: Duration = Duration::from_secs(60);

/// The same for every node; what differs is how long each takes, and what its storms do to it.
pub struct SimEngines {
    pub life: Life,
    pub load_ms: u64,
    pub run_ms: u64,
}

impl SimEngines {
    /// Does what takes so long, unless an engine ends, hangs or talks nonsense meanwhile.
    async fn work(
        &self,
        call: Call,
        doing: &'static str,
        limit: Duration,
    ) -> Result<(), EngineError> {
        let takes = if call == Call::Load {
            self.load_ms
        } else {
            self.run_ms
        };
        let takes = Duration::from_millis(takes);
        let fault = self.life.link.mishap(call);
        let until = match fault {
            None | Some(Fault::Nonsense | Fault::NoMemory) => takes,
            Some(Fault::Hangs) => Duration::MAX,
            // Somewhere on the way.
            Some(_) => Duration::from_millis(self.life.link.draw(0, 4_000)).min(takes),
        };
        tokio::time::sleep(until.min(limit)).await;
        if until > limit {
            return Err(EngineError::TimedOut { doing, limit });
        }
        let (status, said) = ("signal 11".to_owned(), String::new());
        let reason = "simulated".to_owned();
        match fault {
            Some(Fault::Crashes) => Err(EngineError::Crashed {
                doing,
                status,
                said,
            }),
            Some(Fault::ModelCrashes) => Err(EngineError::ModelCrashed {
                doing,
                status,
                said,
            }),
            Some(Fault::Nonsense) => Err(EngineError::Nonsense { doing, reason }),
            Some(Fault::NoMemory) => Err(RuntimeFault::OutOfMemory { reason }.into()),
            Some(_) | None => Ok(()),
        }
    }
}

impl Engines for SimEngines {
    fn load<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        Box::pin(async {
            self.work(Call::Load, "load the model", LOAD).await?;
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
            self.work(Call::Run, "run the model", limit).await?;
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

pub fn info() -> ModelInfo {
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
