//! What keeps the worker from claiming more: failures that repeat, and a key that runs out of lamports.

use std::collections::BTreeSet;

use assay_protocol::{Address, Lamports, UnixSeconds};

use super::{
    Core,
    breaker::Outcome,
    standing::Pause,
    work::{Phase, Work},
};

/// Transactions that a job takes after its claim: commit and finalize, and where it is audited also
/// open, reveal, resolve and close.
const CLAIMED: u64 = 2;
const AUDITED: u64 = 4;

/// What the operator's key must keep.
#[derive(Clone, Copy, Debug)]
pub struct Funds {
    /// Whatever is live.
    pub reserve: Lamports,
    /// Most that one transaction costs.
    pub transaction: Lamports,
}

/// Free bytes of the disk below which nothing new is taken: room for what the results and transactions of
/// everything that is live may still need.
pub const LEAST_FREE_DISK: u64 = 1 << 30;
/// From so many on it is taken again.
const ENOUGH_FREE_DISK: u64 = LEAST_FREE_DISK + LEAST_FREE_DISK / 4;

impl Core {
    /// Notes what became of a job of ours, once for each attempt.
    pub(super) fn blame(&mut self, address: Address, outcome: Outcome, now: UnixSeconds) {
        let Some(work) = self.work.get_mut(&address) else {
            return;
        };
        if work.ours.is_none() || outcome == Outcome::Lost && work.blamed == work.ours {
            return;
        }
        work.blamed = work.ours;
        let model = work.job.model_digest;
        self.handle_outcome(model, outcome, now);
    }

    /// What became of a job or a seat with this model.
    pub fn handle_outcome(&mut self, model: [u8; 32], outcome: Outcome, now: UnixSeconds) {
        self.breaker.note(model, outcome, now.0);
        self.follow_breaker(now);
    }

    /// Models that are left alone now.
    pub fn paused_models(&self, now: UnixSeconds) -> BTreeSet<[u8; 32]> {
        self.breaker.paused(now.0)
    }

    pub(super) fn follow_breaker(&mut self, now: UnixSeconds) {
        match self.breaker.paused_until(now.0) {
            Some(until) => {
                let detail = format!(
                    "jobs of several models failed; one is tried again in {} s (policy.breaker_*)",
                    until.saturating_sub(now.0)
                );
                self.pause(Pause::Failures, detail, now);
            }
            None => {
                self.standing.remove(Pause::Failures);
            }
        }
    }

    /// What the disk has free, in bytes. Whether new work stops or goes on by it, if that is news.
    pub fn handle_free_disk(&mut self, bytes: u64, now: UnixSeconds) -> Option<bool> {
        if bytes < LEAST_FREE_DISK {
            let mib = |bytes: u64| bytes >> 20;
            let detail = format!(
                "the disk has {} MiB free; work is taken again from {} MiB on: make room, or set data_dir to another disk",
                mib(bytes),
                mib(ENOUGH_FREE_DISK)
            );
            return self.pause(Pause::DiskFull, detail, now).then_some(true);
        }
        let ends = bytes >= ENOUGH_FREE_DISK && self.standing.has(Pause::DiskFull);
        (ends && self.resume(Pause::DiskFull, now)).then_some(false)
    }

    /// What the operator's key has.
    pub fn handle_balance(&mut self, lamports: Lamports, now: UnixSeconds) {
        self.balance = Some(lamports);
        self.take_work(now);
    }

    /// What the operator's key must keep: what is live has to be finished with it.
    fn owed(&self) -> u64 {
        let mut transactions = self.owed_elsewhere;
        for work in self.work.values() {
            let audited = if work.job.is_unaudited() { 0 } else { AUDITED };
            if work.is_busy() {
                transactions = transactions.saturating_add(CLAIMED + audited);
            } else if work.is_live() && work.phase != Phase::Audited {
                transactions = transactions.saturating_add(1 + audited);
            }
        }
        let funds = &self.policy.funds;
        let fees = funds.transaction.0.saturating_mul(transactions);
        funds.reserve.0.saturating_add(fees)
    }

    /// Whether one more job leaves enough for what is live.
    pub(super) fn may_pay(&self, work: &Work) -> bool {
        let audited = if work.job.is_unaudited() { 0 } else { AUDITED };
        let fees = self
            .policy
            .funds
            .transaction
            .0
            .saturating_mul(1 + CLAIMED + audited);
        let owed = self.owed().saturating_add(fees);
        self.balance.is_none_or(|balance| balance.0 >= owed)
    }

    pub(super) fn follow_funds(&mut self, now: UnixSeconds) {
        let Some(balance) = self.balance else { return };
        let owed = self.owed();
        let spare = self
            .policy
            .funds
            .transaction
            .0
            .saturating_mul(1 + CLAIMED + AUDITED);
        if balance.0 < owed {
            let detail = format!(
                "the operator has {} lamports and {owed} are kept for what is live; send it some",
                balance.0
            );
            self.pause(Pause::Funds, detail, now);
        } else if balance.0 >= owed.saturating_add(spare) {
            self.standing.remove(Pause::Funds);
        }
    }

    pub(super) fn follow_windows(&mut self, now: UnixSeconds) {
        let mut windows = self.policy.pauses.iter();
        let within = windows.find_map(|window| Some((window.to_string(), window.left(now.0)?)));
        match within {
            Some((window, left)) => {
                let minutes = left.saturating_add(59) / 60;
                let detail = format!("policy.pause has {window}; it ends in {minutes} min");
                self.pause(Pause::PauseWindow, detail, now);
            }
            None => {
                self.standing.remove(Pause::PauseWindow);
            }
        }
    }
}
