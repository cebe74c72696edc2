//! Limits that the operator sets on the heat and power of GPUs, and on what others use of the
//! processors.
//!
//! Readings jump, and a pause throws away what is prepared. So only several readings in a row begin
//! one, and more of them, clearly below the limit, end it. A sensor that cannot be read pauses
//! nothing: hardware protects itself, a limit is for the comfort of those around it, and a broken
//! sensor must not end a worker's earnings.

use assay_protocol::UnixSeconds;

use super::{Core, standing::Pause};

/// Readings in a row over a limit that begin a pause.
const BEGIN: u32 = 3;
/// Readings in a row clearly below it that end one; so many without a value are told.
const END: u32 = 6;

/// The operator's limits; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitPolicy {
    pub gpu_celsius: u32,
    pub gpu_watts: u32,
    pub cpu_percent: u32,
}

/// One look at the machine; none for what cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Of the hottest GPU.
    pub gpu_celsius: Option<u64>,
    /// Of all GPUs together.
    pub gpu_milliwatts: Option<u64>,
    /// What others use of all processors.
    pub cpu_permille: Option<u64>,
}

/// What became of a limit, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitReport {
    Over { pause: Pause, detail: String },
    Below { pause: Pause },
    Unreadable { pause: Pause, key: &'static str },
}

/// All limits that are set.
#[derive(Clone, Debug, Default)]
pub struct Limits(Vec<Limit>);

/// What one limit is about.
#[derive(Debug)]
struct Gauge {
    pause: Pause,
    key: &'static str,
    read: fn(&Sample) -> Option<u64>,
    /// Units of a reading in one unit of the setting.
    scale: u64,
    /// A reading, in words.
    subject: &'static str,
    unit: &'static str,
}

const HEAT: Gauge = Gauge {
    pause: Pause::GpuTemperature,
    key: "limits.gpu_temperature_c",
    read: |sample| sample.gpu_celsius,
    scale: 1,
    subject: "the hottest GPU has",
    unit: " degrees",
};
const POWER: Gauge = Gauge {
    pause: Pause::GpuPower,
    key: "limits.gpu_power_w",
    read: |sample| sample.gpu_milliwatts,
    scale: 1_000,
    subject: "the GPUs together draw",
    unit: " watts",
};
const CPU: Gauge = Gauge {
    pause: Pause::CpuBusy,
    key: "limits.cpu_percent",
    read: |sample| sample.cpu_permille,
    scale: 10,
    subject: "others use of all processors",
    unit: " %",
};

/// One limit and what was read of it lately.
#[derive(Clone, Debug)]
struct Limit {
    gauge: &'static Gauge,
    most: u64,
    /// No more than this is clearly below.
    clear: u64,
    holds: bool,
    over: u32,
    below: u32,
    unread: u32,
}

impl Limits {
    pub fn new(policy: LimitPolicy) -> Self {
        // Five degrees, or a tenth.
        let heat = u64::from(policy.gpu_celsius);
        let heat = Limit::new(&HEAT, heat, heat.saturating_sub(5));
        let tenth_below = |gauge, setting: u32| {
            let setting = u64::from(setting);
            Limit::new(gauge, setting, setting.saturating_sub(setting.div_ceil(10)))
        };
        let power = tenth_below(&POWER, policy.gpu_watts);
        let cpu = tenth_below(&CPU, policy.cpu_percent);
        let limits = [heat, power, cpu].into_iter();
        Self(limits.filter(|limit| limit.most > 0).collect())
    }

    pub fn see(&mut self, sample: &Sample) -> Vec<LimitReport> {
        let limits = self.0.iter_mut();
        limits.filter_map(|limit| limit.see(sample)).collect()
    }
}

impl Limit {
    fn new(gauge: &'static Gauge, most: u64, clear: u64) -> Self {
        Self {
            gauge,
            most: most.saturating_mul(gauge.scale),
            clear: clear.saturating_mul(gauge.scale),
            holds: false,
            over: 0,
            below: 0,
            unread: 0,
        }
    }

    fn see(&mut self, sample: &Sample) -> Option<LimitReport> {
        let (pause, key) = (self.gauge.pause, self.gauge.key);
        let Some(value) = (self.gauge.read)(sample) else {
            self.unread = self.unread.saturating_add(1);
            if self.unread != END {
                return None;
            }
            (self.holds, self.over, self.below) = (false, 0, 0);
            return Some(LimitReport::Unreadable { pause, key });
        };
        self.unread = 0;
        (self.over, self.below) = if value > self.most {
            (self.over.saturating_add(1), 0)
        } else if value <= self.clear {
            (0, self.below.saturating_add(1))
        } else {
            (0, 0)
        };
        if !self.holds && self.over >= BEGIN {
            self.holds = true;
            let detail = self.detail(value);
            Some(LimitReport::Over { pause, detail })
        } else if self.holds && self.below >= END {
            self.holds = false;
            Some(LimitReport::Below { pause })
        } else {
            None
        }
    }

    fn detail(&self, value: u64) -> String {
        let Gauge {
            key,
            scale,
            subject,
            unit,
            ..
        } = self.gauge;
        let of = |reading: u64| reading.checked_div(*scale).unwrap_or(reading);
        let (value, most, clear) = (of(value), of(self.most), of(self.clear));
        format!(
            "{subject} {value}{unit}, limited by {key} = {most}; ends after a while at {clear}{unit} or less"
        )
    }
}

impl Core {
    /// What the machine's sensors show. It never stops what is claimed.
    pub fn handle_sample(&mut self, sample: &Sample, now: UnixSeconds) -> Vec<LimitReport> {
        let reports = self.limits.see(sample);
        for report in &reports {
            match report {
                LimitReport::Over { pause, detail } => {
                    self.pause(*pause, detail.clone(), now);
                }
                LimitReport::Below { pause } | LimitReport::Unreadable { pause, .. } => {
                    self.resume(*pause, now);
                }
            }
        }
        reports
    }
}
