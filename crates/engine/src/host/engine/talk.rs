//! What is said to an engine, in its order: share, start, load, run.

use std::io;

use assay_protocol::Digest;
use tokio::time::Instant;

use super::Engine;
use crate::{
    backend::Outcome,
    config::EngineConfig,
    error::{EngineError, RuntimeFault},
    frame::{Request, Response},
    host::{
        Deadline, Model, Probe,
        ps::EngineState,
        tensors::{self, Made},
    },
    info::ModelInfo,
    placement::Placement,
    settings::Mode,
    tensor::View,
};

#[cfg(target_os = "linux")]
use crate::shared::Shared;

impl Engine {
    /// Agrees on memory to share; where there is none, everything goes through the pipe.
    #[cfg(target_os = "linux")]
    pub async fn share(&mut self, deadline: Deadline) -> Result<(), EngineError> {
        let sizes = self.sizes;
        let request = Request::Share { sizes };
        let response = self.call("start", &request, &[], deadline).await?.0;
        if let Response::Sharing { numbers } = response {
            let process = self.child.id().unwrap_or_default();
            match Shared::take(process, numbers, sizes) {
                Ok(shared) => self.shared = Some(shared),
                Err(error) => tracing::warn!(%error, "no memory is shared with the engine"),
            }
            Ok(())
        } else if let Response::NotSharing { reason } = response {
            tracing::warn!(reason, "no memory is shared with the engine");
            Ok(())
        } else {
            Err(self.refused("start", response))
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub async fn share(&mut self, _: Deadline) -> Result<(), EngineError> {
        Ok(())
    }

    /// Has it load ONNX Runtime and enter its sandbox.
    pub async fn start(
        &mut self,
        config: &EngineConfig,
        mode: Mode,
        deadline: Deadline,
    ) -> Result<Probe, EngineError> {
        let request = Request::Start {
            config: config.clone(),
            mode,
        };
        let response = self.call("start", &request, &[], deadline).await?.0;
        if let Response::Started {
            runtime,
            confinement,
        } = response
        {
            return Ok(Probe {
                runtime,
                confinement,
            });
        }
        Err(self.refused("start", response))
    }

    /// Has it load a model, the only one that it will ever see.
    pub async fn load(&mut self, model: &Model, deadline: Deadline) -> Result<(), EngineError> {
        let memory = |error: io::Error| RuntimeFault::OutOfMemory {
            reason: format!("the model finds no place: {error}"),
        };
        let (doing, bytes) = ("load the model", &model.bytes);
        let response = if let Some(shared) = &self.shared {
            shared.give_model(bytes).map_err(memory)?;
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let shared = Some(length);
            let request = Request::Load { shared };
            self.call(doing, &request, &[], deadline).await?.0
        } else {
            let request = Request::Load { shared: None };
            self.call(doing, &request, bytes, deadline).await?.0
        };
        if let Some(shared) = &self.shared {
            shared.take_model_back().map_err(memory)?;
        }
        let Response::Loaded { info, placement } = response else {
            return Err(self.refused(doing, response));
        };
        self.loaded(model.digest, info, placement);
        Ok(())
    }

    /// Has it run its model on inputs that fit it. After an error it is not to be used again: what
    /// ran out or broke may still be broken.
    pub async fn run(
        &mut self,
        inputs: &[View<'_>],
        deadline: Deadline,
    ) -> Result<Outcome, EngineError> {
        let doing = "run the model";
        let given = tensors::give(self.shared.as_ref(), inputs)?;
        let request = Request::Run {
            shapes: given.shapes,
            shared: given.shared,
        };
        let (response, body) = self.call(doing, &request, &given.body, deadline).await?;
        if let Response::Failed { failure } = response {
            return Ok(Outcome::Failed(failure));
        }
        let Response::Outputs { shapes, shared } = response else {
            return Err(self.refused(doing, response));
        };
        let made = Made {
            shapes,
            shared,
            body,
        };
        let memory = self.shared.as_ref();
        let (outputs, extent) = tensors::take(memory, &self.info, made, self.output_limit)
            .map_err(|reason| self.nonsense(doing, &reason))?;
        if let Some(shared) = &self.shared {
            // What is not given back is used again.
            let _: io::Result<()> = shared.rest(given.extent, extent);
        }
        Ok(Outcome::Outputs(outputs))
    }

    /// What an answer other than the hoped for means.
    fn refused(&mut self, doing: &'static str, response: Response) -> EngineError {
        if let Response::Fault { fault } = response {
            fault.into()
        } else if let Response::Refused { refused } = response {
            refused.into()
        } else {
            self.nonsense(doing, &format!("{response:?}"))
        }
    }

    /// Takes the model over that it has just loaded.
    fn loaded(&mut self, digest: Digest, info: ModelInfo, placement: Placement) {
        self.info = info;
        let now = Instant::now();
        self.roster.change(self.number, |entry| {
            (entry.state, entry.model) = (EngineState::Idle, Some(digest));
            (entry.loaded, entry.used) = (Some(now), now);
            entry.placement = placement;
        });
    }

    /// Says that it runs, or that it has run.
    pub fn running(&self, running: bool) {
        self.roster.change(self.number, |entry| {
            if running {
                entry.state = EngineState::Running;
            } else {
                entry.state = EngineState::Idle;
                entry.used = Instant::now();
                entry.runs = entry.runs.saturating_add(1);
            }
        });
    }
}
