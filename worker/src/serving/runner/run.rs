//! Runs of one request, and of several together.

use std::sync::Arc;

use assay_engine::{EngineError, Form, Outcome, Tensor, split};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{
    Asked, Runner,
    failure::{RUNNING, takes_too_much},
};
use crate::serving::{
    ServeError,
    models::{Fewer, Served, Trial, compare},
    queue::Waiting,
};

/// Requests to be run one by one.
pub(super) struct Apart {
    pub requests: Vec<Waiting<Asked>>,
    /// What was learnt where a run of all of them took too much.
    pub fewer: Option<(Arc<Served>, Fewer)>,
}

impl Apart {
    pub fn of(requests: Vec<Waiting<Asked>>) -> Self {
        Self {
            requests,
            fewer: None,
        }
    }
}

impl Runner {
    /// One run for all, or what is to be run one by one: a request that the model fails on must not fail the others.
    pub(super) async fn together(&self, run: Vec<Waiting<Asked>>) -> Apart {
        let run: Vec<_> = run.into_iter().filter(is_wanted).collect();
        let [first, _, ..] = run.as_slice() else {
            return Apart::of(run);
        };
        let served = Arc::clone(&first.what.served);
        let files: Vec<&[u8]> = run.iter().map(|one| &*one.what.input).collect();
        let Some(joined) = served.info.join(&files) else {
            return Apart::of(run);
        };
        let rows: Vec<usize> = run.iter().filter_map(rows_of).collect();
        let outcome = self.host.run(&served.model, &joined, self.limit).await;
        let outputs = match outcome {
            Ok(Outcome::Outputs(outputs)) => outputs,
            Ok(Outcome::Failed(_)) => return Apart::of(run),
            Err(error) => {
                let rows = rows.iter().sum();
                tracing::debug!(%error, rows, "a run of several requests failed; they are run one by one");
                let fewer = takes_too_much(&error).then(|| served.sharing.fewer_than(rows));
                return Apart {
                    requests: run,
                    fewer: fewer.map(|fewer| (served, fewer)),
                };
            }
        };
        let Some(parts) = split(&outputs, &rows).filter(|parts| parts.len() == run.len()) else {
            served.sharing.never();
            tracing::warn!(
                model = name(&served),
                "outputs did not have a row for each row that was given; requests for this model share no runs"
            );
            return Apart::of(run);
        };
        for (one, part) in run.into_iter().zip(parts) {
            answer(one.what, Ok(part));
        }
        Apart::of(Vec::new())
    }

    /// Whether the run took too long or too much memory.
    pub(super) async fn alone(&self, one: Waiting<Asked>) -> bool {
        if !is_wanted(&one) {
            return false;
        }
        let form = one.form;
        let Asked {
            served,
            input,
            step,
            answer,
        } = one.what;
        if let Some((sequence, step)) = step {
            let run = || {
                let at = (&*sequence, step.clone());
                self.host.run_step(&served.model, at, &input, self.limit)
            };
            let ran = self.with_room(&served, run).await;
            // Its memory is the requester's to free, and it may be gone.
            drop(sequence);
            drop(answer.send(self.step_result(ran, &served).await));
            return false;
        }
        let run = || self.host.run(&served.model, &input, self.limit);
        let outcome = self.with_room(&served, run).await;
        let is_too_much = outcome.as_ref().is_err_and(takes_too_much);
        let trial = form.filter(|_| served.sharing.is_open());
        let for_trial = trial.and_then(|form| Some((form, outcome.as_ref().ok()?.clone())));
        // Who has gone meanwhile needs no answer.
        drop(answer.send(self.result(outcome, &served).await));
        if let Some((form, outcome)) = for_trial {
            self.try_sharing(&served, &input, &form, outcome).await;
        }
        is_too_much
    }

    /// Runs an input. If there was too little memory beside what the engine kept for others, once more on an engine that
    /// keeps nothing: what goes wrong there is the input's doing, whoever's memory it took before.
    async fn with_room<'a, T>(
        &self,
        served: &Served,
        run: impl Fn() -> BoxFuture<'a, Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let ran = run().await;
        if matches!(ran, Err(EngineError::GaveWay { doing: RUNNING }))
            && self.host.load_anew(&served.model).await.is_ok()
        {
            return run().await;
        }
        ran
    }

    async fn result(
        &self,
        outcome: Result<Outcome, EngineError>,
        served: &Served,
    ) -> Result<Vec<Tensor>, ServeError> {
        match outcome {
            Ok(Outcome::Outputs(outputs)) => Ok(outputs),
            Ok(Outcome::Failed(failure)) => Err(ServeError::ModelFailed(failure.to_string())),
            Err(error) => Err(self.told(&error, served).await),
        }
    }

    async fn step_result(
        &self,
        ran: Result<Option<Outcome>, EngineError>,
        served: &Served,
    ) -> Result<Vec<Tensor>, ServeError> {
        match ran.transpose() {
            Some(outcome) => self.result(outcome, served).await,
            None => Err(ServeError::Unavailable(
                "what the engine kept of the generation is lost; ask again".into(),
            )),
        }
    }

    /// Sees whether requests for the model can share runs: runs other inputs alone, and then each beside this one.
    async fn try_sharing(&self, served: &Served, input: &Bytes, form: &Form, outcome: Outcome) {
        let ran = self.trial(served, (input, form), &outcome).await;
        let trial = match ran {
            Ok(trial) => trial,
            Err(error) => {
                tracing::debug!(%error, "a trial whether requests can share a run failed");
                Trial::Nothing
            }
        };
        if served.sharing.tried(trial) {
            let shares = served.sharing.is_known_to_work();
            tracing::info!(model = name(served), shares, "whether requests share runs");
        }
    }

    /// The first input beside this one is made to be unlike it in size, which must tell: what others ask is often so
    /// alike that a mean over all of it tells nothing.
    async fn trial(
        &self,
        served: &Served,
        (input, form): (&Bytes, &Form),
        outcome: &Outcome,
    ) -> Result<Trial, EngineError> {
        let last = served.sharing.partner(form, input);
        let made = served.info.unlike(input).map(Bytes::from);
        let mut told = Trial::Nothing;
        for other in made.into_iter().chain(last) {
            let Some(both) = served.info.join(&[input, &other]) else {
                return Ok(Trial::Nothing);
            };
            let alone = self.host.run(&served.model, &other, self.limit).await?;
            let both = self.host.run(&served.model, &both, self.limit).await?;
            match compare([outcome, &alone], &both, form.rows) {
                Trial::Same => told = Trial::Same,
                Trial::Nothing if told == Trial::Same => {}
                end @ (Trial::Nothing | Trial::Other) => return Ok(end),
            }
        }
        Ok(told)
    }
}

/// Whether somebody still waits for it.
fn is_wanted(one: &Waiting<Asked>) -> bool {
    !one.what.answer.is_closed()
}

fn rows_of(one: &Waiting<Asked>) -> Option<usize> {
    one.form.as_ref().map(|form| form.rows)
}

fn answer(asked: Asked, answer: Result<Vec<Tensor>, ServeError>) {
    // Who has gone meanwhile needs none.
    drop(asked.answer.send(answer));
}

fn name(served: &Served) -> String {
    hex::encode(served.model.digest().0)
}
