//! Runs that follow from one another, on the engine that keeps what they need.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{Host, Inner, Lease, Model, Work};
use crate::{
    backend::Outcome,
    carry::{Carry, Carrying},
    error::EngineError,
};

/// Memory for what one engine keeps between the runs of a sequence. Dropping it has the engine forget.
pub struct Sequence {
    inner: Arc<Inner>,
    number: u64,
    /// What is reserved.
    bytes: u64,
    /// The engine that keeps it, once there is one.
    at: Mutex<Option<u64>>,
}

/// One run of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether it takes what the last one left. Else it begins, on any engine.
    pub goes_on: bool,
    /// Outputs that stay in the engine, for the inputs of the next run.
    pub carries: Vec<Carry>,
    /// Other outputs of which only the last place of the last dimension but one is wanted.
    pub last: Vec<String>,
}

impl Sequence {
    fn place(&self) -> Option<u64> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is kept there from now on, and nowhere else.
    fn moves(&self, to: Option<u64>) {
        let before = {
            let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *at, to)
        };
        let left = before.filter(|before| Some(*before) != to);
        // While the runtime ends, engines do too.
        let left = left.zip(Handle::try_current().ok());
        {
            let pool = &mut self.inner.floor().pool;
            if let Some(before) = before {
                pool.detach(before, self.bytes);
            }
            if let Some(to) = to {
                pool.attach(to, self.bytes);
            }
            if let Some((before, _)) = &left {
                pool.forgets(*before);
            }
        }
        if let Some((before, runtime)) = left {
            let (inner, number) = (Arc::clone(&self.inner), self.number);
            runtime.spawn(async move {
                inner.forget(before, number).await;
                inner.floor().pool.forgot(before);
            });
        }
    }
}

impl Drop for Sequence {
    fn drop(&mut self) {
        self.moves(None);
        self.inner.floor().pool.release(self.bytes);
    }
}

impl Host {
    /// Room for a sequence whose engine keeps at most so many bytes between its runs; none if engines and other
    /// sequences leave too little of `engine.memory_bytes`.
    pub fn sequence(&self, bytes: u64) -> Option<Sequence> {
        let number = self.inner.floor().pool.keep(bytes)?;
        Some(Sequence {
            inner: Arc::clone(&self.inner),
            number,
            bytes,
            at: Mutex::default(),
        })
    }

    /// Runs a model as the next of a sequence, on a safetensors file without the inputs that were carried. None if what
    /// they are to be is lost with its engine: the sequence is to begin again.
    ///
    /// # Errors
    /// As [`Host::run`]; what was kept is lost then, too.
    pub async fn run_step(
        &self,
        model: &Model,
        (sequence, step): (&Sequence, Step),
        input: &[u8],
        limit: Duration,
    ) -> Result<Option<Outcome>, EngineError> {
        let inner = &self.inner;
        let lease = if step.goes_on {
            let at = sequence.place();
            match at {
                Some(at) => inner.lease_at(at).await?,
                None => None,
            }
        } else {
            Some(inner.lease_to_run(Work::Claimed, model).await?)
        };
        let Some(lease) = lease else {
            sequence.moves(None);
            return Ok(None);
        };
        if !step.goes_on {
            sequence.moves(Some(lease.number()));
        }
        let Step {
            goes_on,
            carries,
            last,
        } = step;
        let carrying = Carrying {
            sequence: sequence.number,
            goes_on,
            carries,
            last,
        };
        let carried = (Some(carrying), sequence.bytes);
        let ran = inner.run_on(lease, model, (input, carried), limit);
        ran.await.map(Some)
    }
}

impl Inner {
    async fn forget(self: &Arc<Self>, engine: u64, sequence: u64) {
        let Ok(Some(mut lease)) = self.lease_at(engine).await else {
            return;
        };
        match lease.forget(sequence).await {
            Ok(()) => Lease::keep(lease),
            Err(error) => tracing::warn!(%error, "an engine that does not forget is ended"),
        }
    }
}
