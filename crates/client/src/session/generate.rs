//! Generation: a prompt's tokens in, an answer's tokens out, one line at a time. Text is the requester's affair.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{SignedReceipt, Usage};
use crate::delivery::Refusal;

/// Asks a decoder model to go on from a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateRequest {
    /// The prompt; at least one token.
    pub tokens: Vec<u32>,
    /// Tokens of the answer, at most; at least 1.
    pub max_tokens: u32,
    /// The answer ends before the first of these, which is neither shown nor paid for.
    #[serde(default)]
    pub stop_tokens: Vec<u32>,
    #[serde(default)]
    pub sampling: Sampling,
    /// How many of the likeliest tokens to tell beside each one, 0 to 20.
    #[serde(default)]
    pub logprobs: u8,
}

/// How the next token is chosen. The default takes the likeliest one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// 0 takes the likeliest token and leaves everything else out of account but the penalties and biases.
    pub temperature: f32,
    /// Of the likeliest so many; 0 for all.
    pub top_k: u32,
    /// Of the likeliest that together have this probability; 1 for all.
    pub top_p: f32,
    /// Of those with at least this part of the likeliest one's probability; 0 for all.
    pub min_p: f32,
    /// Divides the logits above zero of tokens seen among the last `repeat_last`, multiplies those below; 1 for none.
    pub repeat_penalty: f32,
    /// Tokens back that count as seen; 0 for all, prompt and answer.
    pub repeat_last: u32,
    /// Taken off the logit of a token once it is in the answer.
    pub presence_penalty: f32,
    /// Taken off for each time that it is in the answer.
    pub frequency_penalty: f32,
    /// Added to the logits of these tokens.
    pub logit_bias: Vec<(u32, f32)>,
    /// The same seed and request give the same answer on the same machine.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            repeat_last: 64,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
        }
    }
}

/// A token of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    pub id: u32,
    /// Natural logarithm of its probability before sampling's cuts, where asked for.
    #[serde(
        default,
        deserialize_with = "finite_if_told",
        skip_serializing_if = "Option::is_none"
    )]
    pub logprob: Option<f32>,
    /// The likeliest tokens in its place, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub likely: Vec<Likely>,
}

/// A token that could have been.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likely {
    pub id: u32,
    #[serde(deserialize_with = "finite")]
    pub logprob: f32,
}

/// A number past the largest float is read as infinite, which nobody could write on.
fn finite<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    let read = f32::deserialize(from)?;
    let why = "a probability's logarithm is beyond every 32-bit float";
    read.is_finite()
        .then_some(read)
        .ok_or_else(|| D::Error::custom(why))
}

fn finite_if_told<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f32>, D::Error> {
    #[derive(Deserialize)]
    struct Finite(#[serde(deserialize_with = "finite")] f32);
    Ok(Option::<Finite>::deserialize(from)?.map(|read| read.0))
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// A stop token came.
    Stop,
    /// `max_tokens`, or all that the model has room for.
    Length,
}

/// A line of a generation's answer.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time is read or written, and none is kept"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Token(Token),
    /// The last line of an answer that is whole.
    Done {
        finish: Finish,
        usage: Usage,
        receipt: SignedReceipt,
    },
    /// The last line of one that is not.
    Failed(Refusal),
}
