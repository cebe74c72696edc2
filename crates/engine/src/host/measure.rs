//! What runs and loads of each model took here: for admission, and for people.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use assay_protocol::Digest;
use serde::Serialize;

use super::ps;

/// Runs of one model that are remembered. Enough for a 95th percentile that means something.
const SAMPLES: usize = 128;
/// Models that are remembered; beyond, the one that was not used for longest is forgotten.
const MODELS: usize = 512;

/// One run: the size of its input file, and the time from handing it over to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub input_bytes: u64,
    pub took: Duration,
}

/// The measured times of one model on this machine, from the last runs since this process began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    #[serde(serialize_with = "ps::hex")]
    pub model: Digest,
    /// All runs since this process began; the figures below are of the last of them.
    pub runs: u64,
    pub last_ms: Option<f64>,
    pub median_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    /// The last load, from asking for an engine to the end of the warm-up.
    pub load_ms: Option<f64>,
    /// Of one engine right after that load, where it could be read.
    pub memory_bytes: Option<u64>,
    /// The last runs, the oldest first: for estimates by input size.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

#[derive(Debug, Default)]
struct Record {
    runs: u64,
    samples: VecDeque<Sample>,
    load: Option<Duration>,
    memory: Option<u64>,
    touched: u64,
}

/// Times of all models; bounded.
#[derive(Debug, Default)]
pub struct Measurements {
    models: BTreeMap<Digest, Record>,
    clock: u64,
}

impl Measurements {
    pub fn ran(&mut self, model: Digest, sample: Sample) {
        let record = self.record(model);
        record.runs = record.runs.saturating_add(1);
        if record.samples.len() == SAMPLES {
            record.samples.pop_front();
        }
        record.samples.push_back(sample);
    }

    pub fn loaded(&mut self, model: Digest, took: Duration, memory: Option<u64>) {
        let record = self.record(model);
        record.load = Some(took);
        record.memory = memory.or(record.memory);
    }

    pub fn of(&self, model: &Digest) -> Option<Measured> {
        let record = self.models.get(model)?;
        Some(measured(*model, record))
    }

    /// The most recently used first.
    pub fn all(&self) -> Vec<Measured> {
        let mut records: Vec<_> = self.models.iter().collect();
        records.sort_by_key(|(_, record)| std::cmp::Reverse(record.touched));
        records
            .into_iter()
            .map(|(model, record)| measured(*model, record))
            .collect()
    }

    fn record(&mut self, model: Digest) -> &mut Record {
        self.clock = self.clock.saturating_add(1);
        if self.models.len() >= MODELS && !self.models.contains_key(&model) {
            let oldest = self.models.iter().min_by_key(|(_, record)| record.touched);
            if let Some(oldest) = oldest.map(|(model, _)| *model) {
                self.models.remove(&oldest);
            }
        }
        let record = self.models.entry(model).or_default();
        record.touched = self.clock;
        record
    }
}

fn measured(model: Digest, record: &Record) -> Measured {
    let mut sorted: Vec<Duration> = record.samples.iter().map(|sample| sample.took).collect();
    sorted.sort_unstable();
    // The smallest time that at least this share of the runs kept within.
    let quantile = |percent: usize| {
        let rank = (sorted.len().saturating_mul(percent)).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().map(millis)
    };
    Measured {
        model,
        runs: record.runs,
        last_ms: record.samples.back().map(|sample| millis(sample.took)),
        median_ms: quantile(50),
        p95_ms: quantile(95),
        load_ms: record.load.map(millis),
        memory_bytes: record.memory,
        samples: record.samples.iter().copied().collect(),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(millis: u64) -> Sample {
        Sample {
            input_bytes: millis,
            took: Duration::from_millis(millis),
        }
    }

    fn digest(number: usize) -> Digest {
        Digest::of(&[&number.to_le_bytes()])
    }

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let mut times = Measurements::default();
        let model = digest(0);
        assert_eq!(times.of(&model), None);
        times.loaded(model, Duration::from_millis(7), Some(9));
        let measured = times.of(&model).unwrap();
        assert_eq!((measured.median_ms, measured.load_ms), (None, Some(7.0)));
        for millis in (1..=100).rev() {
            times.ran(model, sample(millis));
        }
        times.loaded(model, Duration::from_millis(8), None);
        let measured = times.of(&model).unwrap();
        assert_eq!(measured.last_ms, Some(1.0));
        assert_eq!(measured.median_ms, Some(50.0));
        assert_eq!(measured.p95_ms, Some(95.0));
        assert_eq!((measured.runs, measured.memory_bytes), (100, Some(9)));
        assert_eq!(measured.samples[0], sample(100));
    }

    #[test]
    fn old_runs_and_models_are_forgotten() {
        let mut times = Measurements::default();
        for millis in 0..1_000 {
            times.ran(digest(0), sample(millis));
        }
        let measured = times.of(&digest(0)).unwrap();
        assert_eq!((measured.runs, measured.samples.len()), (1_000, SAMPLES));
        assert_eq!(measured.samples[0].input_bytes, 1_000 - 128);
        for number in 1..MODELS {
            times.ran(digest(number), sample(1));
        }
        times.ran(digest(0), sample(1));
        times.ran(digest(MODELS), sample(1));
        assert!(times.of(&digest(1)).is_none(), "unused for longest");
        assert!(times.of(&digest(0)).is_some());
        assert_eq!(times.all().len(), MODELS);
        assert_eq!(times.all()[0].model, digest(MODELS));
    }
}
