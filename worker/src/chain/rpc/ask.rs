//! One question, asked of these endpoints in turn.

use assay_client::{
    account::Layout,
    filter::{self, Filter},
    program::CLOCK_SYSVAR,
    protocol::Address,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use solana_account_decoder_client_types::UiAccount;
use solana_client::rpc_response::{Response, RpcKeyedAccount, RpcSimulateTransactionResult};
use solana_signature::Signature;

use super::{
    RpcChain,
    wire::{Status, accounts, asked, encoding, first_clock, listed, owned, parse, read_snapshot},
};
use crate::chain::{ChainError, Clock, SignatureState, Simulation, Snapshot, Wanted};

/// Accounts in one request, as nodes allow.
const PAGE: usize = 100;
pub(super) const SIMULATE: &str = "simulateTransaction";
/// Signatures in one request, likewise.
const SIGNATURES: usize = 256;

impl RpcChain {
    pub(in crate::chain) async fn account<T: Layout>(
        &self,
        address: &Address,
    ) -> Result<Option<T>, ChainError> {
        let parameters = json!([address.to_string(), encoding()]);
        self.ask("getAccountInfo", parameters, |answer| {
            let answer: Response<Option<UiAccount>> = parse(answer)?;
            owned(answer.value.as_ref())
        })
        .await
    }

    /// Accounts of one type, filtered further by `only`.
    pub(in crate::chain) async fn listed<T: Layout>(
        &self,
        only: Vec<Filter>,
    ) -> Result<Vec<(Address, T)>, ChainError> {
        self.ask(
            "getProgramAccounts",
            filter::listing::<T>(&only),
            |accounts: Vec<RpcKeyedAccount>| {
                // An account of a later layout is not ours to judge; the others are no worse for it.
                Ok(accounts.iter().filter_map(listed).collect())
            },
        )
        .await
    }

    /// Each of these accounts, none for those that do not exist.
    pub(super) async fn asked<T: Layout>(
        &self,
        wanted: &[Address],
    ) -> Result<Vec<(Address, Option<T>)>, ChainError> {
        let (_, _, accounts) = self.accounts(&self.candidates().await, wanted).await?;
        // One account that anybody may have changed must not hide the others.
        Ok(wanted.iter().zip(accounts).filter_map(asked).collect())
    }

    /// As many answers as questions, in their order, and who answered first and at which slot. No page is
    /// older than the one before.
    pub(super) async fn accounts(
        &self,
        candidates: &[usize],
        wanted: &[Address],
    ) -> Result<(usize, u64, Vec<Option<UiAccount>>), ChainError> {
        let mut all = Vec::with_capacity(wanted.len());
        let mut config = encoding();
        let mut first = None;
        for page in wanted.chunks(PAGE) {
            let addresses: Vec<String> = page.iter().map(ToString::to_string).collect();
            let parameters = json!([addresses, config]);
            let read = |answer| accounts(answer, page.len());
            let (position, (slot, read)) = self
                .ask_in_turn(candidates, "getMultipleAccounts", &parameters, read)
                .await?;
            first.get_or_insert((position, slot));
            if let Some(config) = config.as_object_mut() {
                config.insert("minContextSlot".into(), slot.into());
            }
            all.extend(read);
        }
        let (position, slot) = first.unwrap_or_default();
        Ok((position, slot, all))
    }

    pub(super) async fn snapshot_of(
        &self,
        candidates: &[usize],
        wanted: &Wanted,
    ) -> Result<(usize, Snapshot), ChainError> {
        let fixed = [CLOCK_SYSVAR, wanted.provider, wanted.operator];
        let all: Vec<Address> = fixed
            .iter()
            .chain(&wanted.jobs)
            .chain(&wanted.panels)
            .copied()
            .collect();
        let (position, _, accounts) = self.accounts(candidates, &all).await?;
        let snapshot = read_snapshot(wanted, accounts);
        let snapshot = snapshot.map_err(|reason| self.unreadable(position, reason))?;
        Ok((position, snapshot))
    }

    /// The clock alone.
    ///
    /// # Errors
    /// When no endpoint shows one.
    pub async fn clock(&self) -> Result<Clock, ChainError> {
        let (_, clock) = self.clock_of(&self.candidates().await).await?;
        Ok(clock)
    }

    /// The clock that one of these endpoints shows.
    pub(super) async fn clock_of(
        &self,
        candidates: &[usize],
    ) -> Result<(usize, Clock), ChainError> {
        let parameters = json!([[CLOCK_SYSVAR.to_string()], encoding()]);
        let read = |answer| {
            let (_, accounts) = accounts(answer, 1)?;
            first_clock(accounts.first())
        };
        self.ask_in_turn(candidates, "getMultipleAccounts", &parameters, read)
            .await
    }

    fn unreadable(&self, position: usize, reason: String) -> ChainError {
        let endpoint = self.0.endpoints.get(position);
        ChainError::Answer {
            request: "getMultipleAccounts",
            endpoint: endpoint.map(|one| one.name.clone()).unwrap_or_default(),
            reason,
        }
    }

    pub(super) async fn heights(&self, candidates: &[usize]) -> Result<(usize, u64), ChainError> {
        let parameters = json!([{ "commitment": "confirmed" }]);
        self.ask_in_turn(candidates, "getBlockHeight", &parameters, parse)
            .await
    }

    pub(super) async fn simulated(
        &self,
        candidates: &[usize],
        transaction: &[u8],
    ) -> Result<Simulation, ChainError> {
        let config = json!({
            "encoding": "base64", "commitment": "confirmed",
            "sigVerify": false, "replaceRecentBlockhash": true,
        });
        let parameters = json!([STANDARD.encode(transaction), config]);
        let read = |answer| {
            let result = parse::<Response<RpcSimulateTransactionResult>>(answer)?.value;
            Ok(Simulation {
                error: result.err.map(Into::into),
                units: result.units_consumed.unwrap_or(0),
                fee: result.fee,
            })
        };
        let asked = self.ask_in_turn(candidates, SIMULATE, &parameters, read);
        asked.await.map(|(_, simulation)| simulation)
    }

    pub(super) async fn states(
        &self,
        candidates: &[usize],
        signatures: &[[u8; 64]],
        search: bool,
    ) -> Result<(usize, Vec<Option<SignatureState>>), ChainError> {
        let mut states = Vec::with_capacity(signatures.len());
        let mut last = 0;
        for page in signatures.chunks(SIGNATURES) {
            let texts: Vec<String> = page
                .iter()
                .map(|signature| Signature::from(*signature).to_string())
                .collect();
            let parameters = json!([texts, { "searchTransactionHistory": search }]);
            let read = |answer| {
                let answer: Response<Vec<Option<Status>>> = parse(answer)?;
                if answer.value.len() == page.len() {
                    Ok(answer.value)
                } else {
                    Err("another number of states than was asked for".into())
                }
            };
            let (position, read) = self
                .ask_in_turn(candidates, "getSignatureStatuses", &parameters, read)
                .await?;
            last = position;
            states.extend(read.into_iter().map(|status| status.map(Into::into)));
        }
        Ok((last, states))
    }
}
