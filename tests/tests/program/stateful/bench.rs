//! A panel and its seats as the book knows them.

use assay_client::protocol::{Address, panel::UNAVAILABLE};

use super::{seal::Seal, shadow::Job};

/// What a seat has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    Joined,
    Committed,
    Revealed,
    Settled,
}

/// What a seat said, seen from the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    NeverCommitted,
    NeverRevealed,
    Equal,
    Different,
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    pub provider: Address,
    pub generation: u64,
    pub score: u64,
    pub did: Did,
    pub seal: Option<Seal>,
    pub root: Option<[u8; 32]>,
    pub payout: u64,
}

/// Whether a panel waits for its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Live,
    Appealed,
    Resolved,
}

/// What may be done on a live panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Join,
    Commit,
    Reveal,
    Over,
}

#[derive(Clone, Debug)]
pub struct Bench {
    pub job: Address,
    pub level: u8,
    pub payer: Address,
    pub seed: [u8; 32],
    pub join: i64,
    pub commit: i64,
    pub reveal: i64,
    /// One seat's.
    pub bond: u64,
    pub size: usize,
    pub stage: Stage,
    /// Taken ones.
    pub seats: Vec<Seat>,
    pub gift: u64,
}

impl Bench {
    pub fn is_full(&self) -> bool {
        self.seats.len() == self.size
    }

    pub fn seats(&self, provider: &Address) -> bool {
        self.seats.iter().any(|seat| seat.provider == *provider)
    }

    /// The first of the seats with the highest score.
    pub fn worst(&self) -> Option<usize> {
        let highest = self.seats.iter().map(|seat| seat.score).max()?;
        self.seats.iter().position(|seat| seat.score == highest)
    }

    pub fn unsettled(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(|seat| seat.did != Did::Settled)
    }

    fn count(&self, did: &[Did]) -> usize {
        let counted = self.seats.iter().filter(|seat| did.contains(&seat.did));
        counted.count()
    }

    /// Lamports beside the rent.
    pub fn bonds(&self) -> u64 {
        if self.stage == Stage::Resolved {
            return self.unsettled().map(|seat| seat.payout).sum();
        }
        let seats = u64::try_from(self.seats.len()).expect("five seats");
        seats * self.bond
    }

    /// What may be done now.
    pub fn phase(&self, now: i64, job: &Job) -> Phase {
        let joined = self.count(&[Did::Joined]);
        let (sealed, shown) = (self.count(&[Did::Committed]), self.count(&[Did::Revealed]));
        let silence = sealed > 0 || job.root.is_none();
        if now <= self.join {
            Phase::Join
        } else if joined > 0 && now <= self.commit {
            Phase::Commit
        } else if sealed + shown > 0 && silence && now <= self.reveal {
            Phase::Reveal
        } else {
            Phase::Over
        }
    }

    /// The last moment of the phase; long ago where nothing is left but the verdict.
    pub fn deadline(&self, now: i64, job: &Job) -> i64 {
        match self.phase(now, job) {
            Phase::Join => self.join,
            Phase::Commit => self.commit,
            Phase::Reveal => self.reveal,
            Phase::Over => 0,
        }
    }

    pub fn said(&self, root: Option<[u8; 32]>) -> Vec<Said> {
        let said = |seat: &Seat| match (seat.did, seat.root) {
            (Did::Joined, _) => Said::NeverCommitted,
            (_, None) => Said::NeverRevealed,
            (_, Some(UNAVAILABLE)) => Said::Unavailable,
            (_, shown) if shown == root => Said::Equal,
            _ => Said::Different,
        };
        self.seats.iter().map(said).collect()
    }
}
