//! Jobs as they are written out, and their sums. Whole lamports throughout.

use serde::Serialize;

use super::energy::Energy;
use crate::store::Booked;

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
    pub price: u64,
    pub market_share: u64,
    pub earned: i64,
    pub slashed: i64,
    pub audits_earned: i64,
    pub bonds_lost: i64,
    pub transactions: u64,
    pub fees: u64,
    pub priority_fees: u64,
    pub rent: i64,
    pub unconfirmed: u64,
    pub compute_ms: u64,
    /// Of that, what energy counters measured.
    pub measured_ms: u64,
    /// No part of `net`.
    pub energy_mwh: Option<u64>,
    /// `measured` by counters, `configured` as an estimate from a power, or `both`: in parts.
    pub energy_from: Option<&'static str>,
    pub net: i64,
    #[serde(skip)]
    pub(super) energy: Energy,
}

impl Job {
    pub fn new(booked: &Booked, microwatts: Option<u64>) -> Self {
        let energy = Energy::of(booked, microwatts);
        Self {
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
            price: booked.price,
            market_share: booked.market_share,
            earned: booked.earned,
            slashed: booked.slashed,
            audits_earned: booked.audits_earned,
            bonds_lost: booked.bonds_lost,
            transactions: booked.transactions,
            fees: booked.fees,
            priority_fees: booked.priority_fees,
            rent: booked.rent,
            unconfirmed: booked.unconfirmed,
            compute_ms: booked.compute_ms,
            measured_ms: booked.measured_ms,
            energy_mwh: energy.milliwatt_hours(),
            energy_from: energy.source(),
            net: booked.net(),
            energy,
        }
    }
}

/// Sums over jobs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sums {
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
    pub price: u64,
    pub market_share: u64,
    pub earned: i64,
    pub slashed: i64,
    pub audits_earned: i64,
    pub bonds_lost: i64,
    /// One that several jobs share counts for each of them, and so does its missing record; fees and
    /// rent are shared.
    pub transactions: u64,
    pub fees: u64,
    pub priority_fees: u64,
    pub rent: i64,
    pub unconfirmed: u64,
    pub compute_ms: u64,
    pub measured_ms: u64,
    pub energy_mwh: Option<u64>,
    pub energy_from: Option<&'static str>,
    pub net: i64,
    #[serde(skip)]
    pub(super) energy: Energy,
}

impl Sums {
    /// Adds a job as it stands in the books, and as it is written out.
    pub fn add(&mut self, booked: &Booked, job: &Job) {
        for (count, counts) in [
            (&mut self.jobs, booked.is_own()),
            (&mut self.settled, booked.is_paid()),
            (&mut self.lost, booked.is_lost()),
            (&mut self.faulted, booked.is_faulted()),
            (&mut self.audits, booked.is_audit()),
            (&mut self.unknown, booked.unknown),
        ] {
            *count += u64::from(counts);
        }
        for (sum, amount) in [
            (&mut self.price, job.price),
            (&mut self.market_share, job.market_share),
            (&mut self.transactions, job.transactions),
            (&mut self.fees, job.fees),
            (&mut self.priority_fees, job.priority_fees),
            (&mut self.unconfirmed, job.unconfirmed),
            (&mut self.compute_ms, job.compute_ms),
            (&mut self.measured_ms, job.measured_ms),
        ] {
            *sum = sum.saturating_add(amount);
        }
        for (sum, amount) in [
            (&mut self.earned, job.earned),
            (&mut self.slashed, job.slashed),
            (&mut self.audits_earned, job.audits_earned),
            (&mut self.bonds_lost, job.bonds_lost),
            (&mut self.rent, job.rent),
            (&mut self.net, job.net),
        ] {
            *sum = sum.saturating_add(amount);
        }
        self.energy.add(job.energy);
        self.energy_mwh = self.energy.milliwatt_hours();
        self.energy_from = self.energy.source();
    }
}
