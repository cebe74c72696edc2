//! A session's settings in `ort`'s words.

use std::path::Path;

use ort::{
    environment::Environment,
    ep::{self, ExecutionProviderDispatch},
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};

use super::unexpected;
use crate::{
    backend::LoadError,
    config::{Optimization, Provider},
    error::RuntimeFault,
    settings::Settings,
};

/// What becomes of a model's graph.
#[derive(Clone, Copy, Debug)]
pub enum Graph<'a> {
    /// It is optimised.
    AsMade,
    /// It is optimised, and then written to a path.
    Kept(&'a Path),
    /// It was optimised before, and stays as it is.
    Optimised,
}

/// Microseconds that a thread keeps its core for the next layer: longer than another one takes to a layer's end, and
/// not long where that one has lost its core to somebody else.
const SPIN_US: &str = "20";

pub fn builder(
    environment: &Environment,
    settings: &Settings,
    graph: Graph<'_>,
) -> Result<SessionBuilder, LoadError> {
    let Some(provider) = provider(settings) else {
        let reason = "`auto` is a choice to be made before an engine starts".into();
        return Err(RuntimeFault::Unexpected { reason }.into());
    };
    let builder = plain(environment, settings, graph).map_err(|error| unexpected(&error))?;
    builder
        .with_execution_providers([provider.error_on_failure()])
        .map_err(|error| {
            let (provider, reason) = (settings.provider.name().into(), error.to_string());
            RuntimeFault::ProviderUnavailable { provider, reason }.into()
        })
}

fn plain(
    environment: &Environment,
    settings: &Settings,
    graph: Graph<'_>,
) -> ort::Result<SessionBuilder> {
    let optimization = match graph {
        Graph::AsMade | Graph::Kept(_) => settings.optimization,
        Graph::Optimised => Optimization::Off,
    };
    let mut builder = Session::builder(environment)?
        .with_no_environment_execution_providers()?
        .with_config_entry("session.load_model_format", "ONNX")?
        .with_config_entry("session.record_ep_graph_assignment_info", "1")?
        .with_optimization_level(level(optimization))?
        .with_parallel_execution(false)?
        .with_inter_threads(1)?
        .with_intra_threads(settings.threads)?
        .with_intra_op_spinning(settings.spinning)?
        // Between runs it would take a core from whoever has work.
        .with_config_entry("session.force_spinning_stop", "1")?
        .with_config_entry("session.intra_op.spin_duration_us", SPIN_US)?
        .with_deterministic_compute(settings.deterministic)?;
    if settings.precise_quantized {
        builder = builder.with_precise_qmm()?;
    }
    if settings.provider != Provider::Cpu {
        builder = builder.with_disable_cpu_fallback()?;
    }
    if let Graph::Kept(path) = graph {
        builder = builder
            .with_config_entry("session.save_model_format", "ONNX")?
            .with_optimized_model_path(path)?;
    }
    Ok(builder)
}

/// None for [`Provider::Auto`], which is none.
fn provider(settings: &Settings) -> Option<ExecutionProviderDispatch> {
    let device = settings.device;
    Some(match settings.provider {
        Provider::Auto => return None,
        Provider::Cpu => ep::CPU::default().with_arena_allocator(true).build(),
        Provider::Cuda => ep::CUDA::default()
            .with_device_id(device)
            .with_tf32(settings.tf32)
            .with_conv_algorithm_search(if settings.racing {
                ep::cuda::ConvAlgorithmSearch::Exhaustive
            } else {
                ep::cuda::ConvAlgorithmSearch::Heuristic
            })
            .build(),
        Provider::Tensorrt => ep::TensorRT::default().with_device_id(device).build(),
        Provider::Coreml => ep::CoreML::default().build(),
        Provider::Directml => ep::DirectML::default().with_device_id(device).build(),
    })
}

/// Those that this build of ONNX Runtime knows, whether or not the machine has them.
pub fn built_in() -> Vec<Provider> {
    use ort::ep::ExecutionProvider as _;
    let known = [
        (Provider::Cpu, ep::CPU::is_available()),
        (Provider::Cuda, ep::CUDA::is_available()),
        (Provider::Tensorrt, ep::TensorRT::is_available()),
        (Provider::Coreml, ep::CoreML::is_available()),
        (Provider::Directml, ep::DirectML::is_available()),
    ];
    known
        .into_iter()
        .filter_map(|(provider, there)| there.unwrap_or(false).then_some(provider))
        .collect()
}

fn level(optimization: Optimization) -> GraphOptimizationLevel {
    match optimization {
        Optimization::Off => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    }
}
