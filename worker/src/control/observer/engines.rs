//! The engines' processes and what their models took.

use assay_client::protocol::Digest;
use assay_engine::{EngineStatus, Ps};

use crate::{
    config::SessionModel,
    control::snapshot::{Engine, Placed},
};

/// Those at work first; of jobs, then of sessions.
pub(super) fn seen(
    jobs: &Ps,
    name: impl Fn(&Digest) -> Option<String>,
    sessions: Option<(&Ps, &[SessionModel])>,
) -> Vec<Engine> {
    let mut engines: Vec<Engine> = of(jobs, name).collect();
    if let Some((ps, models)) = sessions {
        let named = |digest: &Digest| {
            let mut models = models.iter();
            let found = models.find(|model| model.digest().is_ok_and(|its| its == *digest));
            found.map(|model| model.name.clone())
        };
        engines.extend(of(ps, named).map(|engine| Engine {
            sessions: true,
            ..engine
        }));
    }
    engines.sort_by_key(|engine| engine.idle_secs.is_some());
    engines
}

fn of(ps: &Ps, name: impl Fn(&Digest) -> Option<String>) -> impl Iterator<Item = Engine> {
    ps.engines.iter().map(move |engine| one(ps, engine, &name))
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
        sessions: false,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use assay_client::session::Price;
    use assay_engine::{EngineState, Mode, Placement, Provider};

    use super::*;

    fn ps(digest: u8, idle: Option<u64>) -> Ps {
        let engine = EngineStatus {
            model: Some(Digest([digest; 32])),
            pid: None,
            state: EngineState::Idle,
            memory_bytes: None,
            started_for: Duration::ZERO,
            loaded_for: None,
            idle_for: idle.map(Duration::from_secs),
            runs: 3,
            provider: Provider::Cpu,
            mode: Mode::Fast,
            placement: Placement::default(),
            optimised: false,
        };
        Ps {
            engines: vec![engine],
            models: Vec::new(),
        }
    }

    #[test]
    fn engines_of_sessions_are_told_from_those_of_jobs_and_named_as_they_are_served() {
        let models = [SessionModel {
            model: "02".repeat(32),
            name: "chat".into(),
            price: Price::default(),
            max_tokens: None,
        }];
        let job = |_: &Digest| Some("digits".to_owned());
        let found = seen(&ps(1, Some(4)), job, Some((&ps(2, None), &models)));
        let shown = |engine: &Engine| (engine.model_name.clone().unwrap(), engine.sessions);
        let found: Vec<(String, bool)> = found.iter().map(shown).collect();
        let wanted = [("chat".to_owned(), true), ("digits".to_owned(), false)];
        assert_eq!(found, wanted, "what is at work comes first");
        assert_eq!(seen(&ps(1, None), job, None).len(), 1);
    }
}
