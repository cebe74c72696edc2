//! The backend over ONNX Runtime. Nothing else in Assay names `ort`.

use std::{borrow::Cow, path::Path, sync::OnceLock};

use ort::{
    environment::Environment,
    ep::{self, ExecutionProviderDispatch},
    error::ErrorCode,
    session::{
        Session, SessionInputValue,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
    value::{Outlet, TensorElementType, ValueType},
};

use super::{
    backend::{Backend, LoadError, ModelFailure, ModelRefused, RunError},
    config::{EngineConfig, Optimization, Provider},
    error::RuntimeFault,
    info::{Dimension, ModelInfo, TensorInfo},
    inspect::{Inspected, inspect},
    tensor::{DType, Tensor},
};

mod library;
mod values;

pub use library::locate;

/// The process's one environment: ONNX Runtime allows no second, nor a second library.
static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();

/// ONNX Runtime with one model loaded.
pub struct OrtBackend {
    config: EngineConfig,
    environment: Environment,
    loaded: Option<Loaded>,
}

struct Loaded {
    session: Session,
    outputs: Vec<TensorInfo>,
}

impl OrtBackend {
    /// Loads the library, unless this process already has. Which file it is gets decided by the
    /// first call alone.
    pub fn open(config: &EngineConfig) -> Result<Self, RuntimeFault> {
        let environment = match ENVIRONMENT.get() {
            Some(environment) => environment.clone(),
            None => {
                let opened = open_library(&locate(config.library.as_deref())?)?;
                ENVIRONMENT.get_or_init(|| opened).clone()
            }
        };
        Ok(Self {
            config: config.clone(),
            environment,
            loaded: None,
        })
    }

    /// What the library says of itself: version, commit, build flags.
    pub fn describe(&self) -> String {
        ort::info().to_string()
    }

    fn builder(&self) -> Result<SessionBuilder, LoadError> {
        let threads = self.config.threads.max(1);
        let builder = || -> ort::Result<SessionBuilder> {
            let mut builder = Session::builder(&self.environment)?
                .with_no_environment_execution_providers()?
                .with_config_entry("session.load_model_format", "ONNX")?
                .with_optimization_level(level(self.config.optimization))?
                .with_parallel_execution(false)?
                .with_inter_threads(1)?
                .with_intra_threads(threads)?
                // Spinning takes a core from the other jobs while it waits.
                .with_intra_op_spinning(false)?
                .with_deterministic_compute(self.config.deterministic)?;
            if self.config.deterministic {
                // Without VNNI, 8-bit products saturate unless asked not to.
                builder = builder.with_precise_qmm()?;
            }
            if self.config.provider != Provider::Cpu {
                builder = builder.with_disable_cpu_fallback()?;
            }
            Ok(builder)
        };
        let builder = builder().map_err(|error| unexpected(&error))?;
        let provider = self.provider().error_on_failure();
        builder
            .with_execution_providers([provider])
            .map_err(|error| {
                let (provider, reason) = (self.config.provider.name().into(), error.to_string());
                RuntimeFault::ProviderUnavailable { provider, reason }.into()
            })
    }

    /// The settings of the GPU providers are those that repeat their results.
    fn provider(&self) -> ExecutionProviderDispatch {
        let device = self.config.device;
        match self.config.provider {
            Provider::Cpu => ep::CPU::default().with_arena_allocator(true).build(),
            Provider::Cuda => ep::CUDA::default()
                .with_device_id(device)
                .with_tf32(!self.config.deterministic)
                // The default benchmarks each algorithm and takes whichever won that day.
                .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
                .build(),
            Provider::Tensorrt => ep::TensorRT::default().with_device_id(device).build(),
            Provider::Coreml => ep::CoreML::default().build(),
            Provider::Directml => ep::DirectML::default().with_device_id(device).build(),
        }
    }
}

impl Backend for OrtBackend {
    fn load(&mut self, model: &[u8]) -> Result<ModelInfo, LoadError> {
        self.loaded = None;
        let inspected = inspect(model, self.config.limits.model_bytes)?;
        let session = self.builder()?.commit_from_memory(model).map_err(|error| {
            fault(&error).map_or_else(
                || {
                    LoadError::Refused(ModelRefused::Unloadable {
                        reason: error.to_string(),
                    })
                },
                LoadError::Fault,
            )
        })?;
        let info = ModelInfo {
            inputs: ports(session.inputs(), &inspected)?,
            outputs: ports(session.outputs(), &inspected)?,
            metadata: metadata(&session)?,
        };
        self.loaded = Some(Loaded {
            session,
            outputs: info.outputs.clone(),
        });
        Ok(info)
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
        let Some(loaded) = &mut self.loaded else {
            let reason = "a run was asked for before a model was loaded".into();
            return Err(RuntimeFault::Unexpected { reason }.into());
        };
        let values = inputs
            .iter()
            .map(|tensor| Ok((Cow::Borrowed(tensor.name.as_str()), values::give(tensor)?)))
            .collect::<ort::Result<Vec<(Cow<'_, str>, SessionInputValue<'_>)>>>()
            .map_err(|error| unexpected(&error))?;
        let outputs = loaded.session.run(values).map_err(|error| {
            fault(&error).map_or_else(
                || {
                    RunError::Failed(ModelFailure {
                        message: error.to_string(),
                    })
                },
                RunError::Fault,
            )
        })?;
        let mut room = self.config.limits.output_bytes;
        let mut tensors = Vec::with_capacity(loaded.outputs.len());
        for output in &loaded.outputs {
            let Some(value) = outputs.get(&output.name) else {
                let reason = format!("output `{}` is missing", output.name);
                return Err(RuntimeFault::Unexpected { reason }.into());
            };
            let tensor = values::take(output, value, &mut room, self.config.limits.output_bytes)?;
            tensors.push(tensor);
        }
        Ok(tensors)
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

fn level(optimization: Optimization) -> GraphOptimizationLevel {
    match optimization {
        Optimization::Off => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    }
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
    let reason = error.message().to_string();
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

fn unexpected<T>(error: &ort::Error<T>) -> RuntimeFault {
    RuntimeFault::Unexpected {
        reason: error.message().to_string(),
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
