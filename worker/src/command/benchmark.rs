//! What this machine computes, measured through the engine that jobs will use.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use assay_engine::{DType, Dimension, Host, Model, ModelInfo, Outcome, Tensor, to_safetensors};
use serde::Serialize;

/// Small and real: reads handwritten digits.
pub const DIGITS: &[u8] = include_bytes!("../../../models/digits.onnx");
/// A picture of a 3.
pub const THREE: &[u8] = include_bytes!("../../../models/digits/sample-3.safetensors");
/// Sixteen products of an n x n matrix with itself.
const MATMUL: &[u8] = include_bytes!("../../../models/benchmark/matmul.onnx");
const MATMUL_SIZE: usize = 512;
const MATMUL_PRODUCTS: u64 = 16;

/// Longest time for one run.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// How long to repeat each model, and how often at most.
const REPEAT_FOR: Duration = Duration::from_secs(2);
const MOST_RUNS: usize = 1_000;

/// One model's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    pub model: String,
    /// Sha256 in hex.
    pub digest: String,
    /// From nothing to ready, with the warm-up.
    pub load_ms: u64,
    pub runs: usize,
    /// Of one run, with nothing beside it.
    pub median_micros: u64,
    pub slowest_micros: u64,
    /// With all engines at work.
    pub concurrency: usize,
    pub runs_per_second: f64,
    /// Billions of floating-point operations a second, of one engine and of all, where they are
    /// known.
    pub gflops: Option<[f64; 2]>,
}

/// What is measured.
pub struct Subject {
    name: String,
    model: Model,
    input: Input,
    /// Floating-point operations of a run.
    operations: Option<u64>,
}

enum Input {
    File(Vec<u8>),
    /// Made once the model says what it takes.
    Zeros,
}

impl Subject {
    /// The digits model on a picture.
    pub fn digits() -> Self {
        Self {
            name: "digits (26 KiB)".into(),
            model: Model::new(DIGITS),
            input: Input::File(THREE.to_vec()),
            operations: None,
        }
    }

    /// Arithmetic alone.
    pub fn matmul() -> anyhow::Result<Self> {
        let size = u64::try_from(MATMUL_SIZE)?;
        Ok(Self {
            name: format!("{MATMUL_PRODUCTS} products of {MATMUL_SIZE}x{MATMUL_SIZE}"),
            model: Model::new(MATMUL),
            input: Input::File(to_safetensors(&[averaging_matrix()])?),
            operations: Some(MATMUL_PRODUCTS * 2 * size.pow(3)),
        })
    }

    /// A file, on zeros.
    pub fn file(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path)
            .with_context(|| format!("the model {} cannot be read", path.display()))?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            model: Model::new(bytes),
            input: Input::Zeros,
            operations: None,
        })
    }
}

/// Loads, warms up, and repeats: alone, then on as many engines as may work at once.
pub async fn measure(
    host: &Arc<Host>,
    subject: Subject,
    concurrency: usize,
) -> anyhow::Result<Measured> {
    let Subject {
        name,
        model,
        input,
        operations,
    } = subject;
    let started = Instant::now();
    let info = host.load(&model).await?;
    let load = started.elapsed();
    let input: Arc<[u8]> = match input {
        Input::File(bytes) => bytes.into(),
        Input::Zeros => zeros(&info)?.into(),
    };
    let mut alone = repeat(Arc::clone(host), model.clone(), Arc::clone(&input)).await?;
    alone.sort_unstable();
    let median = alone.get(alone.len() / 2).copied().unwrap_or_default();
    // Every engine is started and warm before the clock runs.
    let engines = 0..concurrency;
    let warm = engines.clone().map(|_| host.run(&model, &input, RUN_LIMIT));
    futures_util::future::try_join_all(warm).await?;
    let started = Instant::now();
    let tasks: Vec<_> = engines
        .map(|_| {
            let work = repeat(Arc::clone(host), model.clone(), Arc::clone(&input));
            tokio::spawn(work)
        })
        .collect();
    let mut runs = 0;
    for task in tasks {
        runs += task.await??.len();
    }
    let seconds = started.elapsed().as_secs_f64();
    let runs_per_second = runs as f64 / seconds;
    Ok(Measured {
        model: name,
        digest: hex::encode(model.digest().0),
        load_ms: u64::try_from(load.as_millis())?,
        runs: alone.len(),
        median_micros: u64::try_from(median.as_micros())?,
        slowest_micros: u64::try_from(alone.last().copied().unwrap_or_default().as_micros())?,
        concurrency,
        runs_per_second,
        gflops: operations.map(|operations| {
            let operations = operations as f64 / 1e9;
            [
                operations / median.as_secs_f64(),
                operations * runs_per_second,
            ]
        }),
    })
}

/// Runs again and again for a while; returns how long each run took.
async fn repeat(host: Arc<Host>, model: Model, input: Arc<[u8]>) -> anyhow::Result<Vec<Duration>> {
    let began = Instant::now();
    let mut times = Vec::new();
    loop {
        let started = Instant::now();
        if let Outcome::Failed(failure) = host.run(&model, &input, RUN_LIMIT).await? {
            anyhow::bail!("the model fails on this input: {failure}");
        }
        times.push(started.elapsed());
        if began.elapsed() >= REPEAT_FOR || times.len() >= MOST_RUNS {
            return Ok(times);
        }
    }
}

/// Every entry is 1/n, so each product is the matrix again.
fn averaging_matrix() -> Tensor {
    let entry = (1.0_f32 / MATMUL_SIZE as f32).to_le_bytes();
    Tensor {
        name: "a".into(),
        dtype: DType::F32,
        shape: vec![MATMUL_SIZE; 2],
        data: entry.repeat(MATMUL_SIZE * MATMUL_SIZE),
    }
}

/// An input of zeros; sizes that the model leaves open are 1.
fn zeros(info: &ModelInfo) -> anyhow::Result<Vec<u8>> {
    let mut tensors = Vec::new();
    for input in &info.inputs {
        let dimensions = input.shape.as_deref().unwrap_or_default();
        let size = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => *size,
            Dimension::Named(_) | Dimension::Any => 1,
        };
        let shape: Vec<usize> = dimensions.iter().map(size).collect();
        let bytes = shape
            .iter()
            .try_fold(input.dtype.size(), |bytes, size| bytes.checked_mul(*size))
            .filter(|bytes| *bytes <= 1 << 30)
            .with_context(|| format!("the input `{}` is too large to be made up", input.name))?;
        tensors.push(Tensor {
            name: input.name.clone(),
            dtype: input.dtype,
            shape,
            data: vec![0; bytes],
        });
    }
    Ok(to_safetensors(&tensors)?)
}

impl Measured {
    /// For people.
    pub fn text(&self) -> String {
        let milliseconds = |micros: u64| format!("{}.{:03} ms", micros / 1_000, micros % 1_000);
        let mut text = format!(
            "  {}\n    loaded in {} ms; a run takes {} (median of {}; slowest {})\n    {:.1} runs a second with \
             {} at once",
            self.model,
            self.load_ms,
            milliseconds(self.median_micros),
            self.runs,
            milliseconds(self.slowest_micros),
            self.runs_per_second,
            self.concurrency,
        );
        if let Some([one, all]) = self.gflops {
            text.push_str(&format!(
                "; {one:.1} GFLOP/s of one engine, {all:.1} of all"
            ));
        }
        text.push('\n');
        text
    }
}
