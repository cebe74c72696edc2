//! What the engines are doing, as others show it.

use std::{fmt, time::Duration};

use assay_protocol::Digest;
use serde::{Serialize, Serializer};

use super::measure::Measured;
use crate::{config::Provider, placement::Placement, settings::Mode};

/// Every engine of a host, and what the models took that it has run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ps {
    /// The longest running process first.
    pub engines: Vec<EngineStatus>,
    /// The most recently used first.
    pub models: Vec<Measured>,
}

/// One engine's process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineStatus {
    /// None before it has got one.
    #[serde(serialize_with = "maybe_hex")]
    pub model: Option<Digest>,
    pub pid: Option<u32>,
    pub state: EngineState,
    /// What the process holds in memory, where that can be read.
    pub memory_bytes: Option<u64>,
    /// Since it was started. As seconds in JSON, like the others.
    #[serde(serialize_with = "seconds", rename = "started_secs")]
    pub started_for: Duration,
    /// Since the model was loaded.
    #[serde(serialize_with = "maybe_seconds", rename = "loaded_secs")]
    pub loaded_for: Option<Duration>,
    /// Since the last run or load ended; none while it is at work.
    #[serde(serialize_with = "maybe_seconds", rename = "idle_secs")]
    pub idle_for: Option<Duration>,
    pub runs: u64,
    pub provider: Provider,
    pub mode: Mode,
    /// Where the model's nodes run; empty before it has got one.
    pub placement: Placement,
    /// Whether the model was loaded as it was optimised before.
    pub optimised: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineState {
    /// Started, and kept for the next model.
    Spare,
    /// Starting, loading or warming up.
    Loading,
    Idle,
    Running,
}

impl EngineState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Spare => "spare",
            Self::Loading => "loading",
            Self::Idle => "idle",
            Self::Running => "running",
        }
    }
}

pub struct Hex<'a>(pub &'a Digest);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .0
            .iter()
            .try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

pub fn hex<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Hex(digest))
}

fn maybe_hex<S: Serializer>(digest: &Option<Digest>, to: S) -> Result<S::Ok, S::Error> {
    match digest {
        Some(digest) => hex(digest, to),
        None => to.serialize_none(),
    }
}

fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

fn maybe_seconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Placed;

    #[test]
    fn snapshot_as_json_has_hex_digests_and_plain_seconds() {
        let status = EngineStatus {
            model: Some(Digest([0xab; 32])),
            pid: Some(7),
            state: EngineState::Idle,
            memory_bytes: Some(1_000),
            started_for: Duration::from_millis(2_500),
            loaded_for: Some(Duration::from_secs(2)),
            idle_for: None,
            runs: 3,
            provider: Provider::Cpu,
            mode: Mode::Audited,
            placement: Placement(vec![Placed {
                provider: Provider::Cpu.full_name().into(),
                operator: "Gemm".into(),
                nodes: 3,
            }]),
            optimised: true,
        };
        let ps = Ps {
            engines: vec![status],
            models: vec![],
        };
        let expected = serde_json::json!({
            "engines": [{
                "model": "ab".repeat(32), "pid": 7, "state": "idle", "memory_bytes": 1_000,
                "started_secs": 2.5, "loaded_secs": 2.0, "idle_secs": null, "runs": 3,
                "provider": "cpu", "mode": "audited",
                "placement": [{"provider": "CPUExecutionProvider", "operator": "Gemm", "nodes": 3}],
                "optimised": true,
            }],
            "models": [],
        });
        assert_eq!(serde_json::to_value(&ps).unwrap(), expected);
    }
}
