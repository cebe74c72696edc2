//! Inference, behind a synchronous [`Backend`] and a process boundary.
//!
//! This crate exists to forbid chain clients, keys and configuration files to what runs strangers'
//! models; it is also the only one that names `ort`.
//!
//! The worker and the command line talk to a [`Host`]. It starts their own executable with the
//! argument `engine` as a child process, one for each model, hands it the model and the input over a
//! pipe and takes the outputs back. The child holds no keys, and whatever a model does to it (crash,
//! hang, nonsense) comes back as an [`EngineError`]; only a model that fails by its own rules on a
//! valid input is an answer.
//!
//! | module | does |
//! |---|---|
//! | `tensor` | tensors and their safetensors form |
//! | `info` | what a model takes and gives; whether an input fits, before anything is paid |
//! | `inspect` | what is refused by looking at the file: references to other files, odd types |
//! | `runtime` | the backend over ONNX Runtime; the only place that names `ort` |
//! | `settings` | what audited and fast work are set to |
//! | `placement` | which provider runs which nodes |
//! | `sandbox` | what a child gives up before it sees a model |
//! | `frame`, `child`, `host` | the pipe, its far end, its near end |
//! | `shared` | the memory through which models and tensors go |
//! | `hardware` | what the machine has, and what its sensors tell |
//! | `trial`, `selection` | whether a provider works, and which one `auto` means |
//! | `class` | the digest of what a result depends on |
//! | `batch` | several inputs in one run |
//! | `carry` | what an engine keeps between the runs of a sequence |
//! | `answer` | canonical root and hints of an outcome |

mod answer;
mod backend;
mod batch;
mod carry;
mod child;
mod class;
mod config;
mod error;
mod frame;
mod hardware;
mod host;
mod info;
mod inspect;
mod placement;
mod runtime;
mod sandbox;
mod selection;
mod settings;
mod shared;
mod tensor;
mod trial;

pub use answer::{Answer, AuditFault, ProfileMismatch};
pub use backend::{Backend, LoadError, ModelFailure, ModelRefused, Outcome, RunError};
pub use batch::{Form, alike, split};
pub use carry::Carry;
pub use child::child_main;
pub use class::{Class, ClassError};
pub use config::{EngineConfig, Limits, Optimization, Provider, Sandbox};
pub use error::{EngineError, Fault, RuntimeFault};
pub use hardware::{
    Cpu, Energy, EnergyCounter, Gpu, GpuReading, Hardware, Memory, Needed, Nvidia, ProviderLibrary,
    Readings, RuntimeLibrary, Sensors, instruction_sets,
};
pub use host::{
    EngineState, EngineStatus, Host, HostConfig, Measured, Model, OptimisedError, OptimisedModels,
    Probe, Ps, Sample, Sequence, Step, Work, kept_of,
};
pub use info::{Dimension, InputMismatch, ModelInfo, TensorInfo};
pub use inspect::inspect;
pub use placement::{Placed, Placement};
pub use runtime::{OrtBackend, Runtime};
pub use sandbox::{Attempt, Call, Confinement, Missing};
pub use selection::{Selection, Tried, Verdict};
pub use settings::{Mode, Settings};
pub use tensor::{DType, Tensor, from_safetensors, to_safetensors, type_name};
pub use trial::{ModelTrial, Trial, TrialFault, trial};
