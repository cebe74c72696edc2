//! Whose operators a model may use, and of which age.

use super::{
    limits::{ML_OPSET, OPSET},
    shown,
    wire::{Fields, Once},
};
use crate::backend::ModelRefused;

/// What ONNX Runtime brings along itself. Other domains are libraries that somebody would have to
/// load, or ONNX Runtime's own between its optimiser and its kernels, which trust each other.
const DOMAINS: [&str; 5] = [
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.preview",
    "com.microsoft",
];

pub fn check(domain: &str, operator: &str) -> Result<(), ModelRefused> {
    // A compiled blob for one vendor's device, which may also name a file.
    if operator == "EPContext" {
        return Err(ModelRefused::Compiled);
    }
    if DOMAINS.contains(&domain) {
        return Ok(());
    }
    Err(ModelRefused::Operator {
        domain: shown(domain),
        operator: shown(operator),
    })
}

/// The version of a domain's operators that a model is written for.
pub fn check_opset(bytes: &[u8]) -> Result<(), ModelRefused> {
    let (mut domain, mut version) = (Once::default(), Once::default());
    for field in Fields(bytes) {
        let field = field?;
        match field.number {
            1 => domain.set(&field, field.name()?)?,
            2 => version.set(&field, field.number()?)?,
            _ => {}
        }
    }
    let bounds = match domain.get().unwrap_or_default() {
        "" | "ai.onnx" => OPSET,
        "ai.onnx.ml" => ML_OPSET,
        // Of functions, or of operators that no node here uses.
        _ => return Ok(()),
    };
    let what = match domain.get().unwrap_or_default() {
        "" | "ai.onnx" => "ONNX operators",
        _ => "ONNX's machine learning operators",
    };
    check_version(what, version.get().unwrap_or_default(), bounds)
}

pub fn check_version(
    what: &str,
    found: u64,
    (least, most): (u64, u64),
) -> Result<(), ModelRefused> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(ModelRefused::Version {
        what: what.into(),
        found,
        least,
        most,
    })
}
