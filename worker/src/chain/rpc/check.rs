//! Which chain an endpoint serves: asked before it is used.

use std::sync::PoisonError;

use assay_client::{
    PROGRAM_ID,
    clock::Clock,
    program::{CLOCK_SYSVAR, SYSTEM_PROGRAM},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccount;
use solana_client::rpc_response::Response;
use tokio::time::Instant;

use super::{
    CHECK, Fault, RpcChain,
    wire::{encoding, parse},
};

impl RpcChain {
    /// Checks these at the same time. Where no chain is expected yet, it is that of the first of them
    /// in the configured order that has the program.
    pub(super) async fn check_all(&self, positions: &[usize]) {
        let checks = positions.iter().map(|position| self.check_one(*position));
        for (position, result) in positions.iter().zip(join_all(checks).await) {
            self.settle(*position, result);
        }
    }

    /// Which chain an endpoint serves; none if it does not say.
    pub(super) async fn check_one(&self, position: usize) -> Option<Shown> {
        let endpoint = self.0.endpoints.get(position)?;
        let longest = self.0.timeout.min(CHECK);
        let checked = async {
            let none = json!([]);
            let genesis = endpoint
                .check("getGenesisHash", &none, longest, parse::<String>)
                .await?;
            let accounts = json!([
                [PROGRAM_ID.to_string(), CLOCK_SYSVAR.to_string()],
                encoding()
            ]);
            let program = endpoint
                .check("getMultipleAccounts", &accounts, longest, has_program)
                .await?;
            Ok(Shown { genesis, program })
        };
        let checked: Result<Shown, Fault> = checked.await;
        // Whoever does not say which chain it serves is not used, whatever else it can do.
        checked.inspect_err(|fault| endpoint.fail_check(fault)).ok()
    }

    pub(super) fn settle(&self, position: usize, shown: Option<Shown>) {
        let Some(endpoint) = self.0.endpoints.get(position) else {
            return;
        };
        let mut expected = self
            .0
            .genesis
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut health = endpoint.health();
        health.checking = false;
        let Some(Shown { genesis, program }) = shown else {
            return;
        };
        let wrong = match &*expected {
            Some(expected) if *expected != genesis => Some(format!(
                "it serves the chain with genesis {genesis}, not {expected}"
            )),
            _ if !program => Some(format!(
                "it serves a chain without the program {PROGRAM_ID}"
            )),
            Some(_) | None => None,
        };
        let name = &endpoint.name;
        match wrong {
            Some(reason) => {
                tracing::error!(endpoint = name, reason, "an RPC endpoint is not used");
                health.disown(Instant::now(), reason);
            }
            None => {
                if health.fails() {
                    tracing::info!(endpoint = name, "an RPC endpoint is used again");
                }
                expected.get_or_insert(genesis);
                health.verify();
            }
        }
    }
}

/// What a check of an endpoint has shown.
pub(super) struct Shown {
    genesis: String,
    program: bool,
}

/// Whether the first account is the program; the second must be the clock.
fn has_program(answer: Value) -> Result<bool, String> {
    let answer: Response<Vec<Option<UiAccount>>> = parse(answer)?;
    let mut accounts = answer.value.into_iter();
    let program = accounts.next().flatten();
    let clock = accounts.next().flatten();
    let clock = clock.and_then(|account| Clock::decode(&account.data.decode()?));
    clock.ok_or("no Clock sysvar")?;
    Ok(program
        .is_some_and(|program| program.executable && program.owner != SYSTEM_PROGRAM.to_string()))
}
