use assay_client::{
    PROGRAM_ID, address,
    protocol::{
        MarketData, TreasuryData,
        market::{PAUSE_JOBS, PAUSE_REGISTRATIONS, PAUSE_SESSIONS},
    },
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{or_dash, some};
use crate::{amount::exact, market::parameters::PARAMETERS};

/// The market and its treasury.
#[derive(Serialize)]
pub struct MarketView {
    pub program: String,
    pub address: String,
    pub treasury: String,
    pub authority: String,
    pub pending_authority: Option<String>,
    /// Any of jobs, registrations, sessions.
    pub paused: Vec<&'static str>,
    pub collected_lamports: u64,
    pub total_collected_lamports: u64,
    pub sequence: u32,
    pub params: Map<String, Value>,
    #[serde(skip)]
    shown: Vec<(&'static str, String)>,
}

impl MarketView {
    pub fn new(market: &MarketData, treasury: &TreasuryData) -> Self {
        let bits = [
            (PAUSE_JOBS, "jobs"),
            (PAUSE_REGISTRATIONS, "registrations"),
            (PAUSE_SESSIONS, "sessions"),
        ];
        let paused = bits.iter().filter(|(bit, _)| market.flags & bit != 0);
        let params = PARAMETERS.iter().map(|parameter| {
            (
                parameter.name.to_owned(),
                Value::from((parameter.get)(&market.params)),
            )
        });
        Self {
            program: PROGRAM_ID.to_string(),
            address: address::market().to_string(),
            treasury: address::treasury().to_string(),
            authority: market.authority.to_string(),
            pending_authority: some(&market.pending_authority),
            paused: paused.map(|(_, name)| *name).collect(),
            collected_lamports: treasury.collected,
            total_collected_lamports: treasury.total_collected,
            sequence: market.sequence,
            params: params.collect(),
            shown: PARAMETERS
                .iter()
                .map(|parameter| (parameter.name, parameter.show(&market.params)))
                .collect(),
        }
    }

    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let paused = if self.paused.is_empty() {
            "nothing".to_owned()
        } else {
            self.paused.join(", ")
        };
        let mut rows = vec![
            ("program", self.program.clone()),
            ("market", self.address.clone()),
            ("authority", self.authority.clone()),
            (
                "proposed authority",
                or_dash(self.pending_authority.as_ref()),
            ),
            ("paused", paused),
            ("treasury", self.treasury.clone()),
            ("fees in the treasury", exact(self.collected_lamports)),
            ("fees ever collected", exact(self.total_collected_lamports)),
        ];
        rows.extend(self.shown.iter().cloned());
        rows
    }
}
