//! NVIDIA devices, as their driver tells through NVML.

use nvml_wrapper::{Device, Nvml, enum_wrappers::device::TemperatureThreshold, error::NvmlError};
use serde::Serialize;

/// The driver and its devices.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Nvidia {
    /// The driver's management library is not there or does not work.
    Absent { reason: String },
    Present {
        driver: Option<String>,
        /// Newest CUDA version that the driver can serve.
        cuda: Option<String>,
        gpus: Vec<Gpu>,
    },
}

/// One device. What its driver does not tell is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gpu {
    /// As NVML counts them, and as engines do: by their place on the bus.
    pub index: u32,
    pub name: Option<String>,
    pub uuid: Option<String>,
    pub memory_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    /// `9.0` and the like: decides which kernels a device can run.
    pub compute_capability: Option<String>,
    pub power_limit_milliwatts: Option<u32>,
    /// From here on the device slows itself down.
    pub slowdown_celsius: Option<u32>,
}

impl Nvidia {
    pub fn look() -> Self {
        match Nvml::init() {
            Ok(nvml) => Self::of(&nvml),
            Err(error) => Self::absent(&error),
        }
    }

    pub fn gpus(&self) -> &[Gpu] {
        match self {
            Self::Absent { .. } => &[],
            Self::Present { gpus, .. } => gpus,
        }
    }

    fn absent(error: &NvmlError) -> Self {
        let reason = if let NvmlError::LibloadingError(error) = error {
            format!(
                "the driver's library cannot be loaded ({error}); install NVIDIA's driver if there is such a device"
            )
        } else {
            format!("the driver does not answer: {error}; try `nvidia-smi`")
        };
        Self::Absent { reason }
    }

    fn of(nvml: &Nvml) -> Self {
        Self::Present {
            driver: nvml.sys_driver_version().ok(),
            cuda: nvml.sys_cuda_driver_version().ok().map(version),
            gpus: devices(nvml)
                .map(|(index, device)| gpu(index, &device))
                .collect(),
        }
    }
}

/// Every device that the driver gives out.
pub fn devices(nvml: &Nvml) -> impl Iterator<Item = (u32, Device<'_>)> {
    let count = nvml.device_count().unwrap_or(0);
    (0..count).filter_map(|index| Some((index, nvml.device_by_index(index).ok()?)))
}

fn gpu(index: u32, device: &Device<'_>) -> Gpu {
    let memory = device.memory_info().ok();
    let capability = device.cuda_compute_capability().ok();
    Gpu {
        index,
        name: device.name().ok(),
        uuid: device.uuid().ok(),
        memory_bytes: memory.as_ref().map(|memory| memory.total),
        free_bytes: memory.as_ref().map(|memory| memory.free),
        compute_capability: capability.map(|is| format!("{}.{}", is.major, is.minor)),
        power_limit_milliwatts: device.enforced_power_limit().ok(),
        slowdown_celsius: device
            .temperature_threshold(TemperatureThreshold::Slowdown)
            .ok(),
    }
}

/// The device that an engine means by a number, where the environment lets it see only some.
pub fn counted(gpus: Vec<Gpu>, visible: Option<&str>, device: i32) -> Option<Gpu> {
    let number = usize::try_from(device).ok()?;
    let Some(visible) = visible else {
        return gpus.into_iter().nth(number);
    };
    let name = visible.split(',').nth(number)?.trim();
    gpus.into_iter().find(|gpu| match name.parse::<u32>() {
        Ok(index) => gpu.index == index,
        Err(_) => {
            let uuid = gpu.uuid.as_deref().unwrap_or_default();
            !name.is_empty() && uuid.starts_with(name)
        }
    })
}

/// The driver counts 12.4 as 12040.
fn version(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_that_is_missing_is_absent_with_the_fix() {
        let Err(error) = Nvml::builder()
            .lib_path("/nowhere/libnvidia-ml.so.1".as_ref())
            .init()
        else {
            panic!("there is no such library")
        };
        let Nvidia::Absent { reason } = Nvidia::absent(&error) else {
            panic!("there is no such driver")
        };
        assert!(reason.contains("install NVIDIA's driver"), "{reason}");
        assert!(Nvidia::absent(&error).gpus().is_empty());
    }

    #[test]
    fn device_is_counted_among_those_that_an_engine_sees() {
        let gpu = |index: u32| Gpu {
            index,
            name: None,
            uuid: Some(format!("GPU-{index}abc")),
            memory_bytes: None,
            free_bytes: None,
            compute_capability: None,
            power_limit_milliwatts: None,
            slowdown_celsius: None,
        };
        let find = |visible, device| {
            counted(vec![gpu(0), gpu(1), gpu(2)], visible, device).map(|gpu| gpu.index)
        };
        assert_eq!(
            (find(None, 1), find(None, 3), find(None, -1)),
            (Some(1), None, None)
        );
        assert_eq!(
            (find(Some("2,0"), 0), find(Some("2, 0"), 1)),
            (Some(2), Some(0))
        );
        assert_eq!((find(Some("2,0"), 2), find(Some(""), 0)), (None, None));
        assert_eq!(find(Some("GPU-1"), 0), Some(1));
    }

    #[test]
    fn cuda_version_is_read_from_the_drivers_number() {
        assert_eq!(version(12_040), "12.4");
        assert_eq!(version(13_000), "13.0");
        assert_eq!(version(11_080), "11.8");
    }
}
