//! Processor and memory.

use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The processor that this process may use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cpu {
    /// As the processor calls itself.
    pub model: Option<String>,
    /// What runs at the same time, as far as this process is allowed to.
    pub threads: usize,
    /// Cores of the machine; fewer than threads where each runs two.
    pub cores: Option<usize>,
    /// Those that ONNX Runtime has kernels for, and that processor and kernel allow.
    pub instruction_sets: Vec<String>,
}

impl Cpu {
    pub fn look() -> Self {
        let refresh = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
        let system = System::new_with_specifics(refresh).ok();
        let model = system
            .as_ref()
            .and_then(|system| system.cpus().first())
            .map(|cpu| cpu.brand().trim().to_owned())
            .filter(|brand| !brand.is_empty());
        Self {
            model,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cores: System::physical_core_count().ok(),
            instruction_sets: instruction_sets(),
        }
    }
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    pub total_bytes: u64,
    /// Free, or in caches that give way.
    pub available_bytes: u64,
    /// What a container or service is held to, if that is less than the machine has.
    pub limit_bytes: Option<u64>,
}

impl Memory {
    pub fn look() -> Self {
        let refresh = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let Ok(system) = System::new_with_specifics(refresh) else {
            return Self::default();
        };
        let total_bytes = system.total_memory();
        let limit = system.cgroup_limits().map(|limits| limits.total_memory);
        Self {
            total_bytes,
            available_bytes: system.available_memory(),
            limit_bytes: limit.filter(|limit| *limit < total_bytes),
        }
    }
}

/// Names of the instruction sets that ONNX Runtime chooses its kernels by, of those this process can
/// use, in a fixed order. Read from the processor itself, so it needs no file.
pub fn instruction_sets() -> Vec<String> {
    let mut sets = detected();
    sets.extend(tiles());
    sets.into_iter().map(str::to_owned).collect()
}

macro_rules! present {
    ($detect:ident: $($name:tt)*) => {
        [$(($name, std::arch::$detect!($name))),*]
            .into_iter()
            .filter_map(|(name, present)| present.then_some(name))
            .collect()
    };
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vec<&'static str> {
    present!(is_x86_feature_detected:
        "sse2" "sse4.1" "sse4.2" "avx" "f16c" "fma" "avx2" "avxvnni" "avx512f" "avx512cd"
        "avx512bw" "avx512dq" "avx512vl" "avx512vnni" "avx512bf16" "avx512fp16")
}

#[cfg(target_arch = "aarch64")]
fn detected() -> Vec<&'static str> {
    present!(is_aarch64_feature_detected:
        "neon" "fp16" "dotprod" "bf16" "i8mm" "sve" "sve2" "sme")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected() -> Vec<&'static str> {
    Vec::new()
}

/// Intel's matrix tiles, which the standard library does not yet tell.
#[cfg(target_arch = "x86_64")]
fn tiles() -> Vec<&'static str> {
    let leaf = std::arch::x86_64::__cpuid(0);
    if leaf.eax < 7 || !enabled() {
        return Vec::new();
    }
    let bits = std::arch::x86_64::__cpuid_count(7, 0).edx;
    [(22, "amx-bf16"), (24, "amx-tile"), (25, "amx-int8")]
        .into_iter()
        .filter_map(|(bit, name)| (bits >> bit & 1 == 1).then_some(name))
        .collect()
}

/// Whether the kernel keeps the tiles' registers, without which they cannot be used.
#[cfg(target_arch = "x86_64")]
fn enabled() -> bool {
    const TILES: u64 = 0b11 << 17;
    if !std::arch::is_x86_feature_detected!("xsave") {
        return false;
    }
    // The bit that `xgetbv` exists for user space: what the instruction itself needs.
    let allowed = std::arch::x86_64::__cpuid(1).ecx >> 27 & 1 == 1;
    #[expect(
        unsafe_code,
        reason = "the standard library has no safe way to ask for AMX"
    )]
    // SAFETY: `xgetbv` of register 0 is there wherever the two checks above hold, and only reads.
    let state = allowed.then(|| unsafe { std::arch::x86_64::_xgetbv(0) });
    state.is_some_and(|state| state & TILES == TILES)
}

#[cfg(not(target_arch = "x86_64"))]
fn tiles() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn instruction_sets_are_those_that_the_kernel_lists() {
        let facts = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let line = |key: &str| facts.lines().find(|line| line.starts_with(key));
        let flags = line("flags").or_else(|| line("Features")).unwrap();
        let flags: Vec<String> = flags
            .split_whitespace()
            .map(|flag| flag.replace('_', ""))
            .collect();
        let found = instruction_sets();
        // The kernel's names, but for what it calls otherwise on ARM.
        for set in found.iter().filter(|_| cfg!(target_arch = "x86_64")) {
            let kernel = set.replace(['.', '-', '_'], "");
            assert!(flags.contains(&kernel), "{set} is not among {flags:?}");
        }
        assert_eq!(found, instruction_sets());
    }
}
