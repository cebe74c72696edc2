//! What a request in doubt is worth: with its digest all that is kept of it, so that its answer can be asked for again, and
//! held against its price, after the death of the process. Never its input.

use assay_client::session::{Price, Usage};

use super::wire::Kind;

/// What a request may cost, by what came of it. Lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// For the input, or the prompt.
    pub base: u64,
    /// For each token of the answer.
    pub token: u64,
    /// Tokens of the answer, at most.
    pub tokens: u64,
    /// At most.
    pub most: u64,
}

/// A request without a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    pub kind: Kind,
    pub agreed: Agreed,
    /// Lamports for what came of its answer.
    pub seen: u64,
    /// Where its reader left: the lamports that an honest provider can have charged until it saw that.
    pub most: Option<u64>,
}

impl Agreed {
    /// `worst` is the most that the request can use.
    pub fn new(price: &Price, worst: Usage, most: u64) -> Self {
        let prompt = Usage {
            output_tokens: 0,
            ..worst
        };
        Self {
            base: price.of(prompt).unwrap_or(u64::MAX),
            token: price.output_token,
            tokens: worst.output_tokens,
            most,
        }
    }

    /// Lamports for the prompt or input and so many tokens of an answer.
    pub fn of(&self, tokens: u64) -> u64 {
        let answer = self.token.saturating_mul(tokens);
        self.base.saturating_add(answer).min(self.most)
    }
}

impl Worth {
    /// Of a request that was just sent.
    pub const fn unseen(kind: Kind, agreed: Agreed) -> Self {
        Self {
            kind,
            agreed,
            seen: 0,
            most: None,
        }
    }
}
