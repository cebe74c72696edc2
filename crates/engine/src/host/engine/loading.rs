//! How an engine is given the only model that it will ever see: as its author made it, or as
//! another engine has optimised it.

use std::{io, sync::Arc, time::Duration};

use assay_protocol::Digest;
use tokio::time::Instant;

use super::Engine;
use crate::{
    error::{EngineError, RuntimeFault},
    frame::{Kept, Request, Response},
    host::{
        Deadline, Model,
        optimised::{Entry, Laid},
        ps::{EngineState, Hex},
    },
    info::ModelInfo,
    placement::Placement,
    shared::Shared,
};

const DOING: &str = "load the model";
/// An optimised graph may have twice the model's bytes and so many: constants are computed before.
/// What has more is not worth its place, and the host holds a copy meanwhile.
const ROOM: u64 = 16 << 20;

/// A model as an engine has optimised it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Optimised {
    /// What was said of the model when it was loaded as its author made it.
    pub info: ModelInfo,
    /// Digest in hex of what it gave on a sample.
    pub sample: String,
    pub graph: Vec<u8>,
}

impl Engine {
    /// Has it load a model; if that is asked for and works, hands out what it made of it, and how long it
    /// took to load.
    pub async fn load(
        &mut self,
        model: &Model,
        keep: bool,
        deadline: Deadline,
    ) -> Result<Option<(Optimised, Duration)>, EngineError> {
        let began = Instant::now();
        let request = |shared| Request::Load { shared, keep };
        let bytes = model.bytes.clone();
        let response = self.give(bytes, request, deadline).await?;
        let took = began.elapsed();
        let Response::Loaded {
            info,
            placement,
            sample,
            kept,
        } = response
        else {
            return Err(self.refused(DOING, response));
        };
        let most = u64::try_from(model.bytes.len()).unwrap_or(u64::MAX);
        let most = most.saturating_mul(2).saturating_add(ROOM);
        let optimised = match self.optimised(&info, sample, kept, most).await {
            Ok(optimised) => optimised,
            Err(reason) => {
                let reason: String = reason.chars().take(300).collect();
                tracing::debug!(model = %Hex(&model.digest), reason, "the optimised model is not kept");
                None
            }
        };
        // Its memory is free from now on.
        self.written = None;
        self.loaded(model.digest, info, placement, false);
        Ok(optimised.map(|optimised| (optimised, took)))
    }

    /// The memory in which it is given its model, if it shares any.
    pub fn memory(&self) -> Option<Arc<Shared>> {
        self.shared.clone()
    }

    /// Has it load what another engine has made of the model, which lies before it. It must be what was written,
    /// and say and compute the same; whether it was written is looked at meanwhile.
    pub async fn load_optimised(
        &mut self,
        model: Digest,
        entry: Entry,
        deadline: Deadline,
    ) -> Result<(), EngineError> {
        self.written = None;
        let (graph, seal) = (entry.graph, entry.seal);
        let (shared, body) = match &graph {
            Laid::Shared { length, .. } => (Some(*length), Arc::default()),
            Laid::Here(bytes) => (None, Arc::clone(bytes)),
        };
        let info = entry.info.clone();
        let request = Request::LoadOptimised { shared, info };
        let loading = self.call(DOING, &request, &body, deadline);
        let loading = async { loading.await.map_err(Some) };
        let checking = async {
            let held = aside(move || seal.holds(&graph)).await;
            held.ok().filter(|held| *held).ok_or(None)
        };
        let response = match tokio::try_join!(loading, checking) {
            Ok(((response, _), _)) => response,
            Err(Some(error)) => return Err(error),
            Err(None) => return Err(self.nonsense(DOING, "the file is not what was written")),
        };
        self.take_model_back().await?;
        let Response::Loaded {
            info,
            placement,
            sample,
            ..
        } = response
        else {
            return Err(self.refused(DOING, response));
        };
        if info != entry.info || sample != Some(entry.sample) {
            let reason = "the optimised model does not compute what the model does";
            return Err(self.nonsense(DOING, reason));
        }
        self.loaded(model, info, placement, true);
        Ok(())
    }

    /// Hands a file over and has it loaded.
    async fn give(
        &mut self,
        bytes: impl AsRef<[u8]> + Send + 'static,
        request: impl FnOnce(Option<u64>) -> Request,
        deadline: Deadline,
    ) -> Result<Response, EngineError> {
        let Some(shared) = self.shared.clone() else {
            let request = request(None);
            let called = self.call(DOING, &request, bytes.as_ref(), deadline);
            return Ok(called.await?.0);
        };
        let length = u64::try_from(bytes.as_ref().len()).unwrap_or(u64::MAX);
        let given = aside(move || shared.give_model(bytes.as_ref())).await;
        given.map_err(no_place)?;
        let request = request(Some(length));
        let response = self.call(DOING, &request, &[], deadline).await?.0;
        self.take_model_back().await?;
        Ok(response)
    }

    /// Frees the memory of the file that it has loaded.
    async fn take_model_back(&self) -> Result<(), EngineError> {
        if let Some(shared) = self.shared.clone() {
            let taken = aside(move || shared.take_model_back()).await;
            taken.map_err(no_place)?;
        }
        Ok(())
    }

    /// What it has written, or why there is nothing to keep.
    async fn optimised(
        &mut self,
        info: &ModelInfo,
        sample: Option<String>,
        kept: Kept,
        most: u64,
    ) -> Result<Option<Optimised>, String> {
        match kept {
            Kept::NotAsked => Ok(None),
            Kept::Not { reason } => Err(reason),
            Kept::Written => {
                let sample = sample.ok_or("no sample of it could be run")?;
                let written = self.written.take().ok_or("it was written nowhere")?;
                let graph = aside(move || written.read(most)).await;
                let graph = graph.map_err(|error| error.to_string())?;
                let info = info.clone();
                Ok(Some(Optimised {
                    info,
                    sample,
                    graph,
                }))
            }
        }
    }

    /// Takes the model over that it has just loaded.
    fn loaded(&mut self, digest: Digest, info: ModelInfo, placement: Placement, optimised: bool) {
        self.info = info;
        let now = Instant::now();
        self.roster.change(self.number, |entry| {
            (entry.state, entry.model) = (EngineState::Idle, Some(digest));
            (entry.loaded, entry.used) = (Some(now), now);
            (entry.placement, entry.optimised) = (placement, optimised);
        });
    }
}

fn no_place(error: io::Error) -> RuntimeFault {
    RuntimeFault::OutOfMemory {
        reason: format!("the model finds no place: {error}"),
    }
}

/// Copies as much as a model on a thread that is there to wait, not on the runtime's.
async fn aside<T: Send + 'static>(
    copy: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let copied = tokio::task::spawn_blocking(copy).await;
    copied.map_err(io::Error::other)?
}
