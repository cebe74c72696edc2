//! What happened, counted.

use std::collections::BTreeMap;

use assay_client::protocol::{JobStatus, verdict::Verdict};

use super::agent::Behaviour;

/// How one job ended.
#[derive(Clone, Debug)]
pub struct Ending {
    pub primary: Behaviour,
    /// Whether its answer was within the tolerance.
    pub right: bool,
    pub status: JobStatus,
    /// None without an audit.
    pub verdict: Option<Verdict>,
    pub drawn: bool,
    /// Most of level 2 said what is not so.
    pub captured: bool,
    /// Lamports the requester paid for the answer and for auditors.
    pub price: u64,
    pub fees: u64,
    /// Whoever sat, on which level, what it won or lost, whether it told the truth or nothing but that it had no hints.
    pub seats: Vec<Seat>,
}

/// One seat of an ended panel.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    pub auditor: Behaviour,
    /// Revealed what was so, or 0xff where the hints were withheld.
    pub truthful: bool,
    /// Lamports beyond its bond.
    pub gain: i64,
}

/// Jobs of one behaviour's providers, and their seats on others' panels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub jobs: u64,
    /// Claimed and never answered.
    pub late: u64,
    pub wrong: u64,
    pub wrong_drawn: u64,
    pub wrong_faulted: u64,
    pub wrong_unresolved: u64,
    pub right_drawn: u64,
    /// Right, revealed, and slashed all the same.
    pub right_faulted: u64,
    /// Of these, where level 2 was not captured: must never happen.
    pub right_faulted_uncaptured: u64,
    pub right_unresolved: u64,
    pub seats: u64,
    pub seats_paid: u64,
    pub seats_lost: u64,
    /// Lost by telling the truth, where level 2 was not captured.
    pub truthful_lost: u64,
}

/// All jobs of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub rows: BTreeMap<Behaviour, Row>,
    pub verdicts: BTreeMap<&'static str, u64>,
    pub jobs: u64,
    pub drawn: u64,
    pub captured: u64,
    /// Level-2 panels that spoke.
    pub appeals: u64,
    /// Lamports paid for answers, and by requesters for auditors.
    pub turnover: u64,
    pub fees: u64,
}

impl Tally {
    pub fn row(&self, behaviour: Behaviour) -> Row {
        self.rows.get(&behaviour).copied().unwrap_or_default()
    }

    pub fn sum(&self, of: fn(&Row) -> u64) -> u64 {
        self.rows.values().map(of).sum()
    }

    pub fn verdict(&self, verdict: Verdict) -> u64 {
        self.verdicts
            .get(verdict.name())
            .copied()
            .unwrap_or_default()
    }

    pub fn add(&mut self, ending: &Ending) {
        self.jobs += 1;
        self.drawn += u64::from(ending.drawn);
        self.captured += u64::from(ending.captured);
        self.turnover += ending.price;
        self.fees += ending.fees;
        if let Some(verdict) = ending.verdict {
            *self.verdicts.entry(verdict.name()).or_default() += 1;
            self.appeals += u64::from(matches!(
                verdict,
                Verdict::Upheld | Verdict::Overturned | Verdict::Undecided
            ));
        }
        self.primary(ending);
        for seat in &ending.seats {
            let row = self.rows.entry(seat.auditor).or_default();
            row.seats += 1;
            row.seats_paid += u64::from(seat.gain > 0);
            row.seats_lost += u64::from(seat.gain < 0);
            row.truthful_lost += u64::from(seat.gain < 0 && seat.truthful && !ending.captured);
        }
    }

    fn primary(&mut self, ending: &Ending) {
        let row = self.rows.entry(ending.primary).or_default();
        row.jobs += 1;
        if ending.status == JobStatus::Cancelled {
            row.late += 1;
            return;
        }
        let faulted = ending.status == JobStatus::Faulted;
        let unresolved = ending.status == JobStatus::Unresolved;
        let count = |is: bool, counter: &mut u64| *counter += u64::from(is);
        if ending.right {
            // A silent primary is faulted for its silence, whatever it had computed.
            let overturned = faulted && ending.verdict == Some(Verdict::Overturned);
            count(ending.drawn, &mut row.right_drawn);
            count(overturned, &mut row.right_faulted);
            count(
                overturned && !ending.captured,
                &mut row.right_faulted_uncaptured,
            );
            count(unresolved, &mut row.right_unresolved);
        } else {
            row.wrong += 1;
            count(ending.drawn, &mut row.wrong_drawn);
            count(faulted, &mut row.wrong_faulted);
            count(unresolved, &mut row.wrong_unresolved);
        }
    }
}
