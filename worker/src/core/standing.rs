//! Whether new work is taken, and everything that stands against it.

use std::collections::BTreeMap;

use assay_protocol::UnixSeconds;
use serde::{Deserialize, Serialize};

/// What keeps the worker from claiming jobs and from asking for seats. Nothing here ever stops what
/// is claimed already. The names are stable: metrics, `ps` and the status page show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// Journal and chain are being brought together.
    Starting,
    /// A signal asked the process to end.
    ShuttingDown,
    /// The operator asked for it; lasts over restarts until the operator says otherwise.
    Drained,
    /// The chain does not answer.
    ChainUnreachable,
    /// `policy.pause` names this hour.
    PauseWindow,
    /// The operator's key has too little for fees.
    Funds,
    /// Too many jobs failed.
    Failures,
    /// The account states a runtime class that this machine does not have.
    RuntimeClass,
    GpuTemperature,
    GpuPower,
    /// Others on this machine use the processor.
    CpuBusy,
    /// The disk has too little room for what the journal must still take.
    DiskFull,
}

impl Pause {
    pub const ALL: [Self; 12] = [
        Self::Starting,
        Self::ShuttingDown,
        Self::Drained,
        Self::ChainUnreachable,
        Self::PauseWindow,
        Self::Funds,
        Self::Failures,
        Self::RuntimeClass,
        Self::GpuTemperature,
        Self::GpuPower,
        Self::CpuBusy,
        Self::DiskFull,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::ShuttingDown => "shutting_down",
            Self::Drained => "drained",
            Self::ChainUnreachable => "chain_unreachable",
            Self::PauseWindow => "pause_window",
            Self::Funds => "funds",
            Self::Failures => "failures",
            Self::RuntimeClass => "runtime_class",
            Self::GpuTemperature => "gpu_temperature",
            Self::GpuPower => "gpu_power",
            Self::CpuBusy => "cpu_busy",
            Self::DiskFull => "disk_full",
        }
    }

    /// Whether it may end within seconds: what is prepared is worth its memory then.
    pub(super) fn is_short(self) -> bool {
        match self {
            Self::Starting | Self::ChainUnreachable => true,
            Self::ShuttingDown
            | Self::Drained
            | Self::PauseWindow
            | Self::Funds
            | Self::Failures
            | Self::RuntimeClass
            | Self::GpuTemperature
            | Self::GpuPower
            | Self::CpuBusy
            | Self::DiskFull => false,
        }
    }
}

/// One thing that stands against new work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub pause: Pause,
    /// Unix seconds of the chain's clock.
    pub since: i64,
    /// For people: the figures, and what would end it.
    pub detail: String,
}

/// All of them; new work is taken while there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    reasons: BTreeMap<Pause, Reason>,
}

impl Standing {
    pub fn is_accepting(&self) -> bool {
        self.reasons.is_empty()
    }

    pub fn has(&self, pause: Pause) -> bool {
        self.reasons.contains_key(&pause)
    }

    /// Whether all of it may end within seconds.
    pub(super) fn is_short(&self) -> bool {
        self.reasons.keys().all(|pause| pause.is_short())
    }

    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.values()
    }

    /// Whether it is news.
    pub(super) fn add(&mut self, pause: Pause, detail: String, now: UnixSeconds) -> bool {
        let since = now.0;
        let reason = self.reasons.entry(pause);
        let known = matches!(reason, std::collections::btree_map::Entry::Occupied(_));
        let reason = reason.or_insert(Reason {
            pause,
            since,
            detail: String::new(),
        });
        reason.detail = detail;
        !known
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, pause: Pause) -> bool {
        self.reasons.remove(&pause).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_their_own_stable_names() {
        for pause in Pause::ALL {
            let name = serde_json::to_value(pause).unwrap();
            assert_eq!(name, pause.name());
        }
        let names: std::collections::BTreeSet<_> = Pause::ALL.map(Pause::name).into();
        assert_eq!(names.len(), Pause::ALL.len());
    }

    #[test]
    fn standing_with_two_reasons_accepts_only_after_both_are_gone() {
        let mut standing = Standing::default();
        assert!(standing.is_accepting());
        assert!(standing.add(Pause::Drained, "a".into(), UnixSeconds(5)));
        assert!(standing.add(Pause::Funds, "b".into(), UnixSeconds(6)));
        assert!(!standing.add(Pause::Funds, "c".into(), UnixSeconds(9)));
        let funds = standing.reasons().last().unwrap();
        assert_eq!((funds.since, funds.detail.as_str()), (6, "c"));
        assert!(standing.remove(Pause::Drained) && !standing.remove(Pause::Drained));
        assert!(!standing.is_accepting());
        assert!(standing.remove(Pause::Funds) && standing.is_accepting());
    }
}
