//! How a panel's auditors and its primary behave, so that rare verdicts are not rare here.

use assay_client::protocol::panel::UNAVAILABLE;

use crate::program::stateful::{
    bench::Bench,
    seal::{LIES, TRUTH},
};

/// One panel's, by its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// Everybody for itself.
    Split,
    /// Nearly everybody disagrees with an honest primary.
    Hostile,
    /// Nearly everybody says that there are no hints.
    Starved,
    /// Nobody joins.
    Empty,
    /// Nobody commits.
    Idle,
    /// Nobody reveals but the primary.
    Mute,
    /// The primary does not reveal.
    Withheld,
    /// Some commit, some reveal.
    Sparse,
}

impl Bench {
    pub fn mood(&self) -> Mood {
        match (self.level, self.seed[0] % 20) {
            (1, 0..6) | (2, 0..9) => Mood::Honest,
            (1, 6..9) | (2, 9) => Mood::Split,
            (1, 9..11) | (2, 10..14) => Mood::Hostile,
            (1, 11..13) | (2, 14) => Mood::Starved,
            (1, 13) => Mood::Empty,
            (1, 14) | (2, 15) => Mood::Idle,
            (1, 15) | (2, 16) => Mood::Mute,
            (1, 16..18) | (2, 17..19) => Mood::Withheld,
            _ => Mood::Sparse,
        }
    }

    /// A die that each seat rolled once.
    fn die(&self, seat: usize) -> u8 {
        self.seed[1 + seat] % 10
    }
}

impl Mood {
    pub fn is_idle(self, bench: &Bench, seat: usize) -> bool {
        match self {
            Self::Idle => true,
            Self::Sparse => bench.die(seat) < 4,
            _ => false,
        }
    }

    pub fn is_mute(self, bench: &Bench, seat: usize) -> bool {
        match self {
            Self::Mute => true,
            Self::Sparse => bench.die(seat) < 7,
            _ => false,
        }
    }

    pub fn root(self, bench: &Bench, seat: usize) -> [u8; 32] {
        match (self, bench.die(seat)) {
            (Self::Split, 0..3) | (Self::Hostile, 0..8) => LIES[0],
            (Self::Split, 3) => LIES[1],
            (Self::Split, 4) | (Self::Starved, 0..6) => UNAVAILABLE,
            _ => TRUTH,
        }
    }
}
