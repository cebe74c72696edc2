//! A generation as a stream: each step is a run among all others.

use std::sync::Arc;

use assay_client::session::Finish;
use assay_engine::to_safetensors;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::{
    Piece, ServeError,
    generation::{Generation, Step},
    models::Served,
    queue::Turn,
    runner::Runner,
};

/// The pieces of an answer. The first step is over before there is a stream, so that what stands against the request is
/// known before anything of the answer is.
pub async fn pieces(
    runner: Arc<Runner>,
    served: Arc<Served>,
    generation: Generation,
) -> Result<BoxStream<'static, Result<Piece, ServeError>>, ServeError> {
    let mut stepping = Stepping {
        runner,
        served,
        generation,
    };
    let first = stepping.step(Turn::New).await?;
    let begun = State::Has(Box::new(stepping), first);
    Ok(stream::unfold(begun, |state| state.next()).fuse().boxed())
}

struct Stepping {
    runner: Arc<Runner>,
    served: Arc<Served>,
    generation: Generation,
}

enum State {
    /// A step is done, and not all of it told.
    Has(Box<Stepping>, Step),
    /// The next step is to be done.
    Steps(Box<Stepping>),
    Finishes(Finish),
    Over,
}

impl Stepping {
    // Steps share no runs with those of others: the same seed is to give the same answer, to the last bit.
    async fn step(&mut self, turn: Turn) -> Result<Step, ServeError> {
        let inputs = self.generation.next_inputs();
        let file = to_safetensors(&inputs).map_err(|error| {
            ServeError::Unavailable(format!("a step's input has no file form: {error}"))
        })?;
        drop(inputs);
        let outputs = self.runner.run(&self.served, file.into(), None, turn);
        self.generation.take(outputs.await?)
    }
}

impl State {
    async fn next(self) -> Option<(Result<Piece, ServeError>, Self)> {
        let (stepping, step) = match self {
            Self::Has(stepping, step) => (stepping, step),
            Self::Steps(mut stepping) => match stepping.step(Turn::Next).await {
                Ok(step) => (stepping, step),
                Err(error) => return Some((Err(error), Self::Over)),
            },
            Self::Finishes(finish) => return Some((Ok(Piece::Done(finish)), Self::Over)),
            Self::Over => return None,
        };
        let Step { token, finish } = step;
        Some(match (token, finish) {
            (Some(token), Some(finish)) => (Ok(Piece::Token(token)), Self::Finishes(finish)),
            (Some(token), None) => (Ok(Piece::Token(token)), Self::Steps(stepping)),
            (None, finish) => {
                let finish = finish.unwrap_or(Finish::Stop);
                (Ok(Piece::Done(finish)), Self::Over)
            }
        })
    }
}
