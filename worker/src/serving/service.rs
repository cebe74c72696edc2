//! [`Serve`] on real engines.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use assay_client::{protocol::Digest, session::GenerateRequest};
use assay_engine::{Limits, Model, ModelInfo, Tensor, to_safetensors};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture, stream::BoxStream};
use tokio::{sync::Mutex, time::Instant};

use super::{
    Piece, Serve, ServeError, ServingConfig,
    apart::apart,
    decoder::Decoder,
    generation::Generation,
    models::Served,
    queue::{QueueLimits, Turn},
    runner::{Input, Runner},
    stream::pieces,
};
use crate::{
    artifacts::Artifacts,
    driver::{Engines, Threads},
};

/// A model that did not load is not tried again sooner.
const AGAIN: Duration = Duration::from_secs(10);

/// Models for sessions.
#[derive(Clone)]
pub struct Serving {
    inner: Arc<Inner>,
}

struct Inner {
    host: Arc<dyn Engines>,
    artifacts: Arc<Artifacts>,
    threads: Threads,
    limits: Limits,
    max_tokens: usize,
    longest: BTreeMap<Digest, usize>,
    batch_size: usize,
    runner: Arc<Runner>,
    models: BTreeMap<Digest, Mutex<Slot>>,
}

/// What is known of a configured model.
#[derive(Clone, Default)]
enum Slot {
    #[default]
    Unseen,
    Loaded(Arc<Served>),
    Failed(Instant, ServeError),
}

impl Serving {
    /// `host` runs nothing else, in [`Mode::Fast`](assay_engine::Mode::Fast); see [`Shares`](super::Shares).
    pub fn new(
        config: ServingConfig,
        host: Arc<dyn Engines>,
        artifacts: Arc<Artifacts>,
        (limits, threads): (Limits, Threads),
    ) -> Self {
        let queue = QueueLimits {
            engines: config.engines.max(1),
            batch_rows: config.batch_size.max(1),
            batch_bytes: usize::try_from(limits.input_bytes).unwrap_or(usize::MAX),
            batch_wait: config.batch_wait,
            waiting: config.queue.max(1),
        };
        let models = config.models.into_iter();
        let inner = Inner {
            runner: Runner::new(Arc::clone(&host), queue, config.run_limit),
            host,
            artifacts,
            threads,
            limits,
            max_tokens: config.max_tokens,
            longest: config.longest,
            batch_size: config.batch_size,
            models: models.map(|model| (model, Mutex::default())).collect(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Requests for a model that wait for an engine.
    pub async fn waiting(&self, model: Digest) -> usize {
        let served = self.inner.served(model).await;
        served.map_or(0, |served| self.inner.runner.waiting(&served))
    }
}

impl Serve for Serving {
    fn info(&self, model: Digest) -> BoxFuture<'_, Result<Arc<ModelInfo>, ServeError>> {
        let inner = &self.inner;
        async move { Ok(Arc::clone(&inner.served(model).await?.info)) }.boxed()
    }

    fn generates(&self, info: &ModelInfo) -> bool {
        Decoder::of(info).is_some()
    }

    fn room(&self, info: &ModelInfo) -> Option<usize> {
        Decoder::of(info)?.room()
    }

    fn run(&self, model: Digest, input: Bytes) -> BoxFuture<'_, Result<Bytes, ServeError>> {
        self.inner.run(model, input).boxed()
    }

    fn generate(
        &self,
        model: Digest,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, ServeError>>, ServeError>> {
        self.inner.generate(model, request).boxed()
    }
}

/// An answer's file. Outputs that have none are the model's failure on this input, which was run.
fn file(outputs: &[Tensor]) -> Result<Bytes, ServeError> {
    let file = to_safetensors(outputs).map_err(|error| {
        ServeError::ModelFailed(format!("the outputs have no file form: {error}"))
    })?;
    Ok(file.into())
}

impl Inner {
    async fn run(&self, model: Digest, input: Bytes) -> Result<Bytes, ServeError> {
        let served = self.served(model).await?;
        let (info, limit) = (Arc::clone(&served.info), self.limits.input_bytes);
        let form = apart(input.clone(), move |input| info.form(input, limit)).await;
        let form = form.map_err(|error| {
            ServeError::Unavailable(format!("the input was not read to its end: {error}"))
        })?;
        let form = form.map_err(|mismatch| ServeError::InputMismatch(mismatch.to_string()))?;
        let input = Input {
            file: input,
            form,
            step: None,
        };
        let outputs = self.runner.run(&served, input, Turn::New).await?;
        file(&outputs)
    }

    async fn generate(
        &self,
        model: Digest,
        request: GenerateRequest,
    ) -> Result<BoxStream<'static, Result<Piece, ServeError>>, ServeError> {
        let served = self.served(model).await?;
        let decoder = served.decoder.clone().ok_or_else(|| {
            let text =
                "the model is no decoder that this worker can ask for tokens; send tensors to /run";
            ServeError::InputMismatch(text.into())
        })?;
        let longest = self.longest.get(&model).copied();
        let longest = longest.unwrap_or(self.max_tokens).min(self.max_tokens);
        let generation = Generation::begin(decoder, request, longest)?;
        pieces(Arc::clone(&self.runner), served, generation).await
    }

    /// The model, loaded. Whoever comes while it loads waits for it.
    async fn served(&self, model: Digest) -> Result<Arc<Served>, ServeError> {
        let slot = self.models.get(&model).ok_or_else(|| {
            let text = format!("the model {} is not served here", hex::encode(model.0));
            ServeError::Unknown(text)
        })?;
        let mut slot = slot.lock().await;
        match &*slot {
            Slot::Loaded(served) => return Ok(Arc::clone(served)),
            Slot::Failed(at, error) if at.elapsed() < AGAIN => return Err(error.clone()),
            Slot::Unseen | Slot::Failed(..) => {}
        }
        match self.load(model).await {
            Ok(served) => {
                *slot = Slot::Loaded(Arc::clone(&served));
                Ok(served)
            }
            Err(error) => {
                *slot = Slot::Failed(Instant::now(), error.clone());
                Err(error)
            }
        }
    }

    async fn load(&self, digest: Digest) -> Result<Arc<Served>, ServeError> {
        let (artifacts, limit) = (Arc::clone(&self.artifacts), self.limits.model_bytes);
        let reading = async move { artifacts.held_model(digest, limit) };
        let unavailable = |error: &dyn std::fmt::Display| {
            ServeError::Unavailable(format!("the model cannot be loaded here: {error}"))
        };
        let read = self.threads.run(reading).await;
        let read = read.ok_or_else(|| unavailable(&"the worker is about to stop"))?;
        let model = Model::new(read.map_err(|error| unavailable(&error))?);
        let loaded = self.host.load(&model).await;
        let info = loaded.map_err(|error| unavailable(&error))?;
        let served = Served::new(model, info);
        if self.batch_size <= 1 {
            served.sharing.never();
        }
        Ok(Arc::new(served))
    }
}

#[cfg(test)]
mod tests {
    use assay_engine::DType;

    use super::*;

    #[test]
    fn outputs_without_a_file_form_are_the_models_failure() {
        let output = |data: &[u8]| Tensor {
            name: "y".into(),
            dtype: DType::F32,
            shape: vec![1],
            data: data.into(),
        };
        assert!(file(&[output(&[0; 4])]).is_ok());
        let odd = file(&[output(&[0; 3])]);
        assert!(matches!(odd, Err(ServeError::ModelFailed(_))), "{odd:?}");
    }
}
