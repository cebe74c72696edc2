//! Transactions of the past, as far as the node keeps them.

use assay_client::{Event, event, protocol::Address};
use serde_json::{Value, json};
use solana_client::rpc_request::RpcRequest;

use crate::{Cluster, Error};

/// What a node keeps of a transaction. Empty if it keeps nothing.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub slot: Option<u64>,
    pub compute_units: Option<u64>,
    /// Lamports.
    pub fee: Option<u64>,
    /// What the program reported, in order.
    pub events: Vec<Event>,
}

impl Cluster {
    /// A transaction of the past.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn record(&self, signature: &str) -> Result<Record, Error> {
        let config = json!({
            "encoding": "base64",
            "commitment": "confirmed",
            "maxSupportedTransactionVersion": 0,
        });
        let found: Value = self
            .rpc
            .send(RpcRequest::GetTransaction, json!([signature, config]))
            .await
            .map_err(|error| self.unreachable(&error))?;
        Ok(read(&found))
    }

    /// Signatures of the last transactions of an address that succeeded, the last first.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn succeeded(&self, address: &Address, most: usize) -> Result<Vec<String>, Error> {
        let params = json!([address.to_string(), { "limit": most, "commitment": "confirmed" }]);
        let found: Vec<Value> = self
            .rpc
            .send(RpcRequest::GetSignaturesForAddress, params)
            .await
            .map_err(|error| self.unreachable(&error))?;
        let succeeded = found
            .iter()
            .filter(|entry| entry.get("err").is_none_or(Value::is_null));
        Ok(succeeded
            .filter_map(|entry| Some(entry.get("signature")?.as_str()?.to_owned()))
            .collect())
    }
}

fn read(found: &Value) -> Record {
    let meta = |field: &str| found.get("meta")?.get(field);
    let logs = meta("logMessages").and_then(Value::as_array);
    let logs = logs.into_iter().flatten().filter_map(Value::as_str);
    Record {
        slot: found.get("slot").and_then(Value::as_u64),
        compute_units: meta("computeUnitsConsumed").and_then(Value::as_u64),
        fee: meta("fee").and_then(Value::as_u64),
        events: event::of_logs(logs),
    }
}
