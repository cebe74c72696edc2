//! How a model's outputs compare.

use crate::{
    error::{Error, Result},
    limits::MAX_OUTPUTS,
};

/// How one output compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Bit-equal after canonicalisation.
    Exact,
    /// Floats within about half a step of 2^exponent; integers and booleans stay exact.
    Grid(i8),
}

/// A model's comparison profile: one entry an output, in the model's output order.
/// [`OutputProfile::EXACT`] and [`OutputProfile::UNUSED`] are sentinels outside the exponents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputProfile(pub [i16; MAX_OUTPUTS]);

impl OutputProfile {
    pub const EXACT: i16 = i16::MIN;
    pub const UNUSED: i16 = i16::MAX;
    pub const MAX_EXPONENT: i16 = 64;

    /// A profile of `outputs` exact entries.
    pub fn exact(outputs: usize) -> Result<Self> {
        let mut entries = [Self::UNUSED; MAX_OUTPUTS];
        entries
            .get_mut(..outputs)
            .ok_or(Error::ModelProfileInvalid)?
            .fill(Self::EXACT);
        let profile = Self(entries);
        profile.check()?;
        Ok(profile)
    }

    /// One to eight entries, each valid, no gap between them.
    pub fn check(&self) -> Result<()> {
        let mut ended = false;
        for (position, entry) in self.0.iter().enumerate() {
            let unused = *entry == Self::UNUSED;
            if (unused && position == 0) || (ended && !unused) {
                return Err(Error::ModelProfileInvalid);
            }
            ended = unused;
            let exponent = (-Self::MAX_EXPONENT..=Self::MAX_EXPONENT).contains(entry);
            if !unused && *entry != Self::EXACT && !exponent {
                return Err(Error::ModelProfileInvalid);
            }
        }
        Ok(())
    }

    /// Number of outputs described.
    pub fn len(&self) -> usize {
        self.0
            .iter()
            .take_while(|entry| **entry != Self::UNUSED)
            .count()
    }

    /// Whether no output is described (never true of a checked profile).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether floats are compared on a grid: then auditors need the primary's hints.
    pub fn needs_hints(&self) -> bool {
        (0..self.len()).any(|position| matches!(self.get(position), Some(Comparison::Grid(_))))
    }

    /// How the output at `position` compares; none past the profile's end.
    pub fn get(&self, position: usize) -> Option<Comparison> {
        match *self.0.get(position)? {
            Self::UNUSED => None,
            Self::EXACT => Some(Comparison::Exact),
            exponent => i8::try_from(exponent).ok().map(Comparison::Grid),
        }
    }
}
