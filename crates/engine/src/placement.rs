//! Where a model's nodes run.

use serde::{Deserialize, Serialize};

use super::config::Provider;

/// Nodes of a loaded model by provider and operator, as its engine says: for people, since an engine
/// that a model has taken over may say anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement(pub Vec<Placed>);

/// How many nodes of one operator one provider runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// ONNX Runtime's name: `CPUExecutionProvider`.
    pub provider: String,
    pub operator: String,
    pub nodes: u32,
}

impl Placement {
    /// Each provider's share, the largest first.
    pub fn providers(&self) -> Vec<(&str, u32)> {
        let mut shares: Vec<(&str, u32)> = Vec::new();
        for placed in &self.0 {
            match shares.iter_mut().find(|(name, _)| *name == placed.provider) {
                Some((_, nodes)) => *nodes = nodes.saturating_add(placed.nodes),
                None => shares.push((&placed.provider, placed.nodes)),
            }
        }
        shares.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        shares
    }

    /// What runs elsewhere than on `provider`.
    pub fn elsewhere(&self, provider: Provider) -> impl Iterator<Item = &Placed> {
        self.0
            .iter()
            .filter(move |placed| placed.provider != provider.full_name())
    }
}

/// `CUDA 57, CPU 3`
impl std::fmt::Display for Placement {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, (provider, nodes)) in self.providers().into_iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            let name = provider
                .strip_suffix("ExecutionProvider")
                .unwrap_or(provider);
            write!(out, "{comma}{name} {nodes}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placement_names_what_runs_elsewhere() {
        let placed = |provider: &str, operator: &str, nodes| Placed {
            provider: format!("{provider}ExecutionProvider"),
            operator: operator.into(),
            nodes,
        };
        let placement = Placement(vec![
            placed("CPU", "Gather", 2),
            placed("CPU", "Shape", 1),
            placed("CUDA", "Gemm", 3),
            placed("CUDA", "Relu", 54),
        ]);
        assert_eq!(placement.to_string(), "CUDA 57, CPU 3");
        let away: Vec<&str> = placement
            .elsewhere(Provider::Cuda)
            .map(|placed| placed.operator.as_str())
            .collect();
        assert_eq!(away, ["Gather", "Shape"]);
        assert_eq!(placement.elsewhere(Provider::Cpu).count(), 2);
        assert_eq!(Placement::default().to_string(), "");
    }
}
