//! Receipts: what a worker signs for each answer, in a chain.
//!
//! `0x52 0x01 | session (32) | sequence u64le | model (32) | request (32) | response (32) | price u64le |
//! cumulative u64le | previous (32)`: 186 bytes, signed by the provider's operator. `previous` is the sha256 of the
//! receipt before, without its signature; zeros in the first.

use assay_protocol::{Address, Digest};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use solana_signature::Signature;
use solana_signer::{Signer, SignerError};
use thiserror::Error;

use crate::outputs::digest;

/// First bytes of a receipt: the kind of message and its version.
const PREFIX: [u8; 2] = [0x52, 0x01];
const BYTES: usize = size_of::<Message>();

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Message {
    prefix: [u8; 2],
    session: Address,
    sequence: [u8; 8],
    model: [u8; 32],
    request: [u8; 32],
    response: [u8; 32],
    price: [u8; 8],
    cumulative: [u8; 8],
    previous: [u8; 32],
}

/// An answer and its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub session: Address,
    /// From 1.
    pub sequence: u64,
    /// sha256 of the model's file.
    pub model: Digest,
    /// See [`Receipt::request_digest`].
    pub request: Digest,
    /// sha256 of the answer's body; of a generation, of its tokens as u32le one after another.
    pub response: Digest,
    /// Lamports of this request.
    pub price: u64,
    /// Lamports of all requests so far: what the next voucher must reach.
    pub cumulative: u64,
    /// The receipt before; zeros for none.
    pub previous: Digest,
}

/// A receipt with the operator's signature. In JSON and in a header it is base64 of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedReceipt {
    pub receipt: Receipt,
    pub signature: Signature,
}

/// What a receipt must say to be paid for.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub session: &'a Address,
    pub operator: &'a Address,
    pub model: &'a Digest,
    pub request: &'a Digest,
    /// Of what came back.
    pub response: &'a Digest,
    /// Lamports, at most.
    pub max_price: u64,
    /// The receipt before this one, if this is not the first.
    pub previous: Option<&'a Receipt>,
}

/// Why a receipt is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    #[error("the receipt is not base64 of 186 bytes and a signature of 64")]
    Malformed,
    #[error("the receipt is of another {0} than what was asked and answered")]
    Differs(&'static str),
    #[error("the receipt says {price} lamports; at most {limit} were agreed")]
    Price { price: u64, limit: u64 },
    #[error("the receipt's sum is {found} lamports; with its price it must be {expected}")]
    Sum { found: u64, expected: u64 },
    #[error("the receipt has number {found} where {expected} comes next")]
    Sequence { found: u64, expected: u64 },
    #[error("the receipt does not follow the one before it")]
    Chain,
    #[error("the signature is not the operator's over this receipt")]
    Signature,
}

impl Receipt {
    /// Digest of a request: of its path's last word (`run`, `generate`), a newline, and its body.
    pub fn request_digest(kind: &str, body: &[u8]) -> Digest {
        Digest::of(&[kind.as_bytes(), b"\n", body])
    }

    /// The message to sign.
    pub fn to_bytes(&self) -> [u8; BYTES] {
        bytemuck::cast(Message {
            prefix: PREFIX,
            session: self.session,
            sequence: self.sequence.to_le_bytes(),
            model: self.model.0,
            request: self.request.0,
            response: self.response.0,
            price: self.price.to_le_bytes(),
            cumulative: self.cumulative.to_le_bytes(),
            previous: self.previous.0,
        })
    }

    /// The receipt in a message; none for any other message.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let message: &Message = bytemuck::try_from_bytes(bytes).ok()?;
        (message.prefix == PREFIX).then(|| Self {
            session: message.session,
            sequence: u64::from_le_bytes(message.sequence),
            model: Digest(message.model),
            request: Digest(message.request),
            response: Digest(message.response),
            price: u64::from_le_bytes(message.price),
            cumulative: u64::from_le_bytes(message.cumulative),
            previous: Digest(message.previous),
        })
    }

    /// What the next receipt names this one by.
    pub fn digest(&self) -> Digest {
        digest(&self.to_bytes())
    }

    /// Signs it.
    ///
    /// # Errors
    /// When the key cannot or will not sign.
    pub fn sign(self, operator: &dyn Signer) -> Result<SignedReceipt, SignerError> {
        let signature = operator.try_sign_message(&self.to_bytes())?;
        let receipt = self;
        Ok(SignedReceipt { receipt, signature })
    }

    /// Checks that this receipt comes after `previous`: number, sum and chain.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn follows(&self, previous: Option<&Self>) -> Result<(), ReceiptError> {
        let (sequence, cumulative, name) = previous.map_or((0, 0, Digest([0; 32])), |previous| {
            (previous.sequence, previous.cumulative, previous.digest())
        });
        let next = sequence.saturating_add(1);
        if self.sequence != next {
            let (found, expected) = (self.sequence, next);
            return Err(ReceiptError::Sequence { found, expected });
        }
        let sum = cumulative.saturating_add(self.price);
        if self.cumulative != sum {
            let (found, expected) = (self.cumulative, sum);
            return Err(ReceiptError::Sum { found, expected });
        }
        if self.previous == name {
            Ok(())
        } else {
            Err(ReceiptError::Chain)
        }
    }
}

impl SignedReceipt {
    /// Base64 of the receipt and the signature after it.
    pub fn to_header(&self) -> String {
        let mut bytes = self.receipt.to_bytes().to_vec();
        bytes.extend_from_slice(self.signature.as_ref());
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads a header's value; nothing is checked but its form.
    ///
    /// # Errors
    /// [`ReceiptError::Malformed`].
    pub fn from_header(header: &str) -> Result<Self, ReceiptError> {
        let malformed = ReceiptError::Malformed;
        let bytes = BASE64_STANDARD.decode(header).map_err(|_| malformed)?;
        let (receipt, signature) = bytes.split_first_chunk::<BYTES>().ok_or(malformed)?;
        Ok(Self {
            receipt: Receipt::from_bytes(receipt).ok_or(malformed)?,
            signature: signature.try_into().map_err(|_| malformed)?,
        })
    }

    /// Whether this operator signed it.
    ///
    /// # Errors
    /// [`ReceiptError::Signature`].
    pub fn check_signature(&self, operator: &Address) -> Result<(), ReceiptError> {
        let message = self.receipt.to_bytes();
        if self.signature.verify(operator.as_ref(), &message) {
            Ok(())
        } else {
            Err(ReceiptError::Signature)
        }
    }

    /// Checks everything that makes it worth a voucher.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&self, terms: &Terms<'_>) -> Result<(), ReceiptError> {
        let receipt = &self.receipt;
        let same = [
            ("session", receipt.session == *terms.session),
            ("model", receipt.model == *terms.model),
            ("request", receipt.request == *terms.request),
            ("response", receipt.response == *terms.response),
        ];
        if let Some((what, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(ReceiptError::Differs(what));
        }
        if receipt.price > terms.max_price {
            let (price, limit) = (receipt.price, terms.max_price);
            return Err(ReceiptError::Price { price, limit });
        }
        receipt.follows(terms.previous)?;
        self.check_signature(terms.operator)
    }
}

impl Serialize for SignedReceipt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_header())
    }
}

impl<'de> Deserialize<'de> for SignedReceipt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_header(&text).map_err(de::Error::custom)
    }
}
