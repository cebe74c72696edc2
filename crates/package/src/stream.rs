//! Text of an answer as its tokens come, and where it stops.

use std::ops::Deref;

use crate::{error::TextError, tokens::Tokens};

/// Tokens that a letter of UTF-8 can lie in, less one.
const HELD: usize = 3;

/// Turns tokens into text one at a time. All that it gives together is what decoding all at once gives.
#[derive(Debug)]
pub struct Detokenizer<T> {
    tokens: T,
    /// The last tokens: what is to come depends on some before it.
    ids: Vec<u32>,
    /// How many of them have been given as text.
    given: usize,
    /// The text of those.
    text: String,
}

impl<T: Deref<Target = Tokens>> Detokenizer<T> {
    pub fn new(tokens: T) -> Self {
        Self {
            tokens,
            ids: Vec::new(),
            given: 0,
            text: String::new(),
        }
    }

    /// Takes a token; gives the text that is certain by now, which may be empty.
    ///
    /// # Errors
    /// When the tokenizer cannot.
    pub fn push(&mut self, id: u32) -> Result<String, TextError> {
        self.ids.push(id);
        let whole = self.tokens.decode(&self.ids)?;
        if !whole.ends_with(char::REPLACEMENT_CHARACTER) {
            return self.give(self.ids.len(), whole);
        }
        // The last letter is not whole, or never will be: a letter cannot have begun before the last few tokens.
        let certain = self.ids.len().saturating_sub(HELD);
        let Some(ids) = self.ids.get(..certain).filter(|_| certain > self.given) else {
            return Ok(String::new());
        };
        let text = self.tokens.decode(ids)?;
        self.give(certain, text)
    }

    /// The text that was held back.
    ///
    /// # Errors
    /// When the tokenizer cannot.
    pub fn finish(&mut self) -> Result<String, TextError> {
        let whole = self.tokens.decode(&self.ids)?;
        self.give(self.ids.len(), whole)
    }

    fn give(&mut self, count: usize, whole: String) -> Result<String, TextError> {
        let new = whole.strip_prefix(self.text.as_str()).unwrap_or_default();
        let new = new.to_owned();
        // Only the last piece stays in front of what is to come, so that the work does not grow with the answer.
        let old = if new.is_empty() { 0 } else { self.given };
        self.ids.drain(..old);
        self.given = count - old;
        self.text = match self.ids.get(..self.given) {
            Some(given) if old > 0 => self.tokens.decode(given)?,
            Some(_) | None => whole,
        };
        Ok(new)
    }
}

/// Finds the first of some texts in a text that comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    stops: Vec<String>,
    /// What has come and may begin a stop.
    held: String,
}

/// What can be shown of a text so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    /// The stop that came after it; there is no more.
    pub stopped: Option<String>,
}

impl Stops {
    /// Empty texts stop nothing.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self {
            stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(),
            held: String::new(),
        }
    }

    /// Takes a piece.
    pub fn push(&mut self, piece: &str) -> Shown {
        self.held.push_str(piece);
        let first = self
            .stops
            .iter()
            .filter_map(|stop| Some((self.held.find(stop.as_str())?, stop)))
            .min_by_key(|(at, stop)| (*at, stop.len()));
        if let Some((at, stop)) = first {
            let stopped = Some(stop.clone());
            let mut text = std::mem::take(&mut self.held);
            text.truncate(at);
            return Shown { text, stopped };
        }
        let certain = self.held.len() - self.beginning();
        let rest = self.held.split_off(certain);
        Shown {
            text: std::mem::replace(&mut self.held, rest),
            stopped: None,
        }
    }

    /// The text that was held back and turned out to begin no stop.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end that may begin a stop.
    fn beginning(&self) -> usize {
        let ends = self
            .held
            .char_indices()
            .map(|(at, _)| self.held.split_at(at).1);
        ends.filter(|end| self.stops.iter().any(|stop| stop.starts_with(end)))
            .map(str::len)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
