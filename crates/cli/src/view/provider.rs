use assay_chain::Found;
use assay_client::protocol::{Lamports, ProviderData, text};
use serde::Serialize;

use super::{or_dash, some_hex};
use crate::{
    amount::{Amount, exact, moment},
    plain::plain,
};

/// A provider.
#[derive(Serialize)]
pub struct ProviderView {
    pub address: String,
    pub authority: String,
    pub operator: String,
    pub rent_payer: String,
    pub endpoint: String,
    /// Hex; absent for none.
    pub runtime_class: Option<String>,
    pub stake_lamports: u64,
    pub reserved_lamports: u64,
    pub unbonding_lamports: u64,
    pub free_stake_lamports: u64,
    pub unbond_at: i64,
    pub aged_at: i64,
    pub earnings_lamports: u64,
    pub fees_due_lamports: u64,
    pub total_earned_lamports: u64,
    pub total_slashed_lamports: u64,
    pub generation: u64,
    pub live_jobs: u32,
    pub jobs_settled: u32,
    pub jobs_faulted: u32,
    pub jobs_late: u32,
    pub jobs_released: u32,
    /// Panel seats not yet settled.
    pub live_seats: u32,
    /// Seats that earned a fee, and seats that lost their bond or a part of it.
    pub audits_paid: u32,
    pub audits_lost: u32,
    pub sequence: u32,
}

impl ProviderView {
    pub const HEAD: [&'static str; 8] = [
        "PROVIDER", "STAKE", "FREE", "EARNINGS", "LIVE", "SETTLED", "LOST", "ENDPOINT",
    ];

    pub fn new(found: &Found<ProviderData>) -> Self {
        let provider = &found.data;
        Self {
            address: found.address.to_string(),
            authority: provider.authority.to_string(),
            operator: provider.operator.to_string(),
            rent_payer: provider.rent_payer.to_string(),
            endpoint: plain(text::read(&provider.endpoint, provider.endpoint_len)),
            runtime_class: some_hex(&provider.runtime_class),
            stake_lamports: provider.stake,
            reserved_lamports: provider.reserved,
            unbonding_lamports: provider.unbonding,
            free_stake_lamports: provider.free_stake().unwrap_or(Lamports::ZERO).0,
            unbond_at: provider.unbond_at,
            aged_at: provider.aged_at,
            earnings_lamports: provider.earnings,
            fees_due_lamports: provider.fees_due,
            total_earned_lamports: provider.total_earned,
            total_slashed_lamports: provider.total_slashed,
            generation: provider.generation,
            live_jobs: provider.live_jobs,
            jobs_settled: provider.jobs_settled,
            jobs_faulted: provider.jobs_faulted,
            jobs_late: provider.jobs_late,
            jobs_released: provider.jobs_released,
            live_seats: provider.live_seats,
            audits_paid: provider.audits_paid,
            audits_lost: provider.audits_lost,
            sequence: provider.sequence,
        }
    }

    pub fn row(&self) -> Vec<String> {
        let lost = self
            .jobs_faulted
            .saturating_add(self.jobs_late)
            .saturating_add(self.jobs_released);
        vec![
            self.address.clone(),
            Amount(self.stake_lamports).to_string(),
            Amount(self.free_stake_lamports).to_string(),
            Amount(self.earnings_lamports).to_string(),
            self.live_jobs.to_string(),
            self.jobs_settled.to_string(),
            lost.to_string(),
            if self.endpoint.is_empty() {
                "-".to_owned()
            } else {
                self.endpoint.clone()
            },
        ]
    }

    pub fn facts(&self) -> Vec<(&'static str, String)> {
        vec![
            ("provider", self.address.clone()),
            ("authority", self.authority.clone()),
            ("operator", self.operator.clone()),
            (
                "endpoint",
                if self.endpoint.is_empty() {
                    "-".to_owned()
                } else {
                    self.endpoint.clone()
                },
            ),
            ("runtime class", or_dash(self.runtime_class.as_ref())),
            ("stake", exact(self.stake_lamports)),
            ("  of it reserved", exact(self.reserved_lamports)),
            ("  of it unbonding", exact(self.unbonding_lamports)),
            ("  of it free", exact(self.free_stake_lamports)),
            ("withdrawable after", moment(self.unbond_at)),
            ("earnings", exact(self.earnings_lamports)),
            ("fees due", exact(self.fees_due_lamports)),
            ("ever earned", exact(self.total_earned_lamports)),
            ("ever slashed", exact(self.total_slashed_lamports)),
            ("live jobs", self.live_jobs.to_string()),
            (
                "ended jobs",
                format!(
                    "{} settled, {} faulted, {} late, {} released",
                    self.jobs_settled, self.jobs_faulted, self.jobs_late, self.jobs_released
                ),
            ),
            (
                "audits",
                format!(
                    "{} seats now, {} paid, {} lost",
                    self.live_seats, self.audits_paid, self.audits_lost
                ),
            ),
            ("stake unchanged since", moment(self.aged_at)),
            ("registered in slot", self.generation.to_string()),
            ("rent goes back to", self.rent_payer.clone()),
        ]
    }
}
