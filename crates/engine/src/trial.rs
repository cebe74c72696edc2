//! Tries a provider, since only a run tells whether it works.
//!
//! Two small models of this repository run on it and on the CPU. Their comparison profiles are
//! measured, so what is asked is what an audit asks: would an honest CPU find the same root? A
//! provider that rounds to half precision behind everybody's back does not pass.

use std::time::{Duration, Instant};

use assay_protocol::{OutputProfile, outputs::DType, profile::Comparison};
use serde::Serialize;

use super::{
    answer::{AuditFault, ProfileMismatch},
    backend::Outcome,
    config::{EngineConfig, Provider},
    error::EngineError,
    host::{Host, HostConfig, Model},
    placement::Placement,
    runtime::Runtime,
    tensor::Tensor,
};

/// One inference of a model that takes a millisecond.
const LIMIT: Duration = Duration::from_secs(60);

macro_rules! models {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/", $path)).as_slice()
    };
}

/// A model with inputs, and the profile that calibration measured for it.
struct Sample {
    name: &'static str,
    model: &'static [u8],
    inputs: &'static [&'static [u8]],
    profile: &'static [i16],
}

/// `docs/calibration` says where the profiles come from.
const SAMPLES: [Sample; 2] = [
    Sample {
        name: "digits",
        model: models!("digits.onnx"),
        inputs: &[
            models!("digits/sample-0.safetensors"),
            models!("digits/sample-1.safetensors"),
            models!("digits/sample-2.safetensors"),
            models!("digits/sample-3.safetensors"),
            models!("digits/sample-4.safetensors"),
            models!("digits/sample-5.safetensors"),
        ],
        profile: &[-17, OutputProfile::EXACT],
    },
    Sample {
        name: "convolutional",
        model: models!("calibration/convolutional.onnx"),
        inputs: &[
            models!("calibration/convolutional/input-0.safetensors"),
            models!("calibration/convolutional/input-1.safetensors"),
        ],
        profile: &[-16],
    },
];

/// What a provider made of the models.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    pub provider: Provider,
    pub runtime: Runtime,
    pub models: Vec<ModelTrial>,
}

/// How one model ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelTrial {
    pub model: &'static str,
    pub placement: Placement,
    pub inputs: usize,
    /// Largest distance from the CPU's result, in the model's calibrated steps. Half a step passes.
    pub steps: f64,
    /// To start an engine and load the model.
    pub load_ms: f64,
    /// The median run, with the way to the engine and back.
    pub run_ms: f64,
}

/// Why a provider is not used.
#[derive(Debug, thiserror::Error)]
pub enum TrialFault {
    #[error(
        "this ONNX Runtime is built for {built} alone; point `engine.library` to a build with {provider} (its \
         release page and its NuGet packages have them)"
    )]
    NotBuilt { provider: String, built: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("of the model {model} it runs {placement}, where every node should be its own")]
    Elsewhere {
        model: &'static str,
        placement: String,
    },
    #[error("it fails on the model {model}, which runs on the CPU: {reason}")]
    Fails { model: &'static str, reason: String },
    #[error(
        "its results for the model {model} are {steps:.2} steps off the CPU's, where an audit allows half a step: it \
         would be slashed for them"
    )]
    Inexact { model: &'static str, steps: f64 },
    #[error("the models that come with the engine do not fit it ({0}); report this")]
    Broken(String),
}

impl From<ProfileMismatch> for TrialFault {
    fn from(error: ProfileMismatch) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<AuditFault> for TrialFault {
    fn from(error: AuditFault) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Runs the models on `provider`, whatever `config` names, and compares. Takes a second where the
/// provider is quick to start, and minutes where it compiles first.
pub async fn trial(config: &HostConfig, provider: Provider) -> Result<Trial, TrialFault> {
    let host = host(config, provider);
    let runtime = host.probe().await?.runtime;
    if !runtime.providers.contains(&provider) {
        let built: Vec<&str> = runtime.providers.iter().map(|known| known.name()).collect();
        return Err(TrialFault::NotBuilt {
            provider: provider.name().into(),
            built: built.join(", "),
        });
    }
    let reference = self::host(config, Provider::Cpu);
    let mut models = Vec::with_capacity(SAMPLES.len());
    for sample in &SAMPLES {
        let honest = Ran::of(&reference, sample).await?;
        let tried = Ran::of(&host, sample).await?;
        models.push(judge(sample, provider, &honest, tried)?);
    }
    host.kill();
    reference.kill();
    Ok(Trial {
        provider,
        runtime,
        models,
    })
}

fn host(config: &HostConfig, provider: Provider) -> Host {
    let engine = EngineConfig {
        provider,
        concurrency: 1,
        warm_models: 1,
        ..config.engine.clone()
    };
    Host::new(HostConfig {
        engine,
        ..config.clone()
    })
}

/// A sample's inputs, run.
struct Ran {
    outcomes: Vec<Outcome>,
    placement: Placement,
    load_ms: f64,
    run_ms: f64,
}

impl Ran {
    async fn of(host: &Host, sample: &Sample) -> Result<Self, EngineError> {
        let model = Model::new(sample.model);
        let started = Instant::now();
        host.load(&model).await?;
        let load_ms = millis(started.elapsed());
        let mut times = Vec::new();
        let mut outcomes = Vec::with_capacity(sample.inputs.len());
        for input in sample.inputs {
            let started = Instant::now();
            outcomes.push(host.run(&model, input, LIMIT).await?);
            times.push(millis(started.elapsed()));
        }
        times.sort_by(f64::total_cmp);
        let engines = host.ps().engines;
        let engine = engines
            .into_iter()
            .find(|engine| engine.model == Some(model.digest()));
        Ok(Self {
            outcomes,
            placement: engine.map(|engine| engine.placement).unwrap_or_default(),
            load_ms,
            run_ms: times.get(times.len() / 2).copied().unwrap_or_default(),
        })
    }
}

fn judge(
    sample: &Sample,
    provider: Provider,
    honest: &Ran,
    tried: Ran,
) -> Result<ModelTrial, TrialFault> {
    let model = sample.name;
    let nowhere = tried.placement == Placement::default();
    if nowhere || tried.placement.elsewhere(provider).next().is_some() {
        let placement = tried.placement.to_string();
        return Err(TrialFault::Elsewhere { model, placement });
    }
    let mut profile = OutputProfile([OutputProfile::UNUSED; 8]);
    for (entry, measured) in profile.0.iter_mut().zip(sample.profile) {
        *entry = *measured;
    }
    let mut worst: f64 = 0.0;
    for (honest, tried) in honest.outcomes.iter().zip(&tried.outcomes) {
        let outputs = match tried {
            Outcome::Outputs(outputs) => outputs,
            Outcome::Failed(failure) => {
                let reason = failure.message.clone();
                return Err(TrialFault::Fails { model, reason });
            }
        };
        let steps = steps(honest, outputs, &profile);
        let primary = tried.answer(&profile)?;
        // As an auditor with a CPU would: it knows the hints, and compares roots.
        if honest.audit(&profile, &primary.hints)? != primary.root {
            return Err(TrialFault::Inexact { model, steps });
        }
        worst = worst.max(steps);
    }
    Ok(ModelTrial {
        model,
        placement: tried.placement,
        inputs: tried.outcomes.len(),
        steps: worst,
        load_ms: tried.load_ms,
        run_ms: tried.run_ms,
    })
}

/// The largest distance between two results, in steps. Infinite where they cannot be compared.
fn steps(honest: &Outcome, tried: &[Tensor], profile: &OutputProfile) -> f64 {
    let Outcome::Outputs(honest) = honest else {
        return f64::INFINITY;
    };
    let outputs = honest.iter().zip(tried).enumerate();
    let distance = outputs.map(|(position, (honest, tried))| match profile.get(position) {
        Some(Comparison::Grid(exponent)) => {
            let step = f64::from(exponent).exp2();
            farthest(honest, tried) / step
        }
        _ if honest == tried => 0.0,
        _ => f64::INFINITY,
    });
    distance.fold(0.0, f64::max)
}

fn farthest(honest: &Tensor, tried: &Tensor) -> f64 {
    if (honest.dtype, &honest.shape) != (tried.dtype, &tried.shape) || honest.dtype != DType::F32 {
        return f64::INFINITY;
    }
    let pairs = floats(honest).zip(floats(tried));
    pairs
        .map(|(honest, tried)| (f64::from(honest) - f64::from(tried)).abs())
        .fold(0.0, f64::max)
}

fn floats(tensor: &Tensor) -> impl Iterator<Item = f32> {
    let (floats, _) = tensor.data.as_chunks();
    floats.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests;
