//! Fuzz targets: one function for each parser of bytes that strangers send, with what must hold of
//! whatever it accepts. `scripts/fuzz.sh` drives them with coverage, `tests/corpus.rs` goes through
//! what was found worth keeping.
//!
//! A crate, and not a module of the tests, because nothing but the fuzzer may link its runtime.

mod chain;
mod config;
mod graph;
mod package;
mod request;
mod session;
mod tensors;
mod uri;

/// A target by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("account", chain::account),
    ("config", config::config),
    ("delivery", request::delivery),
    ("graph", graph::graph),
    ("log", chain::log),
    ("modelfile", package::modelfile),
    ("payment", session::payment),
    ("receipt", session::receipt),
    ("session", session::session),
    ("signed_request", request::signed_request),
    ("tensors", tensors::tensors),
    ("uri", uri::uri),
    ("voucher", chain::voucher),
];

/// The target of this name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    let mut targets = TARGETS.iter();
    targets
        .find(|(known, _)| *known == name)
        .map(|(_, target)| *target)
}
