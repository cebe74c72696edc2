//! Text to tokens and back.

use std::collections::HashMap;

use tokenizers::{DecoderWrapper, Tokenizer, TruncationDirection};

use crate::{
    error::{PackageError, TextError},
    stream::Detokenizer,
};

/// A tokenizer.
#[derive(Debug)]
pub struct Tokens {
    tokenizer: Tokenizer,
    /// Which byte each letter stands for, where the vocabulary is written in such letters.
    letters: Option<HashMap<char, u8>>,
}

/// A text as an embedding model takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub ids: Vec<u32>,
    pub types: Vec<u32>,
}

impl Tokens {
    /// Reads a tokenizer.json. What it says of truncation and padding is left out of account, as Hugging Face's own
    /// code does: they depend on who asks.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackageError> {
        let invalid = |error: tokenizers::Error| PackageError::Invalid {
            file: "tokenizer.json".to_owned(),
            reason: error.to_string(),
        };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(invalid)?;
        tokenizer.with_truncation(None).map_err(invalid)?;
        tokenizer.with_padding(None);
        let letters = tokenizer
            .get_decoder()
            .is_some_and(byte_level)
            .then(byte_letters);
        Ok(Self { tokenizer, letters })
    }

    /// The tokens of a text; `special` adds those that begin and end one.
    ///
    /// # Errors
    /// When the tokenizer cannot.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TextError> {
        let encoded = self.tokenizer.encode_fast(text, special).map_err(failed)?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The tokens of a text with those that begin and end one, cut to so many; none if that would cut it and it must
    /// not be.
    ///
    /// # Errors
    /// When the tokenizer cannot.
    pub fn encode_within(
        &self,
        text: &str,
        limit: Option<usize>,
        cut: bool,
    ) -> Result<Option<Encoded>, TextError> {
        let mut bare = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        if let Some(limit) = limit {
            let empty = self.tokenizer.encode_fast("", true).map_err(failed)?;
            let room = limit.saturating_sub(empty.len());
            if bare.len() > room {
                if !cut {
                    return Ok(None);
                }
                bare.truncate(room, 0, TruncationDirection::Right);
                bare.take_overflowing();
            }
        }
        let whole = self
            .tokenizer
            .post_process(bare, None, true)
            .map_err(failed)?;
        Ok(Some(Encoded {
            ids: whole.get_ids().to_vec(),
            types: whole.get_type_ids().to_vec(),
        }))
    }

    /// The text of tokens, without special ones.
    ///
    /// # Errors
    /// When the tokenizer cannot.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        self.tokenizer.decode(ids, true).map_err(failed)
    }

    /// Turns the tokens of one answer into text as they come.
    pub fn detokenizer(&self) -> Detokenizer<&Self> {
        Detokenizer::new(self)
    }

    /// The token of this very text.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.tokenizer.token_to_id(word)
    }

    /// Whether there is such a token.
    pub fn knows(&self, id: u32) -> bool {
        self.tokenizer.id_to_token(id).is_some()
    }

    /// What a token alone stands for, which need not be whole letters; a special one stands for its name.
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        let Some(word) = self.tokenizer.id_to_token(id) else {
            return Vec::new();
        };
        let added = self.tokenizer.get_added_vocabulary();
        if added.is_special_token(&word) {
            return word.into_bytes();
        }
        if let Some(letters) = &self.letters {
            let bytes: Option<Vec<u8>> = word.chars().map(|c| letters.get(&c).copied()).collect();
            return bytes.unwrap_or_else(|| word.into_bytes());
        }
        let fallback = word
            .strip_prefix("<0x")
            .and_then(|hex| hex.strip_suffix('>'));
        if let Some(byte) = fallback.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            return vec![byte];
        }
        word.replace('\u{2581}', " ").into_bytes()
    }
}

/// How the model's tokens are told apart from what went wrong inside.
fn failed(error: tokenizers::Error) -> TextError {
    TextError::Tokenizer(error.to_string())
}

fn byte_level(decoder: &DecoderWrapper) -> bool {
    if let DecoderWrapper::Sequence(sequence) = decoder {
        return sequence.get_decoders().iter().any(byte_level);
    }
    matches!(decoder, DecoderWrapper::ByteLevel(_))
}

/// GPT-2's letters for bytes: printable ones are themselves, the others follow from U+0100 in order.
fn byte_letters() -> HashMap<char, u8> {
    let mut next = 0x100_u32..;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let itself = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
            let letter = if itself {
                Some(char::from(byte))
            } else {
                next.next().and_then(char::from_u32)
            };
            Some((letter?, byte))
        })
        .collect()
}

#[cfg(test)]
pub mod tests;
