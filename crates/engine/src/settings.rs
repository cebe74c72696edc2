//! How a session is set up: what an operator chose, under what the work asks for.

use serde::{Deserialize, Serialize};

use super::config::{EngineConfig, Optimization, Provider};

/// What a result is for. The worker decides, not its operator.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Others may compute it again and compare: every choice that changes rounding is fixed, and
    /// none is made by measuring.
    #[default]
    Audited,
    /// Nobody compares it: sessions, where the requester waits for each answer.
    Fast,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Audited => "audited",
            Self::Fast => "fast",
        }
    }
}

/// Every choice about a session that its result, or its time, depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    pub provider: Provider,
    pub device: i32,
    /// Threads of one inference: sums are split among them.
    pub threads: usize,
    /// Whether threads that wait for each other within a run keep their cores: waking one takes as long as the layer
    /// that it is to help with.
    pub spinning: bool,
    pub optimization: Optimization,
    /// Kernels that repeat their own result.
    pub deterministic: bool,
    /// 8-bit products that do not saturate on processors without VNNI.
    pub precise_quantized: bool,
    /// Products of 32-bit floats with 10 bits of mantissa, on NVIDIA devices.
    pub tf32: bool,
    /// Convolutions by whichever algorithm wins a race at the first run, on NVIDIA devices.
    pub racing: bool,
}

impl EngineConfig {
    /// An operator may loosen audited work by `engine.deterministic`, at its own risk; nothing an
    /// operator sets makes fast work slower than its threads.
    pub fn settings(&self, mode: Mode) -> Settings {
        let audited = mode == Mode::Audited;
        let deterministic = audited && self.deterministic;
        Settings {
            provider: self.provider,
            device: self.device,
            threads: if audited {
                self.threads.max(1)
            } else {
                self.fast_threads()
            },
            spinning: !audited,
            optimization: self.optimization,
            deterministic,
            precise_quantized: deterministic,
            tf32: !deterministic,
            racing: !audited,
        }
    }

    /// All threads of the machine, shared among the engines that may run at once.
    fn fast_threads(&self) -> usize {
        if self.fast_threads > 0 {
            return self.fast_threads;
        }
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = threads.checked_div(self.concurrency).unwrap_or(threads);
        share.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audited_work_is_set_to_repeat_itself_and_fast_work_is_not() {
        let config = EngineConfig {
            threads: 3,
            fast_threads: 7,
            ..EngineConfig::default()
        };
        let audited = config.settings(Mode::Audited);
        assert_eq!(audited.threads, 3);
        assert!(audited.deterministic && audited.precise_quantized);
        assert!(!audited.tf32 && !audited.racing && !audited.spinning);
        let fast = config.settings(Mode::Fast);
        assert_eq!(fast.threads, 7);
        assert!(!fast.deterministic && !fast.precise_quantized);
        assert!(fast.tf32 && fast.racing && fast.spinning);
        let same =
            |settings: &Settings| (settings.provider, settings.device, settings.optimization);
        assert_eq!(same(&audited), same(&fast));
        assert_eq!(Mode::default(), Mode::Audited);
    }

    #[test]
    fn operator_loosens_audited_work_but_starts_no_races_in_it() {
        let config = EngineConfig {
            deterministic: false,
            ..EngineConfig::default()
        };
        let audited = config.settings(Mode::Audited);
        assert!(!audited.deterministic && audited.tf32 && !audited.racing);
    }

    #[test]
    fn fast_threads_share_the_machine_and_are_never_none() {
        let threads = std::thread::available_parallelism().unwrap().get();
        let fast = |concurrency| {
            let config = EngineConfig {
                concurrency,
                ..EngineConfig::default()
            };
            config.settings(Mode::Fast).threads
        };
        assert_eq!(fast(1), threads);
        assert_eq!(fast(10_000), 1);
        assert_eq!(fast(0), threads);
    }
}
