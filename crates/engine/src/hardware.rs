//! What this machine has, as facts.
//!
//! Everything here is read from the processor, the kernel, the driver or a file. What cannot be read
//! is absent, with the reason where there is one; nothing is concluded from a name. Whether a
//! provider really works is another question, which only a run of it answers.

use std::path::Path;

use serde::Serialize;

mod cpu;
mod elf;
mod libraries;
mod nvidia;
mod sensors;

pub use cpu::{Cpu, Memory, instruction_sets};
pub use libraries::{Needed, ProviderLibrary, RuntimeLibrary};
pub use nvidia::{Gpu, Nvidia, counted};
pub use sensors::{Energy, EnergyCounter, GpuReading, Readings, Sensors};

/// One machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hardware {
    /// As Rust names it: `linux`, `macos`, `windows`. CoreML exists on one, DirectML on another.
    pub os: &'static str,
    /// `x86_64`, `aarch64`.
    pub arch: &'static str,
    pub cpu: Cpu,
    pub memory: Memory,
    pub nvidia: Nvidia,
    /// ONNX Runtime's library at hand, and what its providers need.
    pub runtime: RuntimeLibrary,
}

impl Hardware {
    /// Looks. `library` is what the configuration names, if it does. Takes some milliseconds, more
    /// where a driver has to wake a device.
    pub fn look(library: Option<&Path>) -> Self {
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpu: Cpu::look(),
            memory: Memory::look(),
            nvidia: Nvidia::look(),
            runtime: RuntimeLibrary::look(library),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_is_described_in_facts_that_scripts_can_read() {
        let hardware = Hardware::look(Some(Path::new("/nowhere/libonnxruntime.so")));
        assert!(hardware.cpu.threads >= 1);
        assert!(hardware.memory.total_bytes >= hardware.memory.available_bytes);
        assert!(hardware.memory.available_bytes > 0);
        if cfg!(target_arch = "x86_64") {
            // Part of the architecture, so there is no such machine without it.
            assert!(
                hardware
                    .cpu
                    .instruction_sets
                    .iter()
                    .any(|set| set == "sse2")
            );
        }
        let json = serde_json::to_value(&hardware).unwrap();
        let state = json["runtime"]["state"].as_str();
        assert_eq!(state, Some("absent"), "{json}");
        assert!(json["nvidia"]["state"].is_string(), "{json}");
    }
}
