//! What an operator may choose about inference.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::hardware::Memory;

/// The `[engine]` part of the worker's configuration; it also crosses the pipe to the child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// ONNX Runtime's shared library. Unset: `ORT_DYLIB_PATH`, then where `make bootstrap` puts it.
    pub library: Option<PathBuf>,
    /// What is started, with the argument `engine`, to run models. Unset: this executable. Whoever
    /// sets it answers for what it computes.
    pub program: Option<PathBuf>,
    pub provider: Provider,
    /// Which of several devices, counted as the provider counts them.
    pub device: i32,
    /// Threads of one inference. One keeps sums in one order and leaves cores to other jobs.
    pub threads: usize,
    /// The same for work that is never compared with another's. 0: the machine's, shared among the
    /// engines that may run at once.
    pub fast_threads: usize,
    /// Kernels that repeat their own result: what an auditor's run can be compared with.
    pub deterministic: bool,
    pub optimization: Optimization,
    /// Runs a model once on a sample after loading, so that the first paid run is not the slow one. Only
    /// by that is a model that was kept optimised known to be the same, so without it none is.
    pub warm_up: bool,
    /// Longest time to start a child and load a model before it is killed.
    pub load_timeout_secs: u64,
    /// Engines kept while they have nothing to do; each holds the memory of its model.
    pub warm_models: usize,
    /// Seconds after which such an engine ends.
    pub keep_alive_secs: u64,
    /// Bytes that all engines together may hold. To make room, idle ones end, the least recently used
    /// first; a model that alone needs more is refused. What a worker has prepared may take a quarter as
    /// much beside it. 0: three quarters of what the machine has, or the
    /// container is held to.
    pub memory_bytes: u64,
    /// Bytes on disk of models as they were optimised, so that the next load needs not do it again; 0
    /// keeps none. Where they lie is said by whoever makes a host.
    pub optimised_cache_bytes: u64,
    /// Keeps a process ready that the next model is loaded into.
    pub spare: bool,
    /// Microseconds that a short run's answer, and the run after it, are looked for in a loop before they
    /// are waited for asleep: an idle core takes longer to wake than such a call costs otherwise. Only
    /// where a core would lie idle, and for runs that came and ended as quickly the last time. 0: never.
    pub spin_us: u64,
    /// Inferences at the same time; each has its own process.
    pub concurrency: usize,
    /// Engines with the same model. 0: as many as may run at the same time.
    pub instances: usize,
    /// Models loaded at the same time only to look at them. They have places of their own, beside
    /// those of `concurrency`.
    pub preparing: usize,
    /// What must hold an engine before it is shown a model.
    pub sandbox: Sandbox,
    pub limits: Limits,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            library: None,
            program: None,
            provider: Provider::default(),
            device: 0,
            threads: 1,
            fast_threads: 0,
            deterministic: true,
            optimization: Optimization::default(),
            warm_up: true,
            load_timeout_secs: 120,
            warm_models: 8,
            keep_alive_secs: 300,
            memory_bytes: 0,
            optimised_cache_bytes: 4 << 30,
            spare: true,
            spin_us: 5_000,
            concurrency: 2,
            instances: 0,
            preparing: 1,
            sandbox: Sandbox::default(),
            limits: Limits::default(),
        }
    }
}

impl EngineConfig {
    pub fn load_timeout(&self) -> Duration {
        Duration::from_secs(self.load_timeout_secs)
    }

    /// Bytes that all engines together may hold.
    pub fn memory(&self) -> u64 {
        if self.memory_bytes > 0 {
            return self.memory_bytes;
        }
        let memory = Memory::look();
        match memory.limit_bytes.unwrap_or(memory.total_bytes) {
            0 => u64::MAX,
            total => total - total / 4,
        }
    }
}

/// Bytes that this worker holds in memory for one job, at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub model_bytes: u64,
    pub input_bytes: u64,
    pub output_bytes: u64,
    /// Memory of one engine beyond ONNX Runtime itself. What a model asks for above it is refused by
    /// the system and fails the run, not the machine. Not for GPU providers, whose drivers map more
    /// than there is.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // A model above 2 GiB cannot be one ONNX file anyway: that is protobuf's own limit.
        Self {
            model_bytes: 2 << 30,
            input_bytes: 64 << 20,
            output_bytes: 64 << 20,
            // While it is loaded, the largest model is held as a file, as a graph and packed.
            memory_bytes: 8 << 30,
        }
    }
}

/// How much of the sandbox a worker insists on. A model is a stranger's program in all but name, so
/// running one without the walls that were asked for is the owner's decision, never the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Every part, or the engine does not start.
    #[default]
    Required,
    /// What the system has; the rest is said at the start.
    BestEffort,
    /// None. For engines whose models are all one's own.
    Off,
}

/// What computes. A named provider that is missing, or cannot hold the whole model, is an error:
/// results from another device are not what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The best that works, found out by trying before any engine starts.
    Auto,
    #[default]
    Cpu,
    Cuda,
    Tensorrt,
    Coreml,
    Directml,
}

impl Provider {
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
            Self::Coreml => "coreml",
            Self::Directml => "directml",
        }
    }

    /// What ONNX Runtime calls it.
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Auto => "",
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
            Self::Tensorrt => "TensorrtExecutionProvider",
            Self::Coreml => "CoreMLExecutionProvider",
            Self::Directml => "DmlExecutionProvider",
        }
    }
}

/// How far ONNX Runtime rewrites the graph. Rewriting changes rounding, so the comparison profile
/// of a model is measured over all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimization {
    Off,
    Basic,
    Extended,
    #[default]
    All,
}

impl Optimization {
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Basic => "basic",
            Self::Extended => "extended",
            Self::All => "all",
        }
    }
}
