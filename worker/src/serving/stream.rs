//! A generation as a stream: each step is a run among all others.

use std::sync::Arc;

use assay_client::session::Finish;
use assay_engine::{Sequence, to_safetensors};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::{
    Piece, ServeError,
    generation::{Generation, Step},
    models::Served,
    queue::Turn,
    runner::{Input, Runner},
};

/// The pieces of an answer. The first step is over before there is a stream, so that what stands against the request is
/// known before anything of the answer is.
pub async fn pieces(
    runner: Arc<Runner>,
    served: Arc<Served>,
    generation: Generation,
) -> Result<BoxStream<'static, Result<Piece, ServeError>>, ServeError> {
    let bytes = generation.kept_bytes();
    let sequence = bytes.map(|bytes| runner.sequence(bytes)).transpose()?;
    let mut stepping = Stepping {
        runner,
        served,
        generation,
        sequence: sequence.map(Arc::new),
    };
    let first = stepping.step(Turn::New).await?;
    let begun = State::Has(Box::new(stepping), first);
    Ok(stream::unfold(begun, |state| state.next()).fuse().boxed())
}

struct Stepping {
    runner: Arc<Runner>,
    served: Arc<Served>,
    generation: Generation,
    /// What the engine keeps, for models that let it.
    sequence: Option<Arc<Sequence>>,
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
    /// The next step. If what the engine kept is lost, or its end is what is learnt of it, the step is done again from
    /// all tokens so far, once: whoever reads the answer sees nothing of it.
    async fn step(&mut self, turn: Turn) -> Result<Step, ServeError> {
        let went_on = self.generation.goes_on();
        match self.ask(turn).await {
            Err(ServeError::Unavailable(reason)) if went_on => {
                tracing::debug!(reason, "a generation begins again from its tokens so far");
                self.generation.begin_again();
                self.ask(Turn::Next).await
            }
            asked => asked,
        }
    }

    // Steps share no runs with those of others: the same seed is to give the same answer, to the last bit.
    async fn ask(&mut self, turn: Turn) -> Result<Step, ServeError> {
        let inputs = self.generation.next_inputs();
        let file = to_safetensors(&inputs).map_err(|error| {
            ServeError::Unavailable(format!("a step's input has no file form: {error}"))
        })?;
        drop(inputs);
        let sequence = self.sequence.as_ref();
        let input = Input {
            file: file.into(),
            form: None,
            step: sequence.map(|sequence| (Arc::clone(sequence), self.generation.next_run())),
        };
        let outputs = self.runner.run(&self.served, input, turn).await?;
        self.generation.take(&outputs)
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
