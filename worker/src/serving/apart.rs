//! Work on many bytes, kept from those that wait for the same thread.

use bytes::Bytes;
use tokio::task::{JoinError, spawn_blocking};

/// Bytes that are hashed or read at once where other requests wait for the same thread.
const SHORT: usize = 1 << 20;

/// What is made of these bytes, in a thread of its own where they are many.
///
/// # Errors
/// When that thread broke off.
pub async fn apart<T: Send + 'static>(
    bytes: Bytes,
    of: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<T, JoinError> {
    if bytes.len() <= SHORT {
        return Ok(of(&bytes));
    }
    spawn_blocking(move || of(&bytes)).await
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn long_bodies_keep_nobody_else_waiting() {
        let here = thread::current().id();
        let of = async |size| apart(vec![0; size].into(), |_| thread::current().id()).await;
        assert_eq!(of(SHORT).await.unwrap(), here);
        assert_ne!(of(SHORT + 1).await.unwrap(), here);
    }
}
