//! The ways in which an honest provider may come to a result here.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use assay_engine::{
    EngineConfig, EngineError, Host, HostConfig, Model, ModelInfo, Optimization, Outcome,
    to_safetensors,
};

use super::{batch::Batching, inputs::Sample};

/// One inference, at most. Calibration waits for nobody, but a model that never ends is a mistake.
const LIMIT: Duration = Duration::from_secs(300);
/// Loading on an emulated processor takes some hundred times as long.
const EMULATED_LOAD_SECS: u64 = 600;

/// Processors of other instruction sets, by the names that QEMU has for them. All are 64-bit x86: another architecture
/// would need another build of everything.
const PROCESSORS: [(&str, &str); 3] = [
    ("AVX2 and FMA", "Haswell"),
    ("AVX without FMA", "SandyBridge"),
    ("SSE 4.2", "Nehalem"),
];

/// Where a sample lies in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    size: usize,
    position: usize,
}

/// One honest way to run the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Variation {
    pub name: String,
    engine: EngineConfig,
    processor: Option<&'static str>,
    place: Option<Place>,
}

impl Variation {
    /// What it differs in.
    pub const fn family(&self) -> Family {
        match (self.processor, self.place) {
            (Some(_), _) => Family::Processor,
            (None, Some(_)) => Family::Batch,
            (None, None) => Family::Settings,
        }
    }
}

/// What a variation differs in from the worker's own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Settings,
    Batch,
    Processor,
}

impl Family {
    pub const ALL: [Self; 3] = [Self::Settings, Self::Batch, Self::Processor];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "threads, optimisation",
            Self::Batch => "place in a batch",
            Self::Processor => "instruction sets",
        }
    }
}

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
                warm_up: false,
                ..engine
            },
            program,
            emulator,
        })
    }

    /// The worker's own settings.
    pub fn base(&self) -> Variation {
        Variation {
            name: "the worker's defaults".into(),
            engine: self.engine.clone(),
            processor: None,
            place: None,
        }
    }

    /// Every variation; the first are the worker's own settings.
    pub fn variations(&self, batching: bool, quick: bool) -> Vec<Variation> {
        let mut all = vec![self.base(), {
            let name = "the same again".into();
            Variation {
                name,
                ..self.base()
            }
        }];
        let levels = [
            Optimization::All,
            Optimization::Extended,
            Optimization::Basic,
            Optimization::Off,
        ];
        let (threads, levels): (&[usize], Vec<_>) = if quick {
            (&[1, 2], vec![Optimization::All, Optimization::Off])
        } else {
            (&[1, 2, 4], levels.to_vec())
        };
        for threads in threads {
            for optimization in &levels {
                for deterministic in [true, false] {
                    if quick && !deterministic {
                        continue;
                    }
                    let engine = EngineConfig {
                        threads: *threads,
                        optimization: *optimization,
                        deterministic,
                        ..self.engine.clone()
                    };
                    if engine != self.engine {
                        all.push(self.native(engine));
                    }
                }
            }
        }
        if batching {
            self.batches(&mut all, quick);
        }
        if self.emulator.is_some() {
            self.processors(&mut all, batching);
        }
        all
    }

    fn native(&self, engine: EngineConfig) -> Variation {
        let deterministic = if engine.deterministic { "on" } else { "off" };
        Variation {
            name: format!(
                "{}, optimisation {}, deterministic {deterministic}",
                threads(engine.threads),
                level(engine.optimization)
            ),
            engine,
            processor: None,
            place: None,
        }
    }

    fn batches(&self, all: &mut Vec<Variation>, quick: bool) {
        let places = [(3, 2), (8, 4), (32, 0)];
        for threads in if quick { 1..=1 } else { 1..=2 } {
            for (size, position) in places {
                all.push(Variation {
                    name: format!(
                        "{}, sample {} of a batch of {size}",
                        self::threads(threads),
                        position + 1
                    ),
                    engine: EngineConfig {
                        threads,
                        ..self.engine.clone()
                    },
                    processor: None,
                    place: Some(Place { size, position }),
                });
            }
        }
    }

    fn processors(&self, all: &mut Vec<Variation>, batching: bool) {
        let engine = EngineConfig {
            load_timeout_secs: EMULATED_LOAD_SECS,
            ..self.engine.clone()
        };
        let place = Place {
            size: 3,
            position: 1,
        };
        for (sets, processor) in PROCESSORS {
            for place in [None, batching.then_some(place)] {
                let batch = match place {
                    Some(place) => format!(
                        ", sample {} of a batch of {}",
                        place.position + 1,
                        place.size
                    ),
                    None if all
                        .last()
                        .is_some_and(|last| last.processor == Some(processor)) =>
                    {
                        continue;
                    }
                    None => String::new(),
                };
                all.push(Variation {
                    name: format!("a processor with {sets} ({processor}, emulated){batch}"),
                    engine: engine.clone(),
                    processor: Some(processor),
                    place,
                });
            }
        }
    }

    fn host(&self, variation: &Variation) -> Host {
        let engine = variation.engine.clone();
        let (program, arguments): (&Path, Vec<OsString>) =
            match (variation.processor, &self.emulator) {
                (Some(processor), Some(emulator)) => {
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
        let runtime = host.probe().await?;
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

fn threads(count: usize) -> String {
    match count {
        1 => "1 thread".into(),
        more => format!("{more} threads"),
    }
}

fn level(optimization: Optimization) -> &'static str {
    match optimization {
        Optimization::Off => "off",
        Optimization::Basic => "basic",
        Optimization::Extended => "extended",
        Optimization::All => "all",
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variations_are_all_different_and_start_with_the_defaults() {
        let mut lab = Lab::new(EngineConfig::default(), false).unwrap();
        let native = lab.variations(false, false);
        // Three thread counts, four levels, deterministic or not; and the defaults twice.
        assert_eq!(native.len(), 3 * 4 * 2 + 1);
        assert_eq!(native.first(), Some(&lab.base()));
        assert_eq!(lab.variations(true, false).len(), native.len() + 6);
        lab.emulator = Some("/usr/bin/qemu-x86_64".into());
        let all = lab.variations(true, false);
        assert_eq!(all.len(), native.len() + 6 + 6);
        assert_eq!(lab.variations(false, false).len(), native.len() + 3);
        let mut names: Vec<&str> = all
            .iter()
            .map(|variation| variation.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(lab.variations(true, true).len() < native.len());
    }
}
