//! What a requester and a worker say to each other over HTTP, without the HTTP.
//!
//! The worker's base url is the provider's endpoint. Digests and secrets are lower-case hex, addresses and signatures
//! base58. Errors are JSON: [`Refusal`].

mod verify;

use assay_protocol::{Address, Digest};
use serde::{Deserialize, Serialize};
use solana_signature::Signature;
use solana_signer::{Signer, SignerError};
use thiserror::Error;

pub use verify::{MismatchError, Received, Verified, verify};

use crate::outputs::digest;

/// Header: the requester's address.
pub const REQUESTER_HEADER: &str = "assay-requester";
/// Header: unix seconds at which the request was signed.
pub const TIMESTAMP_HEADER: &str = "assay-timestamp";
/// Header: signature over [`signing_text`].
pub const SIGNATURE_HEADER: &str = "assay-signature";
/// How far a signed request's time may lie from the worker's.
pub const MAX_SKEW_SECS: i64 = 300;

/// Path of a worker's description of itself; see [`Info`].
pub const INFO_PATH: &str = "/v1/info";

/// Path of a blob: inputs go there with PUT, and whoever knows the digest can GET them.
pub fn blob_path(digest: &Digest) -> String {
    format!("/v1/blobs/{}", hex::encode(digest.0))
}

/// Path of a job's [`Delivery`]; signed.
pub fn result_path(job: &Address) -> String {
    format!("/v1/jobs/{job}/result")
}

/// Path of a job's outputs, a safetensors file; signed.
pub fn outputs_path(job: &Address) -> String {
    format!("/v1/jobs/{job}/outputs")
}

/// Path of a job's hints file; signed.
pub fn hints_path(job: &Address) -> String {
    format!("/v1/jobs/{job}/hints")
}

/// Path of the outputs that an auditor of this level computed, a safetensors file; signed. Answered for a job that was
/// not acknowledged or was disputed, once the auditor's root is on chain.
pub fn audit_outputs_path(job: &Address, level: u8) -> String {
    format!("/v1/jobs/{job}/audits/{level}/outputs")
}

/// Path that takes an [`Acknowledgement`]; signed.
pub fn acknowledge_path(job: &Address) -> String {
    format!("/v1/jobs/{job}/acknowledge")
}

/// What the model made of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It gave outputs.
    Outputs,
    /// It failed on this input, which is a result too: the canonical error root.
    ModelError,
}

/// One output's description, in the model's output order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputInfo {
    pub name: String,
    /// As in safetensors files: `F32`, `I64`, ..
    pub dtype: String,
    pub shape: Vec<u64>,
}

/// A result and everything that opens its commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    #[serde(with = "base58")]
    pub job: Address,
    pub attempt: u8,
    #[serde(with = "base58")]
    pub provider: Address,
    pub generation: u64,
    #[serde(with = "hex32")]
    pub salt: [u8; 32],
    #[serde(with = "hex32")]
    pub root: [u8; 32],
    #[serde(with = "hex32")]
    pub hints_digest: [u8; 32],
    #[serde(with = "hex32")]
    pub runtime_class: [u8; 32],
    #[serde(with = "hex32")]
    pub worker_secret_hash: [u8; 32],
    #[serde(with = "hex32")]
    pub commitment: [u8; 32],
    pub outcome: Outcome,
    /// What the runtime said, for [`Outcome::ModelError`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// sha256 of the outputs file; of an empty file for [`Outcome::ModelError`].
    #[serde(with = "hex32")]
    pub outputs_digest: [u8; 32],
    pub outputs_bytes: u64,
    pub hints_bytes: u64,
    /// In the model's output order; empty for [`Outcome::ModelError`].
    pub outputs: Vec<OutputInfo>,
    /// Runtime, execution provider and threads, for people.
    pub runtime: String,
    pub compute_ms: u64,
}

/// Answer while there is no result yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What the worker is doing with the job.
    pub state: String,
}

/// Body of an acknowledgement.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    #[serde(with = "hex32")]
    pub requester_secret: [u8; 32],
}

impl std::fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret must not reach a log by accident.
        f.write_str("Acknowledgement")
    }
}

/// Which models a worker takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Models {
    Any,
    /// Only files with these digests, in hex.
    #[serde(untagged)]
    Listed(Vec<String>),
}

/// What a worker takes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub min_price_lamports: u64,
    pub models: Models,
    pub max_input_bytes: u64,
    pub max_model_bytes: u64,
}

/// A worker's description of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    #[serde(with = "base58")]
    pub provider: Address,
    #[serde(with = "base58")]
    pub operator: Address,
    pub version: String,
    #[serde(with = "base58")]
    pub program_id: Address,
    pub policy: Policy,
    #[serde(with = "hex32")]
    pub runtime_class: [u8; 32],
    /// Whether it takes new jobs at present.
    pub accepting: bool,
}

/// Body of every answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code in snake case.
    pub error: String,
    /// What happened, why, and what to do.
    pub message: String,
}

/// What is signed: the request, when it was made, and the worker it is meant for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Path without host or query.
    pub path: &'a str,
    /// Unix seconds.
    pub timestamp: i64,
    pub body: &'a [u8],
    /// The worker's key on chain: a request signed for one worker is worthless to another.
    pub operator: &'a Address,
}

/// The bytes that a requester signs.
pub fn signing_text(request: &Request<'_>) -> String {
    let Request {
        method,
        path,
        timestamp,
        body,
        operator,
    } = request;
    let body = hex::encode(digest(body).0);
    format!("assay/http/1\n{method}\n{path}\n{timestamp}\n{body}\n{operator}")
}

/// Headers of a signed request.
///
/// # Errors
/// When the wallet cannot or will not sign.
pub fn sign(
    wallet: &dyn Signer,
    request: &Request<'_>,
) -> Result<[(&'static str, String); 3], SignerError> {
    let signature = wallet.try_sign_message(signing_text(request).as_bytes())?;
    Ok([
        (REQUESTER_HEADER, wallet.try_pubkey()?.to_string()),
        (TIMESTAMP_HEADER, request.timestamp.to_string()),
        (SIGNATURE_HEADER, signature.to_string()),
    ])
}

/// Why a signed request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnauthenticError {
    #[error("the header {0} is missing or malformed; sign the request as docs/requester.md says")]
    Header(&'static str),
    #[error(
        "the request was signed at {signed}, here it is {now}; set the clock, the difference may be {MAX_SKEW_SECS} s"
    )]
    Stale { signed: i64, now: i64 },
    #[error("the signature does not match the request, the address and this worker's operator")]
    Signature,
}

/// The three headers of a signed request, as received.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignedHeaders<'a> {
    pub requester: Option<&'a str>,
    pub timestamp: Option<&'a str>,
    pub signature: Option<&'a str>,
}

/// Checks a signed request; returns who signed it. `request.timestamp` is not read: the header's counts.
///
/// # Errors
/// When a header is missing, the time is too far from `now`, or the signature is wrong.
pub fn authenticate(
    headers: SignedHeaders<'_>,
    request: &Request<'_>,
    now: i64,
) -> Result<Address, UnauthenticError> {
    let requester: Address = parse(headers.requester, REQUESTER_HEADER)?;
    let signed: i64 = parse(headers.timestamp, TIMESTAMP_HEADER)?;
    let signature: Signature = parse(headers.signature, SIGNATURE_HEADER)?;
    if signed.abs_diff(now) > MAX_SKEW_SECS.unsigned_abs() {
        return Err(UnauthenticError::Stale { signed, now });
    }
    let text = signing_text(&Request {
        timestamp: signed,
        ..*request
    });
    if signature.verify(requester.as_ref(), text.as_bytes()) {
        Ok(requester)
    } else {
        Err(UnauthenticError::Signature)
    }
}

fn parse<T: std::str::FromStr>(
    value: Option<&str>,
    header: &'static str,
) -> Result<T, UnauthenticError> {
    value
        .and_then(|text| text.parse().ok())
        .ok_or(UnauthenticError::Header(header))
}

/// 32 bytes as lower-case hex.
pub mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the hex.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    /// Reads the hex.
    ///
    /// # Errors
    /// When the text is not the hex of 32 bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|error| D::Error::custom(format!("32 bytes in hex were expected: {error}")))?;
        Ok(bytes)
    }
}

/// An address in base58.
pub mod base58 {
    use assay_protocol::Address;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the base58.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    /// Reads the base58.
    ///
    /// # Errors
    /// When the text is no address.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| D::Error::custom(format!("{text:?} is no address in base58")))
    }
}

#[cfg(test)]
mod tests;
