//! The backend over ONNX Runtime. Nothing else in Assay names `ort`.

use std::{borrow::Cow, path::Path, sync::OnceLock};

use ort::{
    environment::Environment,
    error::ErrorCode,
    session::{Session, SessionInputValue},
    value::{Outlet, TensorElementType, ValueType},
};
use serde::{Deserialize, Serialize};

use super::{
    backend::{Backend, LoadError, ModelFailure, ModelRefused, RunError},
    config::{EngineConfig, Limits, Provider},
    error::RuntimeFault,
    hardware::instruction_sets,
    info::{Dimension, ModelInfo, TensorInfo},
    inspect::{Inspected, inspect},
    placement::Placement,
    settings::{Mode, Settings},
    tensor::{DType, Tensor, View},
};

mod assignment;
mod library;
mod session;
mod values;

pub use library::locate;

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

    /// As [`Backend::run`], but shows each output where ONNX Runtime has put it.
    pub(crate) fn run_on(
        &mut self,
        inputs: &[View<'_>],
        mut show: impl FnMut(View<'_>) -> Result<(), RuntimeFault>,
    ) -> Result<(), RunError> {
        let Some(loaded) = &mut self.loaded else {
            let reason = "a run was asked for before a model was loaded".into();
            return Err(RuntimeFault::Unexpected { reason }.into());
        };
        let values = inputs
            .iter()
            .map(|tensor| Ok((Cow::Borrowed(tensor.name.as_ref()), values::give(tensor)?)))
            .collect::<ort::Result<Vec<(Cow<'_, str>, SessionInputValue<'_>)>>>()
            .map_err(|error| unexpected(&error))?;
        let outputs = loaded.session.run(values).map_err(|error| {
            fault(&error).map_or_else(
                || {
                    RunError::Failed(ModelFailure {
                        message: said(&error),
                    })
                },
                RunError::Fault,
            )
        })?;
        let limit = self.limits.output_bytes;
        let mut room = limit;
        for output in &loaded.outputs {
            let Some(value) = outputs.get(&output.name) else {
                let reason = format!("output `{}` is missing", output.name);
                return Err(RuntimeFault::Unexpected { reason }.into());
            };
            values::take(output, value, (&mut room, limit), &mut show)?;
        }
        Ok(())
    }

    /// Gives ONNX Runtime a model that was not looked at. Only a sandbox that is tried does that.
    pub fn load_unchecked(&mut self, model: &[u8]) -> Result<ModelInfo, LoadError> {
        self.loaded = None;
        self.commit(model, &Inspected::default())
    }

    fn commit(&mut self, model: &[u8], inspected: &Inspected) -> Result<ModelInfo, LoadError> {
        let mut builder = session::builder(&self.environment, &self.settings)?;
        let committed = builder.commit_from_memory(model);
        let session = committed.map_err(|error| refusal(&error, self.settings.provider))?;
        let info = ModelInfo {
            inputs: ports(session.inputs(), inspected)?,
            outputs: ports(session.outputs(), inspected)?,
            metadata: metadata(&session)?,
        };
        self.loaded = Some(Loaded {
            session,
            outputs: info.outputs.clone(),
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
        self.run_on(&inputs, |output| {
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

fn ports(outlets: &[Outlet], inspected: &Inspected) -> Result<Vec<TensorInfo>, ModelRefused> {
    outlets
        .iter()
        .map(|outlet| port(outlet, inspected))
        .collect()
}

fn port(outlet: &Outlet, inspected: &Inspected) -> Result<TensorInfo, ModelRefused> {
    let name = outlet.name().to_string();
    let refuse = |found: String| ModelRefused::Type {
        name: name.clone(),
        found,
    };
    let (ty, sizes, symbols) = match outlet.dtype() {
        ValueType::Tensor {
            ty,
            shape,
            dimension_symbols,
        } => (*ty, shape, dimension_symbols),
        ValueType::Sequence(_) => return Err(refuse("a sequence".into())),
        ValueType::Map { .. } => return Err(refuse("a map".into())),
        ValueType::Optional(_) => return Err(refuse("optional".into())),
    };
    let dtype = carried(ty).ok_or_else(|| refuse(format!("a tensor of {ty}")))?;
    let dimension = |(index, size): (usize, &i64)| match usize::try_from(*size) {
        Ok(size) => Dimension::Fixed(size),
        Err(_) => match symbols.get(index) {
            Some(symbol) if !symbol.is_empty() => Dimension::Named(symbol.clone()),
            Some(_) | None => Dimension::Any,
        },
    };
    let ranked = !inspected.unranked.contains(&name);
    let shape = ranked.then(|| sizes.iter().enumerate().map(dimension).collect());
    Ok(TensorInfo { name, dtype, shape })
}

fn carried(ty: TensorElementType) -> Option<DType> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    match ty {
        TensorElementType::Bool => Some(DType::Bool),
        TensorElementType::Uint8 => Some(DType::U8),
        TensorElementType::Int8 => Some(DType::I8),
        TensorElementType::Uint16 => Some(DType::U16),
        TensorElementType::Int16 => Some(DType::I16),
        TensorElementType::Uint32 => Some(DType::U32),
        TensorElementType::Int32 => Some(DType::I32),
        TensorElementType::Uint64 => Some(DType::U64),
        TensorElementType::Int64 => Some(DType::I64),
        TensorElementType::Float16 => Some(DType::F16),
        TensorElementType::Bfloat16 => Some(DType::BF16),
        TensorElementType::Float32 => Some(DType::F32),
        TensorElementType::Float64 => Some(DType::F64),
        _ => None,
    }
}

fn metadata(session: &Session) -> Result<std::collections::BTreeMap<String, String>, RuntimeFault> {
    let read = || -> ort::Result<_> {
        let metadata = session.metadata()?;
        let pairs = metadata.custom_keys()?.into_iter().filter_map(|key| {
            let value = metadata.custom(&key)?;
            Some((key, value))
        });
        Ok(pairs.collect())
    };
    read().map_err(|error| unexpected(&error))
}

#[cfg(test)]
mod tests;
