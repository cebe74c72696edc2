//! Why an inference has no answer, and whose concern that is.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{backend::ModelRefused, info::InputMismatch};

/// What the runtime around a model lacks or lost. Says nothing about the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuntimeFault {
    #[error(
        "ONNX Runtime's library is not at {path}; run `make bootstrap`, or set ORT_DYLIB_PATH or \
         `engine.library` to a libonnxruntime of version 1.24 or later"
    )]
    LibraryMissing { path: PathBuf },
    #[error(
        "ONNX Runtime at {path} cannot be used: {reason}; run `make bootstrap`, or point \
         ORT_DYLIB_PATH or `engine.library` to a libonnxruntime of version 1.24 or later"
    )]
    LibraryUnusable { path: PathBuf, reason: String },
    #[error(
        "the {provider} provider is not available: {reason}; install its ONNX Runtime and drivers, \
         or set `engine.provider = \"cpu\"` (`assay-worker class` tells what was tried with \"auto\")"
    )]
    ProviderUnavailable { provider: String, reason: String },
    #[error(
        "the sandbox is not complete: {missing}; update the kernel, or set \
         `engine.sandbox = \"best-effort\"` and list in `policy.models` whom you trust"
    )]
    Unconfined { missing: String },
    #[error(
        "the sandbox ended the engine before it saw a model (last words: {said}): this system's libraries make \
         system calls that Assay's list does not know; report it with their versions, and until then set \
         `engine.sandbox = \"off\"` and list in `policy.models` whom you trust"
    )]
    SandboxTooTight { said: String },
    #[error("not enough memory: {reason}; lower `engine.concurrency` or refuse such jobs")]
    OutOfMemory { reason: String },
    #[error(
        "the engine was killed from outside while it was to {doing}, as the kernel does when the machine has no memory \
         left; lower `engine.memory_bytes`"
    )]
    Killed { doing: String },
    #[error("the device failed: {reason}; look at its driver's log")]
    Device { reason: String },
    #[error("the outputs have {size} bytes and this worker gives at most {limit}")]
    OutputTooLarge { size: u64, limit: u64 },
    #[error("ONNX Runtime did what it should not: {reason}")]
    Unexpected { reason: String },
}

/// Whose concern an [`EngineError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The job's: no worker set up like this one can run it; do not claim it.
    Job,
    /// This inference's: the same job may succeed elsewhere or later.
    Run,
    /// The operator's: nothing runs here until the set-up is corrected.
    Setup,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Model(#[from] ModelRefused),
    #[error(transparent)]
    Input(#[from] InputMismatch),
    #[error(transparent)]
    Runtime(#[from] RuntimeFault),
    #[error("the engine could not be started from {program}: {source}")]
    Spawn {
        program: PathBuf,
        source: std::io::Error,
    },
    #[error("the engine ended by itself ({status}) while it was to {doing}; it last said: {said}")]
    Crashed {
        doing: &'static str,
        status: String,
        said: String,
    },
    #[error(
        "the model broke its engine ({status}) while it was to {doing}, whose last words were: {said}; nothing \
         but this job is lost, and no job with the model is claimed"
    )]
    ModelCrashed {
        doing: &'static str,
        status: String,
        said: String,
    },
    #[error(
        "the sandbox killed the engine (SIGSYS) for a system call that no inference makes, while it was to \
         {doing}: the model tried to get out, or ONNX Runtime needs more than it is given"
    )]
    BrokeOut { doing: &'static str },
    #[error(
        "the kernel ended the engine (SIGXCPU), which had used more processor time than its deadline allows, \
         while it was to {doing}"
    )]
    UsedUpTime { doing: &'static str },
    #[error("the engine took longer than {limit:?} to {doing} and was killed")]
    TimedOut {
        doing: &'static str,
        limit: Duration,
    },
    #[error("the engine answered nonsense ({reason}) when it was to {doing} and was killed")]
    Nonsense { doing: &'static str, reason: String },
    #[error("the engine was stopped while it was to {doing}")]
    Stopped { doing: &'static str },
    #[error(
        "the engine gave its memory up to other work while it was to {doing}; it is tried again, or raise \
         `engine.memory_bytes`"
    )]
    GaveWay { doing: &'static str },
}

impl EngineError {
    /// What a run's failure is on an engine that holds memory for others, if it does: for want of memory it has given
    /// way to them, whatever its own input.
    pub(crate) fn where_memory_is_shared(self, shares: bool) -> Self {
        let is_want = matches!(self, Self::Runtime(RuntimeFault::OutOfMemory { .. }));
        if !is_want || !shares {
            return self;
        }
        let doing = "run the model";
        Self::GaveWay { doing }
    }

    /// A stable name, for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Model(_) => "model_refused",
            Self::Input(_) => "input_mismatch",
            Self::Runtime(RuntimeFault::LibraryMissing { .. }) => "library_missing",
            Self::Runtime(RuntimeFault::LibraryUnusable { .. }) => "library_unusable",
            Self::Runtime(RuntimeFault::ProviderUnavailable { .. }) => "provider_unavailable",
            Self::Runtime(RuntimeFault::Unconfined { .. }) => "unconfined",
            Self::Runtime(RuntimeFault::SandboxTooTight { .. }) => "sandbox_too_tight",
            Self::Runtime(RuntimeFault::OutOfMemory { .. } | RuntimeFault::Killed { .. }) => {
                "out_of_memory"
            }
            Self::Runtime(RuntimeFault::Device { .. }) => "device_failed",
            Self::Runtime(RuntimeFault::OutputTooLarge { .. }) => "output_too_large",
            Self::Runtime(RuntimeFault::Unexpected { .. }) => "runtime_unexpected",
            Self::Spawn { .. } => "engine_not_started",
            Self::Crashed { .. } => "engine_crashed",
            Self::ModelCrashed { .. } => "model_crashed",
            Self::BrokeOut { .. } => "engine_broke_out",
            Self::UsedUpTime { .. } => "engine_used_up_time",
            Self::TimedOut { .. } => "engine_timed_out",
            Self::Nonsense { .. } => "engine_nonsense",
            Self::Stopped { .. } => "engine_stopped",
            Self::GaveWay { .. } => "engine_gave_way",
        }
    }

    pub fn fault(&self) -> Fault {
        match self {
            Self::Model(_)
            | Self::Input(_)
            | Self::Runtime(RuntimeFault::OutputTooLarge { .. })
            | Self::ModelCrashed { .. }
            | Self::BrokeOut { .. } => Fault::Job,
            Self::Runtime(
                RuntimeFault::LibraryMissing { .. }
                | RuntimeFault::LibraryUnusable { .. }
                | RuntimeFault::ProviderUnavailable { .. }
                | RuntimeFault::Unconfined { .. }
                | RuntimeFault::SandboxTooTight { .. },
            )
            | Self::Spawn { .. } => Fault::Setup,
            Self::Runtime(
                RuntimeFault::OutOfMemory { .. }
                | RuntimeFault::Killed { .. }
                | RuntimeFault::Device { .. }
                | RuntimeFault::Unexpected { .. },
            )
            | Self::Crashed { .. }
            | Self::UsedUpTime { .. }
            | Self::TimedOut { .. }
            | Self::Nonsense { .. }
            | Self::Stopped { .. }
            | Self::GaveWay { .. } => Fault::Run,
        }
    }
}
