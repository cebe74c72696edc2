//! Jobs as they are written out, and their sums. Whole lamports throughout.

use serde::Serialize;

use super::energy::Energy;
use crate::store::{Amounts, Booked};

/// A line of what is written out: what it is of, what that brought and cost, and what follows from it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line<T> {
    #[serde(flatten)]
    pub of: T,
    #[serde(flatten)]
    pub amounts: Amounts,
    #[serde(flatten)]
    pub result: Outcome,
}

/// What follows from the amounts and the energy.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Outcome {
    /// No part of `net`.
    pub energy_mwh: Option<u64>,
    /// `measured` by counters, `configured` as an estimate from a power, or `both`: in parts.
    pub energy_from: Option<&'static str>,
    pub net: i64,
    #[serde(skip)]
    energy: Energy,
}

/// One attempt at one job.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    pub job: String,
    pub attempt: u8,
    pub role: &'static str,
    pub state: String,
    pub ended: bool,
    /// How it ended was not seen; only fees are counted.
    pub unknown: bool,
    pub requester: Option<String>,
    pub model: Option<String>,
    pub began_at: i64,
    pub at: i64,
}

/// Several jobs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Group {
    /// The day, week, month or model.
    pub group: String,
    /// Attempts of our own that were claimed, and of these.
    pub jobs: u64,
    pub settled: u64,
    pub lost: u64,
    pub faulted: u64,
    /// Jobs of others with a seat of ours, or an attempt at one.
    pub audits: u64,
    pub unknown: u64,
}

impl<T> Line<T> {
    /// As CSV takes it, which knows no flattening: the fields of all three side by side.
    pub fn row(&self) -> (&T, &Amounts, &Outcome) {
        (&self.of, &self.amounts, &self.result)
    }
}

impl Line<Job> {
    pub fn new(booked: &Booked, microwatts: Option<u64>) -> Self {
        let job = Job {
            job: booked.job.to_string(),
            attempt: booked.attempt,
            role: booked.role.name(),
            state: booked.phase.clone(),
            ended: booked.ended,
            unknown: booked.unknown,
            requester: booked.requester.map(|requester| requester.to_string()),
            model: booked.model.map(|model| model.to_string()),
            began_at: booked.began_at,
            at: booked.at,
        };
        Self {
            of: job,
            amounts: booked.amounts,
            result: Outcome::of(&booked.amounts, Energy::of(booked, microwatts)),
        }
    }
}

impl Line<Group> {
    /// Adds a job as it stands in the books, and as it is written out.
    pub fn add(&mut self, booked: &Booked, job: &Line<Job>) {
        let group = &mut self.of;
        for (count, counts) in [
            (&mut group.jobs, booked.is_own()),
            (&mut group.settled, booked.is_paid()),
            (&mut group.lost, booked.is_lost()),
            (&mut group.faulted, booked.is_faulted()),
            (&mut group.audits, booked.is_audit()),
            (&mut group.unknown, booked.unknown),
        ] {
            *count += u64::from(counts);
        }
        self.amounts.add(&job.amounts);
        let mut energy = self.result.energy;
        energy.add(job.result.energy);
        self.result = Outcome::of(&self.amounts, energy);
    }
}

impl Outcome {
    fn of(amounts: &Amounts, energy: Energy) -> Self {
        Self {
            energy_mwh: energy.milliwatt_hours(),
            energy_from: energy.source(),
            net: amounts.net(),
            energy,
        }
    }
}
