//! One answer of a decoder, token by token: what each step is given, and what is made of what it gives.

use std::collections::BTreeSet;

use assay_client::session::{Finish, GenerateRequest, Token};
use assay_engine::{Step as Run, Tensor};

use super::{
    ServeError,
    decoder::Decoder,
    sampling::{Sampler, Seen},
};

/// An answer that is not whole yet.
pub struct Generation {
    decoder: Decoder,
    sampler: Sampler,
    /// Prompt and answer.
    tokens: Vec<u32>,
    prompt: usize,
    /// Tokens after which the answer has its length.
    end: usize,
    stop: BTreeSet<u32>,
    /// Tokens of which the engine keeps what it has made.
    past: usize,
}

/// What came of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// None if a stop token came.
    pub token: Option<Token>,
    /// Why there is no other.
    pub finish: Option<Finish>,
}

impl Generation {
    /// `limit` is of prompt and answer together.
    ///
    /// # Errors
    /// [`ServeError::InputMismatch`] when the request asks for what the model cannot give.
    pub fn begin(
        decoder: Decoder,
        request: GenerateRequest,
        limit: usize,
    ) -> Result<Self, ServeError> {
        let refused = |text: &str| Err(ServeError::InputMismatch(text.into()));
        let GenerateRequest {
            tokens,
            max_tokens,
            stop_tokens,
            sampling,
            logprobs,
        } = request;
        let sampler = Sampler::new(sampling, logprobs).map_err(ServeError::InputMismatch)?;
        if tokens.is_empty() {
            return refused("the prompt is empty; give at least one token");
        }
        if max_tokens == 0 {
            return refused("max_tokens is 0; ask for at least one token");
        }
        if let Some(size) = decoder.vocabulary() {
            sampler
                .check_vocabulary(size)
                .map_err(ServeError::InputMismatch)?;
            let beyond = |id: &&u32| usize::try_from(**id).map_or(true, |id| id >= size);
            if let Some(id) = tokens.iter().find(beyond) {
                return refused(&format!(
                    "the prompt has a token {id} and the model has {size}, counted from 0; it was made with another \
                     tokenizer"
                ));
            }
        }
        let prompt = tokens.len();
        let limit = decoder.room().map_or(limit, |room| room.min(limit));
        if prompt >= limit {
            return refused(&format!(
                "the prompt has {prompt} tokens and prompt and answer together may have {limit}; shorten it"
            ));
        }
        let asked = usize::try_from(max_tokens).unwrap_or(usize::MAX);
        Ok(Self {
            decoder,
            sampler,
            tokens,
            prompt,
            end: prompt.saturating_add(asked).min(limit),
            stop: stop_tokens.into_iter().collect(),
            past: 0,
        })
    }

    /// Bytes that its engine may have to keep between two steps; none if it never keeps anything.
    pub fn kept_bytes(&self) -> Option<u64> {
        self.decoder.kept_bytes(self.end)
    }

    /// What the next step is to be given.
    pub fn next_inputs(&self) -> Vec<Tensor> {
        self.decoder.inputs(&self.tokens, self.past)
    }

    /// How the next step is run where the engine keeps what it makes.
    pub fn next_run(&self) -> Run {
        self.decoder.step(self.tokens.len(), self.goes_on())
    }

    /// Whether the next step needs what the last one left.
    pub fn goes_on(&self) -> bool {
        self.past > 0
    }

    /// What the engine kept is lost; the next step is given all tokens so far.
    pub fn begin_again(&mut self) {
        self.past = 0;
    }

    /// The next token, by what the step gave.
    ///
    /// # Errors
    /// [`ServeError::ModelFailed`] when no token can be chosen by it.
    pub fn take(&mut self, outputs: &[Tensor]) -> Result<Step, ServeError> {
        let failed = |error: &dyn std::error::Error| ServeError::ModelFailed(error.to_string());
        let logits = Decoder::logits(outputs).map_err(|error| failed(&error))?;
        if self.kept_bytes().is_some() {
            self.past = self.tokens.len();
        }
        let (prompt, answer) = self.tokens.split_at(self.prompt);
        let seen = Seen { prompt, answer };
        let chosen = self.sampler.choose(&logits, &seen);
        let token = chosen.map_err(|error| failed(&error))?;
        if self.stop.contains(&token.id) {
            return Ok(Step {
                token: None,
                finish: Some(Finish::Stop),
            });
        }
        self.tokens.push(token.id);
        Ok(Step {
            token: Some(token),
            finish: (self.tokens.len() >= self.end).then_some(Finish::Length),
        })
    }
}

#[cfg(test)]
mod tests;
