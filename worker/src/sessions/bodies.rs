//! Bodies of requests: so many bytes in memory at once, each body within its time and not too slowly.
//!
//! What is counted is what has come: whoever announces much and sends little takes little from others.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::api::Failure;

/// Bytes that are held in memory, if one body alone needs no more.
const ALL: u64 = 256 << 20;
/// In which they are counted.
const PART: usize = 1_024;
/// Of a body that is not whole, in each so long: 6 KiB a second.
const LEAST: usize = 64 << 10;
const WINDOW: Duration = Duration::from_secs(10);

/// The room that all bodies share.
pub struct Bodies {
    room: Arc<Semaphore>,
    most: u64,
    patience: Duration,
}

impl Bodies {
    /// `most` bytes of one body, which may take as long as `patience`.
    pub fn new(most: u64, patience: Duration) -> Self {
        let all = usize::try_from(most.max(ALL)).unwrap_or(usize::MAX);
        let parts = all.div_ceil(PART).min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(parts)),
            most,
            patience,
        }
    }

    /// Bytes of a body, at most.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// A body of the length that its sender told, if it told one, and its place in memory.
    ///
    /// # Errors
    /// When it is too long, too slow or cut off, or there is no room for it.
    pub async fn read(
        &self,
        told: Option<u64>,
        body: Body,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Failure> {
        let length = told.unwrap_or(self.most);
        if length > self.most {
            return Err(Failure::too_large(self.most));
        }
        let limit = usize::try_from(length).unwrap_or(usize::MAX);
        let mut body = body.into_data_stream();
        let mut room = self.take(0)?;
        // Short bodies come in one piece and are not copied.
        let (mut first, mut all) = (Bytes::new(), BytesMut::new());
        let mut since = Instant::now();
        let end = since + self.patience;
        let mut came = 0_usize;
        loop {
            let next = timeout_at(end.min(since + WINDOW), body.next()).await;
            let piece = match next {
                Ok(Some(Ok(piece))) => piece,
                Ok(Some(Err(_))) => return Err(Failure::cut_off()),
                Ok(None) => break,
                Err(_) if came < LEAST || Instant::now() >= end => {
                    return Err(Failure::too_slow(self.patience));
                }
                Err(_) => {
                    (since, came) = (Instant::now(), 0);
                    continue;
                }
            };
            came = came.saturating_add(piece.len());
            let held = first.len().max(all.len());
            let size = held.saturating_add(piece.len());
            if size > limit {
                return Err(match told {
                    None => Failure::too_large(self.most),
                    Some(_) => Failure::cut_off(),
                });
            }
            room.merge(self.take(size.div_ceil(PART).saturating_sub(room.num_permits()))?);
            if held == 0 {
                first = piece;
                continue;
            }
            if all.is_empty() {
                all = BytesMut::from(std::mem::take(&mut first));
            }
            all.extend_from_slice(&piece);
        }
        let whole = if all.is_empty() { first } else { all.freeze() };
        Ok((whole, room))
    }

    fn take(&self, parts: usize) -> Result<OwnedSemaphorePermit, Failure> {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.room).try_acquire_many_owned(parts);
        taken.map_err(|_| {
            let text = "too many large inputs are held at this moment; ask again";
            Failure::busy(503, text, 2)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{FutureExt, future::join_all, stream};

    use super::*;

    const MOST: u64 = 64 << 20;

    fn bodies() -> Bodies {
        Bodies::new(MOST, Duration::from_secs(30))
    }

    /// A body that has so many bytes and then goes on for ever, without any.
    fn unfinished(bytes: usize) -> Body {
        let begun = stream::iter([Ok::<_, Infallible>(Bytes::from(vec![7; bytes]))]);
        Body::from_stream(begun.chain(stream::pending()))
    }

    #[tokio::test]
    async fn announced_bytes_take_nothing_from_others() {
        let bodies = bodies();
        let mut slow: Vec<_> = (0..9)
            .map(|_| bodies.read(Some(MOST), unfinished(1)).boxed())
            .collect();
        for one in &mut slow {
            assert!(futures_util::poll!(one).is_pending());
        }
        let whole = vec![3; 5 << 20];
        let (read, room) = bodies
            .read(Some(5 << 20), whole.clone().into())
            .await
            .unwrap();
        assert_eq!((&*read, room.num_permits()), (&*whole, 5 << 10));
    }

    #[tokio::test]
    async fn bytes_that_came_are_counted_and_given_back() {
        let bodies = bodies();
        let full = usize::try_from(MOST).unwrap();
        let mut held: Vec<_> = (0..4)
            .map(|_| bodies.read(None, unfinished(full)).boxed())
            .collect();
        for one in &mut held {
            assert!(futures_util::poll!(one).is_pending());
        }
        let refused = bodies.read(Some(1), "x".into()).await.unwrap_err();
        assert_eq!(refused.status.as_u16(), 503);
        held.pop();
        drop(bodies.read(Some(1), "x".into()).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_body_is_given_up_early_and_a_long_one_in_the_end() {
        let bodies = bodies();
        let begun = Instant::now();
        let ends = [LEAST - 1, LEAST].map(async |came| {
            let refused = bodies.read(Some(MOST), unfinished(came)).await.unwrap_err();
            assert_eq!(refused.code, "timeout");
            begun.elapsed().as_secs()
        });
        assert_eq!(join_all(ends).await, [10, 20]);
        let flowing = stream::unfold((), async |()| {
            tokio::time::advance(WINDOW / 2).await;
            Some((Ok::<_, Infallible>(Bytes::from(vec![1; LEAST])), ()))
        });
        let begun = Instant::now();
        let refused = bodies
            .read(None, Body::from_stream(Box::pin(flowing)))
            .await;
        assert_eq!(refused.unwrap_err().code, "timeout");
        assert_eq!(begun.elapsed().as_secs() / 10, 3);
    }

    #[tokio::test]
    async fn body_longer_than_it_may_be_is_refused() {
        let bodies = Bodies::new(4, Duration::from_secs(30));
        let code = async |told, body: &'static str| {
            let read = bodies.read(told, body.into()).await;
            read.map(drop).map_err(|refused| refused.status.as_u16())
        };
        assert_eq!(code(Some(5), "").await, Err(413));
        assert_eq!(code(None, "12345").await, Err(413));
        assert_eq!(code(Some(4), "12345").await, Err(400));
        assert_eq!(code(Some(4), "1234").await, Ok(()));
    }
}
