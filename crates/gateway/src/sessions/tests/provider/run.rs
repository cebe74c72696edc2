//! Single runs: the bytes that came, from the last to the first.

use assay_client::{
    delivery::Refusal,
    session::{RECEIPT_HEADER, Usage, code},
};
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{Deed, Shared, admit, broken, refuse};

pub async fn run(
    State(provider): Shared,
    Path(session): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (asked, _under_way) = match admit(&provider, &session, "run", &headers, &body) {
        Ok(admitted) => admitted,
        Err(refused) => return *refused,
    };
    let gate = provider.gate.lock().unwrap().clone();
    if let Some(gate) = gate {
        gate.notified().await;
    }
    let usage = Usage {
        input_bytes: body.len() as u64,
        ..Usage::default()
    };
    let price = provider.price.of(usage).unwrap();
    assert!(price <= asked.max_price);
    let answer: Vec<u8> = body.iter().rev().copied().collect();
    let deed = provider.deed();
    match deed {
        Deed::Busy => return refuse(429, code::BUSY, "the queue is full"),
        Deed::Proxy => return (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        Deed::Mismatch => return refuse(422, code::INPUT_MISMATCH, "no such input"),
        Deed::Break => {
            *provider.broken.lock().unwrap() = Some((asked, answer));
            return broken();
        }
        Deed::Miscount => {
            *provider.broken.lock().unwrap() = Some((asked, answer));
            return refuse(409, code::SEQUENCE_MISMATCH, "not the next request");
        }
        Deed::LongRefusal => return (StatusCode::CONFLICT, vec![b' '; 2_000]).into_response(),
        Deed::Unserved => return refuse(404, code::MODEL_NOT_SERVED, "not in the offer"),
        Deed::ChargeBefore => {
            let (before, answer) = provider.broken.lock().unwrap().take().unwrap();
            provider.charge(&before, &answer, price, deed);
            return refuse(409, code::SEQUENCE_MISMATCH, "not the next request");
        }
        Deed::Honest
        | Deed::ModelFailed
        | Deed::ChargeAndBreak
        | Deed::ChargeAndKeep
        | Deed::ChargeAndMiscount
        | Deed::ChargeAll
        | Deed::ChargeMore
        | Deed::ChangeOperator
        | Deed::ChangeOperatorAndBreak
        | Deed::Stranger
        | Deed::Unaware
        | Deed::Talkative
        | Deed::Price
        | Deed::Request
        | Deed::Answer
        | Deed::Sum
        | Deed::Fork
        | Deed::NoReceipt => {}
    }
    if let Some(receipt) = asked.again {
        if deed == Deed::ChargeAndKeep {
            return refuse(409, code::SEQUENCE_MISMATCH, "it is not kept any more");
        }
        let mut answer = provider.answer(&asked.session);
        if deed == Deed::Answer {
            answer.push(0);
        }
        // Computed once more, and signed as whoever it is by now.
        let signed = provider.sign(receipt.receipt, deed);
        return ([(RECEIPT_HEADER, signed.to_header())], answer).into_response();
    }
    if deed == Deed::ModelFailed {
        let said = serde_json::to_vec(&Refusal {
            error: code::MODEL_FAILED.to_owned(),
            message: "it divides by zero".to_owned(),
        })
        .unwrap();
        let signed = provider.charge(&asked, &said, price, deed);
        let header = [(RECEIPT_HEADER, signed.to_header())];
        return (StatusCode::UNPROCESSABLE_ENTITY, header, said).into_response();
    }
    let signed = provider.charge(&asked, &answer, price, deed);
    if matches!(
        deed,
        Deed::ChargeAndBreak | Deed::ChargeAndKeep | Deed::ChangeOperatorAndBreak
    ) {
        return broken();
    }
    if deed == Deed::ChargeAndMiscount {
        return refuse(409, code::SEQUENCE_MISMATCH, "not the next request");
    }
    if deed == Deed::NoReceipt {
        return answer.into_response();
    }
    ([(RECEIPT_HEADER, signed.to_header())], answer).into_response()
}
