//! An upstream that runs models with the engine of this machine: slow at generating, for it runs the whole text again
//! for each token, and as exact as the engine.

use std::{fs, path::Path, sync::Arc, time::Duration};

use assay_client::{
    protocol::{Digest, outputs::DType},
    session::{Finish, GenerateRequest, Likely, OfferedModel, Port, Price, Sampling, Token, Usage},
};
use assay_engine::{
    Dimension, EngineConfig, EngineError, Host, HostConfig, Model, Outcome, Tensor, TensorInfo,
    to_safetensors,
};
use assay_gateway::{Listed, Ran, Upstream, UpstreamError, upstream::Piece};
use bytes::Bytes;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};

const LONG: Duration = Duration::from_secs(60);

/// Models of this machine.
pub struct Local {
    host: Arc<Host>,
    models: Vec<(Model, OfferedModel)>,
}

impl Local {
    /// Loads model files under names. What has an output `logits` can be asked to generate.
    pub async fn load(files: &[(&str, &Path)]) -> Self {
        let config = HostConfig::new(EngineConfig::default()).unwrap();
        let host = Arc::new(Host::new(config));
        let mut models = Vec::new();
        for (name, file) in files {
            let model = Model::new(fs::read(file).unwrap());
            let info = host.load(&model).await.unwrap();
            let offered = OfferedModel {
                digest: model.digest(),
                name: (*name).to_owned(),
                price: Price::default(),
                inputs: info.inputs.iter().map(port).collect(),
                outputs: info.outputs.iter().map(port).collect(),
                generates: info.outputs.iter().any(|output| output.name == "logits"),
                max_tokens: 0,
            };
            models.push((model, offered));
        }
        Self { host, models }
    }

    fn model(&self, digest: Digest) -> Result<Model, UpstreamError> {
        let found = self
            .models
            .iter()
            .find(|(model, _)| model.digest() == digest);
        let unknown = || UpstreamError::ModelUnknown("no such model".to_owned());
        Ok(found.ok_or_else(unknown)?.0.clone())
    }
}

impl Upstream for Local {
    fn models(&self) -> BoxFuture<'_, Result<Vec<Listed>, UpstreamError>> {
        let listed = |(_, model): &(Model, OfferedModel)| Listed {
            model: model.clone(),
            providers: 1,
        };
        let models = self.models.iter().map(listed).collect();
        async move { Ok(models) }.boxed()
    }

    fn run(&self, model: Digest, input: Bytes) -> BoxFuture<'_, Result<Ran, UpstreamError>> {
        async move {
            let outputs = run(&self.host, &self.model(model)?, &input).await?;
            Ok(Ran {
                outputs: Bytes::from(to_safetensors(&outputs).unwrap()),
                price: 0,
            })
        }
        .boxed()
    }

    fn generate(
        &self,
        model: Digest,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, UpstreamError>>, UpstreamError>>
    {
        async move {
            let writing = Writing {
                host: self.host.clone(),
                model: self.model(model)?,
                tokens: request.tokens.clone(),
                answered: 0,
                random: request.sampling.seed,
                request: Arc::new(request),
                ended: false,
            };
            let pieces = stream::unfold(writing, |mut writing| async move {
                let piece = writing.next().await?;
                Some((piece, writing))
            });
            Ok(pieces.boxed())
        }
        .boxed()
    }
}

struct Writing {
    host: Arc<Host>,
    model: Model,
    tokens: Vec<u32>,
    answered: u32,
    random: u64,
    request: Arc<GenerateRequest>,
    ended: bool,
}

impl Writing {
    async fn next(&mut self) -> Option<Result<Piece, UpstreamError>> {
        if self.ended {
            return None;
        }
        if self.answered == self.request.max_tokens {
            return Some(Ok(self.done(Finish::Length)));
        }
        let logits = match self.logits().await {
            Ok(logits) => logits,
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        let logprobs = log_softmax(&logits);
        let answer = self.tokens.split_at(self.request.tokens.len()).1;
        let id = choose(&logits, answer, &self.request.sampling, &mut self.random);
        if self.request.stop_tokens.contains(&id) {
            return Some(Ok(self.done(Finish::Stop)));
        }
        self.tokens.push(id);
        self.answered += 1;
        let mut likely: Vec<Likely> = (0..)
            .zip(&logprobs)
            .map(|(id, logprob)| Likely {
                id,
                logprob: *logprob,
            })
            .collect();
        likely.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
        likely.truncate(usize::from(self.request.logprobs));
        let asked = self.request.logprobs > 0;
        let logprob = logprobs[usize::try_from(id).unwrap()];
        Some(Ok(Piece::Token(Token {
            id,
            logprob: asked.then_some(logprob),
            likely,
        })))
    }

    async fn logits(&self) -> Result<Vec<f32>, UpstreamError> {
        let length = self.tokens.len();
        let input = |name: &str, values: Vec<i64>| Tensor {
            name: name.to_owned(),
            dtype: DType::I64,
            shape: vec![1, length],
            data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        };
        let ids = self.tokens.iter().map(|id| i64::from(*id)).collect();
        let inputs = [
            input("input_ids", ids),
            input("attention_mask", vec![1; length]),
        ];
        let file = to_safetensors(&inputs).unwrap();
        let outputs = run(&self.host, &self.model, &file).await?;
        let logits = outputs
            .iter()
            .find(|output| output.name == "logits")
            .unwrap();
        let width = logits.shape.last().copied().unwrap() * 4;
        let (floats, _) = logits.data[logits.data.len() - width..].as_chunks::<4>();
        Ok(floats
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect())
    }

    fn done(&mut self, finish: Finish) -> Piece {
        self.ended = true;
        Piece::Done {
            finish,
            usage: Usage {
                input_bytes: 0,
                input_tokens: u64::try_from(self.request.tokens.len()).unwrap(),
                output_tokens: u64::from(self.answered),
            },
            price: 0,
        }
    }
}

async fn run(host: &Host, model: &Model, input: &[u8]) -> Result<Vec<Tensor>, UpstreamError> {
    match host.run(model, input, LONG).await {
        Ok(Outcome::Outputs(outputs)) => Ok(outputs),
        Ok(Outcome::Failed(failure)) => Err(UpstreamError::Unprocessable(failure.to_string())),
        Err(EngineError::Input(mismatch)) => {
            Err(UpstreamError::Unprocessable(mismatch.to_string()))
        }
        Err(error) => Err(UpstreamError::Unavailable(error.to_string())),
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
    logits.iter().map(|logit| logit - most - sum.ln()).collect()
}

/// The likeliest token after biases and penalties of the answer, or one by lot; cuts are left out.
fn choose(logits: &[f32], answer: &[u32], sampling: &Sampling, random: &mut u64) -> u32 {
    let mut logits: Vec<f32> = logits.to_vec();
    for (id, bias) in &sampling.logit_bias {
        logits[usize::try_from(*id).unwrap()] += bias;
    }
    for id in answer {
        logits[usize::try_from(*id).unwrap()] -= sampling.frequency_penalty;
    }
    if sampling.temperature > 0.0 {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let uniform = f32::from(u16::try_from(*random >> 48).unwrap()) / 65_536.0;
        let warm: Vec<f32> = logits
            .iter()
            .map(|logit| logit / sampling.temperature)
            .collect();
        let mut sum = 0.0;
        for (id, logprob) in (0..).zip(log_softmax(&warm)) {
            sum += logprob.exp();
            if sum > uniform {
                return id;
            }
        }
    }
    let best = (0..).zip(&logits).max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.unwrap().0
}

fn port(info: &TensorInfo) -> Port {
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => i64::try_from(*size).unwrap(),
        Dimension::Named(_) | Dimension::Any => -1,
    };
    Port {
        name: info.name.clone(),
        dtype: assay_engine::type_name(info.dtype).to_uppercase(),
        shape: info
            .shape
            .as_ref()
            .map(|shape| shape.iter().map(size).collect()),
    }
}
