//! The ways in which an honest provider may come to a result here.

use assay_engine::{EngineConfig, Optimization, Provider};

use super::lab::Lab;

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
pub struct Place {
    pub size: usize,
    pub position: usize,
}

/// One honest way to run the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Variation {
    pub name: String,
    pub engine: EngineConfig,
    /// As QEMU calls it; none for the processor that is here.
    pub processor: Option<&'static str>,
    pub place: Option<Place>,
}

impl Variation {
    /// What it differs in.
    pub const fn family(&self) -> Family {
        match (self.processor, self.place, self.engine.provider) {
            (Some(_), _, _) => Family::Processor,
            (None, Some(_), _) => Family::Batch,
            (None, None, Provider::Cpu) => Family::Settings,
            (None, None, _) => Family::Device,
        }
    }
}

/// What a variation differs in from the worker's own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Settings,
    Batch,
    Processor,
    Device,
}

impl Family {
    pub const ALL: [Self; 4] = [Self::Settings, Self::Batch, Self::Processor, Self::Device];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "threads, optimisation",
            Self::Batch => "place in a batch",
            Self::Processor => "instruction sets",
            Self::Device => "devices",
        }
    }
}

impl Lab {
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
        if !quick {
            all.extend(self.providers());
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

    /// Other devices. Those that are not there fail to load a model, and say so.
    fn providers(&self) -> impl Iterator<Item = Variation> {
        let others = [
            Provider::Cuda,
            Provider::Tensorrt,
            Provider::Coreml,
            Provider::Directml,
        ];
        others
            .into_iter()
            .filter(|provider| *provider != self.engine.provider)
            .map(|provider| Variation {
                name: format!("the execution provider {}", provider.name()),
                engine: EngineConfig {
                    provider,
                    ..self.engine.clone()
                },
                processor: None,
                place: None,
            })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variations_are_all_different_and_start_with_the_defaults() {
        let mut lab = Lab::new(EngineConfig::default(), false).unwrap();
        let native = lab.variations(false, false);
        // Three thread counts, four levels, deterministic or not; the defaults twice; four devices.
        assert_eq!(native.len(), 3 * 4 * 2 + 1 + 4);
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
