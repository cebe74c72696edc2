//! What runs used: as counters measured it, else estimated from a power that somebody said.

use crate::store::Booked;

/// Of one job, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Energy {
    nanojoules: u128,
    measured: bool,
    estimated: bool,
}

impl Energy {
    /// An estimate only of the runs that nothing measured.
    pub fn of(booked: &Booked, microwatts: Option<u64>) -> Self {
        let measured = u128::from(booked.energy_mj.unwrap_or(0)).saturating_mul(1_000_000);
        let rest = booked
            .amounts
            .compute_ms
            .saturating_sub(booked.amounts.measured_ms);
        let power = microwatts.filter(|_| rest > 0);
        let estimate = u128::from(rest).saturating_mul(u128::from(power.unwrap_or(0)));
        Self {
            nanojoules: measured.saturating_add(estimate),
            measured: booked.energy_mj.is_some(),
            estimated: power.is_some(),
        }
    }

    pub fn add(&mut self, other: Self) {
        self.nanojoules = self.nanojoules.saturating_add(other.nanojoules);
        self.measured |= other.measured;
        self.estimated |= other.estimated;
    }

    /// Milliwatt hours, rounded down; none if nothing is known.
    pub fn milliwatt_hours(&self) -> Option<u64> {
        self.source()?;
        Some(u64::try_from(self.nanojoules / 3_600_000_000).unwrap_or(u64::MAX))
    }

    /// Where it is known from.
    pub fn source(&self) -> Option<&'static str> {
        match (self.measured, self.estimated) {
            (true, true) => Some("both"),
            (true, false) => Some("measured"),
            (false, true) => Some("configured"),
            (false, false) => None,
        }
    }
}
