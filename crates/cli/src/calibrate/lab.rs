//! Runs a model as a variation says.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use assay_engine::{
    EngineConfig, EngineError, Host, HostConfig, Model, ModelInfo, Outcome, Sandbox, to_safetensors,
};

use super::{
    batch::Batching,
    inputs::Sample,
    variation::{Place, Variation},
};

/// One inference, at most. Calibration waits for nobody, but a model that never ends is a mistake.
const LIMIT: Duration = Duration::from_secs(300);

/// What is measured, and with what.
pub struct Lab {
    pub engine: EngineConfig,
    pub program: PathBuf,
    /// `qemu-x86_64`, where it is installed.
    pub emulator: Option<PathBuf>,
}

impl Lab {
    pub fn new(engine: EngineConfig, emulate: bool) -> Result<Self> {
        let program = std::env::current_exe().context("this executable cannot be found again")?;
        let emulator = (emulate && cfg!(target_arch = "x86_64"))
            .then(|| on_path("qemu-x86_64"))
            .flatten();
        Ok(Self {
            // One model at a time, and none twice.
            engine: EngineConfig {
                concurrency: 1,
                warm_models: 1,
                spare: false,
                warm_up: false,
                ..engine
            },
            program,
            emulator,
        })
    }

    fn host(&self, variation: &Variation) -> Host {
        let mut engine = variation.engine.clone();
        let (program, arguments): (&Path, Vec<OsString>) =
            match (variation.processor, &self.emulator) {
                (Some(processor), Some(emulator)) => {
                    // The emulator needs files and memory of its own, and knows no filters. The model is
                    // one that its publisher measures.
                    engine.sandbox = Sandbox::Off;
                    let program = self.program.clone().into_os_string();
                    (
                        emulator,
                        vec!["-cpu".into(), processor.into(), program, "engine".into()],
                    )
                }
                _ => (&self.program, vec!["engine".into()]),
            };
        Host::new(HostConfig {
            engine,
            program: program.to_path_buf(),
            arguments,
        })
    }

    /// What a model takes and gives, and what ONNX Runtime says of itself.
    pub async fn open(&self, model: &Model) -> Result<(ModelInfo, String), EngineError> {
        let host = self.host(&self.base());
        let runtime = host.probe().await?.runtime.to_string();
        let info = host.load(model).await?;
        host.kill();
        Ok((info, runtime))
    }

    /// The result of each sample; `None` where samples cannot be put into one batch.
    pub async fn run(
        &self,
        variation: &Variation,
        model: &Model,
        samples: &[Sample],
        batching: Option<&Batching>,
    ) -> Result<Option<Vec<Outcome>>> {
        let host = self.host(variation);
        let mut outcomes = Vec::with_capacity(samples.len());
        for position in 0..samples.len() {
            let outcome = match (variation.place, batching) {
                (None, _) => self.alone(&host, model, samples, position).await?,
                (Some(place), Some(batching)) => {
                    match among(&host, model, samples, position, place, batching).await? {
                        Some(outcome) => outcome,
                        None => return Ok(None),
                    }
                }
                (Some(_), None) => return Ok(None),
            };
            outcomes.push(outcome);
        }
        host.kill();
        Ok(Some(outcomes))
    }

    async fn alone(
        &self,
        host: &Host,
        model: &Model,
        samples: &[Sample],
        position: usize,
    ) -> Result<Outcome> {
        let sample = samples.get(position).context("no such sample")?;
        Ok(host.run(model, &sample.file()?, LIMIT).await?)
    }
}

/// Runs a sample in a batch with those that follow it, and cuts its own result out.
async fn among(
    host: &Host,
    model: &Model,
    samples: &[Sample],
    position: usize,
    place: Place,
    batching: &Batching,
) -> Result<Option<Outcome>> {
    let own = samples.get(position).context("no such sample")?;
    let others = samples.iter().cycle().skip(position).take(place.size);
    let mut batch: Vec<&[_]> = others.map(|sample| sample.tensors.as_slice()).collect();
    // The sample comes first; it changes places with the one where it is to lie.
    batch.swap(0, place.position);
    let Some(stacked) = batching.stack(&batch) else {
        return Ok(None);
    };
    let before = batch.iter().take(place.position);
    let start = before
        .map(|sample| batching.entries(sample))
        .sum::<Option<usize>>();
    let (Some(start), Some(entries)) = (start, batching.entries(&own.tensors)) else {
        return Ok(None);
    };
    let file =
        to_safetensors(&stacked).map_err(|error| anyhow!("a batch cannot be written: {error}"))?;
    match host.run(model, &file, LIMIT).await? {
        Outcome::Outputs(outputs) => Ok(batching
            .slice(&outputs, start, entries)
            .map(Outcome::Outputs)),
        // One sample of the batch may fail where this one would not.
        Outcome::Failed(_) => Ok(None),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
