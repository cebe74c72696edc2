//! What the two sides of a session read of each other: vouchers and receipts in headers, JSON in bodies.

use assay_client::session::{GenerateRequest, Line, Offer, Payment, SignedReceipt, Standing};
use assay_gateway::lane::wire::{refusal_text, verdict};
use reqwest::{StatusCode, header::HeaderMap};

use crate::request::same;

/// A voucher with its signature. Two texts must not be one payment, or a proxy could tell it twice.
pub fn payment(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(payment) = Payment::from_header(text)
    {
        assert!(payment.to_header() == text, "one payment has two texts");
    }
}

/// A receipt. Nobody has signed it, so nobody is believed to have.
pub fn receipt(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(signed) = SignedReceipt::from_header(text)
    {
        assert!(signed.to_header() == text, "one receipt has two texts");
        let stranger = assay_client::protocol::Address::new_from_array([9; 32]);
        assert!(signed.check_signature(&stranger).is_err());
        let next = signed.receipt;
        assert!(next.follows(Some(&next)).is_err(), "a receipt after itself");
    }
}

/// Offers, standings, requests to generate, the lines of their answers, and refusals as a gateway takes them.
pub fn session(bytes: &[u8]) {
    same_if_finite::<GenerateRequest>(bytes);
    same::<Line>(bytes);
    same::<Offer>(bytes);
    same::<Standing>(bytes);
    for status in [
        StatusCode::OK,
        StatusCode::CONFLICT,
        StatusCode::BAD_GATEWAY,
    ] {
        let _ = verdict(status, &HeaderMap::new(), bytes);
        let text = refusal_text(status, bytes);
        assert!(text.chars().count() <= 300 && !text.contains(char::is_control));
    }
}

/// A number beyond 32 bits is read as infinite, which JSON cannot write; workers refuse it by its range.
fn same_if_finite<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&read).unwrap_or_default();
    if let Ok(again) = serde_json::from_slice::<T>(&written) {
        let again = serde_json::to_vec(&again).unwrap_or_default();
        assert!(again == written, "a message changed by being written");
    }
}
