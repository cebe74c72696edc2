//! Which provider `auto` means on this machine.

use serde::Serialize;

use super::{
    config::Provider,
    error::EngineError,
    host::HostConfig,
    trial::{Trial, TrialFault, trial},
};

/// The quickest first. TensorRT follows CUDA: it compiles each model for minutes, and holds fewer of
/// them whole. Whoever wants it names it.
const ORDER: [Provider; 5] = [
    Provider::Cuda,
    Provider::Tensorrt,
    Provider::Coreml,
    Provider::Directml,
    Provider::Cpu,
];

/// What was chosen, and what became of each other provider.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Selection {
    pub provider: Provider,
    pub tried: Vec<Tried>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    pub provider: Provider,
    #[serde(flatten)]
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Works {
        trial: Trial,
    },
    Refused {
        reason: String,
    },
    /// A better one works.
    NotTried,
}

impl Selection {
    /// Tries one provider after the other until one works. An error only if the CPU does not work
    /// either: then nothing does.
    pub async fn make(config: &HostConfig) -> Result<Self, EngineError> {
        let mut tried = Vec::with_capacity(ORDER.len());
        let mut chosen = None;
        for provider in ORDER {
            let verdict = match chosen {
                Some(_) => Verdict::NotTried,
                None => match trial(config, provider).await {
                    Ok(trial) => {
                        chosen = Some(provider);
                        Verdict::Works { trial }
                    }
                    // Without a library, or without the program, nobody works.
                    Err(TrialFault::Engine(error)) if provider == Provider::Cpu => {
                        return Err(error);
                    }
                    Err(fault) => Verdict::Refused {
                        reason: fault.to_string(),
                    },
                },
            };
            tried.push(Tried { provider, verdict });
        }
        // The CPU is its own measure.
        let provider = chosen.unwrap_or(Provider::Cpu);
        Ok(Self { provider, tried })
    }
}

impl HostConfig {
    /// The same with a provider instead of `auto`, and how it was found if it had to be.
    pub async fn resolve(mut self) -> Result<(Self, Option<Selection>), EngineError> {
        if self.engine.provider != Provider::Auto {
            return Ok((self, None));
        }
        let selection = Selection::make(&self).await?;
        self.engine.provider = selection.provider;
        Ok((self, Some(selection)))
    }
}

/// One line a provider, for people.
impl std::fmt::Display for Tried {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.provider.name();
        match &self.verdict {
            Verdict::Works { trial } => {
                write!(out, "{name} works")?;
                for model in &trial.models {
                    let (model, steps) = (model.model, model.steps);
                    write!(out, ", {model} within {steps:.3} steps of the CPU")?;
                }
                Ok(())
            }
            Verdict::Refused { reason } => write!(out, "{name} is not used: {reason}"),
            Verdict::NotTried => write!(out, "{name} was not tried: a better one works"),
        }
    }
}
