//! What goes over the wire: accounts and filters in the node's JSON, errors in words.

use assay_client::{
    account::{Layout, decode_owned},
    filter::Filter,
    program::SYSTEM_PROGRAM,
    protocol::{Address, JobData, UnixSeconds},
};
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccount;
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_request::RpcError,
    rpc_response::RpcKeyedAccount,
};

use solana_transaction_error::TransactionError;

use crate::chain::{Clock, Cost, SignatureState};

/// A job out of a list of accounts.
pub(in crate::chain) fn job_account(keyed: &RpcKeyedAccount) -> Option<(Address, JobData)> {
    listed(keyed)
}

/// An account out of a list, if it is one of that type and layout.
pub(super) fn listed<T: Layout>(keyed: &RpcKeyedAccount) -> Option<(Address, T)> {
    Some((keyed.pubkey.parse().ok()?, decode(&keyed.account).ok()?))
}

/// What a node says of an account that was asked for; none if it cannot be read.
pub(super) fn asked<T: Layout>(
    (address, account): (&Address, Option<UiAccount>),
) -> Option<(Address, Option<T>)> {
    // Anybody can send lamports to a closed account's address: it is then the system's.
    let owned = account.filter(|account| account.owner != SYSTEM_PROGRAM.to_string());
    let read = owned.map(|account| decode(&account)).transpose();
    let read = read
        .inspect_err(|reason| tracing::warn!(account = %address, kind = T::NAME, reason, "an account cannot be read"))
        .ok()?;
    Some((*address, read))
}

pub(super) fn decode<T: Layout>(account: &UiAccount) -> Result<T, String> {
    let owner = account
        .owner
        .parse()
        .map_err(|_| "an owner that is no address".to_owned())?;
    let data = account
        .data
        .decode()
        .ok_or("account data in an unknown encoding")?;
    decode_owned(&owner, &data).map_err(|why| why.to_string())
}

pub(super) fn encoding() -> Value {
    json!({ "encoding": "base64", "commitment": "confirmed" })
}

pub(in crate::chain) fn filter_json(filter: &Filter) -> Value {
    match filter {
        Filter::Size(size) => json!({ "dataSize": size }),
        Filter::Bytes { offset, bytes } => json!({
            "memcmp": { "offset": offset, "bytes": bs58::encode(bytes).into_string() }
        }),
    }
}

/// Slot first, unix seconds last of its five words.
pub(super) fn read_clock(data: &[u8]) -> Option<Clock> {
    let slot = u64::from_le_bytes(*data.first_chunk()?);
    let time = i64::from_le_bytes(*data.get(32..)?.first_chunk()?);
    Some(Clock {
        slot,
        time: UnixSeconds(time),
    })
}

/// A signature's state in the node's words.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    err: Option<TransactionError>,
    confirmation_status: Option<String>,
}

impl From<Status> for SignatureState {
    fn from(status: Status) -> Self {
        let level = status.confirmation_status;
        Self {
            error: status.err,
            confirmed: level.is_some_and(|level| level == "confirmed" || level == "finalized"),
        }
    }
}

/// What the chain's record of a transaction says of its cost; the payer is its first account.
pub(super) fn read_cost(meta: &Value) -> Option<Cost> {
    let number = |name: &str| meta.get(name)?.as_u64();
    let balance = |name: &str| meta.get(name)?.get(0)?.as_u64();
    let fee = number("fee")?;
    let (before, after) = (balance("preBalances")?, balance("postBalances")?);
    let left = i128::from(before) - i128::from(after) - i128::from(fee);
    Some(Cost {
        fee,
        compute_units: number("computeUnitsConsumed"),
        rent: i64::try_from(left).ok()?,
    })
}

/// Whether another node may answer what this one did not.
pub(super) fn is_the_nodes_fault(error: &ClientError) -> bool {
    // Of the errors that a node answers with: behind, unhealthy, or slot not reached.
    const NODE: [i64; 4] = [-32_004, -32_005, -32_014, -32_016];
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "everything else never got to the node's answer"
    )]
    match error.kind() {
        ClientErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) => NODE.contains(code),
        ClientErrorKind::TransactionError(_) => false,
        _ => true,
    }
}

/// An endpoint's name without path or query, where providers put keys.
pub(super) fn host(url: &str) -> String {
    url::Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The error's words without the url, which may hold a key.
pub(super) fn text(error: &ClientError) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only this kind carries the url"
    )]
    match error.kind() {
        ClientErrorKind::Reqwest(error) => {
            let mut reason = if error.is_timeout() {
                "no answer in time"
            } else {
                "not reached"
            }
            .to_owned();
            if let Some(status) = error.status() {
                reason = format!("HTTP status {status}");
            }
            reason
        }
        other => other.to_string(),
    }
}
