//! What the APIs make of requests and answers, over an upstream that says what the test tells it to.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

#[path = "apis/access.rs"]
mod access;
#[path = "../../package/tests/kit/exports.rs"]
#[expect(
    dead_code,
    reason = "one of the tokenizers is for the other crate's tests"
)]
mod exports;
#[path = "apis/kit.rs"]
mod kit;
#[path = "apis/oip.rs"]
mod oip;
#[path = "apis/ollama.rs"]
mod ollama;
#[path = "apis/openai.rs"]
mod openai;
#[path = "apis/vectors.rs"]
mod vectors;
