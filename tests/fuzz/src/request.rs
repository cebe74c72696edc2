//! What comes over HTTP: signed requests to a worker, and a worker's answers.

use std::sync::OnceLock;

use assay_client::{
    delivery::{
        Acknowledgement, Delivery, Info, REQUESTER_HEADER, Request, SIGNATURE_HEADER,
        SignedHeaders, TIMESTAMP_HEADER, authenticate, sign,
    },
    protocol::Address,
};
use solana_keypair::Keypair;

const NOW: i64 = 1_000;

/// The headers of one request that was really signed.
fn signed() -> &'static Option<[(&'static str, String); 3]> {
    static SIGNED: OnceLock<Option<[(&'static str, String); 3]>> = OnceLock::new();
    SIGNED.get_or_init(|| {
        sign(
            &Keypair::new_from_array([7; 32]),
            &request("GET", "/v1/jobs/x", b""),
        )
        .ok()
    })
}

fn request<'a>(method: &'a str, path: &'a str, body: &'a [u8]) -> Request<'a> {
    static OPERATOR: Address = Address::new_from_array([9; 32]);
    Request {
        method,
        path,
        timestamp: NOW,
        body,
        operator: &OPERATOR,
    }
}

/// Six parts between line ends: method, path, body and three headers. An empty header is replaced by
/// the one that was signed, so that the fuzzer gets near; nothing but that very request is believed.
pub fn signed_request(bytes: &[u8]) {
    let mut parts = bytes.splitn(6, |byte| *byte == b'\n');
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let (Some(method), Some(path), Some(body)) = (text(), text(), text()) else {
        return;
    };
    let given = [text(), text(), text()];
    let Some(signed) = signed() else { return };
    let header = |name: &str, given: Option<&str>| -> Option<String> {
        match given {
            Some("") => signed
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.clone()),
            other => other.map(str::to_owned),
        }
    };
    let [requester, timestamp, signature] = given;
    let requester = header(REQUESTER_HEADER, requester);
    let timestamp = header(TIMESTAMP_HEADER, timestamp);
    let signature = header(SIGNATURE_HEADER, signature);
    let headers = SignedHeaders {
        requester: requester.as_deref(),
        timestamp: timestamp.as_deref(),
        signature: signature.as_deref(),
    };
    let asked = request(method, path, body.as_bytes());
    if authenticate(headers, &asked, NOW).is_ok() {
        let same = (method, path, body) == ("GET", "/v1/jobs/x", "");
        assert!(same, "a request was believed that nobody signed");
    }
}

/// A worker's answers, read by clients and by other workers.
pub fn delivery(bytes: &[u8]) {
    same::<Delivery>(bytes);
    same::<Acknowledgement>(bytes);
    same::<Info>(bytes);
}

pub fn same<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&read).unwrap_or_default();
    let again = serde_json::from_slice::<T>(&written);
    let again = again.ok().and_then(|again| serde_json::to_vec(&again).ok());
    assert!(again == Some(written), "an answer changed by being written");
}
