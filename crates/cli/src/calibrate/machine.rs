//! What computed.

use serde::Serialize;

/// The machine that a report is about.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub instruction_sets: String,
    pub cores: usize,
    pub runtime: String,
}

impl Machine {
    /// As far as the machine tells.
    pub fn here(runtime: String) -> Self {
        const WORTH_NAMING: [&str; 9] = [
            "sse4_2",
            "avx",
            "avx2",
            "fma",
            "avx512f",
            "avx512_vnni",
            "avx512_bf16",
            "avx512_fp16",
            "amx_tile",
        ];
        let facts = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let fact = |key: &str| {
            let line = facts.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = fact("flags")
            .or_else(|| fact("Features"))
            .unwrap_or_default();
        let found: Vec<&str> = WORTH_NAMING
            .into_iter()
            .filter(|name| flags.split_whitespace().any(|flag| flag == *name))
            .collect();
        Self {
            processor: fact("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            instruction_sets: found.join(", "),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            runtime,
        }
    }
}
