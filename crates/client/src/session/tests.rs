use assay_protocol::{Address, Digest, UnixSeconds, Voucher};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{
    Finish, GenerateRequest, Line, Payment, PaymentError, Price, Receipt, ReceiptError, Terms,
    Usage,
};

fn key() -> Keypair {
    Keypair::new_from_array([7; 32])
}

fn voucher() -> Voucher {
    Voucher {
        session: Address::new_from_array([1; 32]),
        cumulative: 2_500,
        expires_at: 1_000,
    }
}

fn receipt() -> Receipt {
    Receipt {
        session: Address::new_from_array([1; 32]),
        sequence: 1,
        model: Digest([2; 32]),
        request: Receipt::request_digest("run", b"input"),
        response: Digest([3; 32]),
        price: 40,
        cumulative: 40,
        previous: Digest([0; 32]),
    }
}

#[test]
fn payment_survives_its_header_and_is_checked() {
    let payment = Payment::sign(voucher(), &key()).unwrap();
    let read = Payment::from_header(&payment.to_header()).unwrap();
    assert_eq!(read, payment);
    let (session, owner) = (voucher().session, key().pubkey());
    let check = |payment: &Payment, until| payment.check(&session, &owner, UnixSeconds(until));
    assert_eq!(check(&read, 1_000), Ok(()));
    assert!(matches!(
        check(&read, 1_001),
        Err(PaymentError::Expired { .. })
    ));
    let mut altered = read;
    altered.voucher.cumulative += 1;
    assert_eq!(check(&altered, 0), Err(PaymentError::Signature));
    altered.voucher.session = owner;
    assert_eq!(check(&altered, 0), Err(PaymentError::Session));
}

#[test]
fn malformed_headers_are_refused() {
    let whole = Payment::sign(voucher(), &key()).unwrap().to_header();
    for header in ["", "!", "AAAA", &whole[4..], &format!("{whole}AAAA")] {
        assert_eq!(Payment::from_header(header), Err(PaymentError::Malformed));
    }
    let whole = receipt().sign(&key()).unwrap().to_header();
    for header in ["", "!", "AAAA", &whole[4..], &format!("{whole}AAAA")] {
        let read = super::SignedReceipt::from_header(header);
        assert_eq!(read, Err(ReceiptError::Malformed));
    }
}

/// Other implementations must give these bytes.
#[test]
fn receipt_has_its_golden_bytes() {
    let bytes = receipt().to_bytes();
    let expected = [
        "5201",
        &"01".repeat(32),
        "0100000000000000",
        &"02".repeat(32),
        "f96bf272cd104c4d7cd06f97c3ba41d66eb202fcdfaaafe7fc6638b78e210cec",
        &"03".repeat(32),
        "2800000000000000",
        "2800000000000000",
        &"00".repeat(32),
    ];
    assert_eq!(hex::encode(bytes), expected.concat());
    assert_eq!(Receipt::from_bytes(&bytes), Some(receipt()));
    let mut other = bytes;
    other[1] = 2;
    assert_eq!(Receipt::from_bytes(&other), None);
}

#[test]
fn receipt_that_differs_in_anything_is_refused() {
    let signed = receipt().sign(&key()).unwrap();
    let Receipt {
        session,
        model,
        request,
        response,
        ..
    } = receipt();
    let operator = key().pubkey();
    let terms = Terms {
        session: &session,
        operator: &operator,
        model: &model,
        request: &request,
        response: &response,
        max_price: 40,
        previous: None,
    };
    assert_eq!(signed.check(&terms), Ok(()));
    let other = Digest([9; 32]);
    for (what, terms) in [
        (
            "session",
            Terms {
                session: &operator,
                ..terms
            },
        ),
        (
            "model",
            Terms {
                model: &other,
                ..terms
            },
        ),
        (
            "request",
            Terms {
                request: &other,
                ..terms
            },
        ),
        (
            "response",
            Terms {
                response: &other,
                ..terms
            },
        ),
    ] {
        assert_eq!(signed.check(&terms), Err(ReceiptError::Differs(what)));
    }
    let dear = signed.check(&Terms {
        max_price: 39,
        ..terms
    });
    assert!(matches!(dear, Err(ReceiptError::Price { .. })));
    let stranger = signed.check(&Terms {
        operator: &session,
        ..terms
    });
    assert_eq!(stranger, Err(ReceiptError::Signature));

    let second = Receipt {
        sequence: 2,
        price: 5,
        cumulative: 45,
        previous: receipt().digest(),
        ..receipt()
    };
    let first = receipt();
    assert_eq!(second.follows(Some(&first)), Ok(()));
    assert!(matches!(
        second.follows(None),
        Err(ReceiptError::Sequence { .. })
    ));
    let greedy = Receipt {
        cumulative: 46,
        ..second
    };
    assert!(matches!(
        greedy.follows(Some(&first)),
        Err(ReceiptError::Sum { .. })
    ));
    let forked = Receipt {
        previous: other,
        ..second
    };
    assert_eq!(forked.follows(Some(&first)), Err(ReceiptError::Chain));
}

#[test]
fn price_counts_each_unit_and_does_not_overflow() {
    let price = Price {
        request: 100,
        input_kib: 10,
        input_token: 2,
        output_token: 7,
    };
    let usage = Usage {
        input_bytes: 1_025,
        input_tokens: 3,
        output_tokens: 4,
    };
    assert_eq!(price.of(usage), Some(100 + 20 + 6 + 28));
    assert_eq!(price.of(Usage::default()), Some(100));
    let endless = Usage {
        output_tokens: u64::MAX,
        ..usage
    };
    assert_eq!(price.of(endless), None);
}

#[test]
fn lines_are_one_key_each() {
    let line = Line::Done {
        finish: Finish::Stop,
        usage: Usage::default(),
        receipt: receipt().sign(&key()).unwrap(),
    };
    let text = serde_json::to_string(&line).unwrap();
    assert!(text.starts_with(r#"{"done":{"finish":"stop","usage":{"#));
    assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    let request: GenerateRequest =
        serde_json::from_str(r#"{"tokens":[1],"max_tokens":5}"#).unwrap();
    assert_eq!(request.sampling, super::Sampling::default());
    serde_json::from_str::<GenerateRequest>(r#"{"tokens":[1],"max_tokens":5,"prompt":""}"#)
        .unwrap_err();
}

#[test]
fn logarithm_beyond_all_floats_is_not_read() {
    for line in [
        r#"{"token":{"id":1,"logprob":1e39}}"#,
        r#"{"token":{"id":1,"likely":[{"id":2,"logprob":-1e39}]}}"#,
    ] {
        let error = serde_json::from_str::<Line>(line).unwrap_err().to_string();
        assert!(error.contains("beyond every 32-bit float"), "{error}");
    }
    let line = r#"{"token":{"id":1,"logprob":-3e38}}"#;
    serde_json::from_str::<Line>(line).unwrap();
    let Line::Token(token) = serde_json::from_str(r#"{"token":{"id":1}}"#).unwrap() else {
        panic!("no token");
    };
    assert_eq!(token.logprob, None);
}
