//! What this machine's processor, memory, disk and GPUs are doing.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use assay_engine::{Nvidia, Sensors as Meters};
use sysinfo::{Disk, DiskRefreshKind, Disks, System};

use super::snapshot::{Gpu, Level, Machine};

/// Read anew each time; the processor's load is of the time since the reading before.
#[derive(Clone)]
pub struct Gauges(Arc<Mutex<Sensors>>);

struct Sensors {
    /// None where this kind of machine cannot be asked.
    system: Option<System>,
    disks: Option<Disks>,
    data_dir: PathBuf,
    /// Opened by the first reading: the driver may take its time.
    gpus: Option<Gpus>,
}

/// What does not change of GPUs, and what is read of them.
struct Gpus {
    known: Nvidia,
    meters: Meters,
}

impl Gauges {
    /// `data_dir` tells which disk is meant.
    pub fn new(data_dir: &Path) -> Self {
        let mut system = System::new().ok();
        if let Some(system) = &mut system {
            system.refresh_cpu_usage();
        }
        let data_dir = data_dir.canonicalize();
        Self(Arc::new(Mutex::new(Sensors {
            system,
            disks: Disks::new_with_refreshed_list_specifics(
                DiskRefreshKind::nothing().with_storage(),
            )
            .ok(),
            data_dir: data_dir.unwrap_or_default(),
            gpus: None,
        })))
    }

    /// The kernel may take its time, so it is asked on a thread that may wait.
    pub async fn read(&self) -> Machine {
        let gauges = self.clone();
        let read = move || {
            let mut sensors = gauges.0.lock().unwrap_or_else(PoisonError::into_inner);
            sensors.read()
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }
}

impl Sensors {
    fn read(&mut self) -> Machine {
        let disk = self.disk();
        let gpus = self.gpus.get_or_insert_with(Gpus::open).read();
        let Some(system) = &mut self.system else {
            return Machine {
                disk,
                gpus,
                ..Machine::default()
            };
        };
        system.refresh_cpu_usage();
        system.refresh_memory();
        let total = system.total_memory();
        Machine {
            cpu_percent: Some(f64::from(system.global_cpu_usage())),
            cpus: u64::try_from(system.cpus().len()).ok(),
            memory: (total > 0).then(|| Level {
                used: system.used_memory(),
                total,
            }),
            disk,
            gpus,
        }
    }

    /// The disk whose mount point is the longest above the data folder.
    fn disk(&mut self) -> Option<Level> {
        let disks = self.disks.as_mut()?;
        disks.refresh_specifics(false, DiskRefreshKind::nothing().with_storage());
        let above = |disk: &&Disk| self.data_dir.starts_with(disk.mount_point());
        let depth = |disk: &&Disk| disk.mount_point().as_os_str().len();
        let disk = disks.iter().filter(above).max_by_key(depth)?;
        let total = disk.total_space();
        (total > 0).then(|| Level {
            used: total.saturating_sub(disk.available_space()),
            total,
        })
    }
}

impl Gpus {
    fn open() -> Self {
        Self {
            known: Nvidia::look(),
            meters: Meters::open(),
        }
    }

    fn read(&self) -> Vec<Gpu> {
        let readings = self.meters.read();
        let gpus = readings.gpus.iter().map(|reading| {
            let known = self
                .known
                .gpus()
                .iter()
                .find(|gpu| gpu.index == reading.index);
            let total = known.and_then(|gpu| gpu.memory_bytes);
            Gpu {
                name: known
                    .and_then(|gpu| gpu.name.clone())
                    .unwrap_or_else(|| format!("GPU {}", reading.index)),
                percent: reading.busy_percent.map(f64::from),
                memory: total.zip(reading.free_bytes).map(|(total, free)| Level {
                    used: total.saturating_sub(free),
                    total,
                }),
                celsius: reading.celsius.map(f64::from),
                watts: reading
                    .milliwatts
                    .map(|milliwatts| f64::from(milliwatts) / 1_000.0),
            }
        });
        gpus.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn machine_that_runs_this_has_a_processor_and_memory() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Gauges::new(folder.path()).read().await;
        assert!(machine.cpus.unwrap() >= 1);
        let memory = machine.memory.unwrap();
        assert!(memory.used > 0 && memory.used <= memory.total);
        assert!((0.0..=100.0).contains(&machine.cpu_percent.unwrap()));
    }
}
