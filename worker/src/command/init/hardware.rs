//! What this machine has, as far as the operating system tells everybody.

use std::path::Path;

use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::artifacts::free_disk;

/// None where it cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hardware {
    pub system: Option<String>,
    pub processor: Option<String>,
    /// Hardware threads that this process may use.
    pub threads: Option<usize>,
    pub cores: Option<usize>,
    pub memory_bytes: Option<u64>,
    pub available_memory_bytes: Option<u64>,
    /// On the disk of the data folder.
    pub free_disk_bytes: Option<u64>,
}

/// Looks; the folder need not exist yet.
pub fn read(folder: &Path) -> Hardware {
    let kinds = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds).ok();
    let named = |text: &str| (!text.is_empty()).then(|| text.trim().to_owned());
    let positive = |bytes: u64| (bytes > 0).then_some(bytes);
    Hardware {
        system: System::long_os_version().ok(),
        processor: system
            .as_ref()
            .and_then(|system| named(system.cpus().first()?.brand())),
        threads: std::thread::available_parallelism().ok().map(Into::into),
        cores: System::physical_core_count().ok(),
        memory_bytes: system
            .as_ref()
            .and_then(|system| positive(system.total_memory())),
        available_memory_bytes: system
            .as_ref()
            .and_then(|system| positive(system.available_memory())),
        free_disk_bytes: free_disk(folder),
    }
}

impl Hardware {
    /// Engines that run beside each other without taking each other's cores.
    pub fn suggested_concurrency(&self, threads: usize) -> usize {
        let cores = self.cores.or(self.threads).unwrap_or(1);
        let cores = self.threads.map_or(cores, |threads| threads.min(cores));
        (cores / threads.max(1)).clamp(1, 8)
    }

    /// For people.
    pub fn text(&self) -> String {
        let unknown = || "not readable".to_owned();
        let text = |text: &Option<String>| text.clone().unwrap_or_else(unknown);
        let count = |count: Option<usize>| count.map_or_else(unknown, |count| count.to_string());
        let bytes = |count: Option<u64>| count.map_or_else(unknown, gibibytes);
        format!(
            "  system     {}\n  processor  {}, {} cores, {} threads for us\n  memory     {}, {} available\n  \
             disk       {} free\n",
            text(&self.system),
            text(&self.processor),
            count(self.cores),
            count(self.threads),
            bytes(self.memory_bytes),
            bytes(self.available_memory_bytes),
            bytes(self.free_disk_bytes),
        )
    }
}

/// Bytes in words.
pub fn gibibytes(bytes: u64) -> String {
    let tenths = bytes / (1 << 30) * 10 + bytes % (1 << 30) * 10 / (1 << 30);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_disk_and_a_thread() {
        let folder = tempfile::tempdir().unwrap();
        let hardware = read(&folder.path().join("not/there/yet"));
        assert!(hardware.free_disk_bytes.is_some(), "{hardware:?}");
        assert!(hardware.threads.is_some(), "{hardware:?}");
        assert!(hardware.text().lines().count() == 4);
    }

    #[test]
    fn engines_share_the_cores() {
        let with = |cores, threads| Hardware {
            cores,
            threads,
            ..Hardware::default()
        };
        assert_eq!(with(Some(16), Some(32)).suggested_concurrency(4), 4);
        assert_eq!(with(Some(64), Some(128)).suggested_concurrency(1), 8);
        // In a container that may use less than there is.
        assert_eq!(with(Some(64), Some(2)).suggested_concurrency(1), 2);
        assert_eq!(with(None, None).suggested_concurrency(4), 1);
        assert_eq!(gibibytes(3 << 29), "1.5 GiB");
        assert_eq!(gibibytes(u64::MAX).len(), "17179869183.9 GiB".len());
    }
}
