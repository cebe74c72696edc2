//! What a request costs.

use serde::{Deserialize, Serialize};

/// Lamports for each unit of a model's use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Each request.
    pub request: u64,
    /// Each KiB of a run's input file, the last one whole.
    pub input_kib: u64,
    /// Each token of a prompt.
    pub input_token: u64,
    /// Each token of an answer.
    pub output_token: u64,
}

/// How much of a model a request used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Of a run; 0 for a generation.
    pub input_bytes: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Price {
    /// Lamports for one request; none beyond 64 bits.
    pub fn of(&self, usage: Usage) -> Option<u64> {
        let units = [
            (self.input_kib, usage.input_bytes.div_ceil(1_024)),
            (self.input_token, usage.input_tokens),
            (self.output_token, usage.output_tokens),
        ];
        units
            .into_iter()
            .try_fold(self.request, |sum, (price, count)| {
                sum.checked_add(price.checked_mul(count)?)
            })
    }
}
