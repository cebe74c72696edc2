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
        match self.seed[0] % 20 {
            0..6 => Mood::Honest,
            6..9 => Mood::Split,
            9..11 => Mood::Hostile,
            11..13 => Mood::Starved,
            13 if self.level == 1 => Mood::Empty,
            13 => Mood::Hostile,
            14 => Mood::Idle,
            15 => Mood::Mute,
            16..18 => Mood::Withheld,
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
