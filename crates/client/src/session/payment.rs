//! A voucher with its signature, as it travels in a header.

use assay_protocol::{Address, UnixSeconds, Voucher, voucher::VOUCHER_BYTES};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use solana_signature::Signature;
use solana_signer::{Signer, SignerError};
use thiserror::Error;

const SIGNATURE_BYTES: usize = 64;

/// A signed voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    pub voucher: Voucher,
    pub signature: Signature,
}

/// Why a payment is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    #[error("the payment is not base64 of a voucher of 50 bytes and its signature of 64")]
    Malformed,
    #[error("the voucher is for another session")]
    Session,
    #[error("the voucher expires at {expires_at}; here it must last until {needed}")]
    Expired { expires_at: i64, needed: i64 },
    #[error("the signature is not the session key's over this voucher")]
    Signature,
}

impl Payment {
    /// Signs a voucher.
    ///
    /// # Errors
    /// When the key cannot or will not sign.
    pub fn sign(voucher: Voucher, session_key: &dyn Signer) -> Result<Self, SignerError> {
        let signature = session_key.try_sign_message(&voucher.to_bytes())?;
        Ok(Self { voucher, signature })
    }

    /// The header's value: base64 of the voucher and the signature after it.
    pub fn to_header(&self) -> String {
        let mut bytes = Vec::with_capacity(VOUCHER_BYTES + SIGNATURE_BYTES);
        bytes.extend_from_slice(&self.voucher.to_bytes());
        bytes.extend_from_slice(self.signature.as_ref());
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads a header's value; nothing is checked but its form.
    ///
    /// # Errors
    /// [`PaymentError::Malformed`].
    pub fn from_header(header: &str) -> Result<Self, PaymentError> {
        let bytes = BASE64_STANDARD
            .decode(header)
            .map_err(|_| PaymentError::Malformed)?;
        let (voucher, signature) = bytes
            .split_at_checked(VOUCHER_BYTES)
            .ok_or(PaymentError::Malformed)?;
        Ok(Self {
            voucher: Voucher::from_bytes(voucher).ok_or(PaymentError::Malformed)?,
            signature: signature.try_into().map_err(|_| PaymentError::Malformed)?,
        })
    }

    /// Checks session, expiry and signature; how much it pays is for the caller to judge. The signature comes last: it
    /// is what costs time.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check(
        &self,
        session: &Address,
        session_key: &Address,
        needed_until: UnixSeconds,
    ) -> Result<(), PaymentError> {
        let Voucher { expires_at, .. } = self.voucher;
        if self.voucher.session != *session {
            return Err(PaymentError::Session);
        }
        if expires_at < needed_until.0 {
            let needed = needed_until.0;
            return Err(PaymentError::Expired { expires_at, needed });
        }
        let message = self.voucher.to_bytes();
        if self.signature.verify(session_key.as_ref(), &message) {
            Ok(())
        } else {
            Err(PaymentError::Signature)
        }
    }
}
