//! What a requester and a worker say to each other in a session, without the HTTP.
//!
//! One request is under way at a time in one session. Request n carries a voucher over the prices of the requests
//! before it, so each side risks the price of one request; the answer carries a receipt, and each receipt names the one
//! before it. Who wants more at once opens more sessions. Errors are [`Refusal`](crate::delivery::Refusal)s, with the
//! codes of [`code`].

use assay_protocol::{Address, Digest};
use serde::{Deserialize, Serialize};

use crate::delivery::base58;

mod generate;
mod payment;
mod price;
mod receipt;

#[cfg(test)]
mod tests;

pub use generate::{Finish, GenerateRequest, Likely, Line, Sampling, Token};
pub use payment::{Payment, PaymentError};
pub use price::{Price, Usage};
pub use receipt::{Receipt, ReceiptError, SignedReceipt, Terms};

/// Header: sha256 of the model's file, in hex.
pub const MODEL_HEADER: &str = "assay-model";
/// Header: the request's number in its session, from 1.
pub const SEQUENCE_HEADER: &str = "assay-sequence";
/// Header: a [`Payment`].
pub const VOUCHER_HEADER: &str = "assay-voucher";
/// Header: the most that this request may cost, in lamports; dearer ones are refused before they run.
pub const MAX_PRICE_HEADER: &str = "assay-max-price";
/// Of a request whose body its sender has no more: hex of [`Receipt::request_digest`]. Such a one is given the answer of
/// the last request, if it is that and in memory. Nothing is computed for it.
pub const REQUEST_HEADER: &str = "assay-request";
/// Header of an answer: a [`SignedReceipt`].
pub const RECEIPT_HEADER: &str = "assay-receipt";

/// Path of a worker's [`Offer`].
pub const OFFER_PATH: &str = "/v1/sessions/offer";

/// Path of a session's [`Standing`].
pub fn session_path(session: &Address) -> String {
    format!("/v1/sessions/{session}")
}

/// Path that takes a safetensors file and gives one: a single run of a model.
pub fn run_path(session: &Address) -> String {
    format!("/v1/sessions/{session}/run")
}

/// Path that takes a [`GenerateRequest`] as JSON and gives [`Line`]s, one JSON object a line, as they come to be.
pub fn generate_path(session: &Address) -> String {
    format!("/v1/sessions/{session}/generate")
}

/// Codes of refusals, and the HTTP status that each comes with.
pub mod code {
    /// 402: the voucher is below what is due; the text says both.
    pub const PAYMENT_REQUIRED: &str = "payment_required";
    /// 402: the deposit does not cover what is due and this request; top up.
    pub const DEPOSIT_TOO_SMALL: &str = "deposit_too_small";
    /// 402: the request may cost more than its own limit.
    pub const PRICE_ABOVE_LIMIT: &str = "price_above_limit";
    /// 401: signature, session or key of the voucher do not fit, or it is about to expire.
    pub const VOUCHER_INVALID: &str = "voucher_invalid";
    /// 404: no such session with this provider on chain.
    pub const SESSION_UNKNOWN: &str = "session_unknown";
    /// 410: the session is closing or closed, or its provider has lost its books.
    pub const SESSION_CLOSING: &str = "session_closing";
    /// 409: not the next request; [`Standing`](super::Standing) says which is.
    pub const SEQUENCE_MISMATCH: &str = "sequence_mismatch";
    /// 409: another request of this session is under way.
    pub const REQUEST_UNDER_WAY: &str = "request_under_way";
    /// 404: the model is not in the offer.
    pub const MODEL_NOT_SERVED: &str = "model_not_served";
    /// 422: the input does not fit the model; costs nothing.
    pub const INPUT_MISMATCH: &str = "input_mismatch";
    /// 422: the model failed on an input that fits; a run like any other, with a receipt.
    pub const MODEL_FAILED: &str = "model_failed";
    /// 429 or 503 with Retry-After: the queue is full.
    pub const BUSY: &str = "busy";
    /// 429 with Retry-After: too many requests that this session's requester paid for used up the time of a run or broke an
    /// engine; none of its sessions is served until then.
    pub const LOST_RUNS: &str = "lost_runs";
    /// 503: the worker is about to stop.
    pub const DRAINING: &str = "draining";
}

/// What a worker serves in sessions, and for how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The provider's account.
    #[serde(with = "base58")]
    pub provider: Address,
    /// Signs receipts.
    #[serde(with = "base58")]
    pub operator: Address,
    #[serde(with = "base58")]
    pub program_id: Address,
    pub version: String,
    /// Whether it takes requests at present.
    pub accepting: bool,
    /// Sessions with a shorter grace time are not served.
    pub min_grace_secs: u32,
    /// Vouchers that end sooner than this are not taken.
    pub min_voucher_secs: u32,
    /// Bytes of a request's body, at most.
    pub max_body_bytes: u64,
    pub models: Vec<OfferedModel>,
}

/// A model in an offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferedModel {
    /// sha256 of the model's file.
    #[serde(with = "digest_hex")]
    pub digest: Digest,
    /// What the provider calls it; a text of a stranger.
    pub name: String,
    pub price: Price,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    /// Whether it can be asked to generate.
    pub generates: bool,
    /// Tokens of a prompt and its answer together, at most; 0 for no limit but the model's.
    pub max_tokens: u32,
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    /// As in safetensors files: `F32`, `I64`, ..
    pub dtype: String,
    /// -1 for a dimension that is not fixed; none where not even their number is.
    pub shape: Option<Vec<i64>>,
}

/// How a session stands with its worker. Whoever lost count begins again from it; the receipt proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Requests answered so far.
    pub sequence: u64,
    /// Lamports that the next voucher must reach.
    pub due: u64,
    /// Highest voucher taken.
    pub paid: u64,
    /// The last answer's, if there was one.
    pub receipt: Option<SignedReceipt>,
}

/// A digest as lower-case hex.
pub mod digest_hex {
    use assay_protocol::Digest;
    use serde::{Deserializer, Serializer};

    use crate::delivery::hex32;

    /// Writes the hex.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        hex32::serialize(&digest.0, serializer)
    }

    /// Reads the hex.
    ///
    /// # Errors
    /// When the text is not the hex of 32 bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        hex32::deserialize(deserializer).map(Digest)
    }
}
