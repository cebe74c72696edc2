//! What became of transactions that were sent.

use std::{iter, slice};

use solana_client::{client_error::ClientError, nonblocking::rpc_client::RpcClient};
use solana_signature::Signature;
use solana_transaction_error::TransactionError;

use crate::{Cluster, Error};

/// A transaction that was sent, as the chain can be asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub signature: Signature,
    /// Last block height that can take it.
    pub last_height: u64,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in no block, or in one that is not confirmed yet.
    Open,
    /// It is confirmed, in this slot.
    Landed(u64),
    /// It is confirmed, and changed nothing but for its fee.
    Failed(TransactionError),
    /// It is not in any block, and no block can take it any more.
    Expired,
}

impl Cluster {
    /// What became of a transaction, also long ago.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn fate(&self, sent: Sent) -> Result<Fate, Error> {
        let fate = of_one(&self.rpc, sent, true).await;
        fate.map_err(|error| self.unreachable(&error))
    }
}

pub(crate) async fn of_one(
    rpc: &RpcClient,
    sent: Sent,
    may_expire: bool,
) -> Result<Fate, ClientError> {
    let fates = of_all(rpc, slice::from_ref(&sent), may_expire).await?;
    Ok(fates.into_iter().next().unwrap_or(Fate::Open))
}

/// What became of each of these, 256 at most, by the client's commitment. Only where `may_expire`, which is one request
/// more, some can be told as expired.
///
/// # Errors
/// When the node does not answer.
pub async fn of_all(
    rpc: &RpcClient,
    sent: &[Sent],
    may_expire: bool,
) -> Result<Vec<Fate>, ClientError> {
    // The height first: what is not seen after it was passed cannot land any more.
    let height = if may_expire {
        rpc.get_block_height().await?
    } else {
        0
    };
    let signatures: Vec<Signature> = sent.iter().map(|one| one.signature).collect();
    // A node's recent statuses are those of as many slots as a blockhash lives, so what landed may be in none of them.
    let statuses = if sent.iter().any(|one| height > one.last_height) {
        rpc.get_signature_statuses_with_history(&signatures).await?
    } else {
        rpc.get_signature_statuses(&signatures).await?
    };
    // One that is missing from the answer counts as unknown.
    let statuses = statuses.value.into_iter().chain(iter::repeat(None));
    let fates = sent.iter().zip(statuses).map(|(one, status)| match status {
        Some(status) if status.satisfies_commitment(rpc.commitment()) => match status.err {
            Some(error) => Fate::Failed(error),
            None => Fate::Landed(status.slot),
        },
        None if height > one.last_height => Fate::Expired,
        Some(_) | None => Fate::Open,
    });
    Ok(fates.collect())
}
