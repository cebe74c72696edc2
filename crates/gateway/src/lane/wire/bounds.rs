//! What a provider may take: time, bytes, and the address it may have.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

use super::WireError;

/// What providers may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest wait for an answer to begin, and between two pieces of it.
    pub patience: Duration,
    /// The longest that a whole answer may take, but for its tokens.
    pub answer: Duration,
    /// The longest for each token that was asked for, on top of that.
    pub token: Duration,
    /// Bytes of an answer, at most.
    pub max_answer: usize,
    /// Times that a provider may put off an answer that it charges for.
    pub asks: u32,
    /// Whether providers in private networks and on this machine are asked.
    pub allow_private: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            patience: Duration::from_mins(2),
            answer: Duration::from_mins(10),
            // Slower than anybody would wait for.
            token: Duration::from_secs(2),
            max_answer: 256 << 20,
            // A quarter of an hour, in which it can load a model.
            asks: 20,
            allow_private: false,
        }
    }
}

/// The end of an answer's time: one that drips for ever keeps a session and its reader for ever.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    pub(super) limit: Duration,
    at: Option<Instant>,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        let at = Instant::now().checked_add(limit);
        Self { limit, at }
    }

    /// Waits for a part of the answer, but not beyond.
    ///
    /// # Errors
    /// The part's own, or [`WireError::Slow`].
    pub async fn hold<T, E: Into<WireError>>(
        self,
        part: impl Future<Output = Result<T, E>>,
    ) -> Result<T, WireError> {
        let Some(at) = self.at else {
            return part.await.map_err(Into::into);
        };
        match tokio::time::timeout_at(at, part).await {
            Ok(part) => part.map_err(Into::into),
            Err(_) => Err(WireError::Slow(self.limit)),
        }
    }
}
