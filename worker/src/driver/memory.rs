//! Room in this process for models and inputs that lie in it until their job is claimed, run or left.
//!
//! Engines have a budget of their own; these bytes are beside it, and strangers choose the models.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Bytes that everything prepared may take together.
#[derive(Debug)]
pub struct Room {
    limit: u64,
    taken: AtomicU64,
}

/// Bytes that are taken until this is dropped.
#[derive(Debug)]
pub struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{bytes} bytes do not fit beside the {taken} of models and inputs that are prepared already: these may take {limit} together, a quarter of engine.memory_bytes"
)]
pub struct NoRoom {
    bytes: u64,
    taken: u64,
    limit: u64,
}

impl Room {
    /// A quarter of what the engines may hold, in bytes: by default they leave a quarter of the machine.
    pub fn beside(engines: u64) -> Arc<Self> {
        Arc::new(Self {
            limit: engines / 4,
            taken: AtomicU64::new(0),
        })
    }

    /// Takes bytes, before they are read. What is `owed` counts and is never refused: its job is claimed, or
    /// its seat held. Neither is what lies there alone, or a small machine would never take a large model.
    ///
    /// # Errors
    /// [`NoRoom`], which passes when something else is claimed and run, or left.
    pub fn take(self: &Arc<Self>, bytes: u64, owed: bool) -> Result<Taken, NoRoom> {
        let with = |taken: u64| {
            let sum = taken.saturating_add(bytes);
            (owed || taken == 0 || sum <= self.limit).then_some(sum)
        };
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, with)
            .map_err(|taken| NoRoom {
                bytes,
                taken,
                limit: self.limit,
            })?;
        Ok(Taken {
            room: Arc::clone(self),
            bytes,
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_refused_beyond_its_limit_and_comes_back() {
        let room = Room::beside(400);
        let first = room.take(60, false).unwrap();
        let second = room.take(40, false).unwrap();
        let refused = room.take(1, false).unwrap_err();
        assert_eq!((refused.taken, refused.limit), (100, 100));
        drop(second);
        let second = room.take(40, false).unwrap();
        drop((first, second));
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_owed_or_alone_is_never_refused() {
        let room = Room::beside(400);
        let alone = room.take(101, false).unwrap();
        let owed = room.take(101, true).unwrap();
        assert!(room.take(1, false).is_err(), "both count");
        drop(alone);
        assert!(room.take(1, false).is_err());
        drop(owed);
        assert!(room.take(1, false).is_ok());
    }
}
