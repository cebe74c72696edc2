//! The models that are served: fetched once, loaded once, and whether their requests may share runs.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use assay_engine::{Form, Model, ModelInfo, Outcome, Tensor, alike, split};
use bytes::Bytes;

use super::decoder::Decoder;

/// A model that is loaded.
pub struct Served {
    pub model: Model,
    pub info: Arc<ModelInfo>,
    pub decoder: Option<Decoder>,
    pub sharing: Sharing,
}

impl Served {
    pub fn new(model: Model, info: ModelInfo) -> Self {
        let sharing = Sharing::new(info.may_batch());
        Self {
            decoder: Decoder::of(&info),
            info: Arc::new(info),
            model,
            sharing,
        }
    }
}

/// Whether a model's requests share runs. They do once it was seen that their rows keep out of each other's way.
pub struct Sharing {
    trials: AtomicU8,
    /// Rows of one run: fewer once a run of more took too long or too much memory.
    most_rows: AtomicUsize,
    /// The input of the last trial, for the next one: another requester's differs in more than what is made of one input.
    last: Mutex<Option<(Form, Bytes)>>,
}

/// That shared runs have fewer rows because one failed.
pub struct Fewer {
    before: usize,
    now: usize,
}

/// Trials after which a model whose trials tell nothing is given up.
const TRIALS: u8 = 8;
const YES: u8 = u8::MAX;
const NO: u8 = TRIALS;

/// What a trial tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Together the rows give what they give alone.
    Same,
    Other,
    /// The model failed, or gave the same for both.
    Nothing,
}

impl Sharing {
    fn new(may: bool) -> Self {
        Self {
            trials: AtomicU8::new(if may { 0 } else { NO }),
            most_rows: AtomicUsize::new(usize::MAX),
            last: Mutex::default(),
        }
    }

    pub fn is_known_to_work(&self) -> bool {
        self.trials.load(Ordering::Relaxed) == YES
    }

    /// Rows that requests may have together in one run.
    pub fn most_rows(&self) -> usize {
        if self.is_known_to_work() {
            self.most_rows.load(Ordering::Relaxed)
        } else {
            1
        }
    }

    /// A run of so many rows took too long or too much memory: the next ones have half as many.
    pub fn fewer_than(&self, rows: usize) -> Fewer {
        let now = (rows / 2).max(1);
        let before = self.most_rows.fetch_min(now, Ordering::Relaxed);
        Fewer { before, now }
    }

    /// Leaves it so, unless one of that run's requests was as much by itself: then its rows were not too many, and nobody
    /// keeps others from sharing by asking for too much.
    pub fn settle(&self, fewer: Fewer, is_one_too_much: bool) {
        let Fewer { before, now } = fewer;
        if is_one_too_much {
            let order = Ordering::Relaxed;
            // Another run may have said more meanwhile.
            let _ = self
                .most_rows
                .compare_exchange(now, before.max(now), order, order);
        }
    }

    /// Whether nobody knows yet.
    pub fn is_open(&self) -> bool {
        self.trials.load(Ordering::Relaxed) < TRIALS
    }

    /// Another input for a trial: that of the last one, if it can be told from this one.
    pub fn partner(&self, form: &Form, input: &Bytes) -> Option<Bytes> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (other, partner) = last.replace((form.clone(), input.clone()))?;
        (other == *form && partner != *input).then_some(partner)
    }

    /// Remembers what a trial told; whether that settles it.
    pub fn tried(&self, trial: Trial) -> bool {
        let learn = |trials: u8| {
            (trials < TRIALS).then(|| match trial {
                Trial::Same => YES,
                Trial::Other => NO,
                Trial::Nothing => trials.saturating_add(1),
            })
        };
        let learnt = self
            .trials
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, learn);
        let is_settled = learnt.is_ok() && !self.is_open();
        if is_settled {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        is_settled
    }

    /// It did not work after all.
    pub fn never(&self) {
        self.trials.store(NO, Ordering::Relaxed);
    }
}

/// Compares what two inputs gave alone with what they gave together.
pub fn compare(alone: [&Outcome; 2], together: &Outcome, rows: usize) -> Trial {
    let [Outcome::Outputs(one), Outcome::Outputs(other)] = alone else {
        return Trial::Nothing;
    };
    if alike(one, other) {
        // Rows that took each other's place could not be told apart.
        return Trial::Nothing;
    }
    let Outcome::Outputs(together) = together else {
        return Trial::Other;
    };
    let same = |parts: &[Vec<Tensor>]| {
        parts
            .iter()
            .zip([one, other])
            .all(|(part, own)| alike(part, own))
    };
    match split(together, &[rows, rows]) {
        Some(parts) if same(&parts) => Trial::Same,
        Some(_) | None => Trial::Other,
    }
}

#[cfg(test)]
mod tests;
