//! What goes over the wire: accounts and filters in the node's JSON, errors in words.

use assay_client::{
    account::{Layout, decode_found},
    protocol::{Address, JobData},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccount;
use solana_client::rpc_response::{Response, RpcKeyedAccount};
use solana_transaction_error::TransactionError;

use crate::chain::{Clock, Cost, SignatureState, Snapshot, Wanted};

/// An answer as the type that it must be.
pub(super) fn parse<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer).map_err(|why| why.to_string())
}

/// So many accounts, and the slot that they are of.
pub(super) fn accounts(
    answer: Value,
    count: usize,
) -> Result<(u64, Vec<Option<UiAccount>>), String> {
    let answer: Response<Vec<Option<UiAccount>>> = parse(answer)?;
    if answer.value.len() == count {
        Ok((answer.context.slot, answer.value))
    } else {
        Err("another number of accounts than was asked for".into())
    }
}

/// The accounts of a snapshot in the order in which they were asked for.
pub(super) fn read_snapshot(
    wanted: &Wanted,
    accounts: Vec<Option<UiAccount>>,
) -> Result<Snapshot, String> {
    let mut accounts = accounts.into_iter();
    let clock = first_clock(accounts.next().as_ref())?;
    let provider = owned(accounts.next().flatten().as_ref())?;
    let operator = accounts.next().flatten();
    let jobs = wanted.jobs.iter().zip(accounts.by_ref());
    let jobs = jobs.filter_map(asked).collect();
    let panels = wanted.panels.iter().zip(accounts);
    Ok(Snapshot {
        clock,
        agreed: false,
        provider,
        operator: operator.map_or(0, |account| account.lamports),
        jobs,
        panels: panels.filter_map(asked).collect(),
    })
}

/// The clock, which must be there.
pub(super) fn first_clock(account: Option<&Option<UiAccount>>) -> Result<Clock, String> {
    let data = account.and_then(|account| account.as_ref()?.data.decode());
    let clock = data.and_then(|data| Clock::decode(&data));
    clock.ok_or_else(|| "no Clock sysvar".into())
}

/// A job out of a list of accounts.
pub(in crate::chain) fn job_account(keyed: &RpcKeyedAccount) -> Option<(Address, JobData)> {
    listed(keyed)
}

/// An account out of a list, if it is one of that type and layout.
pub(super) fn listed<T: Layout>(keyed: &RpcKeyedAccount) -> Option<(Address, T)> {
    let read = owned(Some(&keyed.account)).ok()??;
    Some((keyed.pubkey.parse().ok()?, read))
}

/// What a node says of an account that was asked for; none if it cannot be read.
pub(super) fn asked<T: Layout>(
    (address, account): (&Address, Option<UiAccount>),
) -> Option<(Address, Option<T>)> {
    let read = owned(account.as_ref())
        .inspect_err(|reason| tracing::warn!(account = %address, kind = T::NAME, reason, "an account cannot be read"))
        .ok()?;
    Some((*address, read))
}

/// What is at an address, if it is of that type and layout; none if nothing of the program's is there.
pub(super) fn owned<T: Layout>(account: Option<&UiAccount>) -> Result<Option<T>, String> {
    let read = account.map(|account| {
        let owner = account.owner.parse();
        let owner = owner.map_err(|_| "an owner that is no address".to_owned())?;
        let data = account.data.decode();
        let data = data.ok_or("account data in an unknown encoding")?;
        decode_found(&owner, &data).map_err(|why| why.to_string())
    });
    Ok(read.transpose()?.flatten())
}

pub(super) fn encoding() -> Value {
    json!({ "encoding": "base64", "commitment": "confirmed" })
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
