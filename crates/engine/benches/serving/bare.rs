//! ONNX Runtime without Assay: one session in this process, with the settings that an engine has.

use std::{
    env,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use assay_engine::{EngineConfig, Mode};
use ort::{
    environment::Environment,
    ep,
    session::{Session, builder::GraphOptimizationLevel},
    value::TensorRef,
};

use crate::model::{COLUMNS, ROWS, input};

/// ONNX Runtime allows one in a process.
static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();

pub struct Bare {
    session: Session,
    input: Vec<f32>,
}

impl Bare {
    /// A warmed-up session of this model, on so many threads.
    pub fn open(config: &EngineConfig, model: &[u8], threads: usize) -> Result<Self> {
        let environment = match ENVIRONMENT.get() {
            Some(environment) => environment,
            None => ENVIRONMENT.get_or_init({
                let opened = library()?;
                || opened
            }),
        };
        let session = session(environment, config, model, threads)
            .map_err(|error| anyhow!("the bare session cannot be opened: {}", error.message()))?;
        let input = input();
        let mut bare = Self { session, input };
        bare.run()?;
        Ok(bare)
    }

    /// One run on an input that lies ready. The outputs are dropped where ONNX Runtime has put them.
    pub fn run(&mut self) -> Result<()> {
        let x = TensorRef::from_array_view(([ROWS, COLUMNS], &*self.input));
        let outputs = self.session.run(ort::inputs!["x" => x?])?;
        ensure!(outputs.len() == 1, "another number of outputs");
        Ok(())
    }

    /// The output's elements, for the comparison with an engine's.
    pub fn answer(&mut self) -> Result<Vec<f32>> {
        let x = TensorRef::from_array_view(([ROWS, COLUMNS], &*self.input))?;
        let outputs = self.session.run(ort::inputs!["x" => x])?;
        let y = outputs.get("y").context("no output")?;
        Ok(y.try_extract_tensor::<f32>()?.1.to_vec())
    }

    pub fn timed(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.run()?;
        Ok(began.elapsed())
    }

    pub fn times(&mut self, runs: usize) -> Result<Vec<Duration>> {
        (0..runs).map(|_| self.timed()).collect()
    }
}

fn library() -> Result<Environment> {
    let path = env::var_os("ORT_DYLIB_PATH")
        .context("ORT_DYLIB_PATH is not set; run `make bench`, or see scripts/bootstrap.sh")?;
    let builder = ort::init_from(&path)?;
    Ok(builder.with_name("assay").with_telemetry(false).build()?)
}

/// What an engine sets for audited work (`src/runtime/session.rs`), so that both run the same kernels.
fn session(
    environment: &Environment,
    config: &EngineConfig,
    model: &[u8],
    threads: usize,
) -> ort::Result<Session> {
    let settings = config.settings(Mode::Audited);
    let mut builder = Session::builder(environment)?
        .with_no_environment_execution_providers()?
        .with_config_entry("session.load_model_format", "ONNX")?
        .with_config_entry("session.record_ep_graph_assignment_info", "1")?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_parallel_execution(false)?
        .with_inter_threads(1)?
        .with_intra_threads(threads)?
        .with_intra_op_spinning(false)?
        .with_deterministic_compute(settings.deterministic)?;
    if settings.precise_quantized {
        builder = builder.with_precise_qmm()?;
    }
    let provider = ep::CPU::default().with_arena_allocator(true).build();
    let mut builder = builder.with_execution_providers([provider.error_on_failure()])?;
    builder.commit_from_memory(model)
}
