//! Models of a wanted duration, made for this machine.

use std::time::Duration;

use anyhow::{Context as _, Result};
use assay_engine::{EngineConfig, Model};

use crate::{bare::Bare, chain::chain, stats};

pub use crate::chain::{COLUMNS, ROWS, input, input_file, little_endian};

/// 64 MiB of weights.
const MOST_LAYERS: usize = 1_024;

/// A model, an input for it, and what it takes bare.
pub struct Subject {
    pub name: &'static str,
    pub model: Model,
    /// The model's file, for those who load it without [`Model`].
    pub file: Vec<u8>,
    pub layers: usize,
}

impl Subject {
    /// A model whose bare run takes about this long, found by running others.
    pub fn calibrated(name: &'static str, wanted: Duration, config: &EngineConfig) -> Result<Self> {
        let mut layers = 4;
        for _ in 0..3 {
            let mut bare = Bare::open(config, &chain(layers), config.threads)?;
            let runs = if wanted < Duration::from_millis(1) {
                400
            } else {
                40
            };
            let took = stats::quantile(&bare.times(runs)?, 500);
            let scaled = u128::try_from(layers)?
                .saturating_mul(wanted.as_nanos())
                .checked_div(took.as_nanos());
            let scaled = scaled.context("a run that takes no time")?;
            layers = usize::try_from(scaled)?.clamp(1, MOST_LAYERS);
        }
        let file = chain(layers);
        Ok(Self {
            name,
            model: Model::new(file.clone()),
            file,
            layers,
        })
    }
}
