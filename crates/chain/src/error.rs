//! Why the chain did not do what it was asked for.

use assay_client::{Failure, PROGRAM_ID, account::DecodeError, budget, protocol::Address};
use solana_signature::Signature;
use solana_signer::SignerError;

use crate::Sent;

/// Why the chain did not do what it was asked for. Each message says all of it; sources are there to be told apart.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the cluster at {url} did not answer as expected: {text}; check --url, and whether it is up"
    )]
    Unreachable { url: String, text: String },
    #[error("there is no {name} at {address} on {url}; check the address and --url")]
    Missing {
        name: String,
        address: Address,
        url: String,
    },
    #[error(
        "the program {PROGRAM_ID} has no market on {url}; its upgrade authority opens it with `assay market init`, \
         or start a local one with `assay localnet`"
    )]
    NoMarket { url: String },
    #[error(
        "{either} is neither a provider nor the authority of one on {url}; register with `assay provider register`"
    )]
    NoProvider { either: Address, url: String },
    #[error("account {address}: {source}")]
    Decode {
        address: Address,
        source: DecodeError,
    },
    #[error(
        "{purpose} needs {bytes} bytes, a transaction has at most {}; shorten uris and names",
        budget::PACKET_BYTES
    )]
    TooLarge { purpose: &'static str, bytes: usize },
    /// The node ran it and it failed.
    #[error("{purpose} would be refused; nothing was sent: {failure}")]
    Refused {
        purpose: &'static str,
        #[source]
        failure: Failure,
        /// What its programs logged.
        logs: Vec<String>,
    },
    #[error(
        "the wallet cannot sign {purpose} alone: {source}; use --unsigned to have it signed elsewhere"
    )]
    Sign {
        purpose: &'static str,
        source: SignerError,
    },
    /// The node answered the first sending with an error. What stands before nodes may have passed it on all the same.
    #[error("the node refused to send {purpose} (signature {}): {text}", sent.signature)]
    Unsent {
        purpose: &'static str,
        sent: Sent,
        text: String,
    },
    #[error(
        "{purpose} failed on the chain (signature {signature}); only its fee was paid: {failure}"
    )]
    Failed {
        purpose: &'static str,
        /// Boxed to keep every result small.
        signature: Box<Signature>,
        #[source]
        failure: Failure,
    },
    #[error(
        "{purpose} did not land in time and can no longer land (signature {}); try again, perhaps with --priority-fee",
        sent.signature
    )]
    Expired { purpose: &'static str, sent: Sent },
    #[error(
        "{purpose} was sent, but it is unknown whether it landed (signature {}): {text}",
        sent.signature
    )]
    Unknown {
        purpose: &'static str,
        sent: Sent,
        text: String,
    },
}

impl Error {
    /// The transaction that the chain is to be asked about again: it may have landed, or a node that was behind called it
    /// expired. Where there is none, it changed nothing and will not, but for a fee.
    pub const fn sent(&self) -> Option<Sent> {
        match self {
            Self::Unsent { sent, .. } | Self::Expired { sent, .. } | Self::Unknown { sent, .. } => {
                Some(*sent)
            }
            Self::Unreachable { .. }
            | Self::Missing { .. }
            | Self::NoMarket { .. }
            | Self::NoProvider { .. }
            | Self::Decode { .. }
            | Self::TooLarge { .. }
            | Self::Refused { .. }
            | Self::Sign { .. }
            | Self::Failed { .. } => None,
        }
    }
}
