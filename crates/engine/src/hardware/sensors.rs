//! What changes while the machine works: heat, power, energy.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nvml_wrapper::{Nvml, enum_wrappers::device::TemperatureSensor};
use serde::Serialize;

use super::nvidia;

/// Where the kernel counts the energy of processors. Readable by root alone on most systems.
const POWERCAP: &str = "/sys/class/powercap";

/// Open sensors. Opening takes as long as the driver takes to start; reading takes milliseconds.
pub struct Sensors {
    nvml: Option<Nvml>,
    packages: Vec<Package>,
}

/// One look at all sensors. What cannot be read is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Readings {
    pub gpus: Vec<GpuReading>,
    /// One counter for each processor package.
    pub cpu_energy: Vec<EnergyCounter>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GpuReading {
    pub index: u32,
    pub uuid: Option<String>,
    pub celsius: Option<u32>,
    pub milliwatts: Option<u32>,
    /// Part of the last second or so in which a kernel ran.
    pub busy_percent: Option<u32>,
    pub free_bytes: Option<u64>,
    /// Since the driver was loaded.
    pub energy_millijoules: Option<u64>,
}

/// A counter that starts again at zero after its highest value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnergyCounter {
    pub name: String,
    pub microjoules: u64,
    pub highest_microjoules: u64,
}

/// What was used between two readings, by whatever ran. Absent where nothing counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Energy {
    pub cpu_millijoules: Option<u64>,
    pub gpu_millijoules: Option<u64>,
}

impl Sensors {
    pub fn open() -> Self {
        Self {
            nvml: Nvml::init().ok(),
            packages: packages(Path::new(POWERCAP)),
        }
    }

    /// Reads everything. Blocks while the driver answers.
    pub fn read(&self) -> Readings {
        let gpus = self
            .nvml
            .iter()
            .flat_map(nvidia::devices)
            .map(|(index, device)| GpuReading {
                index,
                uuid: device.uuid().ok(),
                celsius: device.temperature(TemperatureSensor::Gpu).ok(),
                milliwatts: device.power_usage().ok(),
                busy_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
                free_bytes: device.memory_info().ok().map(|memory| memory.free),
                energy_millijoules: device.total_energy_consumption().ok(),
            });
        Readings {
            gpus: gpus.collect(),
            cpu_energy: self.packages.iter().filter_map(Package::read).collect(),
        }
    }
}

impl Readings {
    /// The hottest device, whatever it works for.
    pub fn hottest_celsius(&self) -> Option<u32> {
        self.gpus.iter().filter_map(|gpu| gpu.celsius).max()
    }

    /// The power of all devices together, of those that tell.
    pub fn gpu_milliwatts(&self) -> Option<u64> {
        total(self.gpus.iter().map(|gpu| gpu.milliwatts.map(u64::from)))
    }

    /// What has been used since an earlier reading. A counter may have started again once between
    /// the two, which takes an hour or so on a busy processor.
    pub fn energy_since(&self, earlier: &Self) -> Energy {
        let cpu = self.cpu_energy.iter().map(|now| {
            let before = earlier.cpu_energy.iter().find(|old| old.name == now.name)?;
            Some(now.since(before) / 1000)
        });
        let gpu = self.gpus.iter().map(|now| {
            let same = |old: &&GpuReading| (old.index, &old.uuid) == (now.index, &now.uuid);
            let before = earlier.gpus.iter().find(same)?.energy_millijoules?;
            now.energy_millijoules?.checked_sub(before)
        });
        Energy {
            cpu_millijoules: total(cpu),
            gpu_millijoules: total(gpu),
        }
    }
}

impl EnergyCounter {
    fn since(&self, earlier: &Self) -> u64 {
        match self.microjoules.checked_sub(earlier.microjoules) {
            Some(used) => used,
            None => earlier
                .highest_microjoules
                .saturating_sub(earlier.microjoules)
                .saturating_add(self.microjoules),
        }
    }
}

/// The sum of those that are there; none if none is.
fn total(values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    values.flatten().reduce(u64::saturating_add)
}

/// A processor package that the kernel counts the energy of.
struct Package {
    name: String,
    folder: PathBuf,
    highest_microjoules: u64,
}

impl Package {
    fn read(&self) -> Option<EnergyCounter> {
        Some(EnergyCounter {
            name: self.name.clone(),
            microjoules: number(&self.folder.join("energy_uj"))?,
            highest_microjoules: self.highest_microjoules,
        })
    }
}

/// Parts of a package are left out: the package counts them already.
fn packages(powercap: &Path) -> Vec<Package> {
    let folders = fs::read_dir(powercap).into_iter().flatten().flatten();
    let mut packages: Vec<Package> = folders
        .filter_map(|entry| {
            let folder = entry.path();
            let name = fs::read_to_string(folder.join("name")).ok()?;
            let name = name.trim().to_owned();
            let highest_microjoules = number(&folder.join("max_energy_range_uj"))?;
            name.starts_with("package-").then_some(Package {
                name,
                folder,
                highest_microjoules,
            })
        })
        .collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    // The same package is listed a second time by its memory-mapped interface.
    packages.dedup_by(|a, b| a.name == b.name);
    packages
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(powercap: &Path, folder: &str, name: &str, microjoules: &str) {
        let folder = powercap.join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        fs::write(folder.join("energy_uj"), microjoules).unwrap();
        fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
    }

    fn sensors(powercap: &Path) -> Sensors {
        Sensors {
            nvml: None,
            packages: packages(powercap),
        }
    }

    #[test]
    fn energy_of_packages_is_counted_once_and_across_a_restart_of_the_counter() {
        let folder = tempfile::tempdir().unwrap();
        let powercap = folder.path();
        zone(powercap, "intel-rapl:0", "package-0", "262143328000\n");
        zone(powercap, "intel-rapl:0:0", "core", "5\n");
        zone(powercap, "intel-rapl:1", "package-1", "1000\n");
        zone(powercap, "intel-rapl-mmio:0", "package-0", "262143328000\n");
        let sensors = sensors(powercap);
        let before = sensors.read();
        assert_eq!(before.cpu_energy.len(), 2, "{before:?}");
        zone(powercap, "intel-rapl:0", "package-0", "9150\n");
        zone(powercap, "intel-rapl-mmio:0", "package-0", "9150\n");
        zone(powercap, "intel-rapl:1", "package-1", "3001000\n");
        let energy = sensors.read().energy_since(&before);
        // 850 + 9150 microjoules, and 3,000,000.
        assert_eq!(energy.cpu_millijoules, Some(10 + 3_000));
        assert_eq!(energy.gpu_millijoules, None);
    }

    #[test]
    fn counter_that_only_root_may_read_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        zone(folder.path(), "intel-rapl:0", "package-0", "12\n");
        let sensors = sensors(folder.path());
        let before = sensors.read();
        fs::remove_file(folder.path().join("intel-rapl:0/energy_uj")).unwrap();
        let after = sensors.read();
        assert!(after.cpu_energy.is_empty());
        assert_eq!(after.energy_since(&before), Energy::default());
    }

    #[test]
    fn devices_add_up_and_one_that_came_anew_does_not_count() {
        let gpu = |index, energy| GpuReading {
            index,
            celsius: Some(60 + index),
            milliwatts: Some(100_000),
            energy_millijoules: energy,
            ..GpuReading::default()
        };
        let readings = |gpus: Vec<GpuReading>| Readings {
            gpus,
            cpu_energy: vec![],
        };
        let before = readings(vec![gpu(0, Some(10)), gpu(1, Some(10))]);
        let after = readings(vec![gpu(0, Some(35)), gpu(1, Some(4)), gpu(2, Some(9))]);
        assert_eq!(after.energy_since(&before).gpu_millijoules, Some(25));
        assert_eq!(after.hottest_celsius(), Some(62));
        assert_eq!(after.gpu_milliwatts(), Some(300_000));
        assert_eq!(Readings::default().hottest_celsius(), None);
    }
}
