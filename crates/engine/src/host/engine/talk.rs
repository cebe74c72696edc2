//! What is said to an engine, in its order: share, start, run. Between the last two it loads a model.

use std::{io, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Engine;
use crate::{
    backend::Outcome,
    carry::Carrying,
    config::EngineConfig,
    error::EngineError,
    frame::{Request, Response},
    host::{
        Deadline, Probe,
        cores::{self, CORES, Looking},
        ps::EngineState,
        tensors::{self, Made},
    },
    settings::Mode,
    tensor::View,
};

#[cfg(target_os = "linux")]
use crate::shared::{Shared, Written};

impl Engine {
    /// Agrees on memory to share; where there is none, everything goes through the pipe.
    #[cfg(target_os = "linux")]
    pub async fn share(&mut self, deadline: Deadline) -> Result<(), EngineError> {
        let sizes = self.sizes;
        let request = Request::Share { sizes };
        let response = self.call("start", &request, &[], deadline).await?.0;
        if let Response::Sharing { numbers, blank } = response {
            let process = self.child.id().unwrap_or_default();
            match Shared::take(process, numbers, sizes) {
                Ok(shared) => self.shared = Some(Arc::new(shared)),
                Err(error) => tracing::warn!(%error, "no memory is shared with the engine"),
            }
            if let Some(number) = blank {
                match Written::take(process, number, sizes.optimised) {
                    Ok(written) => self.written = Some(written),
                    // It would hold memory that nobody could take from it.
                    Err(error) => return Err(self.nonsense("start", &error.to_string())),
                }
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
            self.runtime = Some(runtime.clone());
            return Ok(Probe {
                runtime,
                confinement,
            });
        }
        Err(self.refused("start", response))
    }

    /// Has it run its model on inputs that fit it. After an error it is not to be used again: what
    /// ran out or broke may still be broken.
    pub async fn run(
        &mut self,
        inputs: &[View<'_>],
        carrying: Option<Carrying>,
        deadline: Deadline,
    ) -> Result<Outcome, EngineError> {
        let doing = "run the model";
        let given = tensors::give(self.shared.as_deref(), inputs)?;
        let began = Instant::now();
        let looking = self.may_look(began);
        let linger = looking.as_ref().map_or(Duration::ZERO, |_| self.spin);
        let request = Request::Run {
            shapes: given.shapes,
            shared: given.shared,
            linger_micros: u64::try_from(linger.as_micros()).unwrap_or(u64::MAX),
            carrying: carrying.clone(),
        };
        let called = self.call_and_look(doing, (&request, &given.body), looking, deadline);
        let (response, body) = called.await?;
        let ended = Instant::now();
        self.last_run = ended.saturating_duration_since(began);
        self.lingers_until = ended.checked_add(linger);
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
        let memory = self.shared.as_deref();
        let expected = (&self.info, carrying.as_ref());
        let (outputs, extent) = tensors::take(memory, expected, made, self.output_limit)
            .map_err(|reason| self.nonsense(doing, &reason))?;
        if let Some(shared) = &self.shared {
            // What is not given back is used again.
            let _: io::Result<()> = shared.rest(given.extent, extent);
        }
        Ok(Outcome::Outputs(outputs))
    }

    /// Has it drop what it keeps for a sequence.
    pub async fn forget(&mut self, sequence: u64, deadline: Deadline) -> Result<(), EngineError> {
        let doing = "forget a sequence";
        let request = Request::Forget { sequence };
        let response = self.call(doing, &request, &[], deadline).await?.0;
        if response == Response::Forgotten {
            return Ok(());
        }
        Err(self.refused(doing, response))
    }

    /// Whether the answer to a run may be looked for in a loop: where it came soon the last time, and a core
    /// would lie idle otherwise.
    fn may_look(&self, now: Instant) -> Option<Looking<'static>> {
        if self.last_run >= self.spin {
            return None;
        }
        let lingers = self.lingers_until.is_some_and(|until| now < until);
        // This thread, and an engine that looks for its request.
        let known = if lingers { 2 } else { 1 };
        // The engine's own threads are not counted yet.
        let engine = CORES.take(self.threads);
        let core = CORES.take_idle(known, cores::running);
        drop(engine);
        Some(Looking::on(core?, self.spin))
    }

    /// What an answer other than the hoped for means.
    pub(super) fn refused(&mut self, doing: &'static str, response: Response) -> EngineError {
        if let Response::Fault { fault } = response {
            fault.into()
        } else if let Response::Refused { refused } = response {
            refused.into()
        } else {
            self.nonsense(doing, &format!("{response:?}"))
        }
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
