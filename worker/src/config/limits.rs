//! `[limits]`: heat, power and other users of the machine, which keep new work away.

use serde::{Deserialize, Serialize};

use super::{ConfigError, check::invalid};
use crate::core::LimitPolicy;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Most degrees of the hottest GPU; 0 for no limit.
    pub gpu_temperature_c: u32,
    /// Most watts of all GPUs together; 0 for no limit.
    pub gpu_power_w: u32,
    /// Most that others may use of all processors, in hundredths; 0 for no limit.
    pub cpu_percent: u32,
    /// Between two looks at the sensors.
    pub sample_secs: u64,
}

impl Default for LimitsConfig {
    /// No limits: a machine without the sensor would complain of a limit that nobody set.
    fn default() -> Self {
        Self {
            gpu_temperature_c: 0,
            gpu_power_w: 0,
            cpu_percent: 0,
            sample_secs: 5,
        }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let fits = |value: u32, least, most| value == 0 || (least..=most).contains(&value);
        if !fits(self.gpu_temperature_c, 30, 120) {
            return invalid(
                "limits.gpu_temperature_c",
                "must be 0 for no limit, or degrees Celsius from 30 to 120",
            );
        }
        if !fits(self.gpu_power_w, 10, 100_000) {
            return invalid(
                "limits.gpu_power_w",
                "must be 0 for no limit, or watts from 10 to 100000",
            );
        }
        if !fits(self.cpu_percent, 5, 99) {
            return invalid(
                "limits.cpu_percent",
                "must be 0 for no limit, or from 5 to 99: all processors together are 100",
            );
        }
        if !(1..=60).contains(&self.sample_secs) {
            return invalid("limits.sample_secs", "must be from 1 to 60");
        }
        Ok(())
    }

    pub fn policy(&self) -> LimitPolicy {
        LimitPolicy {
            gpu_celsius: self.gpu_temperature_c,
            gpu_watts: self.gpu_power_w,
            cpu_percent: self.cpu_percent,
        }
    }
}
