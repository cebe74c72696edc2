//! Tries of the walls around an engine, each in a process of its own that serves for nothing else.

use std::time::Duration;

use super::{Deadline, Host, Model};
use crate::{
    error::EngineError,
    frame::{Request, Response},
    sandbox::Attempt,
};

const DOING: &str = "try its sandbox";

impl Host {
    /// Has a new engine try to get out of its sandbox. Returns what the system said against it, or
    /// nothing if it got out; an engine that is killed for it is the error of any engine that is.
    pub async fn attempt(
        &self,
        attempt: Attempt,
        limit: Duration,
    ) -> Result<Option<String>, EngineError> {
        let response = self
            .trial(&Request::Attempt { attempt }, &[], limit)
            .await?;
        if let Response::Attempted { denied } = response {
            return Ok(denied);
        }
        Err(unasked(&response))
    }

    /// Loads a model that nobody has looked at, to see that the sandbox holds by itself whatever a
    /// check lets pass. The engine is ended whatever comes of it.
    pub async fn load_unchecked(&self, model: &Model, limit: Duration) -> Result<(), EngineError> {
        let request = Request::LoadUnchecked;
        let response = self.trial(&request, &model.bytes, limit).await?;
        if let Response::Refused { refused } = response {
            return Err(refused.into());
        }
        if let Response::Loaded { .. } = response {
            return Ok(());
        }
        Err(unasked(&response))
    }

    async fn trial(
        &self,
        request: &Request,
        body: &[u8],
        limit: Duration,
    ) -> Result<Response, EngineError> {
        let inner = &self.inner;
        let trying = async {
            let (mut engine, _) = inner.start(inner.deadline()).await?;
            let call = engine.call(DOING, request, body, Deadline::within(limit));
            let response = call.await?.0;
            if let Response::Fault { fault } = response {
                return Err(fault.into());
            }
            Ok(response)
        };
        inner.unless_stopped(DOING, trying).await
    }
}

fn unasked(response: &Response) -> EngineError {
    EngineError::Nonsense {
        doing: DOING,
        reason: format!("{response:?}").chars().take(300).collect(),
    }
}
