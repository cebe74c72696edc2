//! The models that are measured, and the engines that run them.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use assay_client::protocol::Digest;
use assay_engine::{DType, EngineConfig, Host, HostConfig, Mode, Model, Tensor, to_safetensors};
use assay_worker::serving::{ServingConfig, Shares};

use crate::{chain, stats};

/// Longer than any run; only a hang reaches it.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Columns of a row of rows.onnx.
const ROW: usize = 256;
/// 128 MiB of weights.
const MOST_LAYERS: usize = 2_048;

/// A model and an input for it.
pub struct Subject {
    pub name: &'static str,
    pub model: Model,
    pub file: Vec<u8>,
    pub input: Tensor,
}

impl Subject {
    /// A chain that an engine runs in about this time.
    pub async fn calibrated(name: &'static str, wanted: Duration) -> Result<Self> {
        let input = Tensor {
            name: "x".into(),
            dtype: DType::F32,
            shape: vec![chain::ROWS, chain::COLUMNS],
            data: chain::little_endian(&chain::input()),
        };
        let bytes = to_safetensors(std::slice::from_ref(&input))?;
        let mut layers = 64;
        for _ in 0..3 {
            let host = host(1)?;
            let model = Model::new(chain::chain(layers));
            let mut times = Vec::new();
            for _ in 0..60 {
                let began = Instant::now();
                host.run(&model, &bytes, LIMIT).await?;
                times.push(began.elapsed());
            }
            let took = stats::quantile(&times, 500);
            let scaled = u128::try_from(layers)?
                .saturating_mul(wanted.as_nanos())
                .checked_div(took.as_nanos());
            let scaled = scaled.context("a run that takes no time")?;
            layers = usize::try_from(scaled)?.clamp(1, MOST_LAYERS);
        }
        let file = chain::chain(layers);
        Ok(Self {
            name,
            model: Model::new(file.clone()),
            file,
            input,
        })
    }

    /// rows.onnx with one row.
    pub fn rows() -> Result<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/packages/rows.onnx");
        let file = fs::read(path).with_context(|| format!("{path} cannot be read"))?;
        let elements: Vec<f32> = chain::input().into_iter().take(ROW).collect();
        let input = Tensor {
            name: "row".into(),
            dtype: DType::F32,
            shape: vec![1, ROW],
            data: chain::little_endian(&elements),
        };
        Ok(Self {
            name: "rows.onnx",
            model: Model::new(file.clone()),
            file,
            input,
        })
    }

    pub fn digest(&self) -> Digest {
        self.model.digest()
    }

    /// The safetensors file that a requester sends.
    pub fn body(&self) -> Result<Vec<u8>> {
        Ok(to_safetensors(std::slice::from_ref(&self.input))?)
    }

    /// The model's file in this folder.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join("model.onnx");
        fs::write(&path, &self.file).with_context(|| format!("{} is not written", path.display()))
    }
}

/// How a worker serves one model to sessions.
pub fn serving(model: Digest, batch_size: usize) -> ServingConfig {
    ServingConfig {
        models: vec![model],
        engines: 1,
        batch_size,
        batch_wait: Duration::ZERO,
        queue: 256,
        max_tokens: 4_096,
        longest: std::collections::BTreeMap::new(),
        run_limit: LIMIT,
    }
}

/// Engines as a worker's sessions have them.
pub fn host(batch_size: usize) -> Result<Host> {
    let serving = serving(Digest([0; 32]), batch_size);
    let Shares { sessions, .. } = Shares::of(&EngineConfig::default(), &serving);
    Ok(Host::new(HostConfig::new(sessions)?).in_mode(Mode::Fast))
}
