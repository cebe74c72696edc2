//! The engines' processes and what their models took.

use assay_client::protocol::Digest;
use assay_engine::{EngineStatus, Ps};

use crate::control::snapshot::{Engine, Placed};

/// Those at work first.
pub(super) fn seen(ps: &Ps, name: impl Fn(&Digest) -> Option<String>) -> Vec<Engine> {
    let engines = ps.engines.iter();
    let mut engines: Vec<Engine> = engines.map(|engine| one(ps, engine, &name)).collect();
    engines.sort_by_key(|engine| engine.idle_secs.is_some());
    engines
}

fn one(ps: &Ps, engine: &EngineStatus, name: impl Fn(&Digest) -> Option<String>) -> Engine {
    let measured = ps
        .models
        .iter()
        .find(|measured| Some(measured.model) == engine.model);
    let placement = engine
        .placement
        .providers()
        .into_iter()
        .map(|(provider, nodes)| Placed {
            provider: short(provider).to_owned(),
            nodes,
        });
    Engine {
        model: engine.model.map(|model| hex::encode(model.0)),
        model_name: engine.model.as_ref().and_then(name),
        state: engine.state.name().to_owned(),
        pid: engine.pid,
        placement: placement.collect(),
        memory: engine.memory_bytes,
        runs: engine.runs,
        median_ms: measured.and_then(|measured| measured.median_ms),
        p95_ms: measured.and_then(|measured| measured.p95_ms),
        idle_secs: engine.idle_for.map(|idle| idle.as_secs()),
    }
}

fn short(provider: &str) -> &str {
    provider
        .strip_suffix("ExecutionProvider")
        .unwrap_or(provider)
}
