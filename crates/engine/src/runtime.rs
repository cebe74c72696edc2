//! The backend over ONNX Runtime. Nothing else in Assay names `ort`.

use std::{path::Path, sync::OnceLock};

use ort::{environment::Environment, error::ErrorCode, session::Session};
use serde::{Deserialize, Serialize};

use super::{
    backend::{Backend, LoadError, ModelRefused, RunError},
    config::{EngineConfig, Limits, Provider},
    error::RuntimeFault,
    hardware::instruction_sets,
    info::{ModelInfo, TensorInfo},
    inspect::{Inspected, inspect},
    placement::Placement,
    settings::{Mode, Settings},
    tensor::{Tensor, View},
};

mod assignment;
mod library;
mod ports;
mod run;
mod session;
mod values;

pub use library::locate;

use run::Kept;
use session::Graph;

/// The process's one environment: ONNX Runtime allows no second, nor a second library.
static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();

/// What runs models here, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// `1.31.1`
    pub version: String,
    /// Commit, branch and flags of the build.
    pub build: String,
    /// Providers that this build knows. Whether they work, only a run tells.
    pub providers: Vec<Provider>,
    /// What the processor offers it, as the engine's process sees it.
    pub instruction_sets: Vec<String>,
}

impl std::fmt::Display for Runtime {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ONNX Runtime {}, {}", self.version, self.build)
    }
}

/// ONNX Runtime with one model loaded.
pub struct OrtBackend {
    settings: Settings,
    limits: Limits,
    environment: Environment,
    runtime: Runtime,
    loaded: Option<Loaded>,
}

struct Loaded {
    session: Session,
    outputs: Vec<TensorInfo>,
    kept: Kept,
}

impl OrtBackend {
    /// Loads the library, unless this process already has. Which file it is gets decided by the
    /// first call alone.
    pub fn open(config: &EngineConfig, mode: Mode) -> Result<Self, RuntimeFault> {
        let path = locate(config.library.as_deref())?;
        let environment = match ENVIRONMENT.get() {
            Some(environment) => environment.clone(),
            None => {
                let opened = open_library(&path)?;
                ENVIRONMENT.get_or_init(|| opened).clone()
            }
        };
        let runtime = Runtime {
            version: library::version(&path)?,
            build: ort::info().trim().to_owned(),
            providers: session::built_in(),
            instruction_sets: instruction_sets(),
        };
        Ok(Self {
            settings: config.settings(mode),
            limits: config.limits.clone(),
            environment,
            runtime,
            loaded: None,
        })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Where the loaded model's nodes run; nothing before one is loaded.
    pub fn placement(&self) -> Result<Placement, RuntimeFault> {
        let session = self.loaded.as_ref().map(|loaded| &loaded.session);
        let read = session.map(assignment::read).transpose();
        Ok(read
            .map_err(|error| unexpected(&error))?
            .unwrap_or_default())
    }

    /// Gives ONNX Runtime a model that was not looked at. Only a sandbox that is tried does that.
    pub fn load_unchecked(&mut self, model: &[u8]) -> Result<ModelInfo, LoadError> {
        self.loaded = None;
        self.commit(model, &Inspected::default())
    }

    /// As [`Backend::load`], and has the optimised graph written to a path. A graph that cannot be written
    /// is loaded all the same; then this says why it was not.
    pub(crate) fn load_and_keep(
        &mut self,
        model: &[u8],
        path: &Path,
        is_touched: impl FnOnce() -> bool,
    ) -> Result<(ModelInfo, Option<String>), LoadError> {
        self.loaded = None;
        let inspected = inspect(model, self.limits.model_bytes)?;
        let reason = match self.make(model, Graph::Kept(path)) {
            Ok(session) => return Ok((self.take(session, &inspected)?, None)),
            Err(error) if is_touched() => error.to_string(),
            // It did not get as far as to be written.
            Err(error) => return Err(error),
        };
        let session = self.make(model, Graph::AsMade)?;
        Ok((self.take(session, &inspected)?, Some(reason)))
    }

    /// Loads what was written before, by a process that was given a model of which it said `info`. Such a
    /// graph has operators of ONNX Runtime's own, so it is not looked at: this is for a sandbox.
    pub(crate) fn load_optimised(
        &mut self,
        graph: &[u8],
        info: ModelInfo,
    ) -> Result<ModelInfo, LoadError> {
        self.loaded = None;
        let session = self.make(graph, Graph::Optimised)?;
        if !ports::fit(&session, &info) {
            let reason = "the optimised model has other inputs or outputs".into();
            return Err(RuntimeFault::Unexpected { reason }.into());
        }
        self.loaded = Some(Loaded {
            session,
            outputs: info.outputs.clone(),
            kept: Kept::new(),
        });
        Ok(info)
    }

    fn commit(&mut self, model: &[u8], inspected: &Inspected) -> Result<ModelInfo, LoadError> {
        let session = self.make(model, Graph::AsMade)?;
        self.take(session, inspected)
    }

    fn make(&self, model: &[u8], graph: Graph<'_>) -> Result<Session, LoadError> {
        let mut builder = session::builder(&self.environment, &self.settings, graph)?;
        let committed = builder.commit_from_memory(model);
        committed.map_err(|error| refusal(&error, self.settings.provider))
    }

    fn take(&mut self, session: Session, inspected: &Inspected) -> Result<ModelInfo, LoadError> {
        let info = ports::info(&session, inspected)?;
        self.loaded = Some(Loaded {
            session,
            outputs: info.outputs.clone(),
            kept: Kept::new(),
        });
        Ok(info)
    }
}

impl Backend for OrtBackend {
    fn load(&mut self, model: &[u8]) -> Result<ModelInfo, LoadError> {
        self.loaded = None;
        let inspected = inspect(model, self.limits.model_bytes)?;
        self.commit(model, &inspected)
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
        let inputs: Vec<View<'_>> = inputs.iter().map(View::from).collect();
        let mut outputs = Vec::new();
        self.run_on(&inputs, None, |output| {
            outputs.push(output.to_tensor());
            Ok(())
        })?;
        Ok(outputs)
    }
}

fn open_library(path: &Path) -> Result<Environment, RuntimeFault> {
    let unusable = |reason: String| RuntimeFault::LibraryUnusable {
        path: path.into(),
        reason,
    };
    let builder = ort::init_from(path).map_err(|error| unusable(error.to_string()))?;
    let environment = builder.with_name("assay").with_telemetry(false).build();
    environment.map_err(|error| unusable(error.to_string()))
}

/// Why a model was not loaded: the machine's fault, or the model's.
fn refusal<T>(error: &ort::Error<T>, provider: Provider) -> LoadError {
    /// What ONNX Runtime says where a node would fall back to the CPU.
    const FALLBACK: &str = "fallback to CPU EP has been explicitly disabled";
    if let Some(fault) = fault(error) {
        return fault.into();
    }
    let reason = said(error);
    if reason.contains(FALLBACK) {
        let provider = provider.name().into();
        return ModelRefused::NotPlaced { provider }.into();
    }
    ModelRefused::Unloadable { reason }.into()
}

/// Whether an error is the machine's rather than the model's. ONNX Runtime gives memory and device
/// trouble the same codes as a bad index, so its words are all there is to tell them apart.
fn fault<T>(error: &ort::Error<T>) -> Option<RuntimeFault> {
    const MEMORY: [&str; 5] = [
        "Failed to allocate memory",
        "bad_alloc",
        "bad allocation",
        "out of memory",
        "Available memory of",
    ];
    const DEVICE: [&str; 4] = [
        "CUDA failure",
        "CUDNN failure",
        "CUBLAS failure",
        "TensorRT EP",
    ];
    let reason = said(error);
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&MEMORY) {
        return Some(RuntimeFault::OutOfMemory { reason });
    }
    let broken = matches!(
        error.code(),
        ErrorCode::EngineError
            | ErrorCode::ExecutionProviderFailure
            | ErrorCode::DeviceReset
            | ErrorCode::ModelLoadCanceled
    );
    (broken || says(&DEVICE)).then_some(RuntimeFault::Device { reason })
}

/// What ONNX Runtime says. It quotes the model's names, which are a stranger's and of any length.
fn said<T>(error: &ort::Error<T>) -> String {
    const LONGEST: usize = 2_000;
    error.message().chars().take(LONGEST).collect()
}

fn unexpected<T>(error: &ort::Error<T>) -> RuntimeFault {
    RuntimeFault::Unexpected {
        reason: said(error),
    }
}

#[cfg(test)]
mod tests;
