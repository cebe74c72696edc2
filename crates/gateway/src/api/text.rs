//! An answer's text from its tokens, as they come.

use std::{collections::VecDeque, sync::Arc};

use assay_client::session::{Finish, Token};
use assay_package::{Detokenizer, Shown, Stops, Tokens};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::{
    Api,
    ask::Ask,
    failure::{Failure, Why},
};
use crate::upstream::{Piece, UpstreamError};

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Text that is certain by now, and the tokens that it is of. Either may be empty, not both.
    Text { text: String, tokens: Vec<Token> },
    /// The last one.
    End(End),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub finish: Finish,
    pub prompt_tokens: usize,
    /// All that were asked for and paid, also those of a stop that is not shown.
    pub answer_tokens: usize,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    pub tokens: Vec<Token>,
    pub end: End,
}

impl Api {
    /// Asks, and gives the text as it comes. Once a stop is found nothing more is asked for.
    pub async fn answer(
        &self,
        ask: Ask,
    ) -> Result<BoxStream<'static, Result<Event, Failure>>, Failure> {
        let tokens = ask.package.tokens()?.clone();
        let prompt_tokens = ask.request.tokens.len();
        let pieces = self
            .upstream
            .generate(ask.offered.digest(), ask.request)
            .await?;
        let reader = Reader {
            pieces: Some(pieces),
            detokenizer: Detokenizer::new(tokens),
            stops: Stops::new(ask.stops),
            held: VecDeque::new(),
            come: 0,
            shown: 0,
            prompt_tokens,
            answer_tokens: 0,
            ready: VecDeque::new(),
        };
        let events = stream::unfold(reader, |mut reader| async move {
            let event = reader.next().await?;
            Some((event, reader))
        });
        Ok(events.boxed())
    }

    /// Asks, and waits for all of it.
    pub async fn whole_answer(&self, ask: Ask) -> Result<Answer, Failure> {
        let mut events = self.answer(ask).await?;
        let (mut text, mut tokens) = (String::new(), Vec::new());
        while let Some(event) = events.next().await {
            match event? {
                Event::Text {
                    text: more,
                    tokens: theirs,
                } => {
                    text.push_str(&more);
                    tokens.extend(theirs);
                }
                Event::End(end) => return Ok(Answer { text, tokens, end }),
            }
        }
        Err(broken_off())
    }
}

struct Reader {
    /// None once there is no more to read.
    pieces: Option<BoxStream<'static, Result<Piece, UpstreamError>>>,
    detokenizer: Detokenizer<Arc<Tokens>>,
    stops: Stops,
    /// Tokens that have not been shown, with where the text of each begins.
    held: VecDeque<(usize, Token)>,
    /// Bytes of text that have come.
    come: usize,
    /// Bytes that have been shown.
    shown: usize,
    prompt_tokens: usize,
    answer_tokens: usize,
    ready: VecDeque<Event>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Event, Failure>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let piece = self.pieces.as_mut()?.next().await;
            let read = match piece {
                Some(Ok(piece)) => self.read(piece),
                Some(Err(error)) => Err(error.into()),
                None => Err(broken_off()),
            };
            if let Err(failure) = read {
                self.pieces = None;
                return Some(Err(failure));
            }
        }
    }

    fn read(&mut self, piece: Piece) -> Result<(), Failure> {
        match piece {
            Piece::Token(token) => {
                self.answer_tokens += 1;
                let id = token.id;
                self.held.push_back((self.come, token));
                let text = self.detokenizer.push(id)?;
                self.text(&text);
            }
            Piece::Done { finish, usage, .. } => {
                let text = self.detokenizer.finish()?;
                self.text(&text);
                // A stop may have been in the last of it.
                if self.pieces.is_some() {
                    let rest = self.stops.finish();
                    self.show(rest, usize::MAX);
                    self.answer_tokens = usize::try_from(usage.output_tokens).unwrap_or(usize::MAX);
                    self.end(finish);
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, piece: &str) {
        self.come += piece.len();
        let Shown { text, stopped } = self.stops.push(piece);
        let until = self.shown + text.len();
        if !text.is_empty() {
            self.show(text, until);
        }
        if stopped.is_some() {
            self.end(Finish::Stop);
        }
    }

    /// Shows text with the tokens that begin before a place in it.
    fn show(&mut self, text: String, until: usize) {
        self.shown += text.len();
        let count = self.held.partition_point(|(start, _)| *start < until);
        let tokens: Vec<Token> = self.held.drain(..count).map(|(_, token)| token).collect();
        if !text.is_empty() || !tokens.is_empty() {
            self.ready.push_back(Event::Text { text, tokens });
        }
    }

    /// Dropping what is read from ends it there too.
    fn end(&mut self, finish: Finish) {
        self.pieces = None;
        self.ready.push_back(Event::End(End {
            finish,
            prompt_tokens: self.prompt_tokens,
            answer_tokens: self.answer_tokens,
        }));
    }
}

fn broken_off() -> Failure {
    Failure::new(
        Why::Unavailable,
        "the answer broke off before its end; ask again",
    )
}
