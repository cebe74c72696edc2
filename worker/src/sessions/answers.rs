//! Last answers, for requesters that lost them on the way: for a minute, and only so many bytes in all.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use assay_client::{
    protocol::Address,
    session::{Finish, Token},
};
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// What is counted at once.
const PART: usize = 4_096;
/// Of all answers together.
const PARTS: usize = (64 << 20) / PART;
const KEPT_FOR: Duration = Duration::from_secs(60);

/// An answer as it was given.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of a run.
    Body { status: u16, bytes: Bytes },
    /// Of a generation.
    Tokens {
        tokens: Arc<[Token]>,
        finish: Finish,
    },
}

impl Answer {
    fn size(&self) -> usize {
        match self {
            Self::Body { bytes, .. } => bytes.len(),
            Self::Tokens { tokens, .. } => tokens
                .iter()
                .map(|token| {
                    let likely = size_of_val(token.likely.as_slice());
                    size_of::<Token>().saturating_add(likely)
                })
                .sum(),
        }
    }
}

struct Kept {
    sequence: u64,
    answer: Answer,
    at: Instant,
    _room: OwnedSemaphorePermit,
}

/// The last answer of each session, where there is room.
pub struct Answers {
    kept: Mutex<BTreeMap<Address, Kept>>,
    room: Arc<Semaphore>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            room: Arc::new(Semaphore::new(PARTS)),
        }
    }
}

impl Answers {
    pub fn keep(&self, session: Address, sequence: u64, answer: Answer) {
        let mut kept = self.lock();
        kept.remove(&session);
        let parts = answer.size().div_ceil(PART).max(1);
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(parts) {
            let at = Instant::now();
            let one = Kept {
                sequence,
                answer,
                at,
                _room: room,
            };
            kept.insert(session, one);
        }
    }

    pub fn get(&self, session: &Address, sequence: u64) -> Option<Answer> {
        let kept = self.lock();
        let found = kept.get(session).filter(|kept| kept.sequence == sequence)?;
        Some(found.answer.clone())
    }

    /// The session goes on: nobody will ask for its last answer again.
    pub fn forget(&self, session: &Address) {
        self.lock().remove(session);
    }

    pub fn forget_old(&self) {
        self.lock().retain(|_, kept| kept.at.elapsed() < KEPT_FOR);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Address, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
