//! What providers are like, as a job's own provider and as auditors of others' jobs.

use super::{
    answer::{Answer, Sealed},
    dice::Dice,
};
use assay_client::protocol::panel::UNAVAILABLE;

/// A way to be a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Behaviour {
    /// Computes every answer and every audit.
    Honest,
    /// Returns the same constant, also where it audits.
    Lazy,
    /// Returns the last job's answer; audits by leaked plaintext, else with another auditor's commitment.
    Copying,
    /// Comes, and is gone before the work is done.
    Offline,
    /// Runs a coarsened model for its own jobs; audits honestly.
    Cheating,
    /// Cheats with its own jobs and covers its partners' wherever its seats decide the panel, and only there.
    Colluding,
    /// Honest with its own jobs; with its partners it dissents against everybody else, to have them slashed.
    Wrecking,
    /// The same by claiming that hints were withheld, which costs less where it fails.
    Denying,
    /// Computes honestly, serves its hints to the second panel only, and lets its partners there earn the fees.
    Withholding,
}

impl Behaviour {
    pub const ALL: [Self; 9] = [
        Self::Honest,
        Self::Lazy,
        Self::Copying,
        Self::Offline,
        Self::Cheating,
        Self::Colluding,
        Self::Wrecking,
        Self::Denying,
        Self::Withholding,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Lazy => "lazy",
            Self::Copying => "copying",
            Self::Offline => "offline",
            Self::Cheating => "cheating",
            Self::Colluding => "colluding",
            Self::Wrecking => "wrecking",
            Self::Denying => "denying",
            Self::Withholding => "withholding",
        }
    }

    /// Whether members act as one.
    pub const fn is_group(self) -> bool {
        matches!(
            self,
            Self::Colluding | Self::Wrecking | Self::Denying | Self::Withholding
        )
    }

    /// A job's answer, and what it cost to compute.
    pub fn answer(
        self,
        truth: &Answer,
        last: &Answer,
        costs: &Costs,
        dice: &mut Dice,
    ) -> (Answer, u64) {
        let computed = truth.computed(dice);
        match self {
            Self::Honest | Self::Wrecking | Self::Denying | Self::Withholding | Self::Offline => {
                (computed, costs.honest)
            }
            Self::Lazy => (Answer::constant(), 0),
            Self::Copying => (last.clone(), 0),
            Self::Cheating | Self::Colluding => (truth.coarsened(dice), costs.cheating),
        }
    }
}

/// What inference costs a provider, in lamports.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    pub honest: u64,
    pub cheating: u64,
}

/// What everybody on a panel sees, and what a group knows beside.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    pub level: u8,
    /// Seats taken, and how many of them the auditor's group holds.
    pub taken: usize,
    pub ours: usize,
    /// Whether the job's own provider belongs to the auditor's group.
    pub own_job: bool,
    /// The primary's plaintext has leaked.
    pub leaked: bool,
    /// The primary's hints, if it serves them to this panel.
    pub hints: Option<&'a [i8]>,
    pub primary: &'a Sealed,
    pub truth: &'a Answer,
}

/// What an auditor does with its seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Nothing,
    /// Commits, and is gone.
    CommitOnly,
    Answer([u8; 32]),
    /// Sends another auditor's commitment as its own.
    Copy,
}

impl Behaviour {
    /// What this auditor does, and what computing cost it.
    pub fn sit(self, sight: &Sight<'_>, costs: &Costs, dice: &mut Dice) -> (Act, u64) {
        let truthful = |dice: &mut Dice| match sight.hints {
            Some(hints) => (
                Act::Answer(sight.truth.computed(dice).audit(hints)),
                costs.honest,
            ),
            None => (Act::Answer(UNAVAILABLE), 0),
        };
        match self {
            Self::Honest | Self::Cheating => truthful(dice),
            Self::Lazy => match sight.hints {
                Some(hints) => (Act::Answer(Answer::constant().audit(hints)), 0),
                None => (Act::Answer(UNAVAILABLE), 0),
            },
            Self::Copying if sight.leaked => (Act::Answer(sight.primary.root), 0),
            Self::Copying => (Act::Copy, 0),
            Self::Offline if dice.chance(0.5) => (Act::Nothing, 0),
            Self::Offline => (Act::CommitOnly, costs.honest),
            Self::Colluding if sight.own_job && sight.decides() => {
                (Act::Answer(sight.primary.root), 0)
            }
            Self::Wrecking if sight.attacks() => (Act::Answer(dice.bytes()), 0),
            Self::Denying if sight.attacks() => (Act::Answer(UNAVAILABLE), 0),
            Self::Withholding if sight.own_job => (Act::Answer(sight.primary.root), 0),
            Self::Colluding | Self::Wrecking | Self::Denying | Self::Withholding => truthful(dice),
        }
    }
}

impl Sight<'_> {
    /// Whether a group that wants others slashed lies here: it begins on level 1, and goes on where it decides.
    fn attacks(&self) -> bool {
        !self.own_job && (self.level == 1 || self.decides())
    }

    /// Whether the group's seats alone decide this panel: all of level 1, three and the majority of level 2.
    fn decides(&self) -> bool {
        if self.level == 1 {
            self.ours == self.taken
        } else {
            self.ours >= 3 && 2 * self.ours > self.taken
        }
    }
}
