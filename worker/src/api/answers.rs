//! Bodies of answers, as slowly as they are read and as the uplink allows, and with a limit on what
//! they hold in memory.

use std::{io, num::NonZeroU32, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use futures_util::stream;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;

use super::refuse;

/// Bytes of one part of a body.
pub(super) const PART_BYTES: usize = 64 << 10;
/// Answers up to this size do not wait for the uplink: hints and results of most models, on which
/// collateral depends, must not queue behind somebody's download of a model.
const URGENT_BYTES: usize = 1 << 20;
/// Of answers that are held in memory until they are read.
const MEMORY_BYTES: usize = 256 << 20;

/// What all answers share.
#[derive(Clone)]
pub struct Answers {
    /// In parts.
    memory: Arc<Semaphore>,
    uplink: Option<Arc<DefaultDirectRateLimiter>>,
}

impl Answers {
    /// `upload_bytes_per_sec` of 0 is no limit; else it is at least one part.
    pub fn new(upload_bytes_per_sec: u32) -> Self {
        let uplink = NonZeroU32::new(upload_bytes_per_sec)
            .map(|rate| Arc::new(RateLimiter::direct(Quota::per_second(rate))));
        Self {
            memory: Arc::new(Semaphore::new(MEMORY_BYTES / PART_BYTES)),
            uplink,
        }
    }

    /// Bytes that are in memory. Whoever does not read them holds a place there, and is refused one
    /// where none is left.
    pub fn bytes(&self, bytes: Vec<u8>) -> Response {
        let parts = bytes.len().div_ceil(PART_BYTES);
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        let Ok(place) = Arc::clone(&self.memory).try_acquire_many_owned(parts) else {
            let message = "too many large answers are being read at this moment; ask again";
            let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return response;
        };
        let length = bytes.len();
        let state = (self.clone(), Bytes::from(bytes), length, place);
        let body = stream::try_unfold(state, |(answers, mut rest, length, place)| async move {
            if rest.is_empty() {
                return Ok::<_, io::Error>(None);
            }
            let part = rest.split_to(rest.len().min(PART_BYTES));
            answers.wait(length, part.len()).await?;
            Ok(Some((part, (answers, rest, length, place))))
        });
        ([(CONTENT_LENGTH, length)], Body::from_stream(body)).into_response()
    }

    /// Waits until the uplink is free for the next part of an answer of this length.
    pub async fn wait(&self, length: usize, part: usize) -> io::Result<()> {
        let Some(uplink) = self.uplink.as_ref().filter(|_| length > URGENT_BYTES) else {
            return Ok(());
        };
        let part = u32::try_from(part).ok().and_then(NonZeroU32::new);
        let Some(part) = part else { return Ok(()) };
        uplink.until_n_ready(part).await.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn answers_that_nobody_reads_fill_their_share_of_memory_only() {
        let answers = Answers::new(0);
        let large = || answers.bytes(vec![7; MEMORY_BYTES / 2]);
        let held = [large(), large()];
        assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
        assert_eq!(large().status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(held);
        let read = to_bytes(large().into_body(), usize::MAX).await.unwrap();
        assert_eq!(read.len(), MEMORY_BYTES / 2);
        assert_eq!(
            answers.memory.available_permits(),
            MEMORY_BYTES / PART_BYTES
        );
        assert_eq!(answers.bytes(Vec::new()).status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn large_answers_wait_for_the_uplink_and_hints_do_not() {
        let rate = u32::try_from(PART_BYTES).unwrap();
        let answers = Answers::new(rate);
        answers.wait(2 * URGENT_BYTES, PART_BYTES).await.unwrap();
        // The second part of this second has to wait, while whoever is small goes on.
        let second = answers.wait(2 * URGENT_BYTES, PART_BYTES);
        futures_util::pin_mut!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        answers.wait(URGENT_BYTES, PART_BYTES).await.unwrap();
    }
}
