//! Answers by way of sessions: picks a provider, takes a lane, pays, and keeps what happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use assay_client::{
    protocol::{Address, Digest},
    session::{GenerateRequest, Usage},
};
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};
use tokio::sync::watch;

use crate::{
    chain::{Chain, ChainError, Sent},
    funds::{Limit, Spending},
    lane::wire::{Bounds, Request, Wire, WireError},
    providers::Directory,
    reconcile::{ReconcileError, reconcile},
    store::{Lock, Store},
    upstream::{Listed, Piece, Ran, Upstream, UpstreamError},
};

mod attempt;
mod doubt;
mod generation;
mod money;
mod pool;
mod receipts;
mod serve;
mod tend;

use pool::Pool;
use serve::Reply;

/// How a gateway spends.
#[derive(Clone, Debug)]
pub struct Config {
    /// Lamports for requests, and for deposits, while it runs.
    pub max_spend: u64,
    /// Lamports for one request, at most.
    pub max_price: u64,
    /// Lamports that a session begins with and is topped up by.
    pub deposit: u64,
    /// Sessions with one provider, at most: so many requests are under way with it at once.
    pub lanes: usize,
    /// Providers that ask for a longer grace time are not used.
    pub max_grace_secs: u32,
    /// If not empty, no other providers.
    pub only: BTreeSet<Address>,
    /// Requests that wait for a lane, at most.
    pub queue: usize,
    /// How long a request waits for a lane.
    pub queue_wait: Duration,
    /// What providers may take.
    pub bounds: Bounds,
}

impl Config {
    /// Everything but the money at its default.
    pub fn new(max_spend: u64, max_price: u64, deposit: u64) -> Self {
        Self {
            max_spend,
            max_price,
            deposit,
            lanes: 4,
            max_grace_secs: 7 * 86_400,
            only: BTreeSet::new(),
            queue: 256,
            queue_wait: Duration::from_mins(1),
            bounds: Bounds::default(),
        }
    }
}

/// Why the sessions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    #[error("HTTP cannot be set up on this machine: {0}")]
    Http(#[from] WireError),
}

/// The sessions of one wallet. Clones share everything.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    cluster: [u8; 32],
    chain: Arc<dyn Chain>,
    store: Store,
    directory: Arc<Directory>,
    wire: Wire,
    pool: Pool,
    limit: Arc<Limit>,
    /// Deposits of this run's openings of which nobody knows yet whether they landed, in lamports.
    unsure: Mutex<BTreeMap<Address, u64>>,
    /// Top-ups of this run likewise, with their lamports. `--max-spend` bounds them, for they count.
    top_ups: Mutex<Vec<(Sent, u64)>>,
    /// Requests and unresolved doubts.
    active: watch::Sender<usize>,
    draining: AtomicBool,
    _lock: Lock,
}

/// Counts as one thing under way until dropped.
struct Active(Arc<Inner>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0
            .active
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Sessions {
    /// Takes up the sessions of the ledger that are still good. The lock is the ledger's.
    ///
    /// # Errors
    /// When the chain or the ledger does not answer.
    pub async fn start(
        config: Config,
        chain: Arc<dyn Chain>,
        store: Store,
        lock: Lock,
    ) -> Result<Self, StartError> {
        let cluster = chain.cluster().await?;
        let known = reconcile(&store, chain.as_ref(), cluster).await?;
        let wire = Wire::new(config.bounds)?;
        let directory = Directory::new(Arc::clone(&chain), wire.clone(), config.only.clone());
        let inner = Arc::new(Inner {
            cluster,
            chain,
            store,
            directory,
            wire,
            pool: Pool::new(config.lanes, config.queue),
            limit: Limit::new(config.max_spend),
            unsure: Mutex::default(),
            top_ups: Mutex::default(),
            active: watch::Sender::new(0),
            draining: AtomicBool::new(false),
            config,
            _lock: lock,
        });
        inner.follow_bans().await?;
        inner.adopt(known).await?;
        tokio::spawn(tend::tend(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// What was spent since the start.
    pub fn spending(&self) -> Spending {
        self.inner.limit.spending()
    }

    /// Who serves what; also what the command line asks.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.inner.directory
    }

    /// Takes no more requests and waits until those under way have ended, or so long.
    /// Returns how many had not.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.inner.draining.store(true, Ordering::Release);
        let mut active = self.inner.active.subscribe();
        let ended = active.wait_for(|count| *count == 0);
        let _ = tokio::time::timeout(patience, ended).await;
        *self.inner.active.borrow()
    }

    async fn serve(
        &self,
        request: Request,
        worst: Usage,
        likely: usize,
    ) -> Result<Reply, UpstreamError> {
        let inner = Arc::clone(&self.inner);
        // In a task of its own: whoever asked may go away, and what was paid for is taken note of all the same.
        tokio::spawn(inner.serve(request, worst, likely))
            .await
            .map_err(|error| {
                UpstreamError::Unavailable(format!("the request ended early: {error}"))
            })?
    }
}

impl Inner {
    fn begin(self: &Arc<Self>) -> Active {
        self.active
            .send_modify(|count| *count = count.saturating_add(1));
        Active(Arc::clone(self))
    }

    fn unsure(&self) -> MutexGuard<'_, BTreeMap<Address, u64>> {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn top_ups(&self) -> MutexGuard<'_, Vec<(Sent, u64)>> {
        self.top_ups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

impl Upstream for Sessions {
    fn models(&self) -> BoxFuture<'_, Result<Vec<Listed>, UpstreamError>> {
        Box::pin(async {
            let listed = self.inner.directory.listed().await;
            listed.map_err(|error| UpstreamError::Unavailable(error.to_string()))
        })
    }

    fn look_again(&self) {
        self.inner.directory.look_again();
    }

    fn run(&self, model: Digest, input: Bytes) -> BoxFuture<'_, Result<Ran, UpstreamError>> {
        Box::pin(async move {
            let worst = Usage {
                input_bytes: u64::try_from(input.len()).unwrap_or(u64::MAX),
                ..Usage::default()
            };
            match self.serve(Request::run(model, input), worst, 0).await? {
                Reply::Ran(ran) => Ok(ran),
                Reply::Pieces(_) => Err(UpstreamError::Unavailable(
                    "a run was answered by a generation".to_owned(),
                )),
            }
        })
    }

    fn generate(
        &self,
        model: Digest,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, UpstreamError>>, UpstreamError>>
    {
        Box::pin(async move {
            let worst = Usage {
                input_tokens: u64::try_from(request.tokens.len()).unwrap_or(u64::MAX),
                output_tokens: u64::from(request.max_tokens),
                ..Usage::default()
            };
            let likely = usize::from(request.logprobs);
            let body = serde_json::to_vec(&request)
                .map_err(|error| UpstreamError::Unprocessable(error.to_string()))?;
            match self
                .serve(Request::generate(model, body.into()), worst, likely)
                .await?
            {
                Reply::Pieces(pieces) => Ok(pieces),
                Reply::Ran(_) => Err(UpstreamError::Unavailable(
                    "a generation was answered by a run".to_owned(),
                )),
            }
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
