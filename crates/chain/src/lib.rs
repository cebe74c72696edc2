//! A requester's way to the chain: reads accounts, and brings transactions to their end.
//!
//! This crate exists to forbid an RPC client to the command line and the gateway, and a terminal, files and a ledger to
//! what holds one. Deployments (`crates/localnet`) have a client of their own, which sends many at once, and ask here what
//! became of them. The worker has a layer of its own, for it asks several nodes and journals what it sends.
//!
//! | module | does |
//! |---|---|
//! | `read` | accounts, the clock, balances |
//! | `record` | transactions of the past |
//! | `draft` | from instructions to a signed transaction |
//! | `fate` | what became of a transaction that was sent |
//! | `land` | from a signed transaction to a confirmed one |
//! | `patience` | how long something may go on failing |
//! | `endpoint` | how the workers that accounts name are asked, and which are not |

mod draft;
pub mod endpoint;
mod error;
pub mod fate;
mod land;
#[cfg(test)]
mod node;
mod patience;
mod read;
mod record;

use std::time::Duration;

use solana_client::nonblocking::rpc_client::RpcClient;
use solana_commitment_config::CommitmentConfig;

pub use draft::{Draft, Offer, Signed, Simulated};
pub use error::Error;
pub use fate::{Fate, Sent};
pub use patience::Patience;
pub use read::{Found, Panels};
pub use record::Record;

/// A cluster, asked over JSON-RPC.
pub struct Cluster {
    rpc: RpcClient,
}

impl Cluster {
    /// Everything is read at `confirmed`: what it shows has been voted on and practically never goes back. `wait` is the
    /// longest for one answer.
    pub fn new(url: String, wait: Duration) -> Self {
        let commitment = CommitmentConfig::confirmed();
        Self {
            rpc: RpcClient::new_with_timeout_and_commitment(url, wait, commitment),
        }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        self.rpc.url()
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> Error {
        Error::Unreachable {
            url: self.url(),
            text: why.to_string(),
        }
    }
}
