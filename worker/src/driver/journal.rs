//! What the journal has to hold of jobs and audits, in the order in which it came about.
//!
//! A disk that is full, or fails for a while, ends nothing and holds up nothing on chain: what cannot be
//! written is kept and tried again. It grows by a few entries for each job and seat that is ours, and
//! nothing new is taken while the disk is full.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use assay_client::protocol::{Address, JobData, UnixSeconds};
use tokio::time::Instant;

use super::{Chain, Driver, HaltPoint};
use crate::{
    core::{Action, AuditStep, Evidence, Report, Step, brought},
    metrics,
    store::{Store, StoreError},
};

/// Between two tries of an entry that could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// One entry.
#[derive(Debug)]
pub(super) enum Entry {
    /// What became of an attempt; none if the job is not known any more.
    Report {
        attempt: u8,
        job: Option<Box<JobData>>,
        report: Report,
    },
    /// An audit as it stands; `me` is our account.
    Audit {
        evidence: Evidence,
        me: Address,
    },
    /// What our job's audit brought in the end, in lamports.
    Earned(u64),
    AuditGone,
}

struct Noted {
    address: Address,
    entry: Entry,
    at: UnixSeconds,
}

/// Entries that are not written, oldest first.
#[derive(Default)]
pub(super) struct Unwritten {
    entries: VecDeque<Arc<Noted>>,
    /// After a failure.
    next_try: Option<Instant>,
}

impl Unwritten {
    /// Whether this must wait until they are written: it takes on what a restart would have to know.
    pub fn holds_back(&self, action: Action) -> bool {
        let takes_on = matches!(
            action,
            Action::Job(Step::Claim) | Action::Audit(AuditStep::Open | AuditStep::Join)
        );
        takes_on && !self.entries.is_empty()
    }
}

impl Noted {
    fn write(&self, store: &Store) -> Result<(), StoreError> {
        let (address, now) = (&self.address, self.at);
        match &self.entry {
            Entry::Report {
                attempt,
                job: Some(job),
                report,
            } => store.report(address, *attempt, job, *report, now),
            Entry::Report {
                attempt, job: None, ..
            } => store.report_gone(address, *attempt, now),
            Entry::Audit { evidence, me } => {
                if evidence.ended
                    && let Some(parts) = brought(evidence, me)
                {
                    store.book_audit(address, evidence, &parts, now)?;
                }
                store.keep_audit(address, evidence, now)
            }
            Entry::Earned(lamports) => store.note_earned(address, *lamports),
            Entry::AuditGone => store.end_audit(address, now),
        }
    }
}

impl<C: Chain> Driver<C> {
    /// Writes an entry, now or as soon as the disk takes it.
    pub(super) async fn note(&mut self, address: Address, entry: Entry) {
        self.unwritten.entries.push_back(Arc::new(Noted {
            address,
            entry,
            at: self.now,
        }));
        self.write_entries().await;
    }

    /// Writes what is not written, unless that failed a moment ago.
    pub(super) async fn write_entries(&mut self) {
        if let Some(next) = self.unwritten.next_try
            && Instant::now() < next
        {
            return;
        }
        while let Some(noted) = self.unwritten.entries.front().map(Arc::clone) {
            let writing = Arc::clone(&noted);
            let written = self.parts.store.call(move |store| writing.write(store));
            if let Err(error) = written.await {
                if self.unwritten.next_try.is_none() {
                    tracing::error!(job = %noted.address, %error, "not in the journal; trying again until it is");
                }
                self.unwritten.next_try = Some(Instant::now() + PAUSE);
                return;
            }
            self.unwritten.entries.pop_front();
            if self.unwritten.next_try.take().is_some() {
                tracing::info!("the journal can be written again");
            }
            self.say_written(&noted);
        }
    }

    /// The last try before the end.
    pub(super) async fn write_what_is_left(&mut self) {
        self.unwritten.next_try = None;
        self.write_entries().await;
        let entries = self.unwritten.entries.len();
        if entries > 0 {
            tracing::error!(
                entries,
                "stopping with entries that are not in the journal; the next start reads from the chain what it can"
            );
        }
    }

    fn say_written(&self, noted: &Noted) {
        let Entry::Report {
            attempt,
            job,
            report,
        } = &noted.entry
        else {
            return;
        };
        match job {
            Some(job) => say(&noted.address, *attempt, job, report),
            None => {
                tracing::warn!(job = %noted.address, attempt, "the job's account is gone; how it ended was not seen");
            }
        }
        metrics::report(report);
        match report {
            Report::Claimed { .. } => self.parts.halt.at(HaltPoint::ClaimLanded),
            Report::Committed => self.parts.halt.at(HaltPoint::CommitLanded),
            Report::Settled { .. }
            | Report::Audited
            | Report::Unresolved
            | Report::Lost
            | Report::Faulted
            | Report::SecretsMissing
            | Report::Gone => {}
        }
    }
}

fn say(address: &Address, attempt: u8, job: &JobData, report: &Report) {
    let audited = if job.is_unaudited() {
        "unaudited"
    } else {
        "audited"
    };
    match report {
        Report::Claimed { price } => {
            tracing::info!(job = %address, attempt, price = price.0, collateral = job.collateral, audited, "job claimed");
        }
        Report::Committed => {
            tracing::info!(job = %address, attempt, "result committed; waiting for its requester")
        }
        Report::Settled { price, earned } => {
            tracing::info!(job = %address, attempt, price = price.0, earned = earned.0, audited, "job settled: paid");
        }
        // The audits' core tells more.
        Report::Audited => {}
        Report::Unresolved => {
            tracing::warn!(job = %address, attempt, "job unresolved: the panel could not decide; unpaid, the collateral is back");
        }
        Report::Lost => tracing::warn!(job = %address, attempt, "job lost: given back or too late"),
        Report::Faulted => {
            tracing::error!(job = %address, attempt, collateral = job.collateral, "job faulted: the collateral is slashed");
        }
        Report::SecretsMissing => tracing::error!(
            job = %address, attempt,
            "the chain holds a commitment whose secrets are not in this journal; restore the journal from a backup before the finalize deadline"
        ),
        Report::Gone => {
            tracing::warn!(job = %address, attempt, "the job's account is gone; how it ended was not seen")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_something_on_waits_for_the_journal_and_nothing_else_does() {
        let mut unwritten = Unwritten::default();
        let all = || {
            let jobs = Step::ALL.map(Action::Job);
            let audits = AuditStep::ALL.map(Action::Audit);
            jobs.into_iter().chain(audits)
        };
        assert!(!all().any(|action| unwritten.holds_back(action)));
        unwritten.entries.push_back(Arc::new(Noted {
            address: Address::default(),
            entry: Entry::AuditGone,
            at: UnixSeconds(0),
        }));
        let held: Vec<_> = all()
            .filter(|action| unwritten.holds_back(*action))
            .map(Action::name)
            .collect();
        assert_eq!(held, ["claim", "panel_open", "panel_join"]);
    }
}
