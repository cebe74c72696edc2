//! A request's headers.

use assay_client::{
    protocol::Digest,
    session::{
        MAX_PRICE_HEADER, MODEL_HEADER, Payment, PaymentError, REQUEST_HEADER, SEQUENCE_HEADER,
        VOUCHER_HEADER,
    },
};
use axum::http::HeaderMap;

use super::Failure;
use crate::sessions::core::{Ask, Refused};

/// What the headers say.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub ask: Ask,
    /// Lamports.
    pub max_price: Option<u64>,
    /// In place of the body.
    pub request: Option<Digest>,
}

impl Head {
    pub fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let model = digest(needed(headers, MODEL_HEADER)?, MODEL_HEADER)?;
        let request = text(headers, REQUEST_HEADER)?;
        let request = request.map(|text| digest(text, REQUEST_HEADER));
        let sequence = number(needed(headers, SEQUENCE_HEADER)?, SEQUENCE_HEADER)?;
        let payment = text(headers, VOUCHER_HEADER)?;
        let payment = payment.ok_or(PaymentError::Malformed);
        let payment = payment.and_then(Payment::from_header);
        let max_price = text(headers, MAX_PRICE_HEADER)?;
        let max_price = max_price.map(|text| number(text, MAX_PRICE_HEADER));
        Ok(Self {
            ask: Ask {
                sequence,
                model,
                payment: payment.map_err(Refused::from)?,
            },
            max_price: max_price.transpose()?,
            request: request.transpose()?,
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Failure> {
    let value = headers.get(name).map(|value| value.to_str());
    let value = value.transpose();
    value.map_err(|_| Failure::malformed(format!("the header {name} is no text")))
}

fn needed<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Failure> {
    text(headers, name)?.ok_or_else(|| Failure::malformed(format!("the header {name} is missing")))
}

fn digest(text: &str, name: &str) -> Result<Digest, Failure> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| Failure::malformed(format!("the header {name} is no sha256 in hex")))?;
    Ok(Digest(digest))
}

fn number(text: &str, name: &str) -> Result<u64, Failure> {
    let number = text.parse();
    number
        .map_err(|_| Failure::malformed(format!("the header {name} is no whole number: {text:?}")))
}
