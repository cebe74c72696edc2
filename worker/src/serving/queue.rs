//! Who runs next, and with whom: decisions without engines and without a clock of their own.
//!
//! Whoever waits longest goes first, whatever its model; those behind it that can share its run do. A free engine waits
//! for nobody, unless `batch_wait` says that a run may wait for others to share it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use assay_engine::Form;
use assay_protocol::Digest;
use tokio::time::Instant;

/// How much at once.
#[derive(Clone, Debug)]
pub struct QueueLimits {
    /// Runs at the same time.
    pub engines: usize,
    /// Rows of one run that several requests share.
    pub batch_rows: usize,
    /// Bytes of their inputs.
    pub batch_bytes: usize,
    /// How long a request waits for others to share its run.
    pub batch_wait: Duration,
    /// Requests that wait, for each model.
    pub waiting: usize,
}

/// A request that waits.
#[derive(Debug)]
pub struct Waiting<T> {
    pub ticket: u64,
    pub since: Instant,
    /// With whom it can share a run; none if with nobody.
    pub form: Option<Form>,
    pub bytes: usize,
    pub what: T,
}

/// Whether a request may be turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// If too many wait.
    New,
    /// Never: it goes on with what was begun.
    Next,
}

/// So many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full(pub usize);

/// What is to be done.
#[derive(Debug)]
pub enum Next<T> {
    /// Run these together; [`Queue::ended`] must follow.
    Run(Vec<Waiting<T>>),
    /// Ask again then.
    At(Instant),
    Nothing,
}

/// The requests of all models.
#[derive(Debug)]
pub struct Queue<T> {
    limits: QueueLimits,
    lines: BTreeMap<Digest, VecDeque<Waiting<T>>>,
    running: usize,
    last: u64,
}

impl<T> Queue<T> {
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            lines: BTreeMap::new(),
            running: 0,
            last: 0,
        }
    }

    /// Queues a request; its number.
    ///
    /// # Errors
    /// [`Full`]
    pub fn push(
        &mut self,
        model: Digest,
        turn: Turn,
        (form, bytes): (Option<Form>, usize),
        what: T,
        now: Instant,
    ) -> Result<u64, Full> {
        let line = self.lines.entry(model).or_default();
        if turn == Turn::New && line.len() >= self.limits.waiting {
            return Err(Full(line.len()));
        }
        self.last = self.last.saturating_add(1);
        line.push_back(Waiting {
            ticket: self.last,
            since: now,
            form,
            bytes,
            what,
        });
        Ok(self.last)
    }

    /// Nobody waits for this any more.
    pub fn withdraw(&mut self, model: &Digest, ticket: u64) {
        if let Some(line) = self.lines.get_mut(model) {
            line.retain(|waiting| waiting.ticket != ticket);
        }
    }

    /// How many wait for a model.
    pub fn waiting(&self, model: &Digest) -> usize {
        self.lines.get(model).map_or(0, VecDeque::len)
    }

    /// What an engine that is free is to do. `most_rows` tells how many a shared run of such requests may have.
    pub fn next(&mut self, now: Instant, most_rows: impl Fn(&T) -> usize) -> Next<T> {
        if self.running >= self.limits.engines {
            return Next::Nothing;
        }
        let first = |(model, line): (&Digest, &VecDeque<Waiting<T>>)| {
            line.front().map(|head| (head.ticket, *model))
        };
        let mut heads: Vec<(u64, Digest)> = self.lines.iter().filter_map(first).collect();
        heads.sort_unstable();
        let mut soonest: Option<Instant> = None;
        for (_, model) in heads {
            let mut limits = self.limits.clone();
            let Some(line) = self.lines.get_mut(&model) else {
                continue;
            };
            let Some(head) = line.front() else { continue };
            let until = head.since + limits.batch_wait;
            limits.batch_rows = limits.batch_rows.min(most_rows(&head.what));
            let together = together(line, &limits);
            if !together.is_full && now < until {
                soonest = Some(soonest.map_or(until, |at| at.min(until)));
                continue;
            }
            let run = take(line, &together.positions);
            if line.is_empty() {
                self.lines.remove(&model);
            }
            self.running = self.running.saturating_add(1);
            return Next::Run(run);
        }
        soonest.map_or(Next::Nothing, Next::At)
    }

    /// A run is over.
    pub fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }
}

/// Those of a line that go into one run, by position, ascending.
struct Together {
    positions: Vec<usize>,
    /// Whether waiting could bring nobody else.
    is_full: bool,
}

impl Together {
    fn alone() -> Self {
        Self {
            positions: vec![0],
            is_full: true,
        }
    }
}

fn together<T>(line: &VecDeque<Waiting<T>>, limits: &QueueLimits) -> Together {
    let Some((head, form)) = line
        .front()
        .and_then(|head| Some((head, head.form.as_ref()?)))
    else {
        return Together::alone();
    };
    let (mut rows, mut bytes) = (form.rows, head.bytes);
    let mut positions = vec![0];
    for (position, other) in line.iter().enumerate().skip(1) {
        if rows >= limits.batch_rows {
            break;
        }
        let Some(one) = other.form.as_ref().filter(|one| form.joins(one)) else {
            continue;
        };
        let (more, size) = (
            rows.saturating_add(one.rows),
            bytes.saturating_add(other.bytes),
        );
        if more <= limits.batch_rows && size <= limits.batch_bytes {
            (rows, bytes) = (more, size);
            positions.push(position);
        }
    }
    Together {
        positions,
        is_full: rows >= limits.batch_rows,
    }
}

fn take<T>(line: &mut VecDeque<Waiting<T>>, positions: &[usize]) -> Vec<Waiting<T>> {
    // From the last, so that those before keep their places.
    let mut taken: Vec<_> = positions
        .iter()
        .rev()
        .filter_map(|position| line.remove(*position))
        .collect();
    taken.reverse();
    taken
}

#[cfg(test)]
mod tests;
