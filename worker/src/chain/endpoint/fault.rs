//! Why a node did not answer what it was asked.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use solana_transaction_error::TransactionError;

#[derive(Debug, thiserror::Error)]
pub(in crate::chain) enum Fault {
    /// It wants to be asked less.
    #[error("it wants to be asked less often")]
    Limited { retry_after: Option<Duration> },
    #[error("it is not reached: {0}")]
    Unreached(&'static str),
    #[error("it did not answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("its answer broke off")]
    Broken,
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("its answer cannot be read: {0}")]
    Garbage(String),
    /// It says of itself that it is behind, or otherwise unable.
    #[error("it says that it cannot answer now: {message} ({code})")]
    Unable { code: i64, message: String },
    /// It does not do this, or not now; it may well do everything else.
    #[error("it cannot do this: {message} ({code})")]
    Unwilling { code: i64, message: String },
    /// What it says differs from what others say, or from what can be.
    #[error("it is not believed: {0}")]
    Doubted(String),
    /// The request is at fault: other nodes would say the same.
    #[error("{message} ({code})")]
    Request {
        code: i64,
        message: String,
        data: Value,
    },
}

/// An error in JSON-RPC's words.
#[derive(Deserialize)]
pub(super) struct Error {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

/// Longest message of a node that is passed on.
const LONGEST: usize = 200;

impl Fault {
    /// What an error in an answer means.
    pub(super) fn answered(error: Error) -> Self {
        // Behind, unhealthy, slot not there or not reached, no snapshot of it, still starting.
        const UNABLE: [i64; 4] = [-32_004, -32_005, -32_014, -32_016];
        // Preflight failure, wrong signature, precompile failure, signatures of another length, version of
        // transactions, parameters. Whatever else a node says, a spent quota or a lack of its own, another may not.
        const REQUEST: [i64; 6] = [-32_002, -32_003, -32_006, -32_013, -32_015, -32_602];
        // Not Solana's, but of gateways before nodes.
        const LIMITED: [i64; 2] = [429, -32_429];
        let Error {
            code,
            message,
            data,
        } = error;
        let printable = message.chars().filter(|letter| !letter.is_control());
        let message: String = printable.take(LONGEST).collect();
        if LIMITED.contains(&code) {
            Self::Limited { retry_after: None }
        } else if UNABLE.contains(&code) {
            Self::Unable { code, message }
        } else if REQUEST.contains(&code) {
            Self::Request {
                code,
                message,
                data,
            }
        } else {
            Self::Unwilling { code, message }
        }
    }

    /// The client's error in words of our own: its words may hold the url, and a key with it.
    pub(super) fn unreached(error: &reqwest::Error) -> Self {
        Self::Unreached(if error.is_timeout() {
            "the connection took too long"
        } else if error.is_connect() {
            "no connection"
        } else if error.is_redirect() {
            "it redirects elsewhere"
        } else {
            "the request could not be sent"
        })
    }

    /// How a transaction would fail, if that is why it was not taken.
    pub fn refusal(&self) -> Option<TransactionError> {
        match self {
            Self::Request { data, .. } => serde_json::from_value(data.get("err")?.clone())
                .ok()
                .flatten(),
            Self::Limited { .. }
            | Self::Unreached(_)
            | Self::Silent(_)
            | Self::Broken
            | Self::Status(_)
            | Self::Garbage(_)
            | Self::Unable { .. }
            | Self::Unwilling { .. }
            | Self::Doubted(_) => None,
        }
    }

    /// Whether another node may answer what this one did not.
    pub fn may_be_answered_elsewhere(&self) -> bool {
        !matches!(self, Self::Request { .. })
    }

    /// Whether the node is at fault with everything, so that it is left alone for a while.
    pub fn is_the_nodes(&self) -> bool {
        match self {
            Self::Limited { .. }
            | Self::Unreached(_)
            | Self::Silent(_)
            | Self::Broken
            | Self::Status(_)
            | Self::Garbage(_)
            | Self::Unable { .. }
            | Self::Doubted(_) => true,
            Self::Unwilling { .. } | Self::Request { .. } => false,
        }
    }
}
